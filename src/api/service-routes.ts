// The routes of services.
import type { ServiceControl } from '../daemon/service-views.ts'
import { answer, check } from './http.ts'
import { bodyOf, type On, plain, sendLines } from './route.ts'
import { nothing } from './schema.ts'
import { serviceCreate, serviceLogs, serviceUpdate } from './service-schema.ts'

export function addServices(on: On, services: ServiceControl): void {
  on('GET', '/v1/services', plain(() => services.list()))
  on('POST', '/v1/services', async exchange => {
    answer(exchange.response, 201, await services.create(await bodyOf(exchange, serviceCreate)))
  })
  on('GET', '/v1/services/:service', plain(({ service }) => services.get(service ?? '')))
  on('DELETE', '/v1/services/:service', plain(({ service }) => services.remove(service ?? '')))
  on('GET', '/v1/services/:service/tasks', plain(({ service }) => services.tasks(service ?? '')))
  on('POST', '/v1/services/:service/update', async exchange => {
    const change = await bodyOf(exchange, serviceUpdate)
    const which = exchange.params.service ?? ''
    answer(exchange.response, 200, await services.update(which, change))
  })
  on('POST', '/v1/services/:service/rollback', async exchange => {
    await bodyOf(exchange, nothing)
    answer(exchange.response, 200, await services.rollback(exchange.params.service ?? ''))
  })
  on('GET', '/v1/services/:service/logs', exchange => {
    const { follow, tail } = check(serviceLogs, exchange.query)
    const { service = '' } = exchange.params
    return sendLines(exchange, services.logs(service, { follow, tail }, exchange.signal))
  })
}
