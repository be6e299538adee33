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
import { VXLAN_HEADER_OCTETS } from '../wire/vxlan.ts'
import { COUNT_SEGMENTED, COUNT_UNDERLAY_OUT } from './counters.ts'
import type { Frame } from './frame.ts'
import {
  flush, headerOf, HEAD_LEAD_OCTETS, HEAD_SLOTS_MAX, HEAD_SLOT_OCTETS, type Plane, tunnelOne,
} from './plane.ts'

const TCP_SEQUENCE = 4
const TCP_OFFSET_AND_FLAGS = 12
const TCP_CHECKSUM = 16
const UDP_LENGTH = 4
const UDP_CHECKSUM = 6
const UDP_HEADER_OCTETS = 8
const FIN_PSH = 0x09
const CWR = 0x80
const IPV4_TOTAL = 2
const IPV4_ID = 4
const IPV4_CHECKSUM = 10
const IPV6_PAYLOAD = 4
const IPV6_HEADER_OCTETS = 40

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
  // Without payload there would be no segment at all, and a head must fit into its slot.
  if (headOctets >= frame.lengthOctets) return -1
  if (headOctets + HEAD_LEAD_OCTETS > HEAD_SLOT_OCTETS) return -1
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
    return tunnelOne(plane, network, member, flow, tos)
  }
  tunnelSegments(plane, headerOf(plane, network), member, flow, tos)
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
  tos: number): void {
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
  let index = 0
  for (let at = frame.at + headOctets; at < end; at += size) {
    const octets = end - at < size ? end - at : size
    const head = makeRoomForHead(plane)
    copyHead(plane, head, headerAt, headOctets)
    const shift = head + HEAD_LEAD_OCTETS - frame.at
    finishIp(view, frame, shift, index, l4At - frame.l3At + l4HeadOctets + octets, l3Sum)
    const sum = l4Sum + l4HeadOctets + octets + ring.sum(at, octets)
    const offset = at - frame.at - headOctets
    if (isTcp) finishTcp(view, l4At, shift, offset, offset === 0, at + octets === end, sum)
    else finishUdp(view, l4At + shift, UDP_HEADER_OCTETS + octets, sum)
    plane.underlay.queue(member, flow, tos, head + HEAD_LEAD_OCTETS - VXLAN_HEADER_OCTETS,
      VXLAN_HEADER_OCTETS + headOctets, at, octets)
    index += 1
  }
  plane.counters[COUNT_UNDERLAY_OUT]! += index
  plane.counters[COUNT_UNDERLAY_OUT + 1]! += frame.lengthOctets + (index - 1) * headOctets
  plane.counters[COUNT_SEGMENTED]! += index - 1
}

/** A head slot that no queued datagram uses; when all are in use, they are sent first. */
function makeRoomForHead(plane: Plane): number {
  if (plane.headsUsed === HEAD_SLOTS_MAX) flush(plane)
  const head = plane.heads + plane.headsUsed * HEAD_SLOT_OCTETS
  plane.headsUsed += 1
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

/** Sum of the IPv4 header without what changes: adding ~word takes a word away. */
function ipv4Base(plane: Plane): number {
  const { ring, frame } = plane
  const view = ring.view
  const at = frame.l3At
  return ring.sum(at, frame.ipHeaderOctets) + (~view.getUint16(at + IPV4_TOTAL) & 0xffff)
    + (~view.getUint16(at + IPV4_ID) & 0xffff) + (~view.getUint16(at + IPV4_CHECKSUM) & 0xffff)
}

/** Sum of pseudo-header and TCP header without length, sequence number, flags and checksum. */
function tcpBase(plane: Plane, l4At: number, headOctets: number): number {
  const view = plane.ring.view
  const field = view.getUint16(l4At + TCP_CHECKSUM)
  return foldSum(plane.ring.sum(l4At, headOctets) + (~view.getUint16(l4At + TCP_SEQUENCE) & 0xffff)
    + (~view.getUint16(l4At + TCP_SEQUENCE + 2) & 0xffff)
    + (~view.getUint16(l4At + TCP_OFFSET_AND_FLAGS) & 0xffff) + (~field & 0xffff)
    + pseudoBase(plane, l4At, field))
}

function udpBase(plane: Plane, l4At: number): number {
  const view = plane.ring.view
  return foldSum(view.getUint16(l4At) + view.getUint16(l4At + 2)
    + pseudoBase(plane, l4At, view.getUint16(l4At + UDP_CHECKSUM)))
}

/** The field holds the pseudo-header's sum; its length is taken out, each segment has its own. */
function pseudoBase(plane: Plane, l4At: number, field: number): number {
  const octets = plane.frame.at + plane.frame.lengthOctets - l4At
  return field + (~foldSum(octets) & 0xffff)
}

function finishIp(view: DataView, frame: Frame, shift: number, index: number, octets: number,
  base: number): void {
  const at = frame.l3At + shift
  if (base < 0) {
    view.setUint16(at + IPV6_PAYLOAD, octets - IPV6_HEADER_OCTETS)
    return
  }
  const id = (view.getUint16(frame.l3At + IPV4_ID) + index) & 0xffff
  view.setUint16(at + IPV4_TOTAL, octets)
  view.setUint16(at + IPV4_ID, id)
  view.setUint16(at + IPV4_CHECKSUM, ~foldSum(base + octets + id) & 0xffff)
}

function finishTcp(view: DataView, l4At: number, shift: number, offset: number, isFirst: boolean,
  isLast: boolean, sum: number): void {
  const at = l4At + shift
  const sequence = (view.getInt32(l4At + TCP_SEQUENCE) + offset) | 0
  const flags = view.getUint16(l4At + TCP_OFFSET_AND_FLAGS)
    & ~((isFirst ? 0 : CWR) | (isLast ? 0 : FIN_PSH))
  view.setInt32(at + TCP_SEQUENCE, sequence)
  view.setUint16(at + TCP_OFFSET_AND_FLAGS, flags)
  const whole = sum + (sequence >>> 16) + (sequence & 0xffff) + flags
  view.setUint16(at + TCP_CHECKSUM, ~foldSum(whole) & 0xffff)
}

/** The length stands in the header and, counted in `sum` already, in the pseudo-header. */
function finishUdp(view: DataView, at: number, octets: number, sum: number): void {
  const checksum = ~foldSum(sum + octets) & 0xffff
  view.setUint16(at + UDP_LENGTH, octets)
  view.setUint16(at + UDP_CHECKSUM, checksum === 0 ? 0xffff : checksum)
}
