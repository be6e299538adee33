// A task in the foreground: its output is ours, our signals are its, and so is our exit code.
import {
  ApiError, ConflictError, LimitError, NotFoundError, TapmeshError, UsageError,
} from '../../base/errors.ts'
import type { Client, TaskRun, TaskView } from '../client.ts'
import {
  complain, EXIT_FAILED, EXIT_NOT_STARTED, EXIT_SIGNAL_BASE, ExitError, lineOf,
} from './failure.ts'

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const SIGINT_NUMBER = 2

/** Starts the task, follows it to its end, and returns the exit code for this process. */
export async function runInForeground(client: Client, body: TaskRun): Promise<number> {
  const left = new AbortController()
  const early: NodeJS.Signals[] = []
  let task: TaskView | null = null
  let interrupts = 0
  const forward = (signal: NodeJS.Signals) => {
    if (signal === 'SIGINT') interrupts++
    if (interrupts > 1) left.abort()
    else if (task === null) early.push(signal)
    else passOn(client, task.id, signal)
  }
  for (const signal of FORWARDED) process.on(signal, forward)
  try {
    // The daemon would remove a quick task before its output is read, so that is done here.
    task = await startTask(client, { ...body, remove: false })
    for (const signal of early) passOn(client, task.id, signal)
    const exitCode = await follow(client, task, left.signal)
    if (body.remove === true) await client.removeTask(task.id, true)
    return exitCode
  } catch (error) {
    if (task === null || !left.signal.aborted) throw error
    complain(`left ${task.name} running; stop it with: tapmesh rm -f ${task.name}`)
    return EXIT_SIGNAL_BASE + SIGINT_NUMBER
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward)
  }
}

async function follow(client: Client, task: TaskView, signal: AbortSignal): Promise<number> {
  const wait = client.waitTask(task.id, signal)
  // If the log fails first, that is the error to show.
  wait.catch(() => {})
  for await (const octets of client.taskLog(task.id, { follow: true, signal })) {
    process.stdout.write(octets)
  }
  const { exitCode, state } = await wait
  if (state !== 'failed') return exitCode ?? EXIT_FAILED
  const { error } = await client.task(task.id)
  complain(error ?? `${task.name} could not be started`)
  return EXIT_NOT_STARTED
}

/** The signal may come too late: then there is nothing left to tell. */
function passOn(client: Client, id: string, signal: NodeJS.Signals): void {
  client.killTask(id, signal).catch((error: unknown) => {
    if (!(error instanceof TapmeshError)) complain(lineOf(error))
  })
}

/**
 * Starts the task. What is refused is an error like any other; but a command that could not be
 * started ends us with EXIT_NOT_STARTED, so that it is not taken for the command's own exit code.
 */
export async function startTask(client: Client, body: TaskRun): Promise<TaskView> {
  try {
    const task = await client.runTask(body)
    if (task.state !== 'failed') return task
    complain(task.error ?? `${task.name} could not be started`)
  } catch (error) {
    if (!(error instanceof TapmeshError) || isRefusal(error)) throw error
    complain(lineOf(error))
  }
  throw new ExitError(EXIT_NOT_STARTED)
}

/** The daemon names the program when that is what it could not run. */
function isRefusal(error: TapmeshError): boolean {
  if (error.facts['program'] !== undefined) return false
  return [ApiError, ConflictError, LimitError, NotFoundError, UsageError]
    .some(kind => error instanceof kind)
}
