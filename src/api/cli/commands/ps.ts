// tapmesh ps: the tasks of this host.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print, printJson } from '../output.ts'
import { isLive, shortId, taskTable } from '../task-text.ts'
import { addExample } from '../words.ts'

type Options = { all?: boolean; quiet?: boolean; json?: boolean }

export function define(command: Command): void {
  command
    .option('-a, --all', 'also those that have ended')
    .option('-q, --quiet', 'print only ids')
    .option('--json', 'print everything as JSON')
    .action(async ({ all, quiet, json }: Options) => {
      const known = await clientOf(command).tasks()
      const tasks = all === true ? known : known.filter(isLive)
      if (json === true) printJson(tasks)
      else if (quiet === true) print(tasks.map(({ id }) => shortId(id)).join('\n'))
      else print(taskTable(tasks, Date.now()))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh ps -a', 'tapmesh rm -f $(tapmesh ps -aq)')
}
