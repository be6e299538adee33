// tapmesh service ps: the tasks of services on all nodes, and those that were before them.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { addListOptions, type ListOptions, printList } from '../listing.ts'
import { SERVICE_TASKS, taskRows } from '../service-tasks.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .description('List the tasks of services, on all nodes. Older tasks of a slot stand below its '
      + 'newest one, marked by \\_.')
    .argument('<service...>', 'services, by name or id')
  addListOptions(command, SERVICE_TASKS)
  command.action(async (names: string[], options: ListOptions) => {
    const client = clientOf(command)
    const tasks = await Promise.all(names.map(name => client.serviceTasks(name)))
    printList(SERVICE_TASKS, taskRows(tasks.flat(), options), options)
  })
  addSocketOption(command)
  addExample(command, 'tapmesh service ps web', 'tapmesh service ps --no-trunc web',
    "tapmesh service ps --format '{{.Name}} {{.Node}}' web")
}
