// tapmesh dns ls: the names that tasks can ask for.
import type { Command } from 'commander'
import type { DnsNameView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { exactly, part } from '../filters.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { addExample } from '../words.ts'

const LISTING: Listing<DnsNameView> = {
  columns: {
    Network: { heading: 'NETWORK', of: ({ network }) => network },
    Name: { heading: 'NAME', of: ({ name }) => name },
    Kind: { heading: 'KIND', of: ({ kind }) => kind },
    Addresses: { heading: 'ADDRESSES', of: ({ addresses }) => addresses.join(' ') || '-' },
  },
  table: ['Network', 'Name', 'Kind', 'Addresses'],
  filters: {
    network: exactly(({ network }) => network),
    name: part(({ name }) => name),
    kind: exactly(({ kind }) => kind, ['service', 'alias', 'task']),
  },
}

export function define(command: Command): void {
  command.option('--task <task>', 'only those of the networks of this task')
  addListOptions(command, LISTING)
  command.action(async (options: ListOptions & { task?: string }) =>
    printList(LISTING, await clientOf(command).dnsNames(options.task), options))
  addSocketOption(command)
  addExample(command, 'tapmesh dns ls', 'tapmesh dns ls --filter kind=service')
}
