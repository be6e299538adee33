// tapmesh node inspect: nodes as a JSON array in Docker's shape. "self" is the one that is asked.
import type { Command } from 'commander'
import { UsageError } from '../../../base/errors.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { addInspectOptions, type InspectOptions, printInspections } from '../inspections.ts'
import { nodeInspection, nodeText } from '../node-text.ts'
import { forEachName } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'nodes, by name or id, or "self"')
    .option('--pretty', 'as text for people')
    .action(async (names: string[], options: InspectOptions & { pretty?: boolean }) => {
      const client = clientOf(command)
      if (options.pretty === true) {
        if (options.format !== undefined) throw new UsageError('say either --pretty or --format')
        return forEachName(names, async name => nodeText(await client.node(name)))
      }
      await printInspections(names, async name => nodeInspection(await client.node(name)), options)
    })
  addInspectOptions(command)
  addSocketOption(command)
  addExample(command, 'tapmesh node inspect self',
    "tapmesh node inspect -f '{{.Spec.Availability}}' node2")
}
