// tapmesh service ps: the tasks of services on all nodes, and those that were before them.
import type { Command } from 'commander'
import type { ServiceTaskView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { beginning, exactly } from '../filters.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { agoText, errorText, imageText, portsText, stateWord } from '../service-text.ts'
import { shortId } from '../task-text.ts'
import { addExample } from '../words.ts'

/** `isOlder`: the slot has a newer task, which stands above it. */
type Row = ServiceTaskView & { isOlder: boolean }

const LISTING: Listing<Row> = {
  columns: {
    ID: { heading: 'ID', of: ({ id }, { isWhole }) => isWhole ? id : shortId(id) },
    Name: { heading: 'NAME',
      of: ({ name, isOlder }, { isCell }) => isOlder && isCell ? ` \\_ ${name}` : name },
    Image: { heading: 'IMAGE', of: ({ command }) => imageText(command) },
    Node: { heading: 'NODE', of: ({ node }) => node?.name ?? '' },
    DesiredState: { heading: 'DESIRED STATE', of: ({ desired }) => stateWord(desired) },
    CurrentState: { heading: 'CURRENT STATE',
      of: ({ state, stateAt }, { nowMs }) => `${stateWord(state)} ${agoText(stateAt, nowMs)}` },
    Error: { heading: 'ERROR', of: ({ error }, { isWhole }) => errorText(error, isWhole) },
    Ports: { heading: 'PORTS', of: ({ ports }) => portsText(ports) },
  },
  table: ['ID', 'Name', 'Image', 'Node', 'DesiredState', 'CurrentState', 'Error', 'Ports'],
  quiet: 'ID',
  filters: {
    id: beginning(({ id }) => id),
    name: beginning(({ name }) => name),
    node: beginning(({ node }) => node?.name ?? '', ({ node }) => node?.id ?? ''),
    'desired-state': exactly(({ desired }) => desired, ['running', 'shutdown']),
  },
}

export function define(command: Command): void {
  command
    .description('List the tasks of services, on all nodes. Older tasks of a slot stand below its '
      + 'newest one, marked by \\_.')
    .argument('<service...>', 'services, by name or id')
  addListOptions(command, LISTING)
  command.action(async (names: string[], options: ListOptions) => {
    const client = clientOf(command)
    const tasks = await Promise.all(names.map(name => client.serviceTasks(name)))
    // A slot that waits has no id to be asked for.
    const rows = tasks.flatMap(rowsOf).filter(({ id }) => options.quiet !== true || id !== '')
    printList(LISTING, rows, options)
  })
  addSocketOption(command)
  addExample(command, 'tapmesh service ps web', 'tapmesh service ps --no-trunc web',
    "tapmesh service ps --format '{{.Name}} {{.Node}}' web")
}

/** @param tasks of one service, those of a slot side by side with the newest first */
function rowsOf(tasks: readonly ServiceTaskView[]): Row[] {
  return tasks.map((task, n) => ({ ...task, isOlder: tasks[n - 1]?.slot === task.slot }))
}
