// hot: what packet workers tell each other: where each learned a MAC, so that no other floods
//
// Each worker has a list in shared memory that it alone writes and the others read, at their own
// pace. A list is a ring: who is too slow misses the oldest rows, counts them, and hears of those
// MACs again when they are told again. Nobody waits for anybody.

/** Rows of a list, a power of two. */
export const NEWS_ROWS = 1024
/** A MAC that is still heard of is told again after this time, well before it would age out. */
export const TELL_AGAIN_SECONDS = 30

/** Rows told so far, mod 2^32; in a cache line of its own. */
const TOLD = 0
const FIRST_ROW = 16
const ROW_WORDS = 8
/** Words of a row: the tables that its slot belongs to, and what was learned. */
export const NEWS_GENERATION = 0
export const NEWS_VNI = 1
export const NEWS_MAC_HIGH = 2
export const NEWS_MAC_LOW = 3
export const NEWS_PORT = 4
export const NEWS_ADDRESS = 5
const USED_WORDS = 6

export type News = Readonly<{
  /** What this worker tells. Empty when it is the only one. */
  own: Int32Array
  others: readonly Int32Array[]
  /** Rows of each other one that were read. */
  heard: Int32Array
  /** The row that was read last. */
  row: Int32Array
  /** Generation of the tables in use, at index 0. */
  generation: Int32Array
}>

/** Memory for the list of one worker. */
export function makeNewsMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((FIRST_ROW + NEWS_ROWS * ROW_WORDS) * 4)
}

/** @param memories lists of all workers, none when there is one worker; `mine` is which is ours */
export function makeNews(memories: readonly SharedArrayBuffer[] = [], mine = 0): News {
  const lists = memories.map(memory => new Int32Array(memory))
  return {
    own: lists[mine] ?? new Int32Array(0),
    others: lists.filter((_, n) => n !== mine),
    heard: new Int32Array(lists.length),
    row: new Int32Array(USED_WORDS),
    generation: new Int32Array(1),
  }
}

/** Tell the others where a MAC is. */
export function tell(news: News, vni: number, high: number, low: number, port: number,
  address: number): void {
  const { own } = news
  if (own.length === 0) return
  const told = own[TOLD]!
  const at = FIRST_ROW + (told & (NEWS_ROWS - 1)) * ROW_WORDS
  Atomics.store(own, at + NEWS_GENERATION, news.generation[0]!)
  Atomics.store(own, at + NEWS_VNI, vni)
  Atomics.store(own, at + NEWS_MAC_HIGH, high)
  Atomics.store(own, at + NEWS_MAC_LOW, low)
  Atomics.store(own, at + NEWS_PORT, port)
  Atomics.store(own, at + NEWS_ADDRESS, address)
  Atomics.store(own, TOLD, (told + 1) | 0)
}

/** Rows of the n-th other one that wait to be read; more than NEWS_ROWS - 1: some are gone. */
export function waiting(news: News, n: number): number {
  return (Atomics.load(news.others[n]!, TOLD) - news.heard[n]!) | 0
}

/**
 * Copy the next row of the n-th other one to news.row, and stay at it. Answers false when it was
 * written over meanwhile.
 */
export function readNext(news: News, n: number): boolean {
  const list = news.others[n]!
  const at = FIRST_ROW + (news.heard[n]! & (NEWS_ROWS - 1)) * ROW_WORDS
  for (let word = 0; word < USED_WORDS; word++) news.row[word] = Atomics.load(list, at + word)
  return waiting(news, n) < NEWS_ROWS
}

/** Go on to the next row. */
export function passRow(news: News, n: number): void {
  news.heard[n] = (news.heard[n]! + 1) | 0
}

/** Leave out what was, or soon will be, written over. Answers how many rows that is. */
export function skipLost(news: News, n: number): number {
  const lost = waiting(news, n) - NEWS_ROWS / 2
  if (lost <= 0) return 0
  news.heard[n] = (news.heard[n]! + lost) | 0
  return lost
}
