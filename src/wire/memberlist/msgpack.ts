// The part of MessagePack that Go's memberlist speaks: its old form, which knows only "raw" for
// text and octets alike. A message is a map, its keys are Go's field names in the order of octets.
// What we write is what go-msgpack 0.5.5 writes; what we read is what it and its successors write.
import { assert } from '../../base/assert.ts'
import type { MemberlistFault } from './faults.ts'

/** Entries of a map that are looked at; the largest message of memberlist has eight. */
export const FIELDS_MAX = 32
/** Values inside a value that nobody asked for, and that is skipped. */
export const SKIPPED_DEPTH_MAX = 4
/** Lists and maps that nobody asked for are skipped, but not longer than this. */
export const SKIPPED_VALUES_MAX = 1024

const NIL = 0xc0
const FALSE = 0xc2
const TRUE = 0xc3
const UINT8 = 0xcc
const UINT16 = 0xcd
const UINT32 = 0xce
const RAW16 = 0xda
const RAW32 = 0xdb
const FIXED_MAP = 0x80
const FIXED_RAW = 0xa0
const U32_MAX = 0xffff_ffff

/** `null` is Go's nil, a number is an unsigned integer of 32 bits at most. */
export type FieldValue = string | number | boolean | Uint8Array | null
export type Field = readonly [name: string, value: FieldValue]

const utf8 = new TextEncoder()

/** Where maps are written before they are copied; larger ones get a place of their own. */
const SCRATCH_OCTETS = 4096
const scratch = new Uint8Array(SCRATCH_OCTETS)
const HEADER_OCTETS_MAX = 5

/** A map with these fields, in this order: the caller gives them sorted. At most 15. */
export function encodeFields(fields: readonly Field[]): Uint8Array {
  assert(fields.length <= 15, 'no message has more than 15 fields')
  let most = 1
  for (const [name, value] of fields) most += octetsAtMost(name) + octetsAtMost(value)
  const into = most <= SCRATCH_OCTETS ? scratch : new Uint8Array(most)
  into[0] = FIXED_MAP | fields.length
  let at = 1
  for (const [name, value] of fields) at = writeValue(into, writeValue(into, at, name), value)
  return into.slice(0, at)
}

export function joinOctets(pieces: readonly Uint8Array[]): Uint8Array {
  let octets = 0
  for (const piece of pieces) octets += piece.length
  const whole = new Uint8Array(octets)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

/** The same octets, never as a Buffer: `slice` of a Buffer is a view, of anything else a copy. */
export function plainOctets(octets: Uint8Array): Uint8Array {
  return new Uint8Array(octets.buffer, octets.byteOffset, octets.byteLength)
}

function octetsAtMost(value: FieldValue): number {
  if (typeof value === 'string') return HEADER_OCTETS_MAX + value.length * 3
  return HEADER_OCTETS_MAX + (value instanceof Uint8Array ? value.length : 0)
}

/** @returns the offset behind it */
function writeValue(into: Uint8Array, at: number, value: FieldValue): number {
  if (typeof value === 'string') return writeText(into, at, value)
  if (typeof value === 'number') return writeUint(into, at, value)
  if (value instanceof Uint8Array) {
    const behind = writeRawHeader(into, at, value.length)
    into.set(value, behind)
    return behind + value.length
  }
  into[at] = value === null ? NIL : value ? TRUE : FALSE
  return at + 1
}

function writeText(into: Uint8Array, at: number, text: string): number {
  for (let i = 0; text.length < 0x20; i += 1) {
    if (i === text.length) {
      into[at] = FIXED_RAW | i
      return at + 1 + i
    }
    const code = text.charCodeAt(i)
    if (code > 0x7f) break
    into[at + 1 + i] = code
  }
  const octets = utf8.encode(text)
  const behind = writeRawHeader(into, at, octets.length)
  into.set(octets, behind)
  return behind + octets.length
}

function writeUint(into: Uint8Array, at: number, value: number): number {
  assert(Number.isInteger(value) && value >= 0 && value <= U32_MAX, 'a number of 32 bits')
  if (value < 0x80) {
    into[at] = value
    return at + 1
  }
  const octets = value < 0x100 ? 1 : value < 0x1_0000 ? 2 : 4
  into[at] = octets === 1 ? UINT8 : octets === 2 ? UINT16 : UINT32
  return writeNumber(into, at + 1, value, octets)
}

function writeRawHeader(into: Uint8Array, at: number, octets: number): number {
  if (octets < 0x20) {
    into[at] = FIXED_RAW | octets
    return at + 1
  }
  const isShort = octets < 0x1_0000
  into[at] = isShort ? RAW16 : RAW32
  return writeNumber(into, at + 1, octets, isShort ? 2 : 4)
}

/** Big-endian, in so many octets. */
function writeNumber(into: Uint8Array, at: number, value: number, octets: number): number {
  for (let i = 0; i < octets; i += 1) into[at + i] = value >>> (octets - 1 - i) * 8
  return at + octets
}

/** What a map may hold for us; nobody has asked for lists, maps and fractions. */
export type ReadValue = number | boolean | Uint8Array | null | 'skipped'

/**
 * Reads values one after the other. Never throws: the first fault stays in `fault`, `at` stands
 * still from there, and everything read later is null.
 */
export class MsgpackReader {
  readonly octets: Uint8Array
  at: number
  fault: MemberlistFault | undefined
  readonly #view: DataView
  readonly #skipsMax: number
  #skipped = 0

  constructor(octets: Uint8Array, at = 0, skipsMax = SKIPPED_VALUES_MAX) {
    this.octets = plainOctets(octets)
    this.at = at
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength)
    this.#skipsMax = skipsMax
  }

  /** A map's values by their keys. Of a key that comes twice the last one counts, as in Go. */
  fields(): Map<string, ReadValue> {
    const found = new Map<string, ReadValue>()
    const entries = this.#mapEntries()
    if (entries > FIELDS_MAX) this.#refuse('too-many-fields')
    for (let i = 0; i < entries && this.fault === undefined; i += 1) {
      const key = this.#value(SKIPPED_DEPTH_MAX)
      if (!(key instanceof Uint8Array)) this.#refuse('bad-value')
      else found.set(latin1(key), this.#value(SKIPPED_DEPTH_MAX))
    }
    return found
  }

  #refuse(fault: MemberlistFault): null {
    this.fault ??= fault
    return null
  }

  /** Offset of `octets` octets that are stepped over, or -1 with a fault. */
  #take(octets: number): number {
    if (this.fault === undefined && octets > this.octets.length - this.at) this.#refuse('cut')
    if (this.fault !== undefined) return -1
    this.at += octets
    return this.at - octets
  }

  #uint(octets: 1 | 2 | 4): number {
    const at = this.#take(octets)
    if (at < 0) return 0
    if (octets === 1) return this.#view.getUint8(at)
    return octets === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  #raw(octets: number): Uint8Array | null {
    const at = this.#take(octets)
    return at < 0 ? null : this.octets.subarray(at, at + octets)
  }

  #mapEntries(): number {
    const head = this.#uint(1)
    if (this.fault !== undefined) return 0
    if (head >>> 4 === 0x8) return head & 0x0f
    if (head === 0xde) return this.#uint(2)
    if (head === 0xdf) return this.#uint(4)
    this.#refuse('bad-value')
    return 0
  }

  #value(depth: number): ReadValue {
    const head = this.#uint(1)
    if (this.fault !== undefined) return null
    if (head < 0x80) return head
    if (head < 0x90) return this.#skip((head & 0x0f) * 2, depth)
    if (head < 0xa0) return this.#skip(head & 0x0f, depth)
    if (head < 0xc0) return this.#raw(head & 0x1f)
    if (head >= 0xe0) return head - 0x100
    return this.#longValue(head, depth)
  }

  #longValue(head: number, depth: number): ReadValue {
    switch (head) {
      case NIL: return null
      case FALSE: return false
      case TRUE: return true
      case 0xc4: case 0xd9: return this.#raw(this.#uint(1))
      case 0xc5: case RAW16: return this.#raw(this.#uint(2))
      case 0xc6: case RAW32: return this.#raw(this.#uint(4))
      case UINT8: return this.#uint(1)
      case UINT16: return this.#uint(2)
      case UINT32: return this.#uint(4)
      case 0xcf: return this.#uint(4) * 2 ** 32 + this.#uint(4)
      case 0xd0: return this.#uint(1) << 24 >> 24
      case 0xd1: return this.#uint(2) << 16 >> 16
      case 0xd2: return this.#uint(4) | 0
      case 0xd3: return (this.#uint(4) | 0) * 2 ** 32 + this.#uint(4)
      case 0xca: return this.#step(4)
      case 0xcb: return this.#step(8)
      case 0xdc: return this.#skip(this.#uint(2), depth)
      case 0xdd: return this.#skip(this.#uint(4), depth)
      case 0xde: return this.#skip(this.#uint(2) * 2, depth)
      case 0xdf: return this.#skip(this.#uint(4) * 2, depth)
      default: return this.#refuse('bad-value') // c1 and the extensions, which Go has no use for
    }
  }

  #step(octets: number): 'skipped' {
    this.#take(octets)
    return 'skipped'
  }

  #skip(values: number, depth: number): ReadValue {
    this.#skipped += values
    if (depth <= 1 || this.#skipped > this.#skipsMax) return this.#refuse('too-deep')
    for (let i = 0; i < values && this.fault === undefined; i += 1) this.#value(depth - 1)
    return 'skipped'
  }
}

function latin1(octets: Uint8Array): string {
  return octets.length > 64 ? '' : String.fromCharCode.apply(null, octets as unknown as number[])
}
