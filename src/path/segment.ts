// hot: super-frames of an endpoint, cut into the datagrams that the tunnel carries
//
// With segmentation offload a TAP hands over up to 64 KiB of one flow as one frame. Its payload
// stays where it lies: each segment is a head of its own (VXLAN, Ethernet, IP, TCP or UDP) and a
// slice of it. As the kernel does it (tcp_gso_segment, __udp_gso_segment): sequence numbers and IP
// identifications go up, FIN and PSH only on the last, CWR only on the first (RFC 3168 section
// 6.1.2).
import { foldSum } from '../wire/checksum.ts'
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/ether.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.ts'
import { ipv6Upper } from '../wire/ipv6.ts'
import { tcpHeaderOctets } from '../wire/tcp.ts'
import {
  GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP, virtioChecksumOffset, virtioChecksumStart, virtioGsoSize,
  virtioGsoType, virtioNeedsChecksum,
} from '../wire/virtio.ts'
import {
  markRemoteChecksum, REMOTE_CHECKSUM_START_MAX, VXLAN_HEADER_OCTETS,
} from '../wire/vxlan.ts'
import { COUNT_SEGMENTED, COUNT_UNDERLAY_OUT } from './counters.ts'
import { flush } from './flush.ts'
import type { Frame } from './frame.ts'
import { MEMBER_REMOTE_CHECKSUM } from './image.ts'
import {
  headerOf, HEAD_LEAD_OCTETS, HEAD_SLOTS_MAX, HEAD_SLOT_OCTETS, type Plane, tunnelOne,
} from './plane.ts'
import {
  finishIp, finishTcp, finishUdp, ipv4Base, leaveChecksum, pseudoBase, tcpBase, TCP_CHECKSUM,
  udpBase, UDP_CHECKSUM,
} from './segment-head.ts'
import { memberWord } from './tables.ts'

const UDP_HEADER_OCTETS = 8

/**
 * Octets of the largest frame that plane.frame will be on the tunnel, or -1 when its virtio header
 * and its own headers disagree. A kernel writes no such header, but a task may send any through a
 * packet socket.
 */
export function largestSegment(view: DataView, frame: Frame): number {
  const type = virtioGsoType(view, frame.vnetAt)
  if (type === GSO_NONE) return mayComplete(view, frame) ? frame.lengthOctets : -1
  const l4At = frame.at + virtioChecksumStart(view, frame.vnetAt)
  const size = virtioGsoSize(view, frame.vnetAt)
  const end = frame.at + frame.lengthOctets
  const isTcp = type !== GSO_UDP
  if (!isCuttable(view, frame, type, l4At, end) || size === 0) return -1
  const headOctets = l4At - frame.at + (isTcp ? tcpHeaderOctets(view, l4At, end - l4At)
    : UDP_HEADER_OCTETS)
  // Without payload there would be no segment at all.
  if (headOctets >= frame.lengthOctets) return -1
  return frame.lengthOctets < headOctets + size ? frame.lengthOctets : headOctets + size
}

/** Whether the checksum stands in what IP carries: what is before that has been checked already. */
function mayComplete(view: DataView, frame: Frame): boolean {
  if (!virtioNeedsChecksum(view, frame.vnetAt)) return true
  const fieldAt = frame.at + virtioChecksumStart(view, frame.vnetAt)
    + virtioChecksumOffset(view, frame.vnetAt)
  return frame.etherType !== ETHERTYPE_ARP && fieldAt >= frame.l3At + frame.ipHeaderOctets
    && fieldAt + 2 <= frame.at + frame.lengthOctets
}

function isCuttable(view: DataView, frame: Frame, type: number, l4At: number,
  end: number): boolean {
  if (!virtioNeedsChecksum(view, frame.vnetAt) || frame.ipHeaderOctets === 0) return false
  if (type === GSO_TCPV4 && frame.etherType !== ETHERTYPE_IPV4) return false
  if (type === GSO_TCPV6 && frame.etherType !== ETHERTYPE_IPV6) return false
  const protocol = type === GSO_UDP ? PROTOCOL_UDP : PROTOCOL_TCP
  if (!standsAt(view, frame, l4At, protocol)) return false
  const offset = virtioChecksumOffset(view, frame.vnetAt)
  if (type === GSO_UDP) return offset === UDP_CHECKSUM
  if (type !== GSO_TCPV4 && type !== GSO_TCPV6) return false
  return offset === TCP_CHECKSUM && tcpHeaderOctets(view, l4At, end - l4At) >= 0
}

/** Whether IP, too, has a header of this protocol there; in IPv6 behind extensions perhaps. */
function standsAt(view: DataView, frame: Frame, l4At: number, protocol: number): boolean {
  if (l4At === frame.l4At) return frame.protocol === protocol
  if (frame.etherType !== ETHERTYPE_IPV6) return false
  return ipv6Upper(view, frame.l3At, frame.l4Octets) === ((l4At - frame.l3At) << 8 | protocol)
}

/** Queue plane.frame for one VTEP, in as many datagrams as it takes. `tos` is outerTos() of it. */
export function tunnel(plane: Plane, network: number, member: number, flow: number,
  tos: number): void {
  if (virtioGsoType(plane.ring.view, plane.frame.vnetAt) === GSO_NONE) {
    completeChecksum(plane)
    return tunnelOne(plane, headerOf(plane, network), member, flow, tos)
  }
  tunnelSegments(plane, headerOf(plane, network), member, flow, tos, false)
}

/**
 * As tunnel(), for the only VTEP that gets this frame: one that agreed to finish checksums gets
 * them partial. A frame for several must not be, for all of them share its octets.
 */
export function tunnelAlone(plane: Plane, network: number, member: number, flow: number,
  tos: number): void {
  const { frame } = plane
  const view = plane.ring.view
  const start = virtioChecksumStart(view, frame.vnetAt)
  if (memberWord(plane.tables, member, MEMBER_REMOTE_CHECKSUM) === 0
    || !virtioNeedsChecksum(view, frame.vnetAt) || (start & 1) !== 0
    || start > REMOTE_CHECKSUM_START_MAX || !isFoundThere(view, frame)) {
    return tunnel(plane, network, member, flow, tos)
  }
  const headerAt = headerOf(plane, network)
  if (virtioGsoType(view, frame.vnetAt) !== GSO_NONE) {
    return tunnelSegments(plane, headerAt, member, flow, tos, true)
  }
  const isUdp = virtioChecksumOffset(view, frame.vnetAt) === UDP_CHECKSUM
  const header = makeRoomForHead(plane, 1) + HEAD_LEAD_OCTETS - VXLAN_HEADER_OCTETS
  view.setInt32(header, view.getInt32(headerAt))
  view.setInt32(header + 4, view.getInt32(headerAt + 4))
  markRemoteChecksum(view, header, start, isUdp)
  tunnelOne(plane, header, member, flow, tos)
}

/**
 * Whether the receiver knows the partial checksum for one, by partial.ts: not behind an extension
 * header, nor in a tunnel of the task's own.
 */
function isFoundThere(view: DataView, frame: Frame): boolean {
  if (frame.at + virtioChecksumStart(view, frame.vnetAt) !== frame.l4At) return false
  const offset = virtioChecksumOffset(view, frame.vnetAt)
  return frame.protocol === PROTOCOL_TCP ? offset === TCP_CHECKSUM
    : frame.protocol === PROTOCOL_UDP && offset === UDP_CHECKSUM
}

/** Finish a single frame's checksum in place: it leaves the machine, where nobody else would. */
function completeChecksum(plane: Plane): void {
  const { frame, ring } = plane
  const view = ring.view
  if (!virtioNeedsChecksum(view, frame.vnetAt)) return
  view.setUint8(frame.vnetAt, 0)
  const start = virtioChecksumStart(view, frame.vnetAt)
  const field = start + virtioChecksumOffset(view, frame.vnetAt)
  const sum = ~ring.sum(frame.at + start, frame.lengthOctets - start) & 0xffff
  // Zero would mean "no checksum" to UDP; both are the same number (RFC 768).
  view.setUint16(frame.at + field, sum === 0 ? 0xffff : sum)
}

/** Queue every segment of the super-frame for one VTEP; largestSegment has found it cuttable. */
function tunnelSegments(plane: Plane, headerAt: number, member: number, flow: number,
  tos: number, isRemote: boolean): void {
  const { frame, ring } = plane
  const view = ring.view
  const isTcp = virtioGsoType(view, frame.vnetAt) !== GSO_UDP
  const l4At = frame.at + virtioChecksumStart(view, frame.vnetAt)
  const end = frame.at + frame.lengthOctets
  const l4HeadOctets = isTcp ? tcpHeaderOctets(view, l4At, end - l4At) : UDP_HEADER_OCTETS
  const headOctets = l4At - frame.at + l4HeadOctets
  const size = virtioGsoSize(view, frame.vnetAt)
  const l3Sum = frame.etherType === ETHERTYPE_IPV4 ? ipv4Base(plane) : -1
  const l4Sum = isTcp ? tcpBase(plane, l4At, l4HeadOctets) : udpBase(plane, l4At)
  const field = view.getUint16(l4At + (isTcp ? TCP_CHECKSUM : UDP_CHECKSUM))
  const pseudo = pseudoBase(plane, l4At, field)
  // Behind long extension headers a head may need more than one slot.
  const slots = Math.ceil((HEAD_LEAD_OCTETS + headOctets) / HEAD_SLOT_OCTETS)
  let index = 0
  for (let at = frame.at + headOctets; at < end; at += size) {
    const octets = end - at < size ? end - at : size
    const head = makeRoomForHead(plane, slots)
    copyHead(plane, head, headerAt, headOctets)
    const shift = head + HEAD_LEAD_OCTETS - frame.at
    finishIp(view, frame, shift, index, l4At - frame.l3At + l4HeadOctets + octets, l3Sum)
    const l4Octets = l4HeadOctets + octets
    const sum = isRemote ? 0 : l4Sum + l4Octets + ring.sum(at, octets)
    const offset = at - frame.at - headOctets
    if (isTcp) finishTcp(view, l4At, shift, offset, offset === 0, at + octets === end, sum)
    else finishUdp(view, l4At + shift, l4Octets, sum)
    if (isRemote) leaveChecksum(view, head, l4At, shift, isTcp, foldSum(pseudo + l4Octets))
    plane.underlay.queue(member, flow, tos, head + HEAD_LEAD_OCTETS - VXLAN_HEADER_OCTETS,
      VXLAN_HEADER_OCTETS + headOctets, at, octets)
    index += 1
  }
  plane.counters[COUNT_UNDERLAY_OUT]! += index
  plane.counters[COUNT_UNDERLAY_OUT + 1]! += frame.lengthOctets + (index - 1) * headOctets
  plane.counters[COUNT_SEGMENTED]! += index - 1
}

/** Head slots, one behind the other, that no queued datagram uses; those are sent if need be. */
function makeRoomForHead(plane: Plane, slots: number): number {
  if (plane.headsUsed + slots > HEAD_SLOTS_MAX) flush(plane)
  const head = plane.heads + plane.headsUsed * HEAD_SLOT_OCTETS
  plane.headsUsed += slots
  return head
}

/** Whole words, which slot and frame are aligned for; then the VXLAN header over their start. */
function copyHead(plane: Plane, head: number, headerAt: number, headOctets: number): void {
  const { ring, frame } = plane
  const to = head + HEAD_LEAD_OCTETS
  if (((to ^ frame.at) & 3) === 0) {
    const words = ring.words
    let target = to >> 2
    const last = (frame.at + headOctets - 1) >> 2
    for (let source = frame.at >> 2; source <= last; source++) {
      words[target] = words[source]!
      target += 1
    }
  } else {
    for (let i = 0; i < headOctets; i++) ring.octets[to + i] = ring.octets[frame.at + i]!
  }
  ring.view.setInt32(to - 8, ring.view.getInt32(headerAt))
  ring.view.setInt32(to - 4, ring.view.getInt32(headerAt + 4))
}
