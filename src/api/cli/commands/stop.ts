// tapmesh stop: TERM, then KILL for what has not ended in time.
import type { Command } from 'commander'
import { GRACE_MS_MAX } from '../../question.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { forEachName } from '../output.ts'
import { addExample, wholeNumber } from '../words.ts'


export function define(command: Command): void {
  command
    .argument('<name...>', 'tasks, by name or id')
    .option('-t, --time <seconds>', "how long to wait before KILL (default: the task's own time)",
      wholeNumber('--time', 0, GRACE_MS_MAX / 1000))
    .action(async (names: string[], { time }: { time?: number }) => {
      const client = clientOf(command)
      await forEachName(names, async name => {
        await client.stopTask(name, time === undefined ? undefined : time * 1000)
        return name
      })
    })
  addSocketOption(command)
  addExample(command, 'tapmesh stop -t 3 web')
}
