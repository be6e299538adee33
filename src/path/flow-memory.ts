// Where the flows of one packet worker stand: rows of one cache line each in shared memory of fixed
// size, so that other workers find them, and the main thread can list them. Only the worker that
// owns it writes rows, chains and lists; flow-table.ts says what the others may do.

/** Words of a row, a power of two: 64 octets. */
export const FLOW_SHIFT = 4
export const FLOW_WORDS = 1 << FLOW_SHIFT

/** Protocol in the upper 8 bits, VNI in the lower 24; 0: the row is free. */
export const FLOW_KIND = 0
/** As the client has it: its address, the address that it asked, and both ports. */
export const FLOW_CLIENT = 1
export const FLOW_VIRTUAL = 2
export const FLOW_PORTS = 3
/** As the backend has it: its address, whom it answers, and both ports of an answer. */
export const FLOW_BACKEND = 4
export const FLOW_SOURCE = 5
export const FLOW_REPLY_PORTS = 6
export const FLOW_MARK = 7
export const FLOW_BACKEND_ID = 8
export const FLOW_SEEN_SECONDS = 9
/** The phase in the lower three bits, above them what TCP has shown. */
export const FLOW_STATE = 10
/** What leads to the next row in the chain of each key; of a free row, the next free one. */
export const FLOW_NEXT = 11
export const FLOW_NEXT_REPLY = 12
/** Neighbours in the list of its phase. */
export const FLOW_NEWER = 13
export const FLOW_OLDER = 14
/** The table image that its backend was last found in. */
export const FLOW_GENERATION = 15

/** TCP that is not yet answered and confirmed. */
export const PHASE_OPENING = 0
export const PHASE_ESTABLISHED = 1
/** Both sides have said that they are done. */
export const PHASE_CLOSING = 2
/** Reset. */
export const PHASE_CLOSED = 3
/** UDP has no states. */
export const PHASE_DATAGRAMS = 4
export const PHASES = 5
export const PHASE_NAMES = ['opening', 'established', 'closing', 'closed', 'datagrams'] as const

/**
 * How long a flow of each phase may be silent. An open connection is kept longer than the two hours
 * and eleven minutes in which TCP keep-alive finds a dead peer (RFC 9293 section 3.8.4 and the
 * defaults of tcp(7)), so that it never ends silently here.
 */
export const OPENING_SECONDS = 120
export const ESTABLISHED_SECONDS = 7920
export const CLOSING_SECONDS = 120
export const CLOSED_SECONDS = 10
export const DATAGRAMS_SECONDS = 300

/** Flows of a host unless the setting plane.flows says otherwise, and the most that it may say. */
export const FLOWS_DEFAULT = 262_144
export const FLOWS_MAX = 2_097_152

/** Backends that may be told apart in counting flows; ids are below it. */
export const BACKENDS_MAX = 8192

export const SHARD_USED = 0
/** Rows that were never used begin here. */
export const SHARD_FRESH = 1
export const SHARD_FREE_FIRST = 2
export const SHARD_FREE_LAST = 3
/** The worker's clock, for ages. */
export const SHARD_NOW_SECONDS = 4
export const SHARD_OLDEST = 5
export const SHARD_NEWEST = SHARD_OLDEST + PHASES
export const SHARD_SIZE = SHARD_NEWEST + PHASES
const HEAD_WORDS = 64

/** The flows of one worker. Rows are numbered from 1. */
export type Shard = Readonly<{
  capacity: number
  /** Chains less one: a power of two less one. */
  mask: number
  /** By the SHARD_ names; per phase from SHARD_OLDEST, SHARD_NEWEST, SHARD_SIZE on. */
  head: Int32Array
  /** Flows of each backend: open connections, and all others. */
  active: Int32Array
  inactive: Int32Array
  /** First row of each chain, by what the client sends, and by what the backend answers. */
  forward: Int32Array
  reply: Int32Array
  rows: Int32Array
}>

/** Memory for `capacity` flows of one worker. */
export function makeFlowMemory(capacity: number): SharedArrayBuffer {
  const words = HEAD_WORDS + 2 * BACKENDS_MAX + 2 * chainsFor(capacity)
    + (capacity + 1) * FLOW_WORDS
  return new SharedArrayBuffer(words * 4)
}

/** @param memory of makeFlowMemory() with the same capacity */
export function openFlowMemory(memory: SharedArrayBuffer, capacity: number): Shard {
  const chains = chainsFor(capacity)
  let at = 0
  const take = (words: number): Int32Array => {
    at += words
    return new Int32Array(memory, (at - words) * 4, words)
  }
  return {
    capacity,
    mask: chains - 1,
    head: take(HEAD_WORDS),
    active: take(BACKENDS_MAX),
    inactive: take(BACKENDS_MAX),
    forward: take(chains),
    reply: take(chains),
    rows: take((capacity + 1) * FLOW_WORDS),
  }
}

/** At least twice as many chains as rows, so that most of them have one row or none. */
function chainsFor(capacity: number): number {
  let chains = 16
  while (chains < capacity * 2) chains *= 2
  return chains
}
