// With whom to compare digests and when: with one peer a second, sooner after news and while
// differences are found, and at once with those who have just come.
import { pick, type Random32 } from '../../base/prng.ts'
import type { Root } from './item-codec.ts'
import type { Exchange } from './exchange.ts'
import type { Parts } from './parts.ts'
import type { Spread } from './spread.ts'

export const DIGEST_MS = 1_000
/** News has been told to most by then, and who missed it need not wait for a second. */
export const DIGEST_NEWS_MS = 300
/** After somebody came, or a difference was found: so many rounds are this near each other. */
export const HOT_ROUNDS = 5
export const DIGEST_HOT_MS = 200
/** Peers that are asked in each of them. */
export const HOT_PEERS = 2
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
  /** rounds that follow each other quickly */
  #hotRounds = 0
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
    const count = this.#hotRounds > 0 ? HOT_PEERS : 1
    for (const peer of this.#spread.choose(count, null)) this.begin(peer)
    const periodMs = this.#hotRounds > 0 ? DIGEST_HOT_MS : DIGEST_MS
    this.#hotRounds = Math.max(this.#hotRounds - 1, 0)
    timers.soon('digest', nowMs + about(periodMs, random))
  }

  /** There was news. */
  newsCame(): void {
    const { nowMs, random, timers } = this.#parts
    timers.soon('digest', nowMs + about(DIGEST_NEWS_MS, random))
  }

  /** New peers are asked at once: a few of many, so that one who comes is not asked by all. */
  greet(came: readonly string[]): void {
    if (came.length > 0) this.hurry()
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
    const { away, nowMs } = this.#parts
    if (away.state === 'here') this.#exchange.begin(nowMs, peer, this.mayBulk(peer))
    else this.#exchange.hail(nowMs, peer)
  }

  /** A peer's digest came. */
  compare(peer: string, roots: readonly Root[]): void {
    const isEqual = this.#exchange.isEqual(roots)
    this.#equal.set(peer, { isEqual, atMs: this.#parts.nowMs })
    if (!isEqual) this.hurry()
  }

  /** Rows came that were missing here. */
  differed(peer: string): void {
    const { nowMs } = this.#parts
    this.hurry()
    if (peer === this.#bulkFrom) this.#bulkUntilMs = nowMs + BULK_SILENCE_MS
  }

  /** Somebody differs, or may: the next rounds follow each other quickly. */
  hurry(): void {
    this.#hotRounds = HOT_ROUNDS
    this.#parts.timers.soon('digest', this.#parts.nowMs + DIGEST_HOT_MS)
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

/** A little more or less, so that not all do it at once. */
function about(ms: number, random: Random32): number {
  return ms * (900 + pick(random, 200)) / 1000
}
