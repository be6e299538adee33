// tapmesh service ls: Docker's columns. IMAGE is the program that the tasks run.
import type { Command } from 'commander'
import type { ServiceView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { beginning, exactly, labelled, labelsText } from '../filters.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { imageText, portsText, replicasText } from '../service-text.ts'
import { shortId } from '../task-text.ts'
import { addExample } from '../words.ts'

const LISTING: Listing<ServiceView> = {
  columns: {
    ID: { heading: 'ID', of: ({ id }, { isWhole }) => isWhole ? id : shortId(id) },
    Name: { heading: 'NAME', of: ({ name }) => name },
    Mode: { heading: 'MODE', of: ({ spec }) => spec.mode },
    Replicas: { heading: 'REPLICAS', of: replicasText },
    Image: { heading: 'IMAGE', of: ({ spec }) => imageText(spec.task.command) },
    Ports: { heading: 'PORTS',
      of: ({ spec }) => portsText(spec.ports.filter(port => port.mode === 'ingress')) },
    Labels: { heading: 'LABELS', of: ({ spec }) => labelsText(spec.labels) },
  },
  table: ['ID', 'Name', 'Mode', 'Replicas', 'Image', 'Ports'],
  quiet: 'ID',
  filters: {
    id: beginning(({ id }) => id),
    name: beginning(({ name }) => name),
    mode: exactly(({ spec }) => spec.mode, ['replicated', 'global']),
    label: labelled(({ spec }) => spec.labels),
  },
  labels: ({ spec }) => spec.labels,
}

export function define(command: Command): void {
  addListOptions(command, LISTING)
  command.action(async (options: ListOptions) =>
    printList(LISTING, await clientOf(command).services(), options))
  addSocketOption(command)
  addExample(command, 'tapmesh service ls', 'tapmesh service rm $(tapmesh service ls -q)')
}
