// hot: what a virtual address answers itself: echoes, "unreachable", and resets of lost connections
import { VNET_HEADER_OCTETS } from '../kernel/ring.ts'
import {
  complementSum, pseudoSumIpv4, sumOctets, updateChecksum16,
} from '../wire/checksum.ts'
import { ETHERTYPE_IPV4, ETHER_HEADER_OCTETS, swapMacs, writeEtherHeader } from '../wire/ether.ts'
import {
  ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, ICMP_HOST_UNREACHABLE_CODE, icmpIsError, icmpType,
  unreachableOctets, writeUnreachable,
} from '../wire/icmp.ts'
import {
  IPV4_DESTINATION, IPV4_HEADER_OCTETS, IPV4_SOURCE, ipv4Destination, ipv4FragmentOffset,
  ipv4Protocol, ipv4Source, ipv4TotalOctets, PROTOCOL_ICMP, PROTOCOL_TCP, writeIpv4Header,
} from '../wire/ipv4.ts'
import {
  TCP_ACK, TCP_CHECKSUM_FIELD, TCP_FIN, TCP_HEADER_OCTETS, TCP_RST, TCP_SYN, tcpAcknowledgment,
  tcpDestinationPort, tcpFlags, tcpHeaderOctets, tcpSequence, tcpSourcePort, writeTcpHeader,
} from '../wire/tcp.ts'
import {
  COUNT_FLOWS_RESET, COUNT_VIP_ECHOED, COUNT_VIP_UNREACHABLE_LIMITED, COUNT_VIP_UNREACHABLE_SENT,
} from './counters.ts'
import { deliver, type Plane, sendTo } from './plane.ts'

const TTL = 64
const ICMP_CHECKSUM = 2

/** Answer the ICMP echo request in plane.frame, or a fragment of one, in place. */
export function answerEcho(plane: Plane, slot: number): void {
  const { frame } = plane
  const view = plane.ring.view
  const { l3At, l4At } = frame
  const source = ipv4Source(view, l3At)
  swapMacs(view, frame.at)
  // The sum of both stays as it is, and so does the checksum.
  view.setInt32(l3At + IPV4_SOURCE, ipv4Destination(view, l3At))
  view.setInt32(l3At + IPV4_DESTINATION, source)
  if (ipv4FragmentOffset(view, l3At) === 0) {
    const checksum = view.getUint16(l4At + ICMP_CHECKSUM)
    view.setUint8(l4At, ICMP_ECHO_REPLY)
    view.setUint16(l4At + ICMP_CHECKSUM,
      updateChecksum16(checksum, ICMP_ECHO_REQUEST << 8, ICMP_ECHO_REPLY << 8))
    plane.counters[COUNT_VIP_ECHOED]! += 1
  }
  deliver(plane, slot, frame)
}

/**
 * Tell the sender of plane.frame that nobody serves it (RFC 792, code 1), at most ICMP_PER_SECOND.
 * An error is not answered, nor a later fragment: RFC 1122 section 3.2.2.
 */
export function answerUnreachable(plane: Plane, slot: number): void {
  const { frame } = plane
  const view = plane.ring.view
  if (ipv4FragmentOffset(view, frame.l3At) !== 0) return
  if (ipv4Protocol(view, frame.l3At) === PROTOCOL_ICMP && frame.l4Octets > 0
    && icmpIsError(icmpType(view, frame.l4At))) return
  if (plane.icmpLeft === 0) {
    plane.counters[COUNT_VIP_UNREACHABLE_LIMITED]! += 1
    return
  }
  plane.icmpLeft -= 1
  const original = ipv4TotalOctets(view, frame.l3At)
  const octets = unreachableOctets(original)
  const l4At = beginAnswer(plane, octets, PROTOCOL_ICMP)
  writeUnreachable(view, l4At, ICMP_HOST_UNREACHABLE_CODE, frame.l3At, original)
  endAnswer(plane, slot, octets)
  plane.counters[COUNT_VIP_UNREACHABLE_SENT]! += 1
}

/**
 * Reset the connection of the TCP segment in plane.frame, of which nothing is known: so its client
 * begins anew, and does not wait. A reset is not answered: RFC 9293 section 3.10.7.1.
 */
export function answerReset(plane: Plane, slot: number): void {
  const { frame } = plane
  const view = plane.ring.view
  const { l4At } = frame
  const flags = tcpFlags(view, l4At)
  const head = tcpHeaderOctets(view, l4At, frame.l4Octets)
  if ((flags & TCP_RST) !== 0 || head < 0) return
  const hasAck = (flags & TCP_ACK) !== 0
  const taken = frame.l4Octets - head + ((flags & TCP_SYN) !== 0 ? 1 : 0)
    + ((flags & TCP_FIN) !== 0 ? 1 : 0)
  const at = beginAnswer(plane, TCP_HEADER_OCTETS, PROTOCOL_TCP)
  writeTcpHeader(view, at, tcpDestinationPort(view, l4At), tcpSourcePort(view, l4At),
    hasAck ? tcpAcknowledgment(view, l4At) : 0, hasAck ? 0 : (tcpSequence(view, l4At) + taken) | 0,
    TCP_HEADER_OCTETS, hasAck ? TCP_RST : TCP_RST | TCP_ACK, 0, 0)
  const pseudo = pseudoSumIpv4(view, at - IPV4_HEADER_OCTETS, PROTOCOL_TCP, TCP_HEADER_OCTETS)
  view.setUint16(at + TCP_CHECKSUM_FIELD,
    complementSum(sumOctets(view, at, TCP_HEADER_OCTETS, pseudo)))
  endAnswer(plane, slot, TCP_HEADER_OCTETS)
  plane.counters[COUNT_FLOWS_RESET]! += 1
}

/** Write the headers of an answer to plane.frame; answers where what IP carries is to stand. */
function beginAnswer(plane: Plane, l4Octets: number, protocol: number): number {
  const { frame } = plane
  const view = plane.ring.view
  const at = plane.scratch + VNET_HEADER_OCTETS
  plane.ring.octets.fill(0, plane.scratch, at)
  writeEtherHeader(view, at, frame.sourceHigh, frame.sourceLow, frame.destinationHigh,
    frame.destinationLow, ETHERTYPE_IPV4)
  writeIpv4Header(view, at + ETHER_HEADER_OCTETS, IPV4_HEADER_OCTETS + l4Octets, protocol, TTL, 0,
    ipv4Destination(view, frame.l3At), ipv4Source(view, frame.l3At), 0, true)
  return at + ETHER_HEADER_OCTETS + IPV4_HEADER_OCTETS
}

function endAnswer(plane: Plane, slot: number, l4Octets: number): void {
  sendTo(plane, slot, plane.scratch + VNET_HEADER_OCTETS,
    ETHER_HEADER_OCTETS + IPV4_HEADER_OCTETS + l4Octets)
}
