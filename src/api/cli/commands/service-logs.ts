// tapmesh service logs: what the tasks of a service have written, on whichever node.
import type { Command } from 'commander'
import type { ServiceLogLine } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { complain } from '../failure.ts'
import { SHORT_ID_LENGTH } from '../task-text.ts'
import { addExample, wholeNumber } from '../words.ts'

type Options = { follow?: boolean; tail?: number; raw?: boolean; trunc?: boolean
  taskIds?: boolean }

const TAIL_LINES_MAX = 1_000_000

export function define(command: Command): void {
  command
    .description('Show the output of the tasks of a service, on all nodes, or of one task. Before '
      + 'each line stand the task and its node.')
    .argument('<service|task>', 'service by name or id, or task by id')
    .option('-f, --follow', 'go on, also with tasks that begin later')
    .option('-n, --tail <n>', 'only the last lines of each task (default: all)',
      wholeNumber('--tail', 0, TAIL_LINES_MAX))
    .option('--raw', 'only the lines, without task and node')
    .option('--no-trunc', 'do not cut the ids of tasks')
    .option('--no-task-ids', 'leave the ids of tasks out')
    .action(async (name: string, options: Options) => {
      const { follow, tail } = options
      for await (const one of clientOf(command).serviceLogs(name, { follow, tail })) {
        if ('note' in one) complain(one.note)
        else process.stdout.write(`${prefixOf(one, options)}${one.line}\n`)
      }
    })
  addSocketOption(command)
  addExample(command, 'tapmesh service logs --tail 20 web', 'tapmesh service logs -f web')
}

/** "web.1.yf5uqm1kzx6d@node1    | ", as Docker has it. */
function prefixOf({ task, name, node }: Exclude<ServiceLogLine, { note: string }>,
  { raw, trunc, taskIds }: Options): string {
  if (raw === true) return ''
  const shown = trunc === false ? task : task.slice(0, SHORT_ID_LENGTH)
  return `${name}${taskIds === false ? '' : `.${shown}`}@${node}    | `
}
