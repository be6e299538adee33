// hot: connections begin with a segment size that fits the network, so that nothing is too large
//
// Each side says in its SYN how much it takes in one segment, by the MTU of its own device. That
// may be more than the network carries: where a path has just become narrower, behind a VTEP of
// another make, on a VLAN device, or outside, at the client of a published port. What a segment may
// have follows from the MTU by which frames are called too large, so the two always agree. Where no
// option is to be lowered, ICMP says it later: see too-large.ts.
import { ETHERTYPE_IPV4 } from '../wire/ether.ts'
import { IPV4_HEADER_OCTETS, PROTOCOL_TCP } from '../wire/ipv4.ts'
import { IPV6_HEADER_OCTETS } from '../wire/ipv6.ts'
import { lowerTcpMss } from '../wire/tcp-options.ts'
import { TCP_HEADER_OCTETS, TCP_SYN, tcpFlags, tcpHeaderOctets } from '../wire/tcp.ts'
import { COUNT_MSS_CLAMPED } from './counters.ts'
import { type Frame, tagOctets } from './frame.ts'
import { NETWORK_MTU } from './image.ts'
import { isLeftPartial } from './partial.ts'
import type { Plane } from './plane.ts'
import { networkWord } from './tables.ts'

/** Whether `frame` is a segment that begins a connection, or the answer to one; not a fragment. */
export function isSyn(view: DataView, frame: Frame): boolean {
  return frame.protocol === PROTOCOL_TCP && frame.l4Octets >= TCP_HEADER_OCTETS
    && (tcpFlags(view, frame.l4At) & TCP_SYN) !== 0
}

/**
 * Let plane.frame, for which isSyn(), ask for no longer packets than `mtu` octets. Both headers are
 * counted without options, whoever sends the segments counts those: RFC 9293 section 3.7.1.
 * @param isPartial its checksum covers the pseudo-header only
 */
export function clampMss(plane: Plane, mtu: number, isPartial: boolean): void {
  const { frame } = plane
  const view = plane.ring.view
  const headerOctets = tcpHeaderOctets(view, frame.l4At, frame.l4Octets)
  if (headerOctets < 0) return
  const ipOctets = frame.etherType === ETHERTYPE_IPV4 ? IPV4_HEADER_OCTETS : IPV6_HEADER_OCTETS
  const mss = mtu - tagOctets(frame) - ipOctets - TCP_HEADER_OCTETS
  if (lowerTcpMss(view, frame.l4At, headerOctets, mss, isPartial)) {
    plane.counters[COUNT_MSS_CLAMPED]! += 1
  }
}

/** As clampMss(), of a frame from the tunnel: its virtio header has not been written yet. */
export function clampFromTunnel(plane: Plane, network: number): void {
  clampMss(plane, networkWord(plane.tables, network, NETWORK_MTU),
    plane.mayBePartial && isLeftPartial(plane.ring.view, plane.frame))
}
