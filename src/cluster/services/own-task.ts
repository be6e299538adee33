// A task of a service on this node: its row, and what has been done for it.
import { DRAIN_LEAST_MS, DRAIN_MOST_MS } from './drains.ts'
import type { TaskFact } from './facts.ts'
import { ENDED_STATES, type ServiceTaskRow, type ServiceTaskState } from './rows.ts'

export type TaskRowValue = { -readonly [K in keyof ServiceTaskRow]: ServiceTaskRow[K] }

/** When a task is to be stopped: if all nodes know of it, and if not. */
export type StopTime = Readonly<{ soonestMs: number; latestMs: number }>

export class OwnTask {
  readonly id: string
  readonly row: TaskRowValue
  /** Claimed, or taken up after a restart; by the clock that does not jump. */
  readonly sinceMs: number
  /** Its row as it was written last. */
  written = ''
  /** It has been told to the one who starts processes. */
  isStarted = false
  isStopped = false
  /** Ids of other nodes that have told that they lead nothing new to it. */
  readonly knownBy = new Set<string>()
  /** When the others were asked for that last. */
  askedMs = -Infinity
  #stop: StopTime | null = null
  #fact: TaskFact | null = null

  constructor(id: string, row: ServiceTaskRow, sinceMs: number) {
    this.id = id
    this.row = { ...row }
    this.sinceMs = sinceMs
  }

  get isLive(): boolean {
    return !ENDED_STATES.includes(this.row.state)
  }

  /** Null when it is not about to stop, or was told to already. */
  get waits(): StopTime | null {
    return this.isLive && !this.isStopped ? this.#stop : null
  }

  /** Only upward, so that nobody who hears of two states at once is misled. */
  enter(state: ServiceTaskState, wallMs: number, error = ''): void {
    this.row.state = state
    this.row.stateAt = wallMs
    this.row.error = error
  }

  /** Let go of the slot: at once where nothing runs yet, else after a while for its connections. */
  leave(nowMs: number, wallMs: number, error: string, isAtOnce = false): void {
    if (this.row.desired === 'shutdown') return
    this.row.desired = 'shutdown'
    if (!this.isStarted) return this.enter('shutdown', wallMs, error)
    if (this.row.state !== 'running') return
    this.enter('draining', wallMs, error)
    if (isAtOnce) return this.stopAtOnce(nowMs)
    this.stopWhenKnown(nowMs)
  }

  stopWhenKnown(nowMs: number): void {
    this.#stop = { soonestMs: nowMs + DRAIN_LEAST_MS, latestMs: nowMs + DRAIN_MOST_MS }
  }

  stopAtOnce(nowMs: number): void {
    this.#stop = { soonestMs: nowMs, latestMs: nowMs }
  }

  /** The same object as long as the row says the same. */
  factOf(node: string): TaskFact {
    const { row } = this
    const last = this.#fact
    const keys = Object.keys(row) as (keyof TaskRowValue)[]
    const isSame = last?.node === node && keys.every(key => last[key] === row[key])
    return isSame ? last : this.#fact = { ...row, id: this.id, node, isHidden: false }
  }
}
