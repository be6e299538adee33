// tapmesh lb flows: the connections through virtual addresses that this node knows.
import type { Command } from 'commander'
import type { FlowView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { addExample, wholeNumber } from '../words.ts'

const LIMIT_MAX = 100_000

const LISTING: Listing<FlowView> = {
  columns: {
    Protocol: { heading: 'PROTOCOL', of: ({ protocol }) => protocol },
    Service: { heading: 'SERVICE', of: ({ service }) => service },
    Network: { heading: 'NETWORK', of: ({ network }) => network },
    Client: { heading: 'CLIENT', of: ({ client }) => client },
    Vip: { heading: 'VIP', of: ({ vip }) => vip },
    Backend: { heading: 'BACKEND', of: ({ backend }) => backend },
    State: { heading: 'STATE', of: ({ state }) => state },
    Idle: { heading: 'IDLE', of: ({ idleMs }) => `${Math.floor(idleMs / 1000)} s` },
  },
  table: ['Protocol', 'Service', 'Client', 'Vip', 'Backend', 'State', 'Idle'],
}

type Options = ListOptions & { service?: string; limit?: number }

export function define(command: Command): void {
  command
    .option('--service <service>', 'only those of this service, by name or id')
    .option('--limit <number>', 'flows that are listed at most (default: 1000)',
      wholeNumber('--limit', 1, LIMIT_MAX))
  addListOptions(command, LISTING)
  command.action(async (options: Options) => {
    const { flows } = await clientOf(command).flows(
      { service: options.service, limit: options.limit })
    printList(LISTING, flows, options)
  })
  addSocketOption(command)
  addExample(command, 'tapmesh lb flows', 'tapmesh lb flows --service web')
}
