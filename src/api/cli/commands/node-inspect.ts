// tapmesh node inspect: nodes as a JSON array. "self" is the one that is asked.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { addInspectOptions, type InspectOptions, printInspections } from '../inspections.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'nodes, by name or id, or "self"')
    .action(async (names: string[], options: InspectOptions) => {
      const client = clientOf(command)
      await printInspections(names, name => client.node(name), options)
    })
  addInspectOptions(command)
  addSocketOption(command)
  addExample(command, 'tapmesh node inspect self')
}
