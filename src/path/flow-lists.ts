// hot: flows by phase, each phase in the order in which they were last heard of, and their numbers
import {
  CLOSED_SECONDS, CLOSING_SECONDS, DATAGRAMS_SECONDS, ESTABLISHED_SECONDS, FLOW_BACKEND_ID,
  FLOW_NEWER, FLOW_OLDER, FLOW_SEEN_SECONDS, FLOW_SHIFT, FLOW_STATE, OPENING_SECONDS, PHASE_CLOSED,
  PHASE_CLOSING, PHASE_ESTABLISHED, PHASE_OPENING, type Shard, SHARD_NEWEST, SHARD_OLDEST,
  SHARD_SIZE,
} from './flow-memory.ts'

export const PHASE_MASK = 7

/** Seconds that a flow of this phase may be silent. */
export function phaseSeconds(phase: number): number {
  if (phase === PHASE_ESTABLISHED) return ESTABLISHED_SECONDS
  if (phase === PHASE_OPENING) return OPENING_SECONDS
  if (phase === PHASE_CLOSING) return CLOSING_SECONDS
  return phase === PHASE_CLOSED ? CLOSED_SECONDS : DATAGRAMS_SECONDS
}

/** The row of this phase that was heard of longest ago, 0 when there is none. */
export function oldestOf(shard: Shard, phase: number): number {
  return shard.head[SHARD_OLDEST + phase]!
}

/** Put a row at the newest end of its phase's list, and count it for its backend. */
export function appendFlow(shard: Shard, row: number): void {
  const { head, rows } = shard
  const at = row << FLOW_SHIFT
  const phase = rows[at + FLOW_STATE]! & PHASE_MASK
  const newest = head[SHARD_NEWEST + phase]!
  rows[at + FLOW_NEWER] = 0
  rows[at + FLOW_OLDER] = newest
  if (newest !== 0) rows[(newest << FLOW_SHIFT) + FLOW_NEWER] = row
  else head[SHARD_OLDEST + phase] = row
  head[SHARD_NEWEST + phase] = row
  head[SHARD_SIZE + phase]! += 1
  count(shard, at, phase, 1)
}

/** Take a row out of its phase's list. */
export function detachFlow(shard: Shard, row: number): void {
  const { head, rows } = shard
  const at = row << FLOW_SHIFT
  const phase = rows[at + FLOW_STATE]! & PHASE_MASK
  const newer = rows[at + FLOW_NEWER]!
  const older = rows[at + FLOW_OLDER]!
  if (newer !== 0) rows[(newer << FLOW_SHIFT) + FLOW_OLDER] = older
  else head[SHARD_NEWEST + phase] = older
  if (older !== 0) rows[(older << FLOW_SHIFT) + FLOW_NEWER] = newer
  else head[SHARD_OLDEST + phase] = newer
  head[SHARD_SIZE + phase]! -= 1
  count(shard, at, phase, -1)
}

/** It was heard of now. */
export function renewFlow(shard: Shard, row: number, nowSeconds: number): void {
  detachFlow(shard, row)
  shard.rows[(row << FLOW_SHIFT) + FLOW_SEEN_SECONDS] = nowSeconds
  appendFlow(shard, row)
}

/** Another phase begins for it now. */
export function changePhase(shard: Shard, row: number, phase: number, nowSeconds: number): void {
  const { rows } = shard
  const at = row << FLOW_SHIFT
  detachFlow(shard, row)
  rows[at + FLOW_SEEN_SECONDS] = nowSeconds
  // Another worker may add to the bits above the phase meanwhile.
  Atomics.xor(rows, at + FLOW_STATE, (rows[at + FLOW_STATE]! & PHASE_MASK) ^ phase)
  appendFlow(shard, row)
}

function count(shard: Shard, at: number, phase: number, by: number): void {
  const id = shard.rows[at + FLOW_BACKEND_ID]!
  if (phase === PHASE_ESTABLISHED) shard.active[id]! += by
  else shard.inactive[id]! += by
}
