// Tells news: at once to some peers, who pass on at once what is new to them, and then again every
// NEWS_TICK_MS to others, until it was told often enough. What is missed all the same, the digests
// bring (exchange.ts).
import { pick, type Random32 } from '../../base/prng.ts'
import { Bodies, DATAGRAM_BODY_OCTETS, encodeRow } from './bodies.ts'
import type { News, Piece } from './news.ts'
import type { Post } from './post.ts'
import type { Row } from './rows.ts'
import type { Timers } from './timers.ts'

export const NEWS_TICK_MS = 100
/** Between two flushes while news waits that nobody was told yet. */
export const BACKLOG_TICK_MS = 20
/** Rows told in one flush. */
export const FLUSH_ROWS_MAX = 512
/** Rows told again in one tick. */
export const AGAIN_ROWS_MAX = 256
/** Own news goes at once to everybody when there are no more others than this, else to so many. */
export const OWN_FANOUT = 12
/** Peers that are told again in one tick. */
export const AGAIN_FANOUT = 3

/** How many are passed what is new, at once, in a cluster with so many others. */
export function relayFanout(others: number): number {
  return others <= 2 ? 1 : others <= 6 ? 2 : others <= 20 ? 4 : 7
}

/** How often a piece is told from one node. */
export function tellLimit(others: number, isOwn: boolean): number {
  const rounds = 2 * Math.ceil(Math.log2(others + 2))
  return isOwn ? Math.min(others, OWN_FANOUT) + rounds : rounds
}

export class Spread {
  readonly #news: News
  readonly #post: Post
  readonly #timers: Timers
  readonly #random: Random32
  /** names of those who can be told */
  #peers: readonly string[] = []

  constructor(news: News, post: Post, timers: Timers, random: Random32) {
    this.#news = news
    this.#post = post
    this.#timers = timers
    this.#random = random
  }

  get peers(): readonly string[] {
    return this.#peers
  }

  setPeers(nowMs: number, peers: readonly string[]): void {
    this.#peers = peers
    if (this.#news.size > 0) this.#timers.soon('news', nowMs)
  }

  /**
   * A row is new here. Alone there is nobody to tell: who comes later asks by its digest.
   * @returns how many older pieces of news had to be given up
   */
  put(row: Row, ageMs: number, isOwn: boolean): number {
    if (this.#peers.length === 0) return 0
    return this.#news.put(row, encodeRow(row, ageMs), isOwn)
  }

  /** Somebody told us what we know. */
  heard(row: Row): void {
    this.#news.heard(row)
  }

  /** Tell what nobody was told yet. @param except who told us */
  flush(nowMs: number, except: string | null): void {
    const others = this.#peers.length
    if (this.#news.size === 0 || others === 0) return
    const own = this.#news.some(true, true, FLUSH_ROWS_MAX)
    this.#tell(nowMs, own, true, Math.min(others, OWN_FANOUT), null)
    const relayed = this.#news.some(false, true, FLUSH_ROWS_MAX - own.length)
    this.#tell(nowMs, relayed, false, relayFanout(others), except)
    const isBacklog = own.length + relayed.length >= FLUSH_ROWS_MAX
    if (this.#news.size > 0) {
      this.#timers.soon('news', nowMs + (isBacklog ? BACKLOG_TICK_MS : NEWS_TICK_MS))
    }
  }

  tick(nowMs: number): void {
    if (this.#peers.length > 0) {
      const own = this.#news.some(true, false, AGAIN_ROWS_MAX)
      this.#tell(nowMs, own, true, AGAIN_FANOUT, null)
      const relayed = this.#news.some(false, false, AGAIN_ROWS_MAX - own.length)
      this.#tell(nowMs, relayed, false, AGAIN_FANOUT, null)
    }
    this.flush(nowMs, null)
  }

  /** So many peers by chance, none twice. */
  choose(count: number, except: string | null): string[] {
    const pool = this.#peers.filter(name => name !== except)
    const chosen: string[] = []
    while (chosen.length < count && pool.length > 0) {
      const at = pick(this.#random, pool.length)
      chosen.push(pool[at]!)
      pool[at] = pool.at(-1)!
      pool.pop()
    }
    return chosen
  }

  #tell(nowMs: number, pieces: readonly Piece[], isOwn: boolean, fanout: number,
    except: string | null): void {
    if (pieces.length === 0) return
    const bodies = new Bodies(true)
    for (const { row, octets } of pieces) bodies.add(row.table, octets)
    const targets = this.choose(fanout, except)
    for (const body of bodies.done()) {
      for (const to of targets) this.#post.send(nowMs, to, body)
    }
    const limit = tellLimit(this.#peers.length, isOwn)
    for (const piece of pieces) {
      // A stream loses nothing, and the only other one may be who told us: that is enough, then.
      const isEnough = piece.octets.length > DATAGRAM_BODY_OCTETS / 2 || targets.length === 0
      this.#news.told(piece, isEnough ? limit : targets.length, limit)
    }
  }
}
