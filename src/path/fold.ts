// hot: segments of a TAP's batch that say nothing which their flow does not say right after them
//
// A connection that opens, asks, is answered and ends takes ten small segments, and to carry one
// costs far more than to look at it. Two kinds need not travel when what follows in their flow was
// read in the same batch, so that nothing ever waits to be folded:
//
// - An acknowledgment without data, when the next segment has data or FIN. Acknowledgments are
//   cumulative (RFC 9293 section 3.4), and to filter them is an old art (RFC 3449 section 5.2.1).
//   One that another without data follows stays: they are the clock of who sends, and several that
//   are alike mean a loss. So does one that selects (SACK) or echoes congestion.
// - A FIN without data behind a segment with data, which takes it over. Kernels do so, too, when
//   that segment is still theirs as the program closes (tcp_send_fin, net/ipv4/tcp_output.c).
//
// Only IPv4 without options or VLAN tags, and TCP without options but time stamps.
import { ETHERTYPE_IPV4, ETHER_HEADER_OCTETS, ETHER_TYPE } from '../wire/ether.ts'
import {
  IPV4_DESTINATION, IPV4_HEADER_OCTETS, IPV4_SOURCE, ipv4IsFragment, ipv4Protocol,
  ipv4TotalOctets, PROTOCOL_TCP,
} from '../wire/ipv4.ts'
import {
  setTcpFlags, setTcpWindow, TCP_ACK, tcpAcknowledgment, TCP_FIN, tcpFlags, TCP_HEADER_OCTETS,
  TCP_PSH, TCP_RST, tcpSequence, TCP_SYN, TCP_URG, tcpWindow,
} from '../wire/tcp.ts'
import { VIRTIO_HEADER_OCTETS, virtioNeedsChecksum } from '../wire/virtio.ts'
import { COUNT_ACKS_FOLDED, COUNT_FINS_FOLDED, COUNT_TAP_IN, countFrame } from './counters.ts'
import type { Plane } from './plane.ts'

/** In ring.length: the frame is not to be carried. */
export const FOLDED = -1
/** Frames of a batch among which the neighbour in the flow is looked for. */
const REACH_FRAMES = 16

// Offsets from a frame's first octet.
const SOURCE = ETHER_HEADER_OCTETS + IPV4_SOURCE
const DESTINATION = ETHER_HEADER_OCTETS + IPV4_DESTINATION
const L4 = ETHER_HEADER_OCTETS + IPV4_HEADER_OCTETS
const OPTIONS = L4 + TCP_HEADER_OCTETS
/** A frame that has room for all headers. */
const SHORTEST = OPTIONS
/** From the TCP header: its length in words, and bits that are zero. */
const DATA_OFFSET = 12
const BARE = 0x50
const STAMPED = 0x80
/** NOP, NOP, and time stamps of ten octets, as RFC 7323 appendix A lays them out. */
const STAMPS = 0x0101080a
const STAMPS_OCTETS = 12
/** EtherType, version and header length. */
const PLAIN_IPV4 = ETHERTYPE_IPV4 << 8 | 0x45

/** Mark what need not travel of the `count` frames that a port has just received. */
export function foldBatch(plane: Plane, count: number): void {
  const { at, length, view } = plane.ring
  for (let i = 0; i < count; i++) {
    const frame = at[i]!
    if (length[i]! < SHORTEST || !isPlainTcp(view, frame) || payloadOctets(view, frame) !== 0
      || !isWhole(view, frame, length[i]!)) continue
    const flags = tcpFlags(view, frame + L4)
    if (flags === TCP_ACK) foldAcknowledgment(plane, i, count)
    else if (flags === (TCP_ACK | TCP_FIN)) foldFin(plane, i)
  }
}

function foldAcknowledgment(plane: Plane, i: number, count: number): void {
  const { at, length, view } = plane.ring
  const frame = at[i]!
  const end = Math.min(count, i + REACH_FRAMES)
  for (let j = i + 1; j < end; j++) {
    if (length[j]! < SHORTEST || !isSameFlow(view, frame, at[j]!)) continue
    if (saysMore(view, frame, at[j]!, length[j]!)) fold(plane, i, COUNT_ACKS_FOLDED)
    return
  }
}

function foldFin(plane: Plane, i: number): void {
  const { at, length, view } = plane.ring
  const frame = at[i]!
  for (let j = i - 1; j >= 0 && j > i - REACH_FRAMES; j--) {
    if (length[j]! < SHORTEST || !isSameFlow(view, frame, at[j]!)) continue
    if (!isWhole(view, at[j]!, length[j]!) || !takesFin(view, frame, at[j]!)) return
    const l4At = at[j]! + L4
    setTcpFlags(view, l4At, tcpFlags(view, l4At) | TCP_FIN)
    setTcpWindow(view, l4At, tcpWindow(view, frame + L4))
    return fold(plane, i, COUNT_FINS_FOLDED)
  }
}

function fold(plane: Plane, i: number, which: number): void {
  const { length } = plane.ring
  countFrame(plane.counters, COUNT_TAP_IN, length[i]!)
  plane.counters[which]! += 1
  length[i] = FOLDED
}

/** Whether the segment at `next`, the next of the flow, says all that the acknowledgment says. */
function saysMore(view: DataView, frame: number, next: number, lengthOctets: number): boolean {
  const payload = payloadOctets(view, next)
  const flags = tcpFlags(view, next + L4)
  if (payload < 0 || !hasSameOptions(view, frame, next)) return false
  if (!isWhole(view, next, lengthOctets)) return false
  if (payload === 0 && (flags & TCP_FIN) === 0) return false
  if ((flags & (TCP_ACK | TCP_SYN | TCP_RST | TCP_URG)) !== TCP_ACK) return false
  return tcpSequence(view, frame + L4) === tcpSequence(view, next + L4)
    && (tcpAcknowledgment(view, next + L4) - tcpAcknowledgment(view, frame + L4) | 0) >= 0
}

/**
 * Whether the segment at `last`, the one before in the flow, may carry the FIN, and the window with
 * it. The checksums of both cover no more than addresses and length so far, as they are left to us;
 * whoever completes that of `last` takes in what is written there now.
 */
function takesFin(view: DataView, frame: number, last: number): boolean {
  const payload = payloadOctets(view, last)
  const flags = tcpFlags(view, last + L4)
  if (payload <= 0 || !hasSameOptions(view, frame, last)) return false
  if ((flags & ~TCP_PSH) !== TCP_ACK) return false
  if (!virtioNeedsChecksum(view, frame - VIRTIO_HEADER_OCTETS)
    || !virtioNeedsChecksum(view, last - VIRTIO_HEADER_OCTETS)) return false
  return (tcpSequence(view, last + L4) + payload | 0) === tcpSequence(view, frame + L4)
    && tcpAcknowledgment(view, last + L4) === tcpAcknowledgment(view, frame + L4)
}

/** Whether the frame, which has room for both headers, is TCP whose ports stand at L4. */
function isPlainTcp(view: DataView, frame: number): boolean {
  return view.getInt32(frame + ETHER_TYPE) >>> 8 === PLAIN_IPV4
    && ipv4Protocol(view, frame + ETHER_HEADER_OCTETS) === PROTOCOL_TCP
    && !ipv4IsFragment(view, frame + ETHER_HEADER_OCTETS)
}

function isWhole(view: DataView, frame: number, lengthOctets: number): boolean {
  return ETHER_HEADER_OCTETS + ipv4TotalOctets(view, frame + ETHER_HEADER_OCTETS) <= lengthOctets
}

/** Of plain TCP; -1 when its options are others than time stamps, or do not fit. */
function payloadOctets(view: DataView, frame: number): number {
  const l4Octets = ipv4TotalOctets(view, frame + ETHER_HEADER_OCTETS) - IPV4_HEADER_OCTETS
  const first = view.getUint8(frame + L4 + DATA_OFFSET)
  if (first === BARE) return l4Octets - TCP_HEADER_OCTETS
  if (first !== STAMPED || view.getInt32(frame + OPTIONS) !== STAMPS) return -1
  return l4Octets - TCP_HEADER_OCTETS - STAMPS_OCTETS
}

/** Whether both have time stamps, or neither: of both, payloadOctets() was not -1. */
function hasSameOptions(view: DataView, frame: number, other: number): boolean {
  return view.getUint8(frame + L4 + DATA_OFFSET) === view.getUint8(other + L4 + DATA_OFFSET)
}

/** Whether the frame at `other` is plain TCP, too, between the same ports, addresses and MACs. */
function isSameFlow(view: DataView, frame: number, other: number): boolean {
  return view.getInt32(frame + L4) === view.getInt32(other + L4)
    && view.getInt32(frame + SOURCE) === view.getInt32(other + SOURCE)
    && view.getInt32(frame + DESTINATION) === view.getInt32(other + DESTINATION)
    && view.getInt32(frame) === view.getInt32(other)
    && view.getInt32(frame + 4) === view.getInt32(other + 4)
    && view.getInt32(frame + 8) === view.getInt32(other + 8)
    && isPlainTcp(view, other)
}
