// What is wanted against what the kernel has: at start, and then again and again. Every step is a
// "set", so doing it once more changes nothing when all is well.
import { truncateSync, renameSync, copyFileSync, statSync } from 'node:fs'
import type { Core } from './core.ts'
import { configureEndpoint, netnsOf } from './endpoints.ts'
import type { Exclusive } from './exclusive.ts'
import { logPath } from './processes.ts'
import type { TaskRecord } from './state.ts'
import { taskDirectory } from './task-files.ts'
import type { Tasks } from './tasks.ts'

export const RECONCILE_MS = 10_000

/** Take up all that the state knows of: half-made tasks are undone, whole ones attached again. */
export async function takeUp(core: Core, tasks: Tasks): Promise<void> {
  for (const task of core.state.tasks.slice()) {
    try {
      if (!task.complete) {
        core.log.warn({ task: task.name }, 'half-made task undone')
        await tasks.discard(task)
      } else if (task.state === 'exited' || task.state === 'failed') await tasks.tidy(task)
      else await tasks.adopt(task)
    } catch (error) {
      task.error = String(error instanceof Error ? error.message : error)
      core.log.error({ task: task.name, err: error }, 'task not taken up')
    }
  }
}

export class Reconciler {
  readonly #core: Core
  readonly #tasks: Tasks
  readonly #changes: Exclusive
  #timer: NodeJS.Timeout | undefined
  #pending = false

  constructor(core: Core, tasks: Tasks, changes: Exclusive) {
    this.#core = core
    this.#tasks = tasks
    this.#changes = changes
  }

  start(): void {
    this.#timer = setInterval(() => this.soon(), RECONCILE_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#pending = true // nothing new is begun
  }

  /** Look at everything as soon as no other change is under way. */
  soon(): void {
    if (this.#pending) return
    this.#pending = true
    // Surely: were it refused, nobody would ask again.
    void this.#changes.runSurely(async () => {
      this.#pending = false
      await this.#core.wayOut.look()
      for (const task of this.#core.state.tasks.slice()) await this.#look(task)
    }).catch(error => this.#core.log.error({ err: error }, 'reconciling failed'))
  }

  async #look(task: TaskRecord): Promise<void> {
    if (!task.complete || task.state === 'exited' || task.state === 'failed') return
    try {
      await this.#tasks.attach(task)
      this.#core.queueDrops.look(netnsOf(task), task.endpoints)
      for (const endpoint of task.endpoints) {
        const network = this.#core.networksInUse().find(one => one.id === endpoint.network)
        if (network !== undefined) await configureEndpoint(netnsOf(task), endpoint, network)
      }
      task.error = null
      this.#cutLog(task)
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      if (task.error !== text) {
        this.#core.log.warn({ task: task.name, err: error }, 'task not healed yet')
      }
      task.error = text
    }
  }

  /** Keep the last part beside, and begin the log anew: writers append, so they go on at zero. */
  #cutLog(task: TaskRecord): void {
    const path = logPath(taskDirectory(this.#core, task))
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    if (size <= this.#core.config.tasks.logOctetsMax) return
    copyFileSync(path, `${path}.new`)
    renameSync(`${path}.new`, `${path}.1`)
    truncateSync(path, 0)
    this.#core.log.info({ task: task.name, octets: size }, 'task log cut')
  }
}
