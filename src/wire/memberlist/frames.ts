// What memberlist puts around messages, from the inside out: several become one compound, that is
// packed by LZW, a packet gets a checksum. Then it is sealed, which is not the business of this
// room, and a label says in clear which mesh it belongs to (util.go, net.go; label.go since 0.3.0).
import { assert } from '../../base/assert.ts'
import { crc32 } from './checksum.ts'
import { decodeMessage } from './decode.ts'
import type { MemberlistFault } from './faults.ts'
import { FieldReader } from './fields.ts'
import { lzwPack, lzwUnpack } from './lzw.ts'
import type { PacketMessage } from './messages.ts'
import { TYPE } from './messages.ts'
import { encodeFields, joinOctets, MsgpackReader, plainOctets } from './msgpack.ts'

/** Messages of one packet, whatever they are wrapped in. */
export const PARTS_MAX = 255
/** Messages that we put into one packet; with compounds around them they are below PARTS_MAX. */
export const MESSAGES_MAX = 250
/** memberlist 0.2.2 doubles the count in an octet, and from 128 on reads at the wrong place. */
export const COMPOUND_PARTS_MAX = 127
/** All that a packet holds once unpacked. */
export const PACKET_OCTETS_MAX = 65_536
/** Compounds and packs inside each other. */
export const ENVELOPES_MAX = 4
/** Since the length is one octet. */
export const LABEL_OCTETS_MAX = 255
/** What a label adds to its own octets. */
export const LABEL_OVERHEAD_OCTETS = 2
export const CHECKSUM_OVERHEAD_OCTETS = 5
/** Of a compound; each part costs COMPOUND_PART_OCTETS more than its own octets. */
export const COMPOUND_OVERHEAD_OCTETS = 2
export const COMPOUND_PART_OCTETS = 2

const ALGORITHM_LZW = 0

/** The good messages of a packet, and why others are missing. */
export type Opened = Readonly<{
  messages: readonly PacketMessage[]
  faults: readonly MemberlistFault[]
}>

/**
 * One message as it is, several as one compound: 1 to MESSAGES_MAX of them, 65,535 octets each.
 * More than COMPOUND_PARTS_MAX become compounds in a compound, which every version reads.
 */
export function encodeCompound(parts: readonly Uint8Array[]): Uint8Array {
  assert(parts.length > 0 && parts.length <= MESSAGES_MAX, 'a compound has 1 to 250 messages')
  if (parts.length === 1) return parts[0]!
  if (parts.length <= COMPOUND_PARTS_MAX) return encodeParts(parts)
  return encodeParts([
    encodeParts(parts.slice(0, COMPOUND_PARTS_MAX)), encodeParts(parts.slice(COMPOUND_PARTS_MAX)),
  ])
}

function encodeParts(parts: readonly Uint8Array[]): Uint8Array {
  const head = new Uint8Array(COMPOUND_OVERHEAD_OCTETS + parts.length * COMPOUND_PART_OCTETS)
  head[0] = TYPE.compound
  head[1] = parts.length
  for (const [i, part] of parts.entries()) {
    assert(part.length < 0x1_0000, 'a part of a compound has 65,535 octets at most')
    head[2 + i * 2] = part.length >>> 8
    head[3 + i * 2] = part.length
  }
  return joinOctets([head, ...parts])
}

/** Packed by LZW; often larger than before when it is short. */
export function encodeCompressed(octets: Uint8Array): Uint8Array {
  const fields = encodeFields([['Algo', ALGORITHM_LZW], ['Buf', lzwPack(octets)]])
  return joinOctets([Uint8Array.of(TYPE.compress), fields])
}

/** What was packed, or why not: 'cut' means that more octets may help. */
export function decodeCompressed(
  octets: Uint8Array, octetsMax: number,
): Readonly<{ octets: Uint8Array } | { fault: MemberlistFault }> {
  const fields = new FieldReader(new MsgpackReader(octets, 1))
  const algorithm = fields.uint('Algo', 0xff)
  const packed = fields.octets('Buf') ?? new Uint8Array(0)
  if (fields.fault !== undefined) return { fault: fields.fault }
  if (algorithm !== ALGORITHM_LZW) return { fault: 'bad-compression' }
  const unpacked = lzwUnpack(packed, octetsMax)
  return typeof unpacked === 'string' ? { fault: unpacked } : { octets: unpacked }
}

/** A packet with its checksum in front, for members that understand protocol 5. */
export function withChecksum(octets: Uint8Array): Uint8Array {
  const head = new Uint8Array(CHECKSUM_OVERHEAD_OCTETS)
  head[0] = TYPE.checksum
  new DataView(head.buffer).setUint32(1, crc32(octets))
  return joinOctets([head, octets])
}

/** What stands in front of a packet or stream of the mesh `label`; nothing for ''. */
export function labelHeader(label: Uint8Array): Uint8Array {
  assert(label.length <= LABEL_OCTETS_MAX, 'a label has 255 octets at most')
  if (label.length === 0) return label
  return joinOctets([Uint8Array.of(TYPE.label, label.length), label])
}

/**
 * Octets of the label's header in front of `octets`, or a fault: 'cut' when there is too little to
 * know. The empty label has no header.
 */
export function labelOctets(octets: Uint8Array, label: Uint8Array): number | MemberlistFault {
  const isLabelled = octets[0] === TYPE.label
  if (octets.length === 0) return 'cut'
  if (!isLabelled) return label.length === 0 ? 0 : 'no-label'
  if (label.length === 0) return 'other-label'
  const header = labelHeader(label)
  for (let i = 1; i < header.length; i += 1) {
    if (i === octets.length) return 'cut'
    if (octets[i] !== header[i]) return 'other-label'
  }
  return header.length
}

/** Opens a packet without label and seal. Never throws; a bad part does not harm the others. */
export function openEnvelopes(packet: Uint8Array): Opened {
  const octets = plainOctets(packet)
  if (octets[0] !== TYPE.checksum) return new Opening().open(octets)
  if (octets.length < CHECKSUM_OVERHEAD_OCTETS) return { messages: [], faults: ['cut'] }
  const rest = octets.subarray(CHECKSUM_OVERHEAD_OCTETS)
  const expected = new DataView(octets.buffer, octets.byteOffset).getUint32(1)
  if (crc32(rest) !== expected) return { messages: [], faults: ['bad-checksum'] }
  return new Opening().open(rest)
}

/** One packet being opened, with what is left of its limits. */
class Opening {
  readonly #messages: PacketMessage[] = []
  readonly #faults: MemberlistFault[] = []
  #partsLeft = PARTS_MAX
  #octetsLeft = PACKET_OCTETS_MAX

  open(octets: Uint8Array): Opened {
    if (octets.length > PACKET_OCTETS_MAX) this.#refuse('too-large')
    else this.#open(octets, ENVELOPES_MAX)
    return { messages: this.#messages, faults: this.#faults }
  }

  #refuse(fault: MemberlistFault): void {
    this.#faults.push(fault)
  }

  #open(octets: Uint8Array, envelopesLeft: number): void {
    const type = octets[0]
    if (type === TYPE.compound || type === TYPE.compress) {
      if (envelopesLeft === 0) this.#refuse('too-deep')
      else if (type === TYPE.compound) this.#openCompound(octets, envelopesLeft - 1)
      else this.#openCompressed(octets, envelopesLeft - 1)
      return
    }
    const decoded = decodeMessage(octets)
    if ('fault' in decoded) this.#refuse(decoded.fault)
    else this.#messages.push(decoded.message)
  }

  #openCompressed(octets: Uint8Array, envelopesLeft: number): void {
    const inside = decodeCompressed(octets, this.#octetsLeft)
    if ('fault' in inside) {
      // It may have cost as much as a good one: no further pack of this packet is looked at.
      this.#octetsLeft = 0
      return this.#refuse(inside.fault)
    }
    this.#octetsLeft -= inside.octets.length
    return this.#open(inside.octets, envelopesLeft)
  }

  #openCompound(octets: Uint8Array, envelopesLeft: number): void {
    const count = octets[1]
    const lengthsEnd = COMPOUND_OVERHEAD_OCTETS + (count ?? 0) * COMPOUND_PART_OCTETS
    if (count === undefined || lengthsEnd > octets.length) return this.#refuse('cut')
    let at = lengthsEnd
    for (let i = 0; i < count; i += 1) {
      const partOctets = octets[2 + i * 2]! * 256 + octets[3 + i * 2]!
      if (at + partOctets > octets.length) return this.#refuse('cut')
      if (this.#partsLeft === 0) return this.#refuse('too-many-parts')
      this.#partsLeft -= 1
      this.#open(octets.subarray(at, at + partOctets), envelopesLeft)
      at += partOctets
    }
  }
}
