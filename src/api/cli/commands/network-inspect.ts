// tapmesh network inspect: a JSON array in Docker's shape.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { addInspectOptions, type InspectOptions, printInspections } from '../inspections.ts'
import { networkInspection } from '../task-text.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'networks, by name or id')
    .action(async (names: string[], options: InspectOptions) => {
      const client = clientOf(command)
      await printInspections(names, async name => networkInspection(await client.network(name)),
        options)
    })
  addInspectOptions(command)
  addSocketOption(command)
  addExample(command, 'tapmesh network inspect mynet')
}
