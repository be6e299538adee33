// hot: parse one frame into one reused record; nothing is made for a frame
import {
  ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHER_HEADER_OCTETS, macHigh, macLow, typeFieldAt,
} from '../wire/ether.ts'
import {
  ipv4Destination, ipv4HeaderOctets, ipv4IsFragment, ipv4Protocol, ipv4Source, ipv4TotalOctets,
  PROTOCOL_TCP, PROTOCOL_UDP,
} from '../wire/ipv4.ts'
import { IPV6_HEADER_OCTETS, ipv6NextHeader, ipv6PayloadOctets, ipv6Word } from '../wire/ipv6.ts'
import { VIRTIO_HEADER_OCTETS } from '../wire/virtio.ts'
import { hash3 } from './hash.ts'

/** What the switch needs of a frame. All fields are 32-bit integers, offsets are into the ring. */
export type Frame = {
  at: number
  lengthOctets: number
  /** Its virtio header: right in front of it, or apart when another frame ends there. */
  vnetAt: number
  destinationHigh: number
  destinationLow: number
  sourceHigh: number
  sourceLow: number
  /** EtherType behind at most two VLAN tags. */
  etherType: number
  /** First octet behind the EtherType, and how many follow. */
  l3At: number
  l3Octets: number
  /** Header octets of a well-formed IPv4 or IPv6 packet, else 0. */
  ipHeaderOctets: number
  /** Upper-layer protocol, or -1 when there is none to be seen (not IP, or a later fragment). */
  protocol: number
  l4At: number
  /** Octets of the IP payload. */
  l4Octets: number
}

export function makeFrame(): Frame {
  return {
    at: 0, lengthOctets: 0, vnetAt: 0,
    destinationHigh: 0, destinationLow: 0, sourceHigh: 0, sourceLow: 0, etherType: 0,
    l3At: 0, l3Octets: 0, ipHeaderOctets: 0, protocol: -1, l4At: 0, l4Octets: 0,
  }
}

/** Fill `frame` from the octets at `at`. Answers false when it is too short to be Ethernet. */
export function parseFrame(view: DataView, at: number, lengthOctets: number,
  frame: Frame): boolean {
  if (lengthOctets < ETHER_HEADER_OCTETS) return false
  const typeAt = typeFieldAt(view, at, lengthOctets)
  if (typeAt < 0) return false
  frame.at = at
  frame.lengthOctets = lengthOctets
  frame.vnetAt = at - VIRTIO_HEADER_OCTETS
  frame.destinationHigh = macHigh(view, at)
  frame.destinationLow = macLow(view, at)
  frame.sourceHigh = macHigh(view, at + 6)
  frame.sourceLow = macLow(view, at + 6)
  frame.etherType = view.getUint16(typeAt)
  frame.l3At = typeAt + 2
  frame.l3Octets = at + lengthOctets - typeAt - 2
  frame.ipHeaderOctets = 0
  frame.protocol = -1
  if (frame.etherType === ETHERTYPE_IPV4) parseIpv4(view, frame)
  else if (frame.etherType === ETHERTYPE_IPV6) parseIpv6(view, frame)
  return true
}

function parseIpv4(view: DataView, frame: Frame): void {
  const header = ipv4HeaderOctets(view, frame.l3At, frame.l3Octets)
  if (header < 0) return
  frame.ipHeaderOctets = header
  frame.l4At = frame.l3At + header
  frame.l4Octets = ipv4TotalOctets(view, frame.l3At) - header
  if (!ipv4IsFragment(view, frame.l3At)) frame.protocol = ipv4Protocol(view, frame.l3At)
}

function parseIpv6(view: DataView, frame: Frame): void {
  const payload = ipv6PayloadOctets(view, frame.l3At, frame.l3Octets)
  if (payload < 0) return
  frame.ipHeaderOctets = IPV6_HEADER_OCTETS
  frame.l4At = frame.l3At + IPV6_HEADER_OCTETS
  frame.l4Octets = payload
  frame.protocol = ipv6NextHeader(view, frame.l3At)
}

/** Octets of the VLAN tags. */
export function tagOctets(frame: Frame): number {
  return frame.l3At - frame.at - ETHER_HEADER_OCTETS
}

/**
 * Hash of the flow that a frame belongs to: addresses, protocol and ports; all fragments of one
 * datagram hash alike, since none but the first shows ports. What is not IP hashes by its MACs.
 */
export function flowHash(view: DataView, frame: Frame): number {
  if (frame.ipHeaderOctets === 0) {
    return hash3(frame.etherType, frame.destinationLow ^ frame.destinationHigh, frame.sourceLow,
      frame.sourceHigh)
  }
  const ports = portsOf(view, frame)
  if (frame.etherType === ETHERTYPE_IPV4) {
    return hash3(frame.protocol, ipv4Source(view, frame.l3At), ipv4Destination(view, frame.l3At),
      ports)
  }
  const at = frame.l3At
  const source = ipv6Word(view, at, 0) ^ ipv6Word(view, at, 1) ^ ipv6Word(view, at, 2)
    ^ ipv6Word(view, at, 3)
  const destination = ipv6Word(view, at, 4) ^ ipv6Word(view, at, 5) ^ ipv6Word(view, at, 6)
    ^ ipv6Word(view, at, 7)
  return hash3(frame.protocol, source, destination, ports)
}

/** Both ports of TCP and UDP as one word, 0 for all else. */
function portsOf(view: DataView, frame: Frame): number {
  if (frame.protocol !== PROTOCOL_TCP && frame.protocol !== PROTOCOL_UDP) return 0
  return frame.l4Octets < 4 ? 0 : view.getInt32(frame.l4At)
}
