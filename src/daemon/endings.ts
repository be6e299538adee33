// The ends of tasks. A process ends when it likes; what follows from that is a change like any
// other, so it waits for its turn and finds nothing half-done.
import type { Log } from '../base/log.ts'
import type { Exclusive } from './exclusive.ts'
import type { TaskRecord } from './state.ts'

type Task = Pick<TaskRecord, 'id' | 'name'>

/** Whether `settles` does so within the time. */
export async function settlesWithin(settles: Promise<void>, timeoutMs: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => late.resolve(false), timeoutMs)
  try {
    return await Promise.race([settles.then(() => true), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

export class Endings {
  readonly #changes: Exclusive
  readonly #log: Log
  readonly #settled = new Map<string, Promise<void>>()

  constructor(changes: Exclusive, log: Log) {
    this.#changes = changes
    this.#log = log
  }

  /**
   * @param ended  settles when the task's process has ended
   * @param finish the change that follows; there is one for each task, so it is never refused, but
   *               for a daemon that stops: the next one will find that the process has ended
   */
  watch(task: Task, ended: Promise<void>, finish: () => Promise<void>): void {
    const settled = ended.then(() => this.#changes.runSurely(finish)).catch(error => {
      if (!this.#changes.isClosed) {
        this.#log.error({ task: task.name, err: error }, 'task not wound up')
      }
    }).finally(() => this.#settled.delete(task.id))
    this.#settled.set(task.id, settled)
  }

  /**
   * Settles when the process of this task has ended and that is written down; undefined when that
   * is so already, or there never was one. Not to be waited for in the queue of changes.
   */
  of(task: Pick<Task, 'id'>): Promise<void> | undefined {
    return this.#settled.get(task.id)
  }
}
