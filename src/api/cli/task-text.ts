// One task in the words of listings.
import type { TaskView } from '../client.ts'
import { elapsedText } from './ago.ts'

/** Docker cuts ids and commands to this many characters. */
export const SHORT_ID_LENGTH = 12
const COMMAND_LENGTH_MAX = 20
const ERROR_LENGTH_MAX = 60

/** The first 12 digits of an id. */
export function shortId(id: string): string {
  return id.slice(0, SHORT_ID_LENGTH)
}

/** "Up 5 seconds", "Exited (0) 3 minutes ago" */
export function taskStatus(task: TaskView, nowMs: number): string {
  const { state, error, exitCode, startedAt, finishedAt, createdAt } = task
  const since = (moment: string | null) => elapsedText(moment ?? createdAt, nowMs)
  switch (state) {
    case 'created':
      return task.command.length > 0 ? 'Created' : `Up ${since(createdAt)} (no process)`
    case 'running': return `Up ${since(startedAt)}`
    case 'stopping': return `Up ${since(startedAt)} (stopping)`
    case 'exited': return `Exited (${exitCode ?? '?'}) ${since(finishedAt)} ago`
    case 'failed': return cut(`Failed: ${error ?? 'reason unknown'}`, ERROR_LENGTH_MAX)
  }
}

/** Whether `ps` shows it without -a. */
export function isLive(task: TaskView): boolean {
  return task.state !== 'exited' && task.state !== 'failed'
}

/** "ping 10.0.1.2" in quotes, cut unless it is to be whole. */
export function commandText(command: readonly string[], isWhole: boolean): string {
  const text = command.join(' ')
  return text === '' ? '' : `"${isWhole ? text : cut(text, COMMAND_LENGTH_MAX)}"`
}

/** At most `lengthMax` characters, the last of them an ellipsis when some were cut. */
export function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`
}
