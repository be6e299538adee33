// Rows as octets: on the wire, on disk, and as what a signature covers.
//   u8 flags | text key | u48 ms | u16 counter | u32 epoch | [text node] | value or age | [proof]
import type { OctetReader } from './octets.ts'
import { OctetWriter } from './octets.ts'
import {
  isNodeId, KEY_OCTETS_MAX, NO_OCTETS, ownerOfKey, PROOF_OCTETS_MAX, type Row, VALUE_OCTETS_MAX,
} from './rows.ts'

/** Always set, so that a row never begins with the octet that ends a list of rows. */
const ROW = 0x80
const TOMBSTONE = 0x01
const PROOF = 0x02
/** Without it, the node that wrote is the one that stands before the slash of the key. */
const NODE = 0x04
const KNOWN_FLAGS = ROW | TOMBSTONE | PROOF | NODE
/** Some 136 years: a tombstone's age is a number of 32 bits on the wire. */
const AGE_SECONDS_MAX = 0xffff_ffff

/** A row as it came: how long its tombstone has been known where it came from. */
export type AgedRow = Readonly<{ row: Row; ageMs: number }>

/** @param ageMs of a tombstone, never below 0; nobody asks for that of a row that is alive */
export function writeRow(writer: OctetWriter, row: Row, ageMs: number): void {
  const { key, value, proof, stamp } = row
  const isForeign = ownerOfKey(key) !== stamp.node
  writer.u8(ROW | (value === null ? TOMBSTONE : 0) | (proof.length > 0 ? PROOF : 0)
    | (isForeign ? NODE : 0))
  writer.text(key)
  writer.u48(stamp.ms)
  writer.u16(stamp.counter)
  writer.u32(stamp.epoch)
  if (isForeign) writer.text(stamp.node)
  if (value === null) writer.varint(Math.min(Math.ceil(ageMs / 1000), AGE_SECONDS_MAX))
  else writer.octets(value)
  if (proof.length > 0) writer.octets(proof)
}

/** The row whose flags are `flags`; the reader has failed when it is none. */
export function readRow(reader: OctetReader, table: string, flags: number): AgedRow {
  if ((flags & ~KNOWN_FLAGS) !== 0 || (flags & ROW) === 0) reader.fail()
  const key = reader.text()
  const ms = reader.u48()
  const counter = reader.u16()
  const epoch = reader.u32()
  const node = (flags & NODE) === 0 ? ownerOfKey(key) : reader.text()
  const isTombstone = (flags & TOMBSTONE) !== 0
  const ageMs = isTombstone ? reader.varint(AGE_SECONDS_MAX) * 1000 : 0
  const value = isTombstone ? null : reader.octets(VALUE_OCTETS_MAX)
  const proof = (flags & PROOF) === 0 ? NO_OCTETS : reader.octets(PROOF_OCTETS_MAX)
  if (!isNodeId(node) || !isKey(key)) reader.fail()
  return { row: { table, key, value, proof, stamp: { ms, counter, node, epoch } }, ageMs }
}

/** Not empty, at most KEY_OCTETS_MAX octets of UTF-8, no control characters. */
export function isKey(key: string): boolean {
  if (key === '' || key.length > KEY_OCTETS_MAX || /[\u0000-\u001f\u007f]/.test(key)) return false
  return key.isWellFormed() && Buffer.byteLength(key) <= KEY_OCTETS_MAX
}
/** What a proof is about: everything in the row but the proof. The same octets on every node. */
export function signedOctets(row: Row): Uint8Array {
  const { table, key, value, stamp } = row
  const writer = new OctetWriter(512)
  writer.text('tapmesh row 1')
  writer.text(table)
  writer.text(key)
  writer.text(stamp.node)
  writer.u48(stamp.ms)
  writer.u16(stamp.counter)
  writer.u32(stamp.epoch)
  writer.u8(value === null ? 0 : 1)
  writer.octets(value ?? NO_OCTETS)
  return writer.done()
}
