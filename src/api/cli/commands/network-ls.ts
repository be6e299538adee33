// tapmesh network ls: Docker's columns, and our subnet and VNI.
import type { Command } from 'commander'
import type { NetworkView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { exactly, labelled, labelsText, part } from '../filters.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { shortId } from '../task-text.ts'
import { addExample } from '../words.ts'

const LISTING: Listing<NetworkView> = {
  columns: {
    ID: { heading: 'NETWORK ID', of: ({ id }, { isWhole }) => isWhole ? id : shortId(id) },
    Name: { heading: 'NAME', of: ({ name }) => name },
    Driver: { heading: 'DRIVER', of: ({ driver }) => driver },
    Scope: { heading: 'SCOPE', of: ({ scope }) => scope },
    Subnet: { heading: 'SUBNET', of: ({ subnet }) => subnet },
    Gateway: { heading: 'GATEWAY', of: ({ gateway }) => gateway },
    VNI: { heading: 'VNI', of: ({ driver, vni }) => driver === 'bridge' ? '' : String(vni) },
    MTU: { heading: 'MTU', of: ({ mtu }) => String(mtu) },
    IPv6: { heading: 'IPV6', of: () => 'false' },
    Internal: { heading: 'INTERNAL', of: ({ internal }) => String(internal) },
    Attachable: { heading: 'ATTACHABLE', of: ({ attachable }) => String(attachable) },
    Labels: { heading: 'LABELS', of: ({ labels }) => labelsText(labels) },
    CreatedAt: { heading: 'CREATED AT', of: ({ createdAt }) => createdAt },
  },
  table: ['ID', 'Name', 'Driver', 'Scope', 'Subnet', 'VNI'],
  quiet: 'ID',
  filters: {
    driver: exactly(({ driver }) => driver),
    id: part(({ id }) => id),
    label: labelled(({ labels }) => labels),
    name: part(({ name }) => name),
    scope: exactly(({ scope }) => scope, ['swarm', 'global', 'local']),
    type: exactly(({ driver, ingress }) => ingress || driver === 'bridge' ? 'builtin' : 'custom',
      ['custom', 'builtin']),
  },
  labels: ({ labels }) => labels,
}

export function define(command: Command): void {
  addListOptions(command, LISTING)
  command.action(async (options: ListOptions) =>
    printList(LISTING, await clientOf(command).networks(), options))
  addSocketOption(command)
  addExample(command, 'tapmesh network ls',
    'tapmesh network rm $(tapmesh network ls -q --filter type=custom)',
    "tapmesh network ls --filter label=team=blue --format '{{.Name}} {{.Subnet}}'")
}
