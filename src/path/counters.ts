// hot: counters are numbers in shared memory, with one writer: the packet worker
import { DROP_NAMES } from './counter-names.ts'

// Indices of DROP_NAMES.
export const DROP_MALFORMED = 0
export const DROP_BAD_FLAGS = 1
export const DROP_BAD_VNI = 2
export const DROP_UNKNOWN_VTEP = 3
export const DROP_SPOOFED_MAC = 4
export const DROP_SPOOFED_ADDRESS = 5
export const DROP_SOURCE_IS_LOCAL = 6
export const DROP_SOURCE_IS_GROUP = 7
export const DROP_TOO_LARGE = 8
export const DROP_UNKNOWN_MAC = 9
export const DROP_NO_VTEP = 10
export const DROP_TO_ITSELF = 11
export const DROP_ECN_CONGESTION = 12
export const DROP_TAP_FULL = 13
export const DROP_TAP_DOWN = 14
export const DROP_UNDERLAY_FULL = 15
export const DROP_UNDERLAY_UNREACHABLE = 16
export const DROP_UNDERLAY_TOO_LARGE = 17
export const DROP_UNDERLAY_REFUSED = 18
export const DROP_TRUNCATED = 19
/** Counted by the kernel, read by the control side: the socket's receive buffer was full. */
export const DROP_UNDERLAY_RECEIVE_FULL = 20
/** As above: the queue of a TAP was full. */
export const DROP_TAP_QUEUE_FULL = 21
export const DROP_WRONG_VTEP = 22
export const DROP_UNKNOWN_SOURCE = 23
export const DROP_UNKNOWN_ADDRESS = 24
/** No backend of the service takes new connections. */
export const DROP_VIP_NO_BACKEND = 25
/** What a virtual address does not serve: neither TCP nor UDP, nor an echo. */
export const DROP_VIP_PROTOCOL = 26
/** A later fragment whose first one has not been seen. */
export const DROP_VIP_FRAGMENT = 27
/** The middle of a connection, or an error about one, that is in no table. */
export const DROP_VIP_NO_FLOW = 28
/** All ports that were tried on the way to a backend are in use. */
export const DROP_VIP_PORTS = 29
/** In the ingress network a task speaks with nodes only. */
export const DROP_INGRESS_APART = 30
/** It is for a client of which no flow tells. */
export const DROP_INGRESS_NO_FLOW = 31

// Indices of COUNT_NAMES, which stand behind the drops.
const FIRST = DROP_NAMES.length
export const COUNT_TAP_IN = FIRST
export const COUNT_TAP_OUT = FIRST + 2
export const COUNT_UNDERLAY_IN = FIRST + 4
export const COUNT_UNDERLAY_OUT = FIRST + 6
export const COUNT_FLOODED = FIRST + 8
export const COUNT_ARP_ANSWERED = FIRST + 9
export const COUNT_TOO_LARGE_SENT = FIRST + 10
export const COUNT_TOO_LARGE_LIMITED = FIRST + 11
export const COUNT_LEARNED = FIRST + 12
export const COUNT_MOVED = FIRST + 13
export const COUNT_EVICTED = FIRST + 14
export const COUNT_AGED = FIRST + 15
export const COUNT_PARTIAL = FIRST + 16
export const COUNT_BREATHS = FIRST + 17
/** Frames that cutting super-frames made: each super-frame is one of frames.tap_in already. */
export const COUNT_SEGMENTED = FIRST + 18
/** Frames of frames.tap_out that went to their TAP in one write with the one before. */
export const COUNT_COALESCED = FIRST + 19
export const COUNT_NDP_ANSWERED = FIRST + 20
/** Rows that another worker told, and that were written over before this one read them. */
export const COUNT_UNHEARD = FIRST + 21
export const COUNT_FLOWS_MADE = FIRST + 22
export const COUNT_FLOWS_AGED = FIRST + 23
/** A full table let go of a flow, for a new one. */
export const COUNT_FLOWS_EVICTED = FIRST + 24
/** The backend of the flow was gone. */
export const COUNT_FLOWS_UNSERVED = FIRST + 25
/** The client was told by a reset that its connection is in no table. */
export const COUNT_FLOWS_RESET = FIRST + 26
export const COUNT_VIP_ECHOED = FIRST + 27
export const COUNT_VIP_UNREACHABLE_SENT = FIRST + 28
export const COUNT_VIP_UNREACHABLE_LIMITED = FIRST + 29
/** Segments that begin a connection and were made to ask for no more than fits: see clamp.ts. */
export const COUNT_MSS_CLAMPED = FIRST + 30
/** Frames of frames.tap_in that went with the next, or the last, of their flow: see fold.ts. */
export const COUNT_ACKS_FOLDED = FIRST + 31
export const COUNT_FINS_FOLDED = FIRST + 32
/** Not a counter: entries in the learned table now. */
export const GAUGE_LEARNED = FIRST + 33
/** Not a counter: the table generation in use. */
export const GAUGE_GENERATION = FIRST + 34

/**
 * One row of numbers. They are doubles, exact up to 2^53, because those need no object to add to.
 * A double is read and written in one piece, so the control side may read while the worker writes.
 */
export type Counters = Float64Array

export const COUNTERS = FIRST + 35

export function makeCounters(): Counters {
  return new Float64Array(new SharedArrayBuffer(COUNTERS * 8))
}

/** One frame of `lengthOctets` for the pair of counters that begins at `which`. */
export function countFrame(counters: Counters, which: number, lengthOctets: number): void {
  counters[which]! += 1
  counters[which + 1]! += lengthOctets
}
