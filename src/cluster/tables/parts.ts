// What the parts of the tables share: time, options, counters, and what one step makes.
import type { Random32 } from '../../base/prng.ts'
import { Away } from './away.ts'
import { makeCounters, type TablesCounters } from './counters.ts'
import type { Notice, TablesEffect, TablesOptions } from './events.ts'
import { Held } from './held.ts'
import { HybridClock } from './hlc.ts'
import { PeerClocks } from './peer-clocks.ts'
import { Replica } from './replica.ts'
import type { Row } from './rows.ts'
import { Timers } from './timers.ts'

/** A wall clock that moves this much against the other one was set. */
const CLOCK_STEP_MS = 1_000

export class Parts {
  readonly options: TablesOptions
  readonly node: string
  readonly random: Random32
  readonly counters: TablesCounters = makeCounters()
  readonly replica: Replica
  readonly held = new Held()
  readonly timers = new Timers()
  readonly clock: HybridClock
  readonly peerClocks = new PeerClocks()
  readonly away: Away
  /** this node's boot epoch; raised when an earlier boot turns out to have had a higher one */
  epoch: number
  nowMs: number
  /** Everything of this step that is neither for the disk, nor a message, nor a change. */
  effects: TablesEffect[] = []
  readonly #startMs: number
  /** wall clock of this step */
  wallMs: number
  readonly #earlierRunMs: number

  constructor(options: TablesOptions, nowMs: number) {
    this.options = options
    this.node = options.node
    this.random = options.random
    this.epoch = options.epoch
    this.nowMs = nowMs
    this.replica = new Replica(options.node, options.tables)
    this.#startMs = nowMs
    this.wallMs = options.wallMs()
    const meta = options.restored?.meta
    this.#earlierRunMs = meta?.runMs ?? 0
    this.clock = new HybridClock({ ms: meta?.hlcMs ?? 0, counter: meta?.hlcCounter ?? 0 })
    const downMs = meta === undefined ? 0 : Math.max(0, this.wallMs - meta.wallMs)
    this.away = new Away(nowMs, (meta?.awayMs ?? 0) + downMs, meta?.contactMs ?? 0)
    for (const stored of options.restored?.rows ?? []) {
      this.replica.restore(stored, this)
      this.clock.observe(stored.row.stamp)
    }
  }

  /** Time never runs back; the wall clock may, and that is counted. */
  setNow(nowMs: number): void {
    const aheadMs = this.wallMs - this.nowMs
    this.nowMs = Math.max(this.nowMs, nowMs)
    this.wallMs = this.options.wallMs()
    this.away.look(this.nowMs)
    if (Math.abs(this.wallMs - this.nowMs - aheadMs) > CLOCK_STEP_MS) this.counters.clockSteps += 1
  }

  /** How long this replica has been running, all its runs together. */
  get runMs(): number {
    return this.#earlierRunMs + this.nowMs - this.#startMs
  }

  /** Wall clock time as the cluster sees it. */
  get agreedMs(): number {
    return this.peerClocks.agreedMs(this.nowMs, this.wallMs)
  }

  /** How long a tombstone has been known here; 0 for a row that lives. */
  ageMs = (row: Row): number => {
    const entry = this.replica.get(row.table, row.key)
    return entry === undefined || !this.replica.dead.has(entry) ? 0
      : Math.max(0, this.runMs - entry.bornRunMs)
  }

  notice(notice: Notice): void {
    this.effects.push({ type: 'notice', notice })
  }
}
