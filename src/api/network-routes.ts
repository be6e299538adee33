// The routes of networks: what they are, who is in them, and tasks that come and go.
import type { Control } from '../daemon/views.ts'
import { answer } from './http.ts'
import { bodyOf, type On, plain } from './route.ts'
import { networkConnect, networkCreate, networkDisconnect, networkPrune } from './schema.ts'

export function addNetworks(on: On, control: Control): void {
  on('GET', '/v1/networks', plain(() => control.networks()))
  on('POST', '/v1/networks', async exchange => {
    const { driver: _, ...spec } = await bodyOf(exchange, networkCreate)
    answer(exchange.response, 201, await control.createNetwork(spec))
  })
  on('POST', '/v1/networks/prune', async exchange => {
    const spec = await bodyOf(exchange, networkPrune)
    answer(exchange.response, 200, await control.pruneNetworks(spec))
  })
  on('GET', '/v1/networks/:network', plain(({ network }) => control.network(network)))
  on('DELETE', '/v1/networks/:network', plain(({ network }) => control.removeNetwork(network), 204))
  on('GET', '/v1/networks/:network/services',
    plain(({ network }) => control.networkServices(network)))
  on('POST', '/v1/networks/:network/connect', async exchange => {
    const spec = await bodyOf(exchange, networkConnect)
    const view = await control.connectTask(exchange.params.network ?? '', spec)
    answer(exchange.response, 200, view)
  })
  on('POST', '/v1/networks/:network/disconnect', async exchange => {
    const { task } = await bodyOf(exchange, networkDisconnect)
    const view = await control.disconnectTask(exchange.params.network ?? '', task)
    answer(exchange.response, 200, view)
  })
}
