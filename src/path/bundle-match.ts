// hot: which segments may be put together, and which one goes on where a bundle ends
//
// By the rules of the kernel's own receive offload (tcp_gro_receive, udp_gro_receive in net/ipv4):
// same addresses, ports and header fields, TCP segments that follow one another, equal size but for
// the last.
import { foldSum, pseudoSumIpv4, pseudoSumIpv6 } from '../wire/checksum.ts'
import { ETHERTYPE_IPV4, ETHER_HEADER_OCTETS } from '../wire/ether.ts'
import { IPV4_HEADER_OCTETS, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.ts'
import {
  TCP_ACK, TCP_CHECKSUM_FIELD, TCP_CWR, TCP_FIN, tcpFlags, tcpHeaderOctets, TCP_PSH, TCP_RST,
  TCP_SYN, TCP_URG,
} from '../wire/tcp.ts'
import { UDP_CHECKSUM_FIELD, UDP_HEADER_OCTETS, udpChecksum, udpOctets } from '../wire/udp.ts'
import { GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP } from '../wire/virtio.ts'
import { BUNDLE_PIECES_MAX } from './bundle-state.ts'
import type { Frame } from './frame.ts'
import type { Plane } from './plane.ts'

const IP_OCTETS_MAX = 65_535
/** Datagrams in one UDP bundle: UDP_GRO_CNT_MAX of the kernel. */
const UDP_BUNDLE_MAX = 64
const NEVER_BUNDLED = TCP_URG | TCP_RST | TCP_SYN | TCP_FIN | TCP_CWR

// Offsets from a frame's first octet; bundles have no VLAN tags and no IP options.
const IPV4_L4 = ETHER_HEADER_OCTETS + IPV4_HEADER_OCTETS
const IPV4_TOTAL = 16
const IPV4_ID = 18
const IPV4_FLAGS = 20
const IPV4_PROTOCOL = 23
const IPV4_CHECKSUM = 24
const DONT_FRAGMENT = 0x4000
const IPV6_PAYLOAD = 18
const IPV6_NEXT_HEADER = 20
// Offsets from the TCP or UDP header.
const TCP_SEQUENCE = 4
const UDP_LENGTH = 4

/** How plane.frame could be bundled, or GSO_NONE. */
export function bundleType(plane: Plane): number {
  const { frame, offload } = plane
  const view = plane.ring.view
  if (frame.l3At !== frame.at + ETHER_HEADER_OCTETS) return GSO_NONE
  const isV4 = frame.etherType === ETHERTYPE_IPV4
  if (isV4 && frame.ipHeaderOctets !== IPV4_HEADER_OCTETS) return GSO_NONE
  if (frame.protocol === PROTOCOL_TCP) {
    if (!offload.tcp) return GSO_NONE
    const head = tcpHeaderOctets(view, frame.l4At, frame.l4Octets)
    if (head < 0 || head === frame.l4Octets) return GSO_NONE
    const flags = tcpFlags(view, frame.l4At)
    if ((flags & NEVER_BUNDLED) !== 0 || (flags & TCP_ACK) === 0) return GSO_NONE
    return isV4 ? GSO_TCPV4 : GSO_TCPV6
  }
  if (frame.protocol !== PROTOCOL_UDP || !offload.udp) return GSO_NONE
  if (udpOctets(view, frame.l4At, frame.l4Octets) !== frame.l4Octets) return GSO_NONE
  if (frame.l4Octets === UDP_HEADER_OCTETS || udpChecksum(view, frame.l4At) === 0) return GSO_NONE
  return GSO_UDP
}

/** The sender wants it delivered at once, and nothing waits for it: so it is. */
export function isPushed(view: DataView, frame: Frame): boolean {
  return frame.protocol === PROTOCOL_TCP && (tcpFlags(view, frame.l4At) & TCP_PSH) !== 0
}

/** Octets of the TCP or UDP header. */
export function l4HeadOctets(view: DataView, frame: Frame): number {
  return frame.protocol === PROTOCOL_TCP ? tcpHeaderOctets(view, frame.l4At, frame.l4Octets)
    : UDP_HEADER_OCTETS
}

/**
 * Payload octets of the frame at `at` when it goes on where the bundle ends, in all that one header
 * can say for both; else -1. Nothing else is known of the frame, so this is also the short way of
 * segments that follow one another in a train.
 */
export function continuation(plane: Plane, key: number, at: number, lengthOctets: number): number {
  const { bundles } = plane
  const view = plane.ring.view
  const first = bundles.at[key]!
  const headOctets = bundles.headOctets[key]!
  const isTcp = bundles.type[key] !== GSO_UDP
  const l4 = bundles.l4At[key]! - first
  if (lengthOctets <= headOctets || !sameHeaders(view, at, first, l4, headOctets, isTcp)) return -1
  const l4Octets = l4 === IPV4_L4 ? view.getUint16(at + IPV4_TOTAL) - IPV4_HEADER_OCTETS
    : view.getUint16(at + IPV6_PAYLOAD)
  const payload = l4Octets - (headOctets - l4)
  if (payload <= 0 || l4 + l4Octets > lengthOctets || payload > bundles.size[key]!) return -1
  if (headOctets - ETHER_HEADER_OCTETS + bundles.octets[key]! + payload > IP_OCTETS_MAX) return -1
  const count = bundles.count[key]!
  if (isTcp) {
    if (count === BUNDLE_PIECES_MAX) return -1
    if (view.getInt32(at + l4 + TCP_SEQUENCE) !== bundles.sequence[key]) return -1
  } else {
    if (count === UDP_BUNDLE_MAX || view.getUint16(at + l4 + UDP_CHECKSUM_FIELD) === 0) return -1
    if (view.getUint16(at + l4 + UDP_LENGTH) !== l4Octets) return -1
  }
  if (l4 === IPV4_L4 && !keepsIdentification(view, at, first, count)) return -1
  return verify(plane, key, at, l4, l4Octets) ? payload : -1
}

/**
 * Whoever takes the bundle apart counts identifications up from the first one. Nobody may change
 * that of a packet that may be fragmented; that of any other means nothing: RFC 6864 section 4.
 */
function keepsIdentification(view: DataView, at: number, first: number, count: number): boolean {
  if ((view.getUint16(at + IPV4_FLAGS) & DONT_FRAGMENT) !== 0) return true
  const step = view.getUint16(at + IPV4_ID) - view.getUint16(first + IPV4_ID)
  return (step & 0xffff) === count
}

/** Ethernet, IP, ports, and of TCP acknowledgment, window, flags but PSH, and options. */
function sameHeaders(view: DataView, at: number, other: number, l4: number, headOctets: number,
  isTcp: boolean): boolean {
  if (view.getInt32(at) !== view.getInt32(other)
    || view.getInt32(at + 4) !== view.getInt32(other + 4)
    || view.getInt32(at + 8) !== view.getInt32(other + 8)
    // EtherType, version, header length, TOS; of IPv6 the flow label too, below
    || view.getInt32(at + 12) !== view.getInt32(other + 12)
    || view.getInt32(at + l4) !== view.getInt32(other + l4)) return false
  if (l4 === IPV4_L4) {
    // fragment bits, TTL and protocol; addresses
    if (view.getInt32(at + IPV4_FLAGS) !== view.getInt32(other + IPV4_FLAGS)
      || view.getInt32(at + 26) !== view.getInt32(other + 26)
      || view.getInt32(at + 30) !== view.getInt32(other + 30)) return false
  } else {
    if (view.getUint16(at + 16) !== view.getUint16(other + 16)
      || view.getUint16(at + 20) !== view.getUint16(other + 20)) return false
    for (let i = 22; i < 54; i += 4) {
      if (view.getInt32(at + i) !== view.getInt32(other + i)) return false
    }
  }
  if (!isTcp) return true
  if (view.getInt32(at + l4 + 8) !== view.getInt32(other + l4 + 8)) return false
  // data offset, flags and window, PSH aside
  const word = view.getInt32(at + l4 + 12) ^ view.getInt32(other + l4 + 12)
  if ((word & ~(TCP_PSH << 16)) !== 0) return false
  for (let i = l4 + 20; i < headOctets; i += 4) {
    if (view.getInt32(at + i) !== view.getInt32(other + i)) return false
  }
  return true
}

/**
 * Whether the checksums of the bundle's first frame and of the one at `at` are right. A bundle has
 * no checksum of its own any more, so it must never hide a corruption; a bad frame passes singly,
 * and the receiving kernel finds and counts it.
 */
function verify(plane: Plane, key: number, at: number, l4: number, l4Octets: number): boolean {
  const { bundles, ring } = plane
  const first = bundles.at[key]!
  if (bundles.verified[key] === 0) {
    if (l4 === IPV4_L4 && ring.sum(first + ETHER_HEADER_OCTETS, IPV4_HEADER_OCTETS) !== 0xffff) {
      return false
    }
    bundles.pseudo[key] = pseudoWithoutLength(plane, first, l4)
    const firstOctets = bundles.headOctets[key]! - l4 + bundles.size[key]!
    if (!isIntact(plane, key, first + l4, firstOctets)) return false
    bundles.verified[key] = 1
  }
  // The two IPv4 headers differ in these three words only, and the first one's sum is right.
  if (l4 === IPV4_L4 && changingSum(ring.view, at) !== changingSum(ring.view, first)) return false
  return isIntact(plane, key, at + l4, l4Octets)
}

function changingSum(view: DataView, at: number): number {
  return foldSum(view.getUint16(at + IPV4_TOTAL) + view.getUint16(at + IPV4_ID)
    + view.getUint16(at + IPV4_CHECKSUM))
}

/** Sum of addresses and protocol: the part of the pseudo-header that a bundle has in common. */
function pseudoWithoutLength(plane: Plane, at: number, l4: number): number {
  const view = plane.ring.view
  const l3At = at + ETHER_HEADER_OCTETS
  return foldSum(l4 === IPV4_L4 ? pseudoSumIpv4(view, l3At, view.getUint8(at + IPV4_PROTOCOL), 0)
    : pseudoSumIpv6(view, l3At, view.getUint8(at + IPV6_NEXT_HEADER), 0))
}

function isIntact(plane: Plane, key: number, l4At: number, l4Octets: number): boolean {
  const { bundles, ring } = plane
  const pseudo = foldSum(bundles.pseudo[key]! + l4Octets)
  const field = bundles.type[key] === GSO_UDP ? UDP_CHECKSUM_FIELD : TCP_CHECKSUM_FIELD
  // A partial checksum is the sender's word that the octets are good: see partial.ts.
  if (bundles.partial[key] !== 0 && ring.view.getUint16(l4At + field) === pseudo) return true
  return foldSum(pseudo + ring.sum(l4At, l4Octets)) === 0xffff
}
