// hot: which segments may be put together, and which one goes on where a bundle ends
//
// By the rules of the kernel's own receive offload (tcp_gro_receive, udp_gro_receive in net/ipv4):
// same addresses, ports and header fields, TCP segments that follow one another, equal size but for
// the last.
import { foldSum, pseudoSumIpv4, pseudoSumIpv6 } from '../wire/checksum.ts'
import { ETHERTYPE_IPV4, ETHER_HEADER_OCTETS } from '../wire/ether.ts'
import {
  IPV4_HEADER_OCTETS, ipv4DontFragment, ipv4Identification, PROTOCOL_TCP, PROTOCOL_UDP,
} from '../wire/ipv4.ts'
import {
  TCP_ACK, TCP_CHECKSUM_FIELD, TCP_CWR, TCP_FIN, tcpFlags, tcpHeaderOctets, TCP_PSH, TCP_RST,
  TCP_SYN, tcpSequence, TCP_URG,
} from '../wire/tcp.ts'
import { UDP_CHECKSUM_FIELD, UDP_HEADER_OCTETS, udpChecksum, udpOctets } from '../wire/udp.ts'
import { GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP } from '../wire/virtio.ts'
import { BUNDLE_PIECES_MAX } from './bundle-state.ts'
import { type Frame, parseFrame } from './frame.ts'
import type { Plane } from './plane.ts'

const IP_OCTETS_MAX = 65_535
/** Datagrams in one UDP bundle: UDP_GRO_CNT_MAX of the kernel. */
const UDP_BUNDLE_MAX = 64
const NEVER_BUNDLED = TCP_URG | TCP_RST | TCP_SYN | TCP_FIN | TCP_CWR

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

/** Whether plane.frame goes on where the bundle ends, in all that one header can say for both. */
export function joins(plane: Plane, key: number, slot: number, type: number): boolean {
  const { frame, bundles } = plane
  const view = plane.ring.view
  if (bundles.slot[key] !== slot || bundles.type[key] !== type) return false
  const isTcp = type !== GSO_UDP
  const l4Head = l4HeadOctets(view, frame)
  const head = frame.l4At + l4Head - frame.at
  const payload = frame.l4Octets - l4Head
  const total = head - ETHER_HEADER_OCTETS + bundles.octets[key]! + payload
  if (head !== bundles.headOctets[key] || payload > bundles.size[key]! || total > IP_OCTETS_MAX) {
    return false
  }
  if (bundles.count[key] === (isTcp ? BUNDLE_PIECES_MAX : UDP_BUNDLE_MAX)) return false
  if (isTcp && tcpSequence(view, frame.l4At) !== bundles.sequence[key]) return false
  if (!sameHeaders(view, frame, bundles.at[key]!, isTcp)) return false
  if (!keepsIdentification(view, frame, bundles.at[key]!, bundles.count[key]!)) return false
  return verify(plane, key)
}

/**
 * Whoever takes the bundle apart counts identifications up from the first one. Nobody may change
 * that of a packet that may be fragmented; that of any other means nothing: RFC 6864 section 4.
 */
function keepsIdentification(view: DataView, frame: Frame, first: number, count: number): boolean {
  if (frame.etherType !== ETHERTYPE_IPV4 || ipv4DontFragment(view, frame.l3At)) return true
  const step = ipv4Identification(view, frame.l3At)
    - ipv4Identification(view, first + ETHER_HEADER_OCTETS)
  return (step & 0xffff) === count
}

/** Ethernet, IP, ports, and of TCP acknowledgment, window, flags but PSH, and options. */
function sameHeaders(view: DataView, frame: Frame, other: number, isTcp: boolean): boolean {
  const at = frame.at
  const l4 = frame.l4At - at
  if (view.getInt32(at) !== view.getInt32(other)
    || view.getInt32(at + 4) !== view.getInt32(other + 4)
    || view.getInt32(at + 8) !== view.getInt32(other + 8)
    // EtherType, version, header length, TOS; of IPv6 the flow label too, below
    || view.getInt32(at + 12) !== view.getInt32(other + 12)
    || view.getInt32(at + l4) !== view.getInt32(other + l4)) return false
  if (frame.etherType === ETHERTYPE_IPV4) {
    // fragment bits, TTL and protocol; addresses
    if (view.getInt32(at + 20) !== view.getInt32(other + 20)
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
  const end = l4 + tcpHeaderOctets(view, frame.l4At, frame.l4Octets)
  for (let i = l4 + 20; i < end; i += 4) {
    if (view.getInt32(at + i) !== view.getInt32(other + i)) return false
  }
  return true
}

/**
 * Whether the checksums of the bundle's first frame and of plane.frame are right. A bundle has no
 * checksum of its own any more, so it must never hide a corruption; a bad frame passes singly, and
 * the receiving kernel finds and counts it.
 */
function verify(plane: Plane, key: number): boolean {
  const { frame, bundles, bundleFrame } = plane
  if (bundles.verified[key] === 0) {
    parseFrame(plane.ring.view, bundles.at[key]!, bundles.lengthOctets[key]!, bundleFrame)
    if (!isIntact(plane, bundleFrame)) return false
    bundles.verified[key] = 1
  }
  return isIntact(plane, frame)
}

function isIntact(plane: Plane, frame: Frame): boolean {
  const { ring } = plane
  const view = ring.view
  const isV4 = frame.etherType === ETHERTYPE_IPV4
  if (isV4 && ring.sum(frame.l3At, IPV4_HEADER_OCTETS) !== 0xffff) return false
  const pseudo = foldSum(isV4 ? pseudoSumIpv4(view, frame.l3At, frame.protocol, frame.l4Octets)
    : pseudoSumIpv6(view, frame.l3At, frame.protocol, frame.l4Octets))
  const field = frame.protocol === PROTOCOL_TCP ? TCP_CHECKSUM_FIELD : UDP_CHECKSUM_FIELD
  // A partial checksum is the sender's word that the octets are good: see partial.ts.
  if (view.getUint16(frame.l4At + field) === pseudo) return true
  return foldSum(pseudo + ring.sum(frame.l4At, frame.l4Octets)) === 0xffff
}
