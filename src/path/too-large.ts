// hot: a frame too large for the tunnel is answered with ICMP, so that its sender learns the MTU
import { VNET_HEADER_OCTETS } from '../kernel/ring.ts'
import {
  ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHER_HEADER_OCTETS, isGroupMac, writeEtherHeader,
} from '../wire/ether.ts'
import {
  unreachableOctets, icmpIsError, icmpType, icmpv6IsError, packetTooBigOctets,
  writeFragmentationNeeded, writePacketTooBig,
} from '../wire/icmp.ts'
import {
  IPV4_HEADER_OCTETS, ipv4Destination, ipv4FragmentOffset, ipv4Source, ipv4TotalOctets,
  PROTOCOL_ICMP, writeIpv4Header,
} from '../wire/ipv4.ts'
import {
  IPV6_DESTINATION, IPV6_HEADER_OCTETS, IPV6_SOURCE, ipv6Upper, ipv6Word, isIpv6Multicast,
  PROTOCOL_ICMPV6, writeIpv6Header,
} from '../wire/ipv6.ts'
import { clampMss, isSyn } from './clamp.ts'
import {
  COUNT_TOO_LARGE_LIMITED, COUNT_TOO_LARGE_SENT, DROP_MALFORMED, DROP_TOO_LARGE,
} from './counters.ts'
import { type Frame, tagOctets } from './frame.ts'
import { NETWORK_MTU } from './image.ts'
import { isPartial } from './partial.ts'
import { drop, type Plane, sendTo } from './plane.ts'
import { largestSegment } from './segment.ts'
import { networkWord } from './tables.ts'

const TTL = 64
/** 127.0.0.0/8, and from 224.0.0.0 on groups, reserved addresses and the broadcast: RFC 6890. */
const LOOPBACK_NETWORK = 127
const FIRST_GROUP_NETWORK = 224

/**
 * Whether plane.frame can pass through the network; if not it is counted, and its sender told. One
 * that begins a connection is made to ask for what can pass.
 */
export function fitsNetwork(plane: Plane, slot: number, network: number): boolean {
  const { frame } = plane
  const view = plane.ring.view
  const largestOctets = largestSegment(view, frame)
  const mtu = networkWord(plane.tables, network, NETWORK_MTU)
  if (largestOctets >= 0 && largestOctets <= mtu + ETHER_HEADER_OCTETS) {
    if (isSyn(view, frame)) clampMss(plane, mtu, isPartial(view, frame))
    return true
  }
  if (largestOctets >= 0) answerTooLarge(plane, slot, mtu)
  drop(plane, largestOctets < 0 ? DROP_MALFORMED : DROP_TOO_LARGE)
  return false
}

/**
 * Answer plane.frame in the name of its destination: "fragmentation needed" (RFC 1191 section 4) or
 * "packet too big" (RFC 4443 section 3.2), at most ICMP_PER_SECOND. What must not be answered with
 * an ICMP error is not: groups, later fragments, other errors, and sources that are not one host
 * (RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)).
 */
export function answerTooLarge(plane: Plane, slot: number, mtu: number): void {
  const { frame } = plane
  if (frame.ipHeaderOctets === 0 || isGroupMac(plane.ring.view, frame.at)) return
  const isV4 = frame.etherType === ETHERTYPE_IPV4
  if (isV4 ? !mayAnswerIpv4(plane.ring.view, frame) : !mayAnswerIpv6(plane.ring.view, frame)) return
  if (plane.icmpLeft === 0) {
    plane.counters[COUNT_TOO_LARGE_LIMITED]! += 1
    return
  }
  plane.icmpLeft -= 1
  plane.counters[COUNT_TOO_LARGE_SENT]! += 1
  const at = plane.scratch + VNET_HEADER_OCTETS
  plane.ring.octets.fill(0, plane.scratch, at)
  // Tags of the offending frame are copied, so that the answer comes back in the same VLAN.
  const tags = tagOctets(frame)
  writeEtherHeader(plane.ring.view, at, frame.sourceHigh, frame.sourceLow, frame.destinationHigh,
    frame.destinationLow, frame.etherType)
  for (let i = 0; i < tags + 2; i++) {
    plane.ring.octets[at + 12 + i] = plane.ring.octets[frame.at + 12 + i]!
  }
  const l3At = at + ETHER_HEADER_OCTETS + tags
  const octets = isV4 ? writeIpv4Answer(plane.ring.view, frame, l3At, mtu - tags)
    : writeIpv6Answer(plane.ring.view, frame, l3At, mtu - tags)
  sendTo(plane, slot, at, l3At - at + octets)
}

function mayAnswerIpv4(view: DataView, frame: Frame): boolean {
  if (ipv4FragmentOffset(view, frame.l3At) !== 0) return false
  const network = ipv4Source(view, frame.l3At) >>> 24
  if (network === 0 || network === LOOPBACK_NETWORK || network >= FIRST_GROUP_NETWORK) return false
  return frame.protocol !== PROTOCOL_ICMP || frame.l4Octets < 8
    || !icmpIsError(icmpType(view, frame.l4At))
}

function mayAnswerIpv6(view: DataView, frame: Frame): boolean {
  if (frame.etherType !== ETHERTYPE_IPV6) return false
  const at = frame.l3At
  if (isIpv6Multicast(view, at + IPV6_SOURCE)) return false
  const isUnspecified = (ipv6Word(view, at, 0) | ipv6Word(view, at, 1) | ipv6Word(view, at, 2)
    | ipv6Word(view, at, 3)) === 0
  if (isUnspecified) return false
  const upper = ipv6Upper(view, at, frame.l4Octets)
  const upperAt = at + (upper >> 8)
  return upper < 0 || (upper & 0xff) !== PROTOCOL_ICMPV6 || upperAt >= frame.l4At + frame.l4Octets
    || !icmpv6IsError(icmpType(view, upperAt))
}

function writeIpv4Answer(view: DataView, frame: Frame, at: number, mtu: number): number {
  const original = ipv4TotalOctets(view, frame.l3At)
  const octets = IPV4_HEADER_OCTETS + unreachableOctets(original)
  writeIpv4Header(view, at, octets, PROTOCOL_ICMP, TTL, 0, ipv4Destination(view, frame.l3At),
    ipv4Source(view, frame.l3At), 0, true)
  writeFragmentationNeeded(view, at + IPV4_HEADER_OCTETS, mtu, frame.l3At, original)
  return octets
}

function writeIpv6Answer(view: DataView, frame: Frame, at: number, mtu: number): number {
  const original = IPV6_HEADER_OCTETS + frame.l4Octets
  const octets = packetTooBigOctets(original)
  writeIpv6Header(view, at, octets, PROTOCOL_ICMPV6, TTL, 0, 0, frame.l3At + IPV6_DESTINATION,
    frame.l3At + IPV6_SOURCE)
  writePacketTooBig(view, at + IPV6_HEADER_OCTETS, mtu, frame.l3At, original, at + IPV6_SOURCE)
  return IPV6_HEADER_OCTETS + octets
}
