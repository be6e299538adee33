// hot: what the segments of a connection say about it
//
// No sequence numbers are looked at: a forged reset ends the bookkeeping, not the connection. What
// still comes is translated for CLOSED_SECONDS, and after that the client is told.
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.ts'
import { changePhase, PHASE_MASK, renewFlow } from './flow-lists.ts'
import {
  FLOW_SEEN_SECONDS, FLOW_SHIFT, FLOW_STATE, PHASE_CLOSED, PHASE_CLOSING, PHASE_DATAGRAMS,
  PHASE_ESTABLISHED, PHASE_OPENING,
} from './flow-memory.ts'
import { type Flows, isOwnFlow, removeFlow, ROW_MASK, SHARD_SHIFT } from './flow-table.ts'

/** The backend has answered the first segment; the client has confirmed that. */
const ANSWERED = 0x10
const CONFIRMED = 0x20
/** Each side has said that it sends no more. */
const CLIENT_DONE = 0x40
const BACKEND_DONE = 0x80
const RESET = 0x100

/** State of a connection that was found in its middle. */
export const STATE_IN_MIDDLE = PHASE_ESTABLISHED | ANSWERED | CONFIRMED

/**
 * Note a segment of the client. Answers false when it begins another connection, for which the flow
 * has made room: nobody waits for the end of TIME-WAIT here.
 */
export function trackForward(t: Flows, flow: number, flags: number, nowSeconds: number): boolean {
  const shard = t.shards[flow >>> SHARD_SHIFT]!
  const state = shard.rows[((flow & ROW_MASK) << FLOW_SHIFT) + FLOW_STATE]!
  let bits = 0
  if ((flags & (TCP_SYN | TCP_FIN | TCP_RST)) !== 0) {
    if ((flags & TCP_RST) !== 0) bits = RESET
    else if ((flags & TCP_FIN) !== 0) bits = CLIENT_DONE
    else if ((flags & TCP_ACK) === 0 && isOver(state) && isOwnFlow(t, flow)) {
      removeFlow(t, flow & ROW_MASK)
      return false
    }
  }
  if ((flags & TCP_ACK) !== 0 && (state & ANSWERED) !== 0) bits |= CONFIRMED
  note(t, flow, bits, nowSeconds)
  return true
}

/** Note a segment of the backend. Answers false when it is of a connection that is not this one. */
export function trackReply(t: Flows, flow: number, flags: number, nowSeconds: number): boolean {
  const shard = t.shards[flow >>> SHARD_SHIFT]!
  const state = shard.rows[((flow & ROW_MASK) << FLOW_SHIFT) + FLOW_STATE]!
  let bits = 0
  if ((flags & (TCP_SYN | TCP_FIN | TCP_RST)) !== 0) {
    if ((flags & TCP_RST) !== 0) bits = RESET
    else if ((flags & TCP_FIN) !== 0) bits = BACKEND_DONE
    else if (isOver(state)) {
      // The client has called the backend itself, from the port of a connection that is over.
      if (isOwnFlow(t, flow)) removeFlow(t, flow & ROW_MASK)
      return false
    } else if ((flags & TCP_ACK) !== 0) bits = ANSWERED
  }
  note(t, flow, bits, nowSeconds)
  return true
}

/** Note a datagram of either side. */
export function touchFlow(t: Flows, flow: number, nowSeconds: number): void {
  note(t, flow, 0, nowSeconds)
}

function isOver(state: number): boolean {
  const phase = state & PHASE_MASK
  return phase === PHASE_CLOSING || phase === PHASE_CLOSED
}

function note(t: Flows, flow: number, bits: number, nowSeconds: number): void {
  const shard = t.shards[flow >>> SHARD_SHIFT]!
  const { rows } = shard
  const row = flow & ROW_MASK
  const at = row << FLOW_SHIFT
  let state = rows[at + FLOW_STATE]!
  if ((state & bits) !== bits) {
    Atomics.or(rows, at + FLOW_STATE, bits)
    state = rows[at + FLOW_STATE]!
  }
  const phase = phaseOf(state)
  if (phase !== (state & PHASE_MASK)) {
    if (isOwnFlow(t, flow)) changePhase(shard, row, phase, nowSeconds)
    return
  }
  // Once it is over, its time runs out whatever still comes.
  if (rows[at + FLOW_SEEN_SECONDS] === nowSeconds || isOver(state)) return
  if (isOwnFlow(t, flow)) renewFlow(shard, row, nowSeconds)
  else rows[at + FLOW_SEEN_SECONDS] = nowSeconds
}

/** What the bits amount to. */
function phaseOf(state: number): number {
  if ((state & PHASE_MASK) === PHASE_DATAGRAMS) return PHASE_DATAGRAMS
  if ((state & RESET) !== 0) return PHASE_CLOSED
  if ((state & (CLIENT_DONE | BACKEND_DONE)) === (CLIENT_DONE | BACKEND_DONE)) return PHASE_CLOSING
  return (state & (ANSWERED | CONFIRMED)) === (ANSWERED | CONFIRMED) ? PHASE_ESTABLISHED
    : PHASE_OPENING
}
