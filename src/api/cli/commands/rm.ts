// tapmesh rm: removes tasks with their namespaces and logs.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { forEachName } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'tasks, by name or id')
    .option('-f, --force', 'kill those that still run')
    .action(async (names: string[], { force }: { force?: boolean }) => {
      const client = clientOf(command)
      await forEachName(names, async name => {
        await client.removeTask(name, force)
        return name
      })
    })
  addSocketOption(command)
  addExample(command, 'tapmesh rm -f web')
}
