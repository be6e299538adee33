// hot: the headers of one segment: lengths, numbers and checksums of its own
//
// Checksums are taken from the super-frame's sums by difference, RFC 1624: one's complement takes a
// word away by adding ~word.
import { foldSum } from '../wire/checksum.ts'
import { markRemoteChecksum, VXLAN_HEADER_OCTETS } from '../wire/vxlan.ts'
import type { Frame } from './frame.ts'
import { HEAD_LEAD_OCTETS, type Plane } from './plane.ts'

const TCP_SEQUENCE = 4
const TCP_OFFSET_AND_FLAGS = 12
export const TCP_CHECKSUM = 16
const UDP_LENGTH = 4
export const UDP_CHECKSUM = 6
const FIN_PSH = 0x09
const CWR = 0x80
const IPV4_TOTAL = 2
const IPV4_ID = 4
const IPV4_CHECKSUM = 10
const IPV6_PAYLOAD = 4
const IPV6_HEADER_OCTETS = 40

/** Sum of the IPv4 header without what changes: adding ~word takes a word away. */
export function ipv4Base(plane: Plane): number {
  const { ring, frame } = plane
  const view = ring.view
  const at = frame.l3At
  return ring.sum(at, frame.ipHeaderOctets) + (~view.getUint16(at + IPV4_TOTAL) & 0xffff)
    + (~view.getUint16(at + IPV4_ID) & 0xffff) + (~view.getUint16(at + IPV4_CHECKSUM) & 0xffff)
}

/** Sum of pseudo-header and TCP header without length, sequence number, flags and checksum. */
export function tcpBase(plane: Plane, l4At: number, headOctets: number): number {
  const view = plane.ring.view
  const field = view.getUint16(l4At + TCP_CHECKSUM)
  return foldSum(plane.ring.sum(l4At, headOctets) + (~view.getUint16(l4At + TCP_SEQUENCE) & 0xffff)
    + (~view.getUint16(l4At + TCP_SEQUENCE + 2) & 0xffff)
    + (~view.getUint16(l4At + TCP_OFFSET_AND_FLAGS) & 0xffff) + (~field & 0xffff)
    + pseudoBase(plane, l4At, field))
}

export function udpBase(plane: Plane, l4At: number): number {
  const view = plane.ring.view
  return foldSum(view.getUint16(l4At) + view.getUint16(l4At + 2)
    + pseudoBase(plane, l4At, view.getUint16(l4At + UDP_CHECKSUM)))
}

/** The field holds the pseudo-header's sum; its length is taken out, each segment has its own. */
export function pseudoBase(plane: Plane, l4At: number, field: number): number {
  const octets = plane.frame.at + plane.frame.lengthOctets - l4At
  return field + (~foldSum(octets) & 0xffff)
}

export function finishIp(view: DataView, frame: Frame, shift: number, index: number, octets: number,
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

export function finishTcp(view: DataView, l4At: number, shift: number, offset: number,
  isFirst: boolean, isLast: boolean, sum: number): void {
  const at = l4At + shift
  const sequence = (view.getInt32(l4At + TCP_SEQUENCE) + offset) | 0
  const flags = view.getUint16(l4At + TCP_OFFSET_AND_FLAGS)
    & ~((isFirst ? 0 : CWR) | (isLast ? 0 : FIN_PSH))
  view.setInt32(at + TCP_SEQUENCE, sequence)
  view.setUint16(at + TCP_OFFSET_AND_FLAGS, flags)
  const whole = sum + (sequence >>> 16) + (sequence & 0xffff) + flags
  view.setUint16(at + TCP_CHECKSUM, ~foldSum(whole) & 0xffff)
}

/** Mark the segment for its receiver to finish: its field holds the sum of the pseudo-header. */
export function leaveChecksum(view: DataView, head: number, l4At: number, shift: number,
  isTcp: boolean, pseudo: number): void {
  const frameAt = head + HEAD_LEAD_OCTETS
  view.setUint16(l4At + shift + (isTcp ? TCP_CHECKSUM : UDP_CHECKSUM), pseudo)
  markRemoteChecksum(view, frameAt - VXLAN_HEADER_OCTETS, l4At + shift - frameAt, !isTcp)
}

/** The length stands in the header and, counted in `sum` already, in the pseudo-header. */
export function finishUdp(view: DataView, at: number, octets: number, sum: number): void {
  const checksum = ~foldSum(sum + octets) & 0xffff
  view.setUint16(at + UDP_LENGTH, octets)
  view.setUint16(at + UDP_CHECKSUM, checksum === 0 ? 0xffff : checksum)
}
