// A datagram of the mesh, from messages to what goes on the wire and back. From the outside in:
// label, seal, checksum, pack, compound, messages. Nothing thrown gets out of openPacket, whatever
// somebody sends: what is refused has a fault of a closed list, to be counted.
import { decodeMessage } from '../wire/memberlist/decode.ts'
import type { MemberlistFault } from '../wire/memberlist/faults.ts'
import type { Opened } from '../wire/memberlist/frames.ts'
import {
  CHECKSUM_OVERHEAD_OCTETS, encodeCompound, encodeCompressed, labelHeader, labelOctets,
  openEnvelopes, PACKET_OCTETS_MAX, withChecksum,
} from '../wire/memberlist/frames.ts'
import { TYPE } from '../wire/memberlist/messages.ts'
import { joinOctets } from '../wire/memberlist/msgpack.ts'
import type { RandomOctets, SealVersion } from './mesh-seal.ts'
import { seal, SEAL_OVERHEAD_OCTETS, sealedOctets, unseal } from './mesh-seal.ts'

/** What a packet or stream must be to come from our mesh. */
export type OpenTerms = Readonly<{
  /** '' for none. */
  label: string
  /** Tried in this order; none means that everything is in the clear. */
  keys: readonly Uint8Array[]
}>

/** How to seal a packet or stream. */
export type SealTerms = Readonly<{
  /** '' for none; 255 octets at most. */
  label: string
  /** null leaves it in the clear. */
  key: Uint8Array | null
  /** 0 is for members that speak protocol 1. */
  sealVersion?: SealVersion
  /** Pack it when that makes it smaller. */
  compress: boolean
  random: RandomOctets
}>

export type PacketTerms = SealTerms & Readonly<{
  /** For a member that understands protocol 5. */
  checksum: boolean
}>

const utf8 = new TextEncoder()

/**
 * The packet of these messages, each as encodeMessage makes it: at least one, MESSAGES_MAX at most.
 */
export function sealPacket(messages: readonly Uint8Array[], terms: PacketTerms): Uint8Array {
  const label = utf8.encode(terms.label)
  const plain = encodeCompound(messages)
  const packed = terms.compress ? encodeCompressed(plain) : plain
  const shorter = packed.length < plain.length ? packed : plain
  const checked = terms.checksum ? withChecksum(shorter) : shorter
  const sealed = terms.key === null
    ? checked : seal(checked, terms.key, label, terms.sealVersion ?? 1, terms.random)
  return label.length === 0 ? sealed : joinOctets([labelHeader(label), sealed])
}

/** Octets that sealPacket adds at most to a message, or to a compound of several. */
export function packetOverheadOctets(terms: PacketTerms): number {
  const labelled = labelHeader(utf8.encode(terms.label)).length
  const sealed = terms.key === null ? 0
    : terms.sealVersion === 0 ? sealedOctets(0, 0) : SEAL_OVERHEAD_OCTETS
  return labelled + sealed + (terms.checksum ? CHECKSUM_OVERHEAD_OCTETS : 0)
}

/** The good messages of a packet, and why others are missing. Never throws. */
export function openPacket(packet: Uint8Array, { label, keys }: OpenTerms): Opened {
  if (packet.length === 0) return refused('empty')
  if (packet.length > PACKET_OCTETS_MAX) return refused('too-large')
  const labelName = utf8.encode(label)
  const from = labelOctets(packet, labelName)
  if (typeof from !== 'number') return refused(from)
  const inside = packet.subarray(from)
  if (keys.length === 0) return openClear(inside)
  const unsealed = unseal(inside, keys, labelName)
  if ('octets' in unsealed) return openEnvelopes(unsealed.octets)
  return refused(isInClear(inside) ? 'not-sealed' : unsealed.fault)
}

function refused(fault: MemberlistFault): Opened {
  return { messages: [], faults: [fault] }
}

/**
 * A sealed packet begins like a ping (0 or 1); then comes the nonce, where a ping has a map. So a
 * node without keys can mostly tell why it does not understand.
 */
function openClear(octets: Uint8Array): Opened {
  const first = octets[0] ?? 0
  const isMap = (octets[1] ?? 0) >>> 4 === 0x8
  const looksSealed = first <= 1 && octets.length >= SEAL_OVERHEAD_OCTETS && !isMap
  return looksSealed ? refused('sealed') : openEnvelopes(octets)
}

/** Of a packet that no key opens: was it never sealed? */
function isInClear(octets: Uint8Array): boolean {
  const first = octets[0] ?? 0
  if (first > 1) return Object.values<number>(TYPE).includes(first)
  return 'message' in decodeMessage(octets)
}
