// tapmesh node rm: forget nodes that will not come back. What they knew is worth nothing then.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { forEachName } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'nodes, by name or id')
    .option('-f, --force', 'also a node that is alive: it is shut out')
    .action(async (names: string[], { force }: { force?: boolean }) => {
      const client = clientOf(command)
      await forEachName(names, async name => {
        await client.removeNode(name, force)
        return name
      })
    })
  addSocketOption(command)
  addExample(command, 'tapmesh node rm node3')
}
