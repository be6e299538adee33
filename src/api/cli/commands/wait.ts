// tapmesh wait: prints the exit code of each task when it has ended.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { forEachName } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'tasks, by name or id')
    .action(async (names: string[]) => {
      const client = clientOf(command)
      await forEachName(names, async name => {
        const { exitCode, state } = await client.waitTask(name)
        return exitCode ?? state
      })
    })
  addSocketOption(command)
  addExample(command, 'tapmesh wait job')
}
