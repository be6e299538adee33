// tapmesh stop: TERM, then KILL for what has not ended in time.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { forEachName } from '../output.ts'
import { addExample, wholeNumber } from '../words.ts'

const GRACE_S = 10
const GRACE_S_MAX = 3600

export function define(command: Command): void {
  command
    .argument('<name...>', 'tasks, by name or id')
    .option('-t, --time <seconds>', 'how long to wait before KILL',
      wholeNumber('--time', 0, GRACE_S_MAX), GRACE_S)
    .action(async (names: string[], { time }: { time: number }) => {
      const client = clientOf(command)
      await forEachName(names, async name => {
        await client.stopTask(name, time * 1000)
        return name
      })
    })
  addSocketOption(command)
  addExample(command, 'tapmesh stop -t 3 web')
}
