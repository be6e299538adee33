// tapmesh node ps: the tasks of services on nodes. Those of `run` are in `tapmesh ps` of each node.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { addListOptions, type ListOptions, printList } from '../listing.ts'
import { SERVICE_TASKS, taskRows } from '../service-tasks.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .description('List the tasks of services on nodes. Older tasks of a slot stand below its '
      + 'newest one, marked by \\_.')
    .argument('[node...]', 'nodes, by name or id (default: "self", the one that is asked)')
  addListOptions(command, SERVICE_TASKS)
  command.action(async (names: string[], options: ListOptions) => {
    const client = clientOf(command)
    const nodes = names.length === 0 ? ['self'] : names
    const tasks = await Promise.all(nodes.map(node => client.nodeTasks(node)))
    printList(SERVICE_TASKS, taskRows(tasks.flat(), options), options)
  })
  addSocketOption(command)
  addExample(command, 'tapmesh node ps', 'tapmesh node ps node2 node3')
}
