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
import { append, detach, listOf, move } from './learned-lists.ts'
import { makeNews, type News, tell, TELL_AGAIN_SECONDS } from './news.ts'

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
  /** When the other workers were told, or told us. */
  toldSeconds: Int32Array
  /** 1: this worker learned it from a frame, and counts it; 0: another one told. */
  own: Uint8Array
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
  news: News
}>

export function makeLearned(seed: number, counters: Counters, news = makeNews()): Learned {
  const entries = () => new Int32Array(LEARNED_MAX)
  const lists = () => new Int32Array(NETWORKS_MAX).fill(-1)
  const next = entries()
  for (let i = 0; i < LEARNED_MAX; i++) next[i] = i + 1 < LEARNED_MAX ? i + 1 : -1
  return {
    // In 32 bits with a sign, as the words it is mixed with: a larger number would be put on the
    // heap for each look-up wherever the engine does not draw hash3() into its caller.
    seed: seed | 0,
    buckets: entries().fill(-1),
    next,
    vni: entries(), macHigh: entries(), macLow: entries(), port: entries(), address: entries(),
    seenSeconds: entries(), toldSeconds: entries(), own: new Uint8Array(LEARNED_MAX),
    newer: entries(), older: entries(), list: entries(),
    listVni: lists().fill(0), newest: lists(), oldest: lists(), size: lists().fill(0),
    free: new Int32Array(1),
    counters,
    news,
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
      tellOthers(t, known, nowSeconds)
    }
    if (t.seenSeconds[known] !== nowSeconds) touch(t, known, nowSeconds)
    return
  }
  const entry = insert(t, vni, networkMax, high, low, nowSeconds)
  if (entry < 0) return
  t.port[entry] = port
  t.address[entry] = address
  t.own[entry] = 1
  t.counters[COUNT_LEARNED]! += 1
  tellOthers(t, entry, nowSeconds)
}

/** As learn(), of a MAC that another worker told of: it has counted it, and told everybody. */
export function learnTold(t: Learned, vni: number, networkMax: number, high: number, low: number,
  port: number, address: number, nowSeconds: number): void {
  const known = findLearned(t, vni, high, low)
  const entry = known >= 0 ? known : insert(t, vni, networkMax, high, low, nowSeconds)
  if (entry < 0) return
  t.port[entry] = port
  t.address[entry] = address
  t.toldSeconds[entry] = nowSeconds
  if (t.seenSeconds[entry] !== nowSeconds) move(t, entry, nowSeconds)
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
      t.counters[COUNT_AGED]! += t.own[entry]!
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
  t.counters[COUNT_EVICTED]! += t.own[entry]!
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

/** A new entry, which place and owner are to be written into; -1 when there is no room. */
function insert(t: Learned, vni: number, networkMax: number, high: number, low: number,
  nowSeconds: number): number {
  const list = networkMax <= 0 ? -1 : listOf(t, vni)
  if (list < 0) return -1
  if (t.size[list]! >= networkMax || t.free[0]! < 0) evict(t, list)
  const entry = t.free[0]!
  if (entry < 0) return -1
  t.free[0] = t.next[entry]!
  const bucket = bucketOf(t, vni, high, low)
  t.next[entry] = t.buckets[bucket]!
  t.buckets[bucket] = entry
  t.vni[entry] = vni
  t.macHigh[entry] = high
  t.macLow[entry] = low
  t.seenSeconds[entry] = nowSeconds
  t.own[entry] = 0
  t.list[entry] = list
  append(t, entry)
  t.counters[GAUGE_LEARNED]! += 1
  return entry
}

/** It was seen again; now and then the others are to know. */
function touch(t: Learned, entry: number, nowSeconds: number): void {
  move(t, entry, nowSeconds)
  if (nowSeconds - t.toldSeconds[entry]! >= TELL_AGAIN_SECONDS) tellOthers(t, entry, nowSeconds)
}

function tellOthers(t: Learned, entry: number, nowSeconds: number): void {
  t.toldSeconds[entry] = nowSeconds
  tell(t.news, t.vni[entry]!, t.macHigh[entry]!, t.macLow[entry]!, t.port[entry]!,
    t.address[entry]!)
}
