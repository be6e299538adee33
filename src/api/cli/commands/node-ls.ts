// tapmesh node ls: Docker's columns. " *" marks the node that was asked.
import type { Command } from 'commander'
import type { NodeView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { beginning, exactly, labelled } from '../filters.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { addExample } from '../words.ts'

const LISTING: Listing<NodeView> = {
  columns: {
    ID: { heading: 'ID', of: ({ id, self }, { isCell }) => self && isCell ? `${id} *` : id },
    Self: { heading: 'SELF', of: ({ self }) => self },
    Hostname: { heading: 'HOSTNAME', of: ({ name }) => name },
    Status: { heading: 'STATUS', of: ({ status }) => status },
    Availability: { heading: 'AVAILABILITY', of: ({ availability }) => availability },
    ManagerStatus: { heading: 'MANAGER STATUS', of: ({ managerStatus }) => managerStatus },
    EngineVersion: { heading: 'ENGINE VERSION', of: ({ version }) => version },
    Address: { heading: 'ADDRESS', of: ({ address }) => address },
  },
  table: ['ID', 'Hostname', 'Status', 'Availability', 'ManagerStatus', 'EngineVersion'],
  quiet: 'ID',
  filters: {
    id: beginning(({ id }) => id),
    name: beginning(({ name }) => name),
    role: exactly(({ role }) => role, ['manager', 'worker']),
    'node.label': labelled(({ labels }) => labels),
    label: labelled(({ labels }) => labels),
  },
}

export function define(command: Command): void {
  addListOptions(command, LISTING)
  command.action(async (options: ListOptions) =>
    printList(LISTING, await clientOf(command).nodes(), options))
  addSocketOption(command)
  addExample(command, 'tapmesh node ls', 'tapmesh node ls -q --filter role=worker')
}
