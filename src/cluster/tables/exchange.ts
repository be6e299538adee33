// Finds what two nodes' tables differ in, and sends only that. Once a second a node tells one peer
// the hash of each table. Where they differ, the peer answers with the hashes of 64 parts, the node
// with those of the parts of a part, down to lists of the few rows that a part holds. Who gets a
// list sends what the other lacks and asks for what it lacks itself. No message needs the one
// before it: whatever is lost or doubled, the next exchange finds what is left.
import { Answer, type AnswerParts } from './answer.ts'
import type { Bulk } from './bulk.ts'
import { encodeRoots, type Item, type Root } from './item-codec.ts'
import type { Entry } from './key-tree.ts'
import type { Post } from './post.ts'
import { NO_OCTETS } from './rows.ts'

/** What one peer gets in answers, at most: octets a second, saved up for one second. */
export const ANSWER_OCTETS_PER_SECOND = 524_288

type Allowance = { octets: number; atMs: number }

export type ExchangeParts = AnswerParts & Readonly<{ post: Post; bulk: Bulk }>

export class Exchange {
  readonly #parts: ExchangeParts
  readonly #allowances = new Map<string, Allowance>()

  constructor(parts: ExchangeParts) {
    this.#parts = parts
  }

  /** Tell `to` the hashes of all tables. */
  begin(nowMs: number, to: string, wantsBulk: boolean): void {
    const { counters, post, replica } = this.#parts
    counters.exchanges += 1
    const roots: Root[] = []
    for (const { name, tree } of replica.tables()) {
      roots.push({ table: name, high: tree.high, low: tree.low, count: tree.size })
    }
    post.send(nowMs, to, { octets: encodeRoots(roots), isReliable: false }, wantsBulk)
  }

  /** Only let `to` know that we are back; it tells its digest, and by that how long it was here. */
  hail(nowMs: number, to: string): void {
    this.#parts.post.send(nowMs, to, { octets: NO_OCTETS, isReliable: false })
  }

  /** Whether the peer has the same rows in all tables that both know. */
  isEqual(roots: readonly Root[]): boolean {
    return roots.every(root => {
      const tree = this.#parts.replica.table(root.table)?.tree
      return tree === undefined || (tree.high === root.high && tree.low === root.low)
    })
  }

  forget(peer: string): void {
    this.#allowances.delete(peer)
    this.#parts.bulk.stop(peer)
  }

  /**
   * Answer the items of one message that are not news.
   * @param wantsBulk   the peer may be sent any number of rows
   * @param mayBulk     and so may we
   */
  answer(nowMs: number, from: string, items: readonly Item[], wantsBulk: boolean,
    mayBulk: () => boolean): void {
    const { bulk, counters, post } = this.#parts
    const answer = new Answer(this.#parts)
    for (const item of items) answer.to(item)
    if (answer.isEmpty) return
    if (bulk.isBusy(from)) {
      counters.throttled += 1
      return
    }
    const isOurTurn = mayBulk()
    const bodies = answer.bodies(rows => wantsBulk && this.#startBulk(nowMs, from, rows))
    for (const body of bodies) {
      if (!this.#allows(nowMs, from, body.octets.length)) {
        counters.throttled += 1
        return
      }
      post.send(nowMs, from, body, isOurTurn)
    }
  }

  #startBulk(nowMs: number, to: string, rows: readonly Entry[]): boolean {
    const keys = rows.map(({ row }) => ({ table: row.table, key: row.key }))
    const isStarted = this.#parts.bulk.start(nowMs, to, keys)
    if (!isStarted) this.#parts.counters.bulkRefused += 1
    return isStarted
  }

  #allows(nowMs: number, to: string, octets: number): boolean {
    let allowance = this.#allowances.get(to)
    if (allowance === undefined) {
      allowance = { octets: ANSWER_OCTETS_PER_SECOND, atMs: nowMs }
      this.#allowances.set(to, allowance)
    }
    const grown = allowance.octets + (nowMs - allowance.atMs) / 1000 * ANSWER_OCTETS_PER_SECOND
    allowance.octets = Math.min(grown, ANSWER_OCTETS_PER_SECOND)
    allowance.atMs = nowMs
    if (octets > allowance.octets) return false
    allowance.octets -= octets
    return true
  }
}
