// The routes of services.
import type { ServiceControl } from '../daemon/service-views.ts'
import { answer } from './http.ts'
import { type On, plain, sendLines, withBody, withQuery } from './route.ts'
import { nothing } from './schema.ts'
import { serviceCreate, serviceLogs, serviceUpdate } from './service-schema.ts'

export function addServices(on: On, services: ServiceControl): void {
  on('GET', '/v1/services', plain(() => services.list()))
  on('POST', '/v1/services', withBody(serviceCreate, async (input, { response }) => {
    answer(response, 201, await services.create(input))
  }))
  on('GET', '/v1/services/:service', plain(({ service }) => services.get(service ?? '')))
  on('DELETE', '/v1/services/:service', plain(({ service }) => services.remove(service ?? '')))
  on('GET', '/v1/services/:service/tasks', plain(({ service }) => services.tasks(service ?? '')))
  on('POST', '/v1/services/:service/update', withBody(serviceUpdate, async (change, exchange) => {
    const which = exchange.params.service ?? ''
    answer(exchange.response, 200, await services.update(which, change))
  }))
  on('POST', '/v1/services/:service/rollback', withBody(nothing, async (_, exchange) => {
    answer(exchange.response, 200, await services.rollback(exchange.params.service ?? ''))
  }))
  on('GET', '/v1/services/:service/logs', withQuery(serviceLogs, ({ follow, tail }, exchange) => {
    const { service = '' } = exchange.params
    return sendLines(exchange, services.logs(service, { follow, tail }, exchange.signal))
  }))
}
