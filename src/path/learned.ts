// hot: where MACs were last seen, learned from frames: flood and learn, RFC 7348 section 4.1
//
// Only what nobody has told us stands here. The given rows are in the table image, are asked first,
// and are never touched by learning. Entries live in a pool; buckets chain them, and each network
// keeps its entries in order of use, so that the oldest is at hand when it must go.
import {
  COUNT_AGED, COUNT_EVICTED, COUNT_LEARNED, COUNT_MOVED, type Counters, GAUGE_LEARNED,
} from './counters.ts'
import { hash3 } from './hash.ts'
import { NETWORKS_MAX } from './image.ts'

/** Learned entries of all networks together. */
export const LEARNED_MAX = 65_536
/** Entries, given and learned together, of one network. */
export const FDB_NETWORK_MAX = 4096
export const AGEING_SECONDS = 300

/** Values of `port` for entries that were learned from the underlay. */
export const FROM_UNDERLAY = -1

export type Learned = Readonly<{
  seed: number
  buckets: Int32Array
  /** Per entry: next in its bucket, or next free one. -1 ends a chain. */
  next: Int32Array
  vni: Int32Array
  macHigh: Int32Array
  macLow: Int32Array
  /** Local port slot, or FROM_UNDERLAY and then `address` is the VTEP. */
  port: Int32Array
  address: Int32Array
  seenSeconds: Int32Array
  /** Per entry: neighbours in its network's order of use. */
  newer: Int32Array
  older: Int32Array
  /** Per network list: its VNI (0: unused), newest, oldest and number of entries. */
  listVni: Int32Array
  newest: Int32Array
  oldest: Int32Array
  size: Int32Array
  list: Int32Array
  /** Head of the free entries, at index 0. */
  free: Int32Array
  counters: Counters
}>

export function makeLearned(seed: number, counters: Counters): Learned {
  const entries = () => new Int32Array(LEARNED_MAX)
  const lists = () => new Int32Array(NETWORKS_MAX).fill(-1)
  const next = entries()
  for (let i = 0; i < LEARNED_MAX; i++) next[i] = i + 1 < LEARNED_MAX ? i + 1 : -1
  return {
    seed,
    buckets: entries().fill(-1),
    next,
    vni: entries(), macHigh: entries(), macLow: entries(), port: entries(), address: entries(),
    seenSeconds: entries(), newer: entries(), older: entries(), list: entries(),
    listVni: lists().fill(0), newest: lists(), oldest: lists(), size: lists().fill(0),
    free: new Int32Array(1),
    counters,
  }
}

function bucketOf(t: Learned, vni: number, high: number, low: number): number {
  return hash3(t.seed, vni, high, low) & (LEARNED_MAX - 1)
}

/** The entry of this MAC, or -1. It may be older than AGEING_SECONDS: age() removes those. */
export function findLearned(t: Learned, vni: number, high: number, low: number): number {
  let entry = t.buckets[bucketOf(t, vni, high, low)]!
  while (entry >= 0) {
    if (t.macLow[entry] === low && t.macHigh[entry] === high && t.vni[entry] === vni) return entry
    entry = t.next[entry]!
  }
  return -1
}

/**
 * Note that a frame with this source MAC came from `port` (or from the VTEP `address`).
 * @param networkMax entries that this network may have; beyond it the least recently seen goes
 */
export function learn(t: Learned, vni: number, networkMax: number, high: number, low: number,
  port: number, address: number, nowSeconds: number): void {
  const known = findLearned(t, vni, high, low)
  if (known >= 0) {
    if (t.port[known] !== port || t.address[known] !== address) {
      t.port[known] = port
      t.address[known] = address
      t.counters[COUNT_MOVED]! += 1
    }
    if (t.seenSeconds[known] !== nowSeconds) touch(t, known, nowSeconds)
    return
  }
  if (networkMax <= 0) return
  const list = listOf(t, vni)
  if (list < 0) return
  if (t.size[list]! >= networkMax || t.free[0]! < 0) evict(t, list)
  const entry = t.free[0]!
  if (entry < 0) return
  t.free[0] = t.next[entry]!
  const bucket = bucketOf(t, vni, high, low)
  t.next[entry] = t.buckets[bucket]!
  t.buckets[bucket] = entry
  t.vni[entry] = vni
  t.macHigh[entry] = high
  t.macLow[entry] = low
  t.port[entry] = port
  t.address[entry] = address
  t.seenSeconds[entry] = nowSeconds
  t.list[entry] = list
  append(t, entry)
  t.counters[COUNT_LEARNED]! += 1
  t.counters[GAUGE_LEARNED]! += 1
}

/**
 * Remove what was not seen for AGEING_SECONDS, at most `most` entries so that a breath stays short.
 * Answers true when `most` was reached, so that there may be more.
 */
export function age(t: Learned, nowSeconds: number, most: number): boolean {
  let left = most
  for (let list = 0; list < NETWORKS_MAX && left > 0; list++) {
    for (;;) {
      const entry = t.oldest[list]!
      if (entry < 0 || nowSeconds - t.seenSeconds[entry]! < AGEING_SECONDS || left === 0) break
      remove(t, entry)
      t.counters[COUNT_AGED]! += 1
      left -= 1
    }
  }
  return left === 0
}

/** Forget all that was learned of one network, or from one port of it (`port` >= 0). */
export function forget(t: Learned, vni: number, port: number): void {
  for (let list = 0; list < NETWORKS_MAX; list++) {
    if (t.listVni[list] !== vni) continue
    let entry = t.newest[list]!
    while (entry >= 0) {
      const older = t.older[entry]!
      if (port < 0 || t.port[entry] === port) remove(t, entry)
      entry = older
    }
    if (port < 0) t.listVni[list] = 0
  }
}

/** Something must go: the oldest of this network, or when it has none, of the fullest one. */
function evict(t: Learned, list: number): void {
  let from = list
  if (t.oldest[from]! < 0) {
    for (let i = 0; i < NETWORKS_MAX; i++) if (t.size[i]! > t.size[from]!) from = i
  }
  const entry = t.oldest[from]!
  if (entry < 0) return
  remove(t, entry)
  t.counters[COUNT_EVICTED]! += 1
}

function remove(t: Learned, entry: number): void {
  const bucket = bucketOf(t, t.vni[entry]!, t.macHigh[entry]!, t.macLow[entry]!)
  if (t.buckets[bucket] === entry) t.buckets[bucket] = t.next[entry]!
  else {
    let before = t.buckets[bucket]!
    while (t.next[before] !== entry) before = t.next[before]!
    t.next[before] = t.next[entry]!
  }
  detach(t, entry)
  t.next[entry] = t.free[0]!
  t.free[0] = entry
  t.counters[GAUGE_LEARNED]! -= 1
}

function touch(t: Learned, entry: number, nowSeconds: number): void {
  t.seenSeconds[entry] = nowSeconds
  detach(t, entry)
  append(t, entry)
}

/** Put `entry` at the newest end of its network's list. */
function append(t: Learned, entry: number): void {
  const list = t.list[entry]!
  const newest = t.newest[list]!
  t.newer[entry] = -1
  t.older[entry] = newest
  if (newest >= 0) t.newer[newest] = entry
  else t.oldest[list] = entry
  t.newest[list] = entry
  t.size[list]! += 1
}

function detach(t: Learned, entry: number): void {
  const list = t.list[entry]!
  const newer = t.newer[entry]!
  const older = t.older[entry]!
  if (newer >= 0) t.older[newer] = older
  else t.newest[list] = older
  if (older >= 0) t.newer[older] = newer
  else t.oldest[list] = newer
  t.size[list]! -= 1
}

/** The list of a network, found by its VNI, taken when it has none yet; -1 when all are taken. */
function listOf(t: Learned, vni: number): number {
  const start = hash3(t.seed, vni, 0, 0) & (NETWORKS_MAX - 1)
  let empty = -1
  for (let i = 0; i < NETWORKS_MAX; i++) {
    const list = (start + i) & (NETWORKS_MAX - 1)
    if (t.listVni[list] === vni) return list
    if (t.listVni[list] === 0 && empty < 0) empty = list
  }
  if (empty >= 0) t.listVni[empty] = vni
  return empty
}

/** A learned entry, for people. `port` is a slot, or FROM_UNDERLAY: then `address` is the VTEP. */
export type LearnedRow = {
  vni: number
  macHigh: number
  macLow: number
  port: number
  address: number
  ageMs: number
}

/** All entries as plain rows: made on request, never for a frame. */
export function makeLearnedRows(t: Learned, nowSeconds: number): LearnedRow[] {
  const rows: LearnedRow[] = []
  for (let list = 0; list < NETWORKS_MAX; list++) {
    for (let entry = t.newest[list]!; entry >= 0; entry = t.older[entry]!) {
      rows.push({
        vni: t.vni[entry]!, macHigh: t.macHigh[entry]!, macLow: t.macLow[entry]!,
        port: t.port[entry]!, address: t.address[entry]!,
        ageMs: (nowSeconds - t.seenSeconds[entry]!) * 1000,
      })
    }
  }
  return rows
}
