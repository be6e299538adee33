// hot: every IPv6 frame for a group may be a question for a neighbour.
// Neighbour Discovery for IPv6: RFC 4861 sections 4.3 (solicitation) and 4.4 (advertisement).
import { complementSum, pseudoSumIpv6, sumOctets } from './checksum.ts'
import { writeMac } from './ether.ts'
import {
  ICMPV6_NEIGHBOUR_ADVERTISEMENT, ICMPV6_NEIGHBOUR_SOLICITATION, icmpCode, icmpType,
} from './icmp.ts'
import {
  IPV6_HEADER_OCTETS, ipv6HopLimit, PROTOCOL_ICMPV6, writeIpv6Header,
} from './ipv6.ts'

/** Both messages without options; the address that they are about stands at NDP_TARGET. */
export const NDP_OCTETS = 24
export const NDP_TARGET = 8
/** The IPv6 packet that writeNeighbourAdvertisement writes. */
export const NEIGHBOUR_ADVERTISEMENT_OCTETS = IPV6_HEADER_OCTETS + NDP_OCTETS + 8

/** RFC 4861 section 7.1: no router has passed it on. */
const HOP_LIMIT = 255
const CHECKSUM = 2
const FLAGS = 4
const SOLICITED_AND_OVERRIDE = 0x60000000
/** Option 2, target link-layer address, of one unit of eight octets: section 4.6.1. */
const TARGET_LINK_LAYER = 0x0201

/**
 * Whether the ICMPv6 message at `at` is a neighbour solicitation that a node must look at, by its
 * type, length and hop limit. The checksum is not looked at.
 * @param ipv6At  its IPv6 header
 */
export function isNeighbourSolicitation(
  dv: DataView, ipv6At: number, at: number, octets: number,
): boolean {
  return octets >= NDP_OCTETS && icmpType(dv, at) === ICMPV6_NEIGHBOUR_SOLICITATION
    && icmpCode(dv, at) === 0 && ipv6HopLimit(dv, ipv6At) === HOP_LIMIT
}

/** Whether the ICMPv6 message at `at` is a neighbour advertisement, whole or not. */
export function isNeighbourAdvertisement(dv: DataView, at: number, octets: number): boolean {
  return octets > 0 && icmpType(dv, at) === ICMPV6_NEIGHBOUR_ADVERTISEMENT
}

/** Word `which`, 0 to 3, of the address that a solicitation or advertisement is about; signed. */
export function ndpTargetWord(dv: DataView, at: number, which: number): number {
  return dv.getInt32(at + NDP_TARGET + (which << 2))
}

/**
 * Write the whole IPv6 packet that answers a solicitation for `targetAt`: "this address is at this
 * MAC", solicited, overriding what was known before.
 * @param targetAt  the address asked for, 16 octets, and the answer's source
 * @param askerAt   the answer's destination, 16 octets; neither may overlap the packet
 * @returns         NEIGHBOUR_ADVERTISEMENT_OCTETS
 */
export function writeNeighbourAdvertisement(
  dv: DataView, ipv6At: number, targetAt: number, askerAt: number, macHigh: number, macLow: number,
): number {
  const octets = NDP_OCTETS + 8
  writeIpv6Header(dv, ipv6At, octets, PROTOCOL_ICMPV6, HOP_LIMIT, 0, 0, targetAt, askerAt)
  const at = ipv6At + IPV6_HEADER_OCTETS
  dv.setUint32(at, ICMPV6_NEIGHBOUR_ADVERTISEMENT << 24)
  dv.setInt32(at + FLAGS, SOLICITED_AND_OVERRIDE)
  for (let i = 0; i < 16; i += 4) dv.setInt32(at + NDP_TARGET + i, dv.getInt32(targetAt + i))
  dv.setUint16(at + NDP_OCTETS, TARGET_LINK_LAYER)
  writeMac(dv, at + NDP_OCTETS + 2, macHigh, macLow)
  const pseudo = pseudoSumIpv6(dv, ipv6At, PROTOCOL_ICMPV6, octets)
  dv.setUint16(at + CHECKSUM, complementSum(sumOctets(dv, at, octets, pseudo)))
  return NEIGHBOUR_ADVERTISEMENT_OCTETS
}
