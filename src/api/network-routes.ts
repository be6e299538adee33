// The routes of networks: what they are, who is in them, and tasks that come and go.
import type { Control } from '../daemon/views.ts'
import { answer } from './http.ts'
import { type On, plain, withBody } from './route.ts'
import { networkConnect, networkCreate, networkDisconnect, networkPrune } from './schema.ts'

export function addNetworks(on: On, control: Control): void {
  on('GET', '/v1/networks', plain(() => control.networks()))
  on('POST', '/v1/networks', withBody(networkCreate, async ({ driver: _, ...spec }, exchange) => {
    answer(exchange.response, 201, await control.createNetwork(spec))
  }))
  on('POST', '/v1/networks/prune', withBody(networkPrune, async (spec, { response }) => {
    answer(response, 200, await control.pruneNetworks(spec))
  }))
  on('GET', '/v1/networks/:network', plain(({ network }) => control.network(network)))
  on('DELETE', '/v1/networks/:network', plain(({ network }) => control.removeNetwork(network), 204))
  on('GET', '/v1/networks/:network/services',
    plain(({ network }) => control.networkServices(network)))
  on('POST', '/v1/networks/:network/connect', withBody(networkConnect, async (spec, exchange) => {
    const view = await control.connectTask(exchange.params.network ?? '', spec)
    answer(exchange.response, 200, view)
  }))
  on('POST', '/v1/networks/:network/disconnect',
    withBody(networkDisconnect, async ({ task }, exchange) => {
      const view = await control.disconnectTask(exchange.params.network ?? '', task)
      answer(exchange.response, 200, view)
    }))
}
