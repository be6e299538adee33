// The rows of one table in a tree by the hash of their keys, 64 branches a level. Each branch knows
// the sum of its rows' hashes, kept up with every change, so that two nodes find the rows in which
// they differ by comparing sums from the root down.
import { hashRow, hashText } from './hash.ts'
import type { Row } from './rows.ts'

export const BRANCHES = 64
/** Below the root; 6 bits of the hash each. */
export const DEPTH_MAX = 4
/** A branch with more rows than this is divided. */
export const LEAF_ROWS_MAX = 48

const SPAN_BITS = [32, 26, 20, 14, 8] as const

export type Entry = {
  row: Row
  /** unsigned, 32 bits: the place in the tree */
  readonly place: number
  /** of the row, two signed halves */
  hashHigh: number
  hashLow: number
  /** for a tombstone: its age, as the moment of this replica's running time at which it was new */
  bornRunMs: number
  /** about to go: it is not told to others any more, and in no sum */
  isFaded: boolean
  /** whether readers were shown it */
  isShown: boolean
}

/** The hashes of 64 equal parts of a stretch, two signed halves each. */
export type Sums = Readonly<{ high: Int32Array; low: Int32Array; counts: Uint32Array }>

export function makeSums(): Sums {
  return {
    high: new Int32Array(BRANCHES),
    low: new Int32Array(BRANCHES),
    counts: new Uint32Array(BRANCHES),
  }
}

class Branch {
  high = 0
  low = 0
  count = 0
  entries: Map<string, Entry> | null = new Map()
  branches: (Branch | null)[] | null = null
}

const scratch = new Int32Array(2)

export function makeEntry(row: Row, bornRunMs: number): Entry {
  hashRow(row, scratch)
  return {
    row, place: hashText(row.key) >>> 0, hashHigh: scratch[0]!, hashLow: scratch[1]!, bornRunMs,
    isFaded: false, isShown: false,
  }
}

export class KeyTree {
  readonly #root = new Branch()

  /** Without those that have faded. */
  get size(): number {
    return this.#root.count
  }

  get high(): number {
    return this.#root.high
  }

  get low(): number {
    return this.#root.low
  }

  get(key: string): Entry | undefined {
    const place = hashText(key) >>> 0
    let branch = this.#root
    for (let depth = 0; branch.branches !== null; depth += 1) {
      const next = branch.branches[digit(place, depth)]
      if (next === null || next === undefined) return undefined
      branch = next
    }
    return branch.entries?.get(key)
  }

  /** Put in a row whose key is not there yet. */
  add(entry: Entry): void {
    let branch = this.#root
    for (let depth = 0; ; depth += 1) {
      if (!entry.isFaded) weigh(branch, entry, 1)
      if (branch.entries !== null) {
        branch.entries.set(entry.row.key, entry)
        if (branch.entries.size > LEAF_ROWS_MAX && depth < DEPTH_MAX) divide(branch, depth)
        return
      }
      branch = below(branch, digit(entry.place, depth))
    }
  }

  /** Another row in the place of that of `entry`, which has the same key. */
  replace(entry: Entry, row: Row, bornRunMs: number): void {
    this.setFaded(entry, true)
    hashRow(row, scratch)
    entry.row = row
    entry.bornRunMs = bornRunMs
    entry.hashHigh = scratch[0]!
    entry.hashLow = scratch[1]!
    this.setFaded(entry, false)
  }

  setFaded(entry: Entry, isFaded: boolean): void {
    if (entry.isFaded === isFaded) return
    entry.isFaded = isFaded
    for (const branch of this.#path(entry)) weigh(branch, entry, isFaded ? -1 : 1)
  }

  delete(entry: Entry): void {
    this.setFaded(entry, true)
    this.#path(entry).at(-1)!.entries!.delete(entry.row.key)
  }

  /** From the root to the branch that holds it. */
  #path(entry: Entry): Branch[] {
    const path = [this.#root]
    for (let depth = 0; ; depth += 1) {
      const next = path[depth]!.branches?.[digit(entry.place, depth)]
      if (next === null || next === undefined) return path
      path.push(next)
    }
  }

  /** Those whose place is from `first` to `last`, both included; also those that have faded. */
  * entries(first = 0, last = 0xffff_ffff): Generator<Entry> {
    yield* inside(this.#root, 0, 0, first, last)
  }

  /** The 64 parts of the stretch at `depth` (0 to DEPTH_MAX - 1) that begins at `first`. */
  sums(depth: number, first: number): Sums {
    const sums = makeSums()
    let branch: Branch | null = this.#root
    for (let level = 0; level < depth && branch !== null && branch.branches !== null; level += 1) {
      branch = branch.branches[digit(first, level)] ?? null
    }
    if (branch === null) return sums
    if (branch.branches !== null) {
      for (const [i, child] of branch.branches.entries()) {
        if (child !== null) put(sums, i, child.high, child.low, child.count)
      }
      return sums
    }
    const last = lastOf(depth, first)
    for (const entry of branch.entries!.values()) {
      if (entry.isFaded || entry.place < first || entry.place > last) continue
      put(sums, digit(entry.place, depth), entry.hashHigh, entry.hashLow, 1)
    }
    return sums
  }
}

/** The last place of the stretch at `depth` that begins at `first`. */
export function lastOf(depth: number, first: number): number {
  return first + 2 ** SPAN_BITS[depth]! - 1
}

/** Where part `index` of the stretch at `depth` that begins at `first` begins itself. */
export function partOf(depth: number, first: number, index: number): number {
  return first + index * 2 ** SPAN_BITS[depth + 1]!
}

function digit(place: number, depth: number): number {
  return (place >>> SPAN_BITS[depth + 1]!) & (BRANCHES - 1)
}

function weigh(branch: Branch, entry: Entry, count: number): void {
  branch.high ^= entry.hashHigh
  branch.low ^= entry.hashLow
  branch.count += count
}

function below(branch: Branch, index: number): Branch {
  const branches = branch.branches!
  return branches[index] ??= new Branch()
}

function divide(branch: Branch, depth: number): void {
  const entries = branch.entries!
  branch.entries = null
  branch.branches = new Array<Branch | null>(BRANCHES).fill(null)
  for (const entry of entries.values()) {
    const child = below(branch, digit(entry.place, depth))
    if (!entry.isFaded) weigh(child, entry, 1)
    child.entries!.set(entry.row.key, entry)
  }
}

function put(sums: Sums, i: number, high: number, low: number, count: number): void {
  sums.high[i]! ^= high
  sums.low[i]! ^= low
  sums.counts[i]! += count
}

function* inside(
  branch: Branch, depth: number, start: number, first: number, last: number,
): Generator<Entry> {
  if (branch.branches === null) {
    for (const entry of branch.entries!.values()) {
      if (entry.place >= first && entry.place <= last) yield entry
    }
    return
  }
  for (const [i, child] of branch.branches.entries()) {
    const from = partOf(depth, start, i)
    if (child === null || from > last || lastOf(depth + 1, from) < first) {
      continue
    }
    yield* inside(child, depth + 1, from, first, last)
  }
}
