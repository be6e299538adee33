// tapmesh lb rules: what sets which mark, and the service that the mark names.
import type { Command } from 'commander'
import type { LbRuleView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { exactly } from '../filters.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { addExample } from '../words.ts'

const LISTING: Listing<LbRuleView> = {
  columns: {
    Kind: { heading: 'KIND', of: ({ kind }) => kind },
    Network: { heading: 'NETWORK', of: ({ network }) => network },
    Address: { heading: 'ADDRESS', of: ({ address }) => address },
    Protocols: { heading: 'PROTOCOLS', of: ({ protocols }) => protocols },
    Ports: { heading: 'PORTS', of: ({ ports }) => ports },
    Mark: { heading: 'MARK', of: ({ mark }) => `0x${mark.toString(16)}` },
    Service: { heading: 'SERVICE', of: ({ service }) => service },
  },
  table: ['Kind', 'Network', 'Address', 'Protocols', 'Ports', 'Mark', 'Service'],
  filters: {
    network: exactly(({ network }) => network),
    service: exactly(({ service }) => service),
  },
}

export function define(command: Command): void {
  addListOptions(command, LISTING)
  command.action(async (options: ListOptions) =>
    printList(LISTING, await clientOf(command).lbRules(), options))
  addSocketOption(command)
  addExample(command, 'tapmesh lb rules')
}
