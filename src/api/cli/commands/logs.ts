// tapmesh logs: what a task has written to stdout and stderr.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { addExample, wholeNumber } from '../words.ts'

const TAIL_LINES_MAX = 1_000_000

export function define(command: Command): void {
  command
    .argument('<name>', 'task, by name or id')
    .option('-f, --follow', 'go on until the task has ended')
    .option('--tail <n>', 'only the last lines (default: all)',
      wholeNumber('--tail', 0, TAIL_LINES_MAX))
    .action(async (name: string, { follow, tail }: { follow?: boolean; tail?: number }) => {
      const log = clientOf(command).taskLog(name, { follow, tail })
      for await (const octets of log) process.stdout.write(octets)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh logs -f --tail 20 web')
}
