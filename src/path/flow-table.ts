// hot: which backend a flow of a service has: found by what the client sends, and by the answer
//
// Each worker has a shard of its own, and looks into those of the others for what it has not. The
// two directions of a flow may be carried by different workers (steering.ts places each by its own
// hash), and fragments show no ports, so either may come to any of them. What a worker may write of
// another's row: FLOW_SEEN_SECONDS, and bits of FLOW_STATE above the phase, by Atomics.or. A row
// that is read while its owner removes it is at worst not found, as if it had been a moment later.
//
// What leads to a row, from the head of a chain or from the row before, is a word: the row, a bit
// that says whether more rows may follow it, and nine bits of the hash of its key. So a row of
// another flow is hardly ever looked at, and what has no flow costs one word.
import { COUNT_FLOWS_EVICTED, COUNT_FLOWS_MADE, type Counters } from './counters.ts'
import { appendFlow, detachFlow, oldestOf } from './flow-lists.ts'
import {
  FLOWS_DEFAULT, FLOW_BACKEND, FLOW_CLIENT, FLOW_GENERATION, FLOW_KIND,
  FLOW_NEXT, FLOW_NEXT_REPLY, FLOW_PORTS, FLOW_REPLY_PORTS, FLOW_SEEN_SECONDS, FLOW_SHIFT,
  FLOW_SOURCE, FLOW_STATE, FLOW_VIRTUAL, makeFlowMemory, openFlowMemory, PHASE_CLOSED,
  PHASE_CLOSING, PHASE_DATAGRAMS, PHASE_ESTABLISHED, PHASE_OPENING, type Shard, SHARD_FREE_FIRST,
  SHARD_FREE_LAST, SHARD_FRESH, SHARD_USED,
} from './flow-memory.ts'
import { hash3 } from './hash.ts'

export const NO_FLOW = 0
/** A flow is a number: its shard above these bits, its row in them. */
export const SHARD_SHIFT = 22
export const ROW_MASK = (1 << SHARD_SHIFT) - 1
const MORE_FOLLOW = 1 << SHARD_SHIFT
const TAG_SHIFT = SHARD_SHIFT + 1
/** Bits of the hash from here on are the tag; chains are chosen by those below. */
const TAG_OF_HASH = 22
/** Rows of one chain that are looked at; with a seed that nobody knows, none is nearly as long. */
export const CHAIN_MAX = 64
/** Services that may be served in turn, a power of two; see schedule.ts. */
export const CURSORS = 4096

export type Flows = Readonly<{
  seed: number
  /** Those of all workers; `mine` is this worker's. */
  shards: readonly Shard[]
  mine: number
  own: Shard
  counters: Counters
  /** Whose turn it is, by mark. */
  cursors: Int32Array
  /** Where the search for flows without backend goes on, and whether it is over: 0. */
  sweep: Int32Array
}>

export type FlowShards = Readonly<{
  memories: readonly SharedArrayBuffer[]
  mine: number
  /** Flows of each. */
  capacity: number
}>

export function makeFlows(seed: number, counters: Counters, given?: FlowShards): Flows {
  const capacity = given?.capacity ?? FLOWS_DEFAULT
  const memories = given?.memories ?? [makeFlowMemory(capacity)]
  const mine = given?.mine ?? 0
  const shards = memories.map(memory => openFlowMemory(memory, capacity))
  return {
    seed, shards, mine, own: shards[mine]!, counters,
    cursors: new Int32Array(CURSORS), sweep: new Int32Array(1),
  }
}

/** The flow that a packet of a client belongs to, or NO_FLOW. */
export function findForward(t: Flows, kind: number, client: number, virtual: number,
  ports: number): number {
  const hash = hash3(t.seed ^ kind, client, virtual, ports)
  const row = forwardIn(t.own, hash, kind, client, virtual, ports)
  if (row !== 0) return t.mine << SHARD_SHIFT | row
  for (let n = 0; n < t.shards.length; n++) {
    if (n === t.mine) continue
    const other = forwardIn(t.shards[n]!, hash, kind, client, virtual, ports)
    if (other !== 0) return n << SHARD_SHIFT | other
  }
  return NO_FLOW
}

/** The flow that a packet of a backend belongs to, or NO_FLOW. @param ports as it has them */
export function findReply(t: Flows, kind: number, backend: number, source: number,
  ports: number): number {
  const hash = hash3(t.seed ^ kind, backend, source, ports)
  const row = replyIn(t.own, hash, kind, backend, source, ports)
  if (row !== 0) return t.mine << SHARD_SHIFT | row
  for (let n = 0; n < t.shards.length; n++) {
    if (n === t.mine) continue
    const other = replyIn(t.shards[n]!, hash, kind, backend, source, ports)
    if (other !== 0) return n << SHARD_SHIFT | other
  }
  return NO_FLOW
}

function forwardIn(shard: Shard, hash: number, kind: number, client: number, virtual: number,
  ports: number): number {
  const { rows } = shard
  const tag = hash >>> TAG_OF_HASH
  let link = shard.forward[hash & shard.mask]!
  for (let left = CHAIN_MAX; link !== 0 && left > 0; left--) {
    const row = link & ROW_MASK
    const at = row << FLOW_SHIFT
    if (link >>> TAG_SHIFT === tag && rows[at + FLOW_PORTS] === ports
      && rows[at + FLOW_CLIENT] === client && rows[at + FLOW_VIRTUAL] === virtual
      && rows[at + FLOW_KIND] === kind) return row
    if ((link & MORE_FOLLOW) === 0) return 0
    link = rows[at + FLOW_NEXT]!
  }
  return 0
}

function replyIn(shard: Shard, hash: number, kind: number, backend: number, source: number,
  ports: number): number {
  const { rows } = shard
  const tag = hash >>> TAG_OF_HASH
  let link = shard.reply[hash & shard.mask]!
  for (let left = CHAIN_MAX; link !== 0 && left > 0; left--) {
    const row = link & ROW_MASK
    const at = row << FLOW_SHIFT
    if (link >>> TAG_SHIFT === tag && rows[at + FLOW_REPLY_PORTS] === ports
      && rows[at + FLOW_SOURCE] === source && rows[at + FLOW_BACKEND] === backend
      && rows[at + FLOW_KIND] === kind) return row
    if ((link & MORE_FOLLOW) === 0) return 0
    link = rows[at + FLOW_NEXT_REPLY]!
  }
  return 0
}

/** A word of a flow's row, by one of the FLOW_ names. */
export function flowWord(t: Flows, flow: number, which: number): number {
  return t.shards[flow >>> SHARD_SHIFT]!.rows[((flow & ROW_MASK) << FLOW_SHIFT) + which]!
}

/** Whether this worker may change and remove it. */
export function isOwnFlow(t: Flows, flow: number): boolean {
  return flow >>> SHARD_SHIFT === t.mine
}

/**
 * A row of this worker for a new flow, its words still to be written, and then to be entered by
 * enterFlow(). When none is free the flow that is missed least goes.
 */
export function takeRow(t: Flows): number {
  const { head, rows, capacity } = t.own
  if (head[SHARD_FRESH]! < capacity) {
    head[SHARD_FRESH]! += 1
    return head[SHARD_FRESH]!
  }
  if (head[SHARD_FREE_FIRST] === 0) {
    removeFlow(t, leastMissed(t))
    t.counters[COUNT_FLOWS_EVICTED]! += 1
  }
  const row = head[SHARD_FREE_FIRST]!
  head[SHARD_FREE_FIRST] = rows[(row << FLOW_SHIFT) + FLOW_NEXT]!
  return row
}

/** The oldest that is half open, else what is over, else what was silent for longest. */
function leastMissed(t: Flows): number {
  const { own } = t
  return oldestOf(own, PHASE_OPENING) || oldestOf(own, PHASE_CLOSED) || oldestOf(own, PHASE_CLOSING)
    || oldestOf(own, PHASE_DATAGRAMS) || oldestOf(own, PHASE_ESTABLISHED)
}

/**
 * Let the row be found.
 * @param state its phase, and what is known of TCP already
 */
export function enterFlow(t: Flows, row: number, state: number, generation: number,
  nowSeconds: number): number {
  const { own } = t
  const { rows } = own
  const at = row << FLOW_SHIFT
  rows[at + FLOW_STATE] = state
  rows[at + FLOW_GENERATION] = generation
  rows[at + FLOW_SEEN_SECONDS] = nowSeconds
  link(own.forward, rows, row, forwardHash(t, at), own.mask, FLOW_NEXT)
  link(own.reply, rows, row, replyHash(t, at), own.mask, FLOW_NEXT_REPLY)
  appendFlow(own, row)
  own.head[SHARD_USED]! += 1
  t.counters[COUNT_FLOWS_MADE]! += 1
  return t.mine << SHARD_SHIFT | row
}

/** Forget a flow of this worker. @param row its row */
export function removeFlow(t: Flows, row: number): void {
  const { own } = t
  const { head, rows } = own
  const at = row << FLOW_SHIFT
  unlink(own.forward, rows, row, forwardHash(t, at) & own.mask, FLOW_NEXT)
  unlink(own.reply, rows, row, replyHash(t, at) & own.mask, FLOW_NEXT_REPLY)
  detachFlow(own, row)
  rows[at + FLOW_KIND] = 0
  rows[at + FLOW_NEXT] = 0
  // First freed, first used again: who still reads it has time to find that it is gone.
  if (head[SHARD_FREE_FIRST] === 0) head[SHARD_FREE_FIRST] = row
  else rows[(head[SHARD_FREE_LAST]! << FLOW_SHIFT) + FLOW_NEXT] = row
  head[SHARD_FREE_LAST] = row
  head[SHARD_USED]! -= 1
}

function forwardHash(t: Flows, at: number): number {
  const { rows } = t.own
  return hash3(t.seed ^ rows[at + FLOW_KIND]!, rows[at + FLOW_CLIENT]!, rows[at + FLOW_VIRTUAL]!,
    rows[at + FLOW_PORTS]!)
}

function replyHash(t: Flows, at: number): number {
  const { rows } = t.own
  return hash3(t.seed ^ rows[at + FLOW_KIND]!, rows[at + FLOW_BACKEND]!, rows[at + FLOW_SOURCE]!,
    rows[at + FLOW_REPLY_PORTS]!)
}

/** Put the row at the head of its chain. Others may look: it is whole before it is found. */
function link(heads: Int32Array, rows: Int32Array, row: number, hash: number, mask: number,
  next: number): void {
  const chain = hash & mask
  const before = heads[chain]!
  rows[(row << FLOW_SHIFT) + next] = before
  Atomics.store(heads, chain, hash >>> TAG_OF_HASH << TAG_SHIFT | (before === 0 ? 0 : MORE_FOLLOW)
    | row)
}

/** Whoever led to the row before it goes on saying that more may follow, which costs one look. */
function unlink(heads: Int32Array, rows: Int32Array, row: number, chain: number,
  next: number): void {
  const after = rows[(row << FLOW_SHIFT) + next]!
  let before = heads[chain]! & ROW_MASK
  if (before === row) {
    Atomics.store(heads, chain, after)
    return
  }
  for (;;) {
    const at = (before << FLOW_SHIFT) + next
    const following = rows[at]! & ROW_MASK
    if (following === row) {
      Atomics.store(rows, at, after)
      return
    }
    before = following
  }
}
