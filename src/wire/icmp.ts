// hot: a sender of frames that are too long is told so from the packet path.
// ICMP (RFC 792; next-hop MTU: RFC 1191 section 4) and ICMPv6 (RFC 4443).
import { complementSum, pseudoSumIpv6, sumOctets } from './checksum.ts'
import {
  IPV6_HEADER_OCTETS, IPV6_MTU_MIN_OCTETS, IPV6_SOURCE, PROTOCOL_ICMPV6,
} from './ipv6.ts'

export const ICMP_HEADER_OCTETS = 8
export const ICMP_ECHO_REPLY = 0
export const ICMP_UNREACHABLE = 3
export const ICMP_SOURCE_QUENCH = 4
export const ICMP_REDIRECT = 5
export const ICMP_ECHO_REQUEST = 8
export const ICMP_TIME_EXCEEDED = 11
export const ICMP_PARAMETER_PROBLEM = 12
export const ICMP_HOST_UNREACHABLE_CODE = 1
export const ICMP_FRAGMENTATION_NEEDED_CODE = 4
export const ICMPV6_PACKET_TOO_BIG = 2
export const ICMPV6_ECHO_REQUEST = 128
export const ICMPV6_ECHO_REPLY = 129
export const ICMPV6_NEIGHBOUR_SOLICITATION = 135
export const ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136

/** RFC 1812 section 4.3.2.3: the whole error is at most 576 octets, of which 28 are headers. */
export const ICMP_QUOTE_OCTETS_MAX = 548
/** RFC 4443 section 2.4 (c): the whole error fits the smallest IPv6 MTU. */
export const ICMPV6_QUOTE_OCTETS_MAX = IPV6_MTU_MIN_OCTETS - IPV6_HEADER_OCTETS - ICMP_HEADER_OCTETS

const CODE = 1
const CHECKSUM = 2
const IDENTIFIER = 4
const SEQUENCE = 6
const NEXT_HOP_MTU = 6
const MTU = 4

export function icmpType(dv: DataView, at: number): number {
  return dv.getUint8(at)
}

export function icmpCode(dv: DataView, at: number): number {
  return dv.getUint8(at + CODE)
}

/** Identifier of an echo message, which tells one run of ping from another. */
export function icmpIdentifier(dv: DataView, at: number): number {
  return dv.getUint16(at + IDENTIFIER)
}

/** Sequence number of an echo message. */
export function icmpSequence(dv: DataView, at: number): number {
  return dv.getUint16(at + SEQUENCE)
}

/** Next-hop MTU of "fragmentation needed", octets; 0 from a router older than RFC 1191. */
export function icmpMtu(dv: DataView, at: number): number {
  return dv.getUint16(at + NEXT_HOP_MTU)
}

/** MTU of "packet too big", octets. */
export function icmpv6Mtu(dv: DataView, at: number): number {
  return dv.getUint32(at + MTU)
}

/** Whether a message of this type is itself an error: no error answers one, RFC 1122 3.2.2. */
export function icmpIsError(type: number): boolean {
  return type === ICMP_UNREACHABLE || type === ICMP_SOURCE_QUENCH || type === ICMP_REDIRECT
    || type === ICMP_TIME_EXCEEDED || type === ICMP_PARAMETER_PROBLEM
}

/** RFC 4443 section 2.1: types below 128 are errors. */
export function icmpv6IsError(type: number): boolean {
  return type < 128
}

/** Write an echo header before data that is already in place; `octets` counts both. */
export function writeIcmpEcho(
  dv: DataView, at: number, type: number, identifier: number, sequence: number, octets: number,
): void {
  dv.setUint32(at, type << 24)
  dv.setUint16(at + IDENTIFIER, identifier)
  dv.setUint16(at + SEQUENCE, sequence)
  dv.setUint16(at + CHECKSUM, complementSum(sumOctets(dv, at, octets, 0)))
}

/**
 * As writeIcmpEcho, for IPv6.
 * @param addressesAt  source and destination of the packet, 32 octets: IPv6 header + IPV6_SOURCE
 */
export function writeIcmpv6Echo(
  dv: DataView, at: number, type: number, identifier: number, sequence: number, octets: number,
  addressesAt: number,
): void {
  dv.setUint32(at, type << 24)
  dv.setUint16(at + IDENTIFIER, identifier)
  dv.setUint16(at + SEQUENCE, sequence)
  writeIcmpv6Checksum(dv, at, octets, addressesAt)
}

/** Length of the "unreachable" message that is made of such a packet. */
export function unreachableOctets(originalOctets: number): number {
  return ICMP_HEADER_OCTETS
    + (originalOctets < ICMP_QUOTE_OCTETS_MAX ? originalOctets : ICMP_QUOTE_OCTETS_MAX)
}

/** Length of the ICMPv6 message that writePacketTooBig makes of such a packet. */
export function packetTooBigOctets(originalOctets: number): number {
  return ICMP_HEADER_OCTETS
    + (originalOctets < ICMPV6_QUOTE_OCTETS_MAX ? originalOctets : ICMPV6_QUOTE_OCTETS_MAX)
}

/**
 * Write the whole ICMP message "destination unreachable" at `at`.
 * @param originalAt      the offending packet from its IPv4 header on; may overlap the message
 * @param originalOctets  its total length
 * @returns               octets written, 8 to 556: what the IPv4 header in front has to carry
 */
export function writeUnreachable(
  dv: DataView, at: number, code: number, originalAt: number, originalOctets: number,
): number {
  return writeWithMtu(dv, at, code, 0, originalAt, originalOctets)
}

/**
 * As writeUnreachable, "fragmentation needed and DF set".
 * @param mtu  largest IPv4 packet that would pass, octets
 */
export function writeFragmentationNeeded(
  dv: DataView, at: number, mtu: number, originalAt: number, originalOctets: number,
): number {
  return writeWithMtu(dv, at, ICMP_FRAGMENTATION_NEEDED_CODE, mtu, originalAt, originalOctets)
}

function writeWithMtu(
  dv: DataView, at: number, code: number, mtu: number, originalAt: number, originalOctets: number,
): number {
  const octets = unreachableOctets(originalOctets)
  copyOctets(dv, at + ICMP_HEADER_OCTETS, originalAt, octets - ICMP_HEADER_OCTETS)
  dv.setUint32(at, (ICMP_UNREACHABLE << 24) | (code << 16))
  dv.setUint16(at + 4, 0)
  dv.setUint16(at + NEXT_HOP_MTU, mtu)
  dv.setUint16(at + CHECKSUM, complementSum(sumOctets(dv, at, octets, 0)))
  return octets
}

/**
 * Write the whole ICMPv6 message "packet too big" at `at`.
 * @param mtu             largest IPv6 packet that would pass, octets; 1280 at least
 * @param originalAt      the offending packet from its IPv6 header on; may overlap the message
 * @param originalOctets  its length, header included
 * @param addressesAt     source and destination of the error, 32 octets: its own IPv6 header, which
 *                        is written already, + IPV6_SOURCE; the checksum covers them
 * @returns               octets written, 8 to 1240: the payload length of the error's IPv6 header
 */
export function writePacketTooBig(
  dv: DataView, at: number, mtu: number, originalAt: number, originalOctets: number,
  addressesAt: number,
): number {
  const octets = packetTooBigOctets(originalOctets)
  copyOctets(dv, at + ICMP_HEADER_OCTETS, originalAt, octets - ICMP_HEADER_OCTETS)
  dv.setUint32(at, ICMPV6_PACKET_TOO_BIG << 24)
  dv.setUint32(at + MTU, mtu)
  writeIcmpv6Checksum(dv, at, octets, addressesAt)
  return octets
}

/** The field is still zero. */
function writeIcmpv6Checksum(dv: DataView, at: number, octets: number, addressesAt: number): void {
  const pseudo = pseudoSumIpv6(dv, addressesAt - IPV6_SOURCE, PROTOCOL_ICMPV6, octets)
  dv.setUint16(at + CHECKSUM, complementSum(sumOctets(dv, at, octets, pseudo)))
}

/** Copy within one memory, right also when the areas overlap; a typed array would be garbage. */
function copyOctets(dv: DataView, to: number, from: number, octets: number): void {
  if (to > from) {
    for (let i = octets - 1; i >= 0; i -= 1) dv.setUint8(to + i, dv.getUint8(from + i))
    return
  }
  for (let i = 0; i < octets; i += 1) dv.setUint8(to + i, dv.getUint8(from + i))
}
