// tapmesh node inspect: nodes as a JSON array. "self" is the one that is asked.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { printInspections } from '../inspections.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'nodes, by name or id, or "self"')
    .action(async (names: string[]) => {
      const client = clientOf(command)
      await printInspections(names, name => client.node(name))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh node inspect self')
}
