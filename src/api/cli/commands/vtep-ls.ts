// tapmesh vtep ls: the VTEPs that were named by hand; "*" stands for every network.
import type { Command } from 'commander'
import type { VtepView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { exactly } from '../filters.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { addExample } from '../words.ts'

const LISTING: Listing<VtepView> = {
  columns: {
    Address: { heading: 'ADDRESS', of: ({ address }) => address },
    Port: { heading: 'PORT', of: ({ port }) => String(port) },
    Network: { heading: 'NETWORK', of: ({ network }) => network ?? '*' },
    Checksum: { heading: 'CHECKSUM', of: vtep => vtep.remoteChecksum ? 'remote' : 'ours' },
  },
  table: ['Address', 'Port', 'Network', 'Checksum'],
  filters: { network: exactly(({ network }) => network ?? '*') },
}

export function define(command: Command): void {
  addListOptions(command, LISTING)
  command.action(async (options: ListOptions) =>
    printList(LISTING, await clientOf(command).vteps(), options))
  addSocketOption(command)
  addExample(command, 'tapmesh vtep ls')
}
