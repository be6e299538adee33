// hot: every IPv4 packet is classified, and some are rewritten, by this file.
// The IPv4 header: RFC 791 section 3.1; its checksum is kept by difference (RFC 1624).
// Addresses are signed 32-bit numbers, as an Int32Array holds them.
import {
  complementSum, foldSum, sumOctets, updateChecksum16, updateChecksum32,
} from './checksum.ts'

export const IPV4_HEADER_OCTETS = 20
export const IPV4_SOURCE = 12
export const IPV4_DESTINATION = 16
export const PROTOCOL_ICMP = 1
export const PROTOCOL_TCP = 6
export const PROTOCOL_UDP = 17

const TOS = 1
const TOTAL = 2
const IDENTIFICATION = 4
const FLAGS = 6
const TTL = 8
const PROTOCOL = 9
const CHECKSUM = 10

const DONT_FRAGMENT = 0x4000
const MORE_FRAGMENTS = 0x2000
const OFFSET = 0x1fff

/**
 * Length of the header with its options, 20 to 60 octets, or -1 when this is not a whole IPv4
 * packet: wrong version, or a header or total length that does not fit. The header checksum is not
 * looked at (ipv4ChecksumHolds does): endpoints check it, and so need not the switch.
 * @param availableOctets  what is there, from `at` on; padding behind the packet is allowed
 */
export function ipv4HeaderOctets(dv: DataView, at: number, availableOctets: number): number {
  if (availableOctets < IPV4_HEADER_OCTETS) return -1
  const first = dv.getUint8(at)
  const headerOctets = (first & 15) << 2
  if (first >>> 4 !== 4 || headerOctets < IPV4_HEADER_OCTETS) return -1
  const totalOctets = dv.getUint16(at + TOTAL)
  return totalOctets < headerOctets || totalOctets > availableOctets ? -1 : headerOctets
}

/** Whether the header's checksum is right; `headerOctets` is what ipv4HeaderOctets gave. */
export function ipv4ChecksumHolds(dv: DataView, at: number, headerOctets: number): boolean {
  return foldSum(sumOctets(dv, at, headerOctets, 0)) === 0xffff
}

/** Length of header and payload. */
export function ipv4TotalOctets(dv: DataView, at: number): number {
  return dv.getUint16(at + TOTAL)
}

/** DSCP in the upper six bits, ECN in the lower two: RFC 2474, RFC 3168. */
export function ipv4Tos(dv: DataView, at: number): number {
  return dv.getUint8(at + TOS)
}

export function ipv4Identification(dv: DataView, at: number): number {
  return dv.getUint16(at + IDENTIFICATION)
}

export function ipv4Ttl(dv: DataView, at: number): number {
  return dv.getUint8(at + TTL)
}

export function ipv4Protocol(dv: DataView, at: number): number {
  return dv.getUint8(at + PROTOCOL)
}

export function ipv4Source(dv: DataView, at: number): number {
  return dv.getInt32(at + IPV4_SOURCE)
}

export function ipv4Destination(dv: DataView, at: number): number {
  return dv.getInt32(at + IPV4_DESTINATION)
}

/** Whether this is a part of a datagram, the first part included. */
export function ipv4IsFragment(dv: DataView, at: number): boolean {
  return (dv.getUint16(at + FLAGS) & (MORE_FRAGMENTS | OFFSET)) !== 0
}

/** Where in the datagram this payload belongs, in octets; above 0 there is no transport header. */
export function ipv4FragmentOffset(dv: DataView, at: number): number {
  return (dv.getUint16(at + FLAGS) & OFFSET) << 3
}

export function ipv4MoreFragments(dv: DataView, at: number): boolean {
  return (dv.getUint16(at + FLAGS) & MORE_FRAGMENTS) !== 0
}

export function ipv4DontFragment(dv: DataView, at: number): boolean {
  return (dv.getUint16(at + FLAGS) & DONT_FRAGMENT) !== 0
}

export function setIpv4Tos(dv: DataView, at: number, tos: number): void {
  const before = dv.getUint16(at)
  dv.setUint8(at + TOS, tos)
  const checksum = dv.getUint16(at + CHECKSUM)
  dv.setUint16(at + CHECKSUM, updateChecksum16(checksum, before, dv.getUint16(at)))
}

/** Change the source address; a checksum of UDP or TCP inside is the caller's to update. */
export function setIpv4Source(dv: DataView, at: number, address: number): void {
  setAddress(dv, at, IPV4_SOURCE, address)
}

/** Change the destination; a checksum of UDP or TCP inside is the caller's to update. */
export function setIpv4Destination(dv: DataView, at: number, address: number): void {
  setAddress(dv, at, IPV4_DESTINATION, address)
}

function setAddress(dv: DataView, at: number, field: number, address: number): void {
  const before = dv.getInt32(at + field)
  dv.setInt32(at + field, address)
  const checksum = dv.getUint16(at + CHECKSUM)
  dv.setUint16(at + CHECKSUM, updateChecksum32(checksum, before, address))
}

/**
 * Write a whole header without options, checksum included.
 * @param totalOctets  20 to 65535: this header and the payload
 * @param id           0 is right for packets that must not be fragmented: RFC 6864 section 4.1
 */
export function writeIpv4Header(
  dv: DataView, at: number, totalOctets: number, protocol: number, ttl: number, tos: number,
  source: number, destination: number, id: number, dontFragment: boolean,
): void {
  dv.setUint16(at, 0x4500 | tos)
  dv.setUint16(at + TOTAL, totalOctets)
  dv.setUint16(at + IDENTIFICATION, id)
  dv.setUint16(at + FLAGS, dontFragment ? DONT_FRAGMENT : 0)
  dv.setUint8(at + TTL, ttl)
  dv.setUint8(at + PROTOCOL, protocol)
  dv.setUint16(at + CHECKSUM, 0)
  dv.setInt32(at + IPV4_SOURCE, source)
  dv.setInt32(at + IPV4_DESTINATION, destination)
  dv.setUint16(at + CHECKSUM, complementSum(sumOctets(dv, at, IPV4_HEADER_OCTETS, 0)))
}
