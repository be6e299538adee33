// What the replicated tables hold: rows, their stamps, the total order by which every node picks
// the same winner, and the limits of each part.
import { Buffer } from 'node:buffer'

/** When and by whom a row was written. No two writes ever have the same stamp. */
export type Stamp = Readonly<{
  /** hybrid logical clock: milliseconds since 1970, 48 bits */
  ms: number
  /** and what tells stamps of one millisecond apart, 16 bits */
  counter: number
  /** id of the node that wrote */
  node: string
  /** that node's boot epoch at the time, 32 bits */
  epoch: number
}>

export type Row = Readonly<{
  table: string
  key: string
  /** null: deleted, a tombstone */
  value: Uint8Array | null
  /** what the `check` hook wants to see beside the row, a signature; may be empty */
  proof: Uint8Array
  stamp: Stamp
}>

export const TABLE_NAME_OCTETS_MAX = 32
export const KEY_OCTETS_MAX = 255
export const VALUE_OCTETS_MAX = 4096
export const PROOF_OCTETS_MAX = 1024
export const NODE_ID_OCTETS_MAX = 64
export const STAMP_MS_MAX = 2 ** 48 - 1
export const COUNTER_MAX = 0xffff
export const EPOCH_MAX = 0xffff_ffff

export const NO_OCTETS = new Uint8Array(0)

const NODE_ID = /^[0-9A-Za-z_.-]{1,64}$/
const TABLE_NAME = /^[a-z][a-z0-9-]{0,31}$/

export function isNodeId(text: string): boolean {
  return NODE_ID.test(text)
}

export function isTableName(text: string): boolean {
  return TABLE_NAME.test(text)
}

/** The id before the first slash, whose row it is in an owner-keyed table; '' if there is none. */
export function ownerOfKey(key: string): string {
  const slash = key.indexOf('/')
  return slash <= 0 ? '' : key.slice(0, slash)
}

/** Below 0 when `a` is older than `b`, above 0 when it is newer, 0 when they are one. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return a.ms - b.ms || a.counter - b.counter || compareText(a.node, b.node) || a.epoch - b.epoch
}

/**
 * The total order of two rows of one key: above 0 when `a` wins. A stamp should never come twice;
 * if it does, the values decide, then the tombstone, then the proof, so that all nodes still agree.
 */
export function compareRows(a: Row, b: Row): number {
  return compareStamps(a.stamp, b.stamp)
    || Buffer.compare(a.value ?? NO_OCTETS, b.value ?? NO_OCTETS)
    || Number(a.value === null) - Number(b.value === null)
    || Buffer.compare(a.proof, b.proof)
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}
