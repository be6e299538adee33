// The keys that seal the mesh. Three are current, in the order in which they were made, and the
// middle one seals: so the newest is everywhere before it is used, and the oldest still opens what
// is under way. A rotation adds a newest one and lets the oldest go. Rings are values; managers
// make new ones, and everybody else adopts them.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { assert } from '../../base/assert.ts'

/** memberlist takes 16, 24 or 32; with 32 it is AES-256. */
export const KEY_OCTETS = 32
export const CURRENT_KEYS = 3
/** Keys that only open, each of which costs a try for a packet that no other key opened. */
export const FORMER_KEYS_MAX = 3
export const ROTATE_EVERY_MS = 12 * 3_600_000
/** Members need this long to fetch a key. Rotating faster would cut off who is slower. */
export const ROTATE_GAP_MS = 30_000
/** After all keys were replaced the old ones still seal for so long, and open for so long. */
export const EPOCH_SWITCH_MS = 5000
export const EPOCH_GRACE_MS = 10_000
const LAMPORT_MAX = 2 ** 48

export type GossipKey = Readonly<{ octets: Uint8Array; lamport: number }>

export type KeyRing = Readonly<{
  /** Rises when all keys are replaced because a member was removed; above the count of these. */
  epoch: number
  /** Lamport time of the epoch's first key. */
  epochLamport: number
  /** CURRENT_KEYS, ascending by Lamport time; the middle one seals. */
  current: readonly GossipKey[]
  /** Newest first. They only open. */
  former: readonly GossipKey[]
  /** When the newest key was made, in milliseconds since 1970. */
  rotatedAtMs: number
}>

/** What a signed row says of a ring, without its keys. */
export type RingNotice = Readonly<{ epoch: number; lamport: number; digest: string }>

/** The first ring of a cluster. */
export function makeRing(keys: readonly Uint8Array[], nowMs: number): KeyRing {
  const current = numbered(keys, 1)
  return { epoch: 1, epochLamport: 1, current, former: [], rotatedAtMs: nowMs }
}

/** Add a newest key, let the oldest go. @param lamport greater than that of every key here */
export function rotate(
  ring: KeyRing, randomKey: Uint8Array, lamport: number, nowMs: number,
): KeyRing {
  assert(randomKey.length === KEY_OCTETS, 'a gossip key has KEY_OCTETS octets')
  assert(lamport > newest(ring).lamport && lamport < LAMPORT_MAX, 'Lamport time goes forward')
  const [oldest, ...rest] = ring.current
  return {
    ...ring,
    current: [...rest, { octets: Uint8Array.from(randomKey), lamport }],
    former: [oldest!, ...ring.former].slice(0, FORMER_KEYS_MAX),
    rotatedAtMs: nowMs,
  }
}

/** Whether some removed member may know keys: it was removed on both sides of a split, perhaps. */
export function isReplacementDue(ring: KeyRing, removedMembers: number): boolean {
  return ring.epoch <= removedMembers
}

/**
 * Replace all keys, because a member that knows them is none any more. For EPOCH_SWITCH_MS the old
 * ones go on sealing (keysWhileSwitching), so that others hear of it and fetch the new ones; for
 * EPOCH_GRACE_MS they open. Then forgetFormer ends them.
 * @param removedMembers of all times
 */
export function replaceKeys(
  ring: KeyRing, randomKeys: readonly Uint8Array[], removedMembers: number, nowMs: number,
): KeyRing {
  const epochLamport = newest(ring).lamport + 1
  return {
    epoch: Math.max(ring.epoch, removedMembers) + 1,
    epochLamport,
    current: numbered(randomKeys, epochLamport),
    former: [...ring.current].reverse(),
    rotatedAtMs: nowMs,
  }
}

export function forgetFormer(ring: KeyRing): KeyRing {
  return { ...ring, former: [] }
}

/**
 * The ring to use when a manager handed over `theirs`: the greater one by compareNotices, so that
 * all members end with the same, whichever way rings met. The keys of the other go on opening.
 * Those of an epoch that is over never come back; a new epoch begins here as in replaceKeys.
 */
export function adopt(own: KeyRing, theirs: KeyRing): KeyRing {
  if (theirs.epoch < own.epoch) return own
  const isNewer = compareNotices(noticeOf(theirs), noticeOf(own)) > 0
  const [winner, loser] = isNewer ? [theirs, own] : [own, theirs]
  const known = new Set(winner.current.map(keyText))
  const candidates = [...loser.current].reverse().concat(winner.former, loser.former)
  const former: GossipKey[] = []
  for (const key of candidates) {
    if (former.length === FORMER_KEYS_MAX) break
    if (known.has(keyText(key))) continue
    known.add(keyText(key))
    former.push(key)
  }
  return { ...winner, former }
}

/** The keys for the mesh, the one that seals first. */
export function keysForMesh(ring: KeyRing): Uint8Array[] {
  const [oldest, middle, last] = ring.current
  return [middle!, last!, oldest!, ...ring.former].map(key => key.octets)
}

/** The same right after a new epoch began: what sealed before it still seals. */
export function keysWhileSwitching(ring: KeyRing): Uint8Array[] {
  const before = ring.former.at(1)
  if (before === undefined || before.lamport >= ring.epochLamport) return keysForMesh(ring)
  return [before.octets, ...keysForMesh(ring).filter(octets => octets !== before.octets)]
}

export function nextLamport(ring: KeyRing): number {
  return newest(ring).lamport + 1
}

/** When the next rotation is due, by the clock that made the last. */
export function rotationDueMs(ring: KeyRing): number {
  return ring.rotatedAtMs + ROTATE_EVERY_MS
}

/** Milliseconds until a rotation on command may be made; 0: now. */
export function rotationWaitMs(ring: KeyRing, nowMs: number): number {
  const sinceMs = nowMs - ring.rotatedAtMs
  return sinceMs < 0 || sinceMs >= ROTATE_GAP_MS ? 0 : ROTATE_GAP_MS - sinceMs
}

/** One manager rotates when it is due: of those alive the one with the lowest id. */
export function isRotator(nodeId: string, aliveManagerIds: readonly string[]): boolean {
  return aliveManagerIds.every(other => nodeId <= other)
}

export function noticeOf(ring: KeyRing): RingNotice {
  const hash = createHash('sha256')
  for (const key of ring.current) hash.update(key.octets)
  return { epoch: ring.epoch, lamport: newest(ring).lamport, digest: hash.digest('hex') }
}

/** Above zero when `a` is the newer ring, zero when they are the same. A total order. */
export function compareNotices(a: RingNotice, b: RingNotice): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch
  if (a.lamport !== b.lamport) return a.lamport - b.lamport
  return a.digest === b.digest ? 0 : a.digest > b.digest ? 1 : -1
}

const notice = z.strictObject({
  epoch: z.int().min(1).max(LAMPORT_MAX),
  lamport: z.int().min(1).max(LAMPORT_MAX),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
})
const keyTexts = z.array(z.strictObject({
  key: z.base64().length(4 * Math.ceil(KEY_OCTETS / 3)),
  lamport: z.int().min(1).max(LAMPORT_MAX),
}))
const ringText = z.strictObject({
  epoch: z.int().min(1).max(LAMPORT_MAX),
  epochLamport: z.int().min(1).max(LAMPORT_MAX),
  rotatedAtMs: z.number().min(0).max(Number.MAX_SAFE_INTEGER),
  current: keyTexts.length(CURRENT_KEYS),
  former: keyTexts.max(FORMER_KEYS_MAX),
})
export const RING_TEXT_LENGTH_MAX = 1024

/**
 * JSON. It holds the keys: for a file that only root reads, or for a TLS connection. Those of an
 * epoch that is over are left out: after a restart nobody would end them.
 */
export function encodeRing(ring: KeyRing): string {
  const texts = (keys: readonly GossipKey[]) => keys.map(({ octets, lamport }) => {
    return { key: Buffer.from(octets).toString('base64'), lamport }
  })
  const { epoch, epochLamport, rotatedAtMs } = ring
  const former = ring.former.filter(key => key.lamport >= epochLamport)
  return JSON.stringify({
    epoch, epochLamport, rotatedAtMs, current: texts(ring.current), former: texts(former),
  })
}

/** The ring, or null when `text` is none. */
export function decodeRing(text: string): KeyRing | null {
  const found = parseJson(text, ringText)
  if (found === null) return null
  const keys = (texts: typeof found.current) => texts.map(({ key, lamport }) => {
    return { octets: Uint8Array.from(Buffer.from(key, 'base64')), lamport }
  })
  const ring = { ...found, current: keys(found.current), former: keys(found.former) }
  const isWhole = [...ring.current, ...ring.former].every(k => k.octets.length === KEY_OCTETS)
  const [a, b, c] = ring.current.map(key => key.lamport)
  return isWhole && a! < b! && b! < c! ? ring : null
}

export function encodeNotice(ring: KeyRing): Uint8Array {
  return Buffer.from(JSON.stringify(noticeOf(ring)))
}

export function decodeNotice(octets: Uint8Array): RingNotice | null {
  return parseJson(Buffer.from(octets).toString(), notice)
}

function parseJson<T>(text: string, schema: z.ZodType<T>): T | null {
  if (text.length > RING_TEXT_LENGTH_MAX) return null
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}

function numbered(keys: readonly Uint8Array[], firstLamport: number): GossipKey[] {
  assert(keys.length === CURRENT_KEYS, 'a ring has CURRENT_KEYS keys')
  assert(keys.every(key => key.length === KEY_OCTETS), 'a gossip key has KEY_OCTETS octets')
  return keys.map((octets, i) => ({ octets: Uint8Array.from(octets), lamport: firstLamport + i }))
}

function newest(ring: KeyRing): GossipKey {
  return ring.current.at(-1)!
}

function keyText(key: GossipKey): string {
  return Buffer.from(key.octets).toString('hex')
}
