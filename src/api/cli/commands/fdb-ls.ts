// tapmesh fdb ls: which MAC address was learned behind which VTEP.
import type { Command } from 'commander'
import type { LearnedView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { exactly } from '../filters.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { addExample } from '../words.ts'

const LISTING: Listing<LearnedView> = {
  columns: {
    Network: { heading: 'NETWORK', of: ({ network }) => network },
    MAC: { heading: 'MAC', of: ({ mac }) => mac },
    Via: { heading: 'VIA', of: ({ via }) => via },
    Age: { heading: 'AGE', of: ({ ageMs }) => `${Math.floor(ageMs / 1000)} s` },
  },
  table: ['Network', 'MAC', 'Via', 'Age'],
  filters: {
    network: exactly(({ network }) => network), mac: exactly(({ mac }) => mac),
    via: exactly(({ via }) => via),
  },
}

export function define(command: Command): void {
  addListOptions(command, LISTING)
  command.action(async (options: ListOptions) =>
    printList(LISTING, await clientOf(command).learned(), options))
  addSocketOption(command)
  addExample(command, 'tapmesh fdb ls')
}
