// Sends many rows to one peer that lacks them, over streams and at a measured pace, so that neither
// side is busy with nothing else. The rows are looked up when their turn comes.
import { Bodies, encodeRow } from './bodies.ts'
import type { Post } from './post.ts'
import type { Replica } from './replica.ts'
import type { Row } from './rows.ts'
import type { Timers } from './timers.ts'

export const BULK_TICK_MS = 20
/** Octets to one peer in one tick. */
export const BULK_TICK_OCTETS = 65_536
/** Peers that are sent to at the same time. */
export const BULK_PEERS_MAX = 4

type Pending = readonly Readonly<{ table: string; key: string }>[]
type Run = { readonly rows: Pending; at: number }

export class Bulk {
  readonly #replica: Replica
  readonly #post: Post
  readonly #timers: Timers
  readonly #ageMs: (row: Row) => number
  readonly #runs = new Map<string, Run>()

  constructor(replica: Replica, post: Post, timers: Timers, ageMs: (row: Row) => number) {
    this.#replica = replica
    this.#post = post
    this.#timers = timers
    this.#ageMs = ageMs
  }

  get waiting(): number {
    let waiting = 0
    for (const { rows, at } of this.#runs.values()) waiting += rows.length - at
    return waiting
  }

  isBusy(to: string): boolean {
    return this.#runs.has(to)
  }

  /** False when too many peers are sent to already: the peer asks again by its next digest. */
  start(nowMs: number, to: string, rows: Pending): boolean {
    if (this.#runs.has(to) || this.#runs.size >= BULK_PEERS_MAX) return false
    this.#runs.set(to, { rows, at: 0 })
    this.#timers.soon('bulk', nowMs)
    return true
  }

  /** The peer is away: it asks again when it is back. */
  stop(to: string): void {
    this.#runs.delete(to)
  }

  tick(nowMs: number): void {
    for (const [to, run] of this.#runs) {
      this.#sendSome(nowMs, to, run)
      if (run.at >= run.rows.length) this.#runs.delete(to)
    }
    if (this.#runs.size > 0) this.#timers.soon('bulk', nowMs + BULK_TICK_MS)
  }

  #sendSome(nowMs: number, to: string, run: Run): void {
    const bodies = new Bodies(false, true)
    for (let octets = 0; octets < BULK_TICK_OCTETS && run.at < run.rows.length; run.at += 1) {
      const { table, key } = run.rows[run.at]!
      const entry = this.#replica.get(table, key)
      if (entry === undefined) continue
      const row = encodeRow(entry.row, this.#ageMs(entry.row))
      bodies.add(table, row)
      octets += row.length
    }
    for (const body of bodies.done()) this.#post.send(nowMs, to, body)
  }
}
