// The answer to one message of an exchange: what to tell about which stretches, which rows to send
// and which to ask for.
import { Bodies, type Body, encodeRow } from './bodies.ts'
import { encodeList, encodeSums, encodeWant, type Item, type Listed, type Root }
  from './item-codec.ts'
import type { TablesCounters } from './counters.ts'
import { compareVersions, listedOf } from './epochs.ts'
import type { Held } from './held.ts'
import { BRANCHES, DEPTH_MAX, type Entry, lastOf, partOf, type Sums } from './key-tree.ts'
import type { Replica, Table } from './replica.ts'
import type { AgedRow } from './row-codec.ts'
import type { Row } from './rows.ts'

/** A stretch with no more rows than this is listed, a larger one divided further. */
export const LIST_ROWS = 16
/** Rows that are sent in answer to one message; more of them become a bulk, or wait. */
export const PUSH_ROWS_MAX = 128
/** Keys that are asked for in one answer. */
export const WANT_KEYS_MAX = 512
/** Rows of one list, also where so many lie so near each other that nothing divides them. */
export const CROWD_ROWS_MAX = 128
/** Keys are asked for in items of about this size. */
const WANT_OCTETS = 1000
/** Answers with more than this go over a stream. */
const DATAGRAMS_OCTETS_MAX = 8 * 1024

export type AnswerParts = Readonly<{
  replica: Replica
  held: Held
  counters: TablesCounters
  /** of a tombstone */
  ageMs: (row: Row) => number
}>

export class Answer {
  readonly #parts: AnswerParts
  readonly #items: Uint8Array[] = []
  readonly #push = new Set<Entry>()
  readonly #wants: { table: string; keys: string[]; octets: number }[] = []
  #wanted = 0

  constructor(parts: AnswerParts) {
    this.#parts = parts
  }

  get isEmpty(): boolean {
    return this.#items.length === 0 && this.#wanted === 0 && this.#push.size === 0
  }

  to(item: Item): void {
    if (item.kind === 'roots') {
      for (const root of item.roots) this.#toRoot(root)
      return
    }
    if (item.kind === 'rows') return this.#toRows(item.rows)
    const table = this.#parts.replica.table(item.table)
    if (table === undefined) return
    if (item.kind === 'sums') this.#toSums(table, item.depth, item.first, item.sums)
    else if (item.kind === 'list') this.#toList(table, item.first, item.last, item.listed)
    else this.#toWant(table, item.keys)
  }

  /** @param startBulk takes rows that are too many; false when it does not */
  bodies(startBulk: (rows: readonly Entry[]) => boolean): Body[] {
    for (const { table, keys } of this.#wants) this.#items.push(encodeWant(table, keys))
    let octets = 0
    for (const item of this.#items) octets += item.length
    const bodies = new Bodies(false, octets > DATAGRAMS_OCTETS_MAX)
    for (const item of this.#items) bodies.addItem(item)
    const rows = [...this.#push]
    const isBulk = rows.length > PUSH_ROWS_MAX && startBulk(rows)
    if (rows.length > PUSH_ROWS_MAX && !isBulk) this.#parts.counters.throttled += 1
    for (const { row } of isBulk ? [] : rows.slice(0, PUSH_ROWS_MAX)) {
      bodies.add(row.table, encodeRow(row, this.#parts.ageMs(row)))
    }
    return bodies.done()
  }

  #toRoot(root: Root): void {
    const table = this.#parts.replica.table(root.table)
    if (table === undefined) return
    const { tree } = table
    if (tree.high === root.high && tree.low === root.low && tree.size === root.count) return
    if (tree.size <= LIST_ROWS) this.#list(table, 0, lastOf(0, 0))
    else this.#items.push(encodeSums(table.name, 0, 0, tree.sums(0, 0)))
  }

  /** Parts that differ: neighbours with few rows go into one list, large ones are divided. */
  #toSums(table: Table, depth: number, first: number, theirs: Sums): void {
    const ours = table.tree.sums(depth, first)
    let from = -1
    let rows = 0
    const close = (index: number): void => {
      if (from >= 0) this.#list(table, partOf(depth, first, from), partOf(depth, first, index) - 1)
      from = -1
      rows = 0
    }
    for (let i = 0; i < BRANCHES; i += 1) {
      const count = ours.counts[i]!
      const isEqual = ours.high[i] === theirs.high[i] && ours.low[i] === theirs.low[i]
        && (count > 0) === (theirs.counts[i]! > 0)
      const isLarge = count > LIST_ROWS && depth + 1 < DEPTH_MAX
      if (isEqual || isLarge || rows + count > LIST_ROWS) close(i)
      if (isEqual) continue
      const start = partOf(depth, first, i)
      if (isLarge) {
        const sums = table.tree.sums(depth + 1, start)
        this.#items.push(encodeSums(table.name, depth + 1, start, sums))
      } else {
        from = from < 0 ? i : from
        rows += count
      }
    }
    close(BRANCHES)
  }

  #list(table: Table, first: number, last: number): void {
    const listed: Listed[] = []
    for (const { isFaded, row } of table.tree.entries(first, last)) {
      if (isFaded) continue
      const held = this.#parts.held.get(row.table, row.key)
      const own = listedOf(row)
      listed.push(held !== undefined && compareListed(held, own) > 0 ? held : own)
    }
    for (const held of this.#parts.held.inside(table.name, first, last)) {
      if (table.tree.get(held.key) === undefined) listed.push(held)
    }
    if (listed.length > CROWD_ROWS_MAX) this.#parts.counters.crowded += 1
    listed.length = Math.min(listed.length, CROWD_ROWS_MAX)
    this.#items.push(encodeList(table.name, first, last, listed))
  }

  #toList(table: Table, first: number, last: number, listed: readonly Listed[]): void {
    const theirs = new Map(listed.map(entry => [entry.key, entry]))
    for (const entry of table.tree.entries(first, last)) {
      const their = theirs.get(entry.row.key)
      theirs.delete(entry.row.key)
      if (their === undefined) {
        if (!entry.isFaded) this.#push.add(entry)
        continue
      }
      const own = listedOf(entry.row)
      const order = compareListed(own, their)
      // With the same time and another hash only the whole rows can tell which of the two wins.
      const isOther = order === 0 && own.hash !== their.hash
      if (order > 0 || isOther) this.#push.add(entry)
      // What is too old to be told here is younger there: its age comes with the row.
      const isYounger = order === 0 && entry.isFaded
      if (order < 0 || isOther || isYounger) this.#want(table, their)
    }
    for (const their of theirs.values()) this.#want(table, their)
  }

  #want(table: Table, { key, ms, counter }: Listed): void {
    const held = this.#parts.held.get(table.name, key)
    if (held !== undefined && (held.ms - ms || held.counter - counter) >= 0) return
    if (this.#wanted >= WANT_KEYS_MAX) {
      this.#parts.counters.throttled += 1
      return
    }
    this.#wanted += 1
    let want = this.#wants.at(-1)
    if (want === undefined || want.table !== table.name || want.octets > WANT_OCTETS - key.length) {
      want = { table: table.name, keys: [], octets: 0 }
      this.#wants.push(want)
    }
    want.keys.push(key)
    want.octets += key.length + 1
  }

  /** Who sends a row that is older than ours has missed something. */
  #toRows(rows: readonly AgedRow[]): void {
    for (const { row } of rows) {
      const entry = this.#parts.replica.get(row.table, row.key)
      if (entry !== undefined && compareVersions(entry.row, row) > 0) this.#push.add(entry)
    }
  }

  #toWant(table: Table, keys: readonly string[]): void {
    for (const key of keys) {
      const entry = table.tree.get(key)
      if (entry !== undefined) this.#push.add(entry)
    }
  }
}

/** Below 0 when `a` is older than `b`, 0 when their time is the same. */
function compareListed(a: Listed, b: Listed): number {
  return a.ms - b.ms || a.counter - b.counter
}
