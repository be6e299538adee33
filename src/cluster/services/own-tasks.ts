// All tasks of services that this node has or had, with their rows.
import type { Write } from '../tables/events.ts'
import type { PlanOf } from './decide.ts'
import type { TaskFact } from './facts.ts'
import type { LocalEvent, Now, RestoredTask } from './orders.ts'
import { OwnTask } from './own-task.ts'
import { HISTORY_TASKS } from './restarts.ts'
import { type ServiceTaskRow, TABLE_TASK, taskKey } from './rows.ts'

export class OwnTasks {
  readonly #node: string
  readonly #tasks = new Map<string, OwnTask>()

  constructor(node: string, restored: readonly RestoredTask[], now: Now) {
    this.#node = node
    for (const one of restored) this.#restore(one, now)
  }

  [Symbol.iterator](): Iterator<OwnTask> {
    return this.#tasks.values()
  }

  get(id: string): OwnTask | undefined {
    return this.#tasks.get(id)
  }

  add(id: string, row: ServiceTaskRow, nowMs: number): void {
    this.#tasks.set(id, new OwnTask(id, row, nowMs))
  }

  facts(): TaskFact[] {
    return [...this.#tasks.values()].map(own => own.factOf(this.#node))
  }

  hear(event: LocalEvent, { nowMs, wallMs }: Now): void {
    const own = this.#tasks.get(event.task)
    if (own === undefined || !own.isLive) return
    switch (event.type) {
      case 'running':
        own.row.container = event.container
        own.enter('running', wallMs)
        if (own.row.desired === 'running') return
        own.enter('draining', wallMs)
        return own.stopAtOnce(nowMs)
      case 'refused':
        if (own.row.desired === 'shutdown') return own.enter('shutdown', wallMs)
        return own.enter(event.isForGood ? 'rejected' : 'failed', wallMs, event.error)
      case 'ended':
        own.row.exitCode = event.exitCode
        if (own.row.desired === 'shutdown') return own.enter('shutdown', wallMs, own.row.error)
        if (event.exitCode === 0) return own.enter('complete', wallMs)
        return own.enter('failed', wallMs, `task: non-zero exit (${event.exitCode ?? 'killed'})`)
    }
  }

  /** Of each slot that is wanted the last ended tasks are kept, of others none. */
  takeForgotten(planOf: PlanOf): string[] {
    const forgets: string[] = []
    const ended = [...this.#tasks.values()].filter(own => !own.isLive)
    for (const own of ended) {
      const plan = planOf(own.row)
      const rank = plan?.isWanted !== true ? HISTORY_TASKS
        : plan.ended.findIndex(task => task.id === own.id)
      const isWithdrawn = own.row.state === 'shutdown' && !own.isStarted
      if (rank < HISTORY_TASKS && !isWithdrawn) continue
      this.#tasks.delete(own.id)
      forgets.push(own.id)
    }
    return forgets
  }

  /** What differs from the rows as they are. */
  writes(tasks: readonly TaskFact[]): Write[] {
    const writes: Write[] = []
    const write = (id: string, text: string | null): void => {
      writes.push({ table: TABLE_TASK, key: taskKey(this.#node, id),
        value: text === null ? null : new TextEncoder().encode(text) })
    }
    const there = new Set(tasks.filter(task => task.node === this.#node).map(task => task.id))
    for (const own of this.#tasks.values()) {
      const text = JSON.stringify(own.row)
      if (text !== own.written || !there.has(own.id)) write(own.id, text)
      own.written = text
      there.delete(own.id)
    }
    for (const id of there) write(id, null)
    return writes
  }

  /** The claim begins anew: what others took while this node was away is theirs. */
  #restore({ id, row, local, container, exitCode }: RestoredTask, now: Now): void {
    const { nowMs, wallMs } = now
    const own = new OwnTask(id, row, nowMs)
    if (own.isLive && local === 'none' && row.container === null) return
    this.#tasks.set(id, own)
    if (!own.isLive) return
    own.isStarted = true
    own.row.claimedAt = Math.max(wallMs, row.claimedAt)
    own.row.container ??= container
    if (local === 'ended') return this.hear({ type: 'ended', task: id, exitCode }, now)
    if (local === 'none') {
      return own.enter('failed', wallMs, 'it was lost while its daemon was not running')
    }
    // Nobody may have heard of it before the daemon ended.
    if (own.row.desired === 'shutdown') own.stopWhenKnown(nowMs)
    else if (own.row.state !== 'running') own.enter('running', wallMs)
  }
}
