// tapmesh kill: sends a signal to the processes of tasks.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { forEachName } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'tasks, by name or id')
    .option('-s, --signal <signal>', 'name or number of the signal', 'KILL')
    .action(async (names: string[], { signal }: { signal: string }) => {
      const client = clientOf(command)
      await forEachName(names, async name => {
        await client.killTask(name, signal)
        return name
      })
    })
  addSocketOption(command)
  addExample(command, 'tapmesh kill -s HUP web')
}
