// With whom to compare digests and when: with one peer a second, sooner while differences are
// found, and at once with those who have just come.
import { pick } from '../../base/prng.ts'
import type { Root } from './item-codec.ts'
import type { Exchange } from './exchange.ts'
import type { Parts } from './parts.ts'
import type { Spread } from './spread.ts'

export const DIGEST_MS = 1_000
/** After an exchange in which rows came. */
export const DIGEST_HOT_MS = 200
/** How many of those who have just come are asked at once. */
export const GREETED = 3
/** A peer that is sending many rows is waited for so long, before another may. */
export const BULK_SILENCE_MS = 1_000

export type Equality = Readonly<{ isEqual: boolean; atMs: number }>

export class Digests {
  readonly #parts: Parts
  readonly #exchange: Exchange
  readonly #spread: Spread
  readonly #equal = new Map<string, Equality>()
  #hasDiffered = false
  #bulkFrom = ''
  #bulkUntilMs = -1

  constructor(parts: Parts, exchange: Exchange, spread: Spread) {
    this.#parts = parts
    this.#exchange = exchange
    this.#spread = spread
  }

  /** What the peer's last digest said, and when it came. */
  equality(peer: string): Equality | undefined {
    return this.#equal.get(peer)
  }

  forget(peer: string): void {
    this.#equal.delete(peer)
    this.#exchange.forget(peer)
    if (this.#bulkFrom === peer) this.#bulkUntilMs = -1
  }

  tick(): void {
    const { nowMs, random, timers } = this.#parts
    const [peer] = this.#spread.choose(1, null)
    if (peer !== undefined) this.begin(peer)
    const periodMs = this.#hasDiffered ? DIGEST_HOT_MS : DIGEST_MS
    this.#hasDiffered = false
    timers.soon('digest', nowMs + periodMs * (900 + pick(random, 200)) / 1000)
  }

  /** New peers are asked at once: a few of many, so that one who comes is not asked by all. */
  greet(came: readonly string[]): void {
    const { random } = this.#parts
    const others = this.#spread.peers.length
    const isCrowd = came.length * 4 >= others
    const pool = [...came]
    for (let begun = 0; pool.length > 0 && begun < GREETED; begun += 1) {
      const [peer] = pool.splice(pick(random, pool.length), 1)
      if (isCrowd || pick(random, others) < 4) this.begin(peer!)
    }
  }

  begin(peer: string): void {
    if (this.#parts.away.state === 'here') {
      this.#exchange.begin(this.#parts.nowMs, peer, this.mayBulk(peer))
    }
  }

  /** A peer's digest came. */
  compare(peer: string, roots: readonly Root[]): void {
    this.#equal.set(peer, { isEqual: this.#exchange.isEqual(roots), atMs: this.#parts.nowMs })
  }

  /** Rows came that were missing here. */
  differed(peer: string): void {
    const { nowMs, timers } = this.#parts
    this.#hasDiffered = true
    timers.soon('digest', nowMs + DIGEST_HOT_MS)
    if (peer === this.#bulkFrom) this.#bulkUntilMs = nowMs + BULK_SILENCE_MS
  }

  /** Whether this peer may send many rows: one at a time, or all would send the same. */
  mayBulk(peer: string): boolean {
    const { nowMs } = this.#parts
    if (nowMs < this.#bulkUntilMs) return peer === this.#bulkFrom
    this.#bulkFrom = peer
    this.#bulkUntilMs = nowMs + BULK_SILENCE_MS
    return true
  }
}
