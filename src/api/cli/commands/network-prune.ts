// tapmesh network prune: removes networks that nobody uses, after a question.
import type { Command } from 'commander'
import { ConflictError, UsageError } from '../../../base/errors.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { confirm } from '../confirm.ts'
import { print } from '../output.ts'
import { addExample, collect, momentMs } from '../words.ts'

const WARNING = 'WARNING! This will remove all networks that no task and no service uses.\n'
  + 'Are you sure you want to continue? [y/N] '

type Options = { force?: boolean; filter?: string[] }

export function define(command: Command): void {
  command
    .option('-f, --force', 'do not ask')
    .option('--filter <key=value>', 'only those with: until=TIME or until=AGE (created before), '
      + 'label=KEY[=VALUE], label!=KEY[=VALUE]', collect)
    .action(async ({ force, filter }: Options) => {
      const body = pruneOf(filter ?? [], Date.now())
      if (force !== true && !await confirm(WARNING)) {
        throw new ConflictError('nothing was removed; without a question: '
          + 'tapmesh network prune --force')
      }
      const names = await clientOf(command).pruneNetworks(body)
      if (names.length > 0) print(`Deleted Networks:\n${names.join('\n')}`)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh network prune', 'tapmesh network prune -f --filter until=24h')
}

function pruneOf(words: readonly string[], nowMs: number) {
  const labels: string[] = []
  const labelsNot: string[] = []
  let untilMs: number | undefined
  for (const word of words) {
    const [, key, value = ''] = /^([a-z]+!?)=(.+)$/.exec(word) ?? []
    if (key === 'label') labels.push(value)
    else if (key === 'label!') labelsNot.push(value)
    else if (key === 'until') untilMs = Math.min(untilMs ?? Infinity, momentMs(value, nowMs))
    else throw new UsageError(`--filter "${word}": write until=TIME, label=KEY or label!=KEY`)
  }
  return { untilMs, labels, labelsNot }
}
