// Frames for the tests of the packet path, made from plain words. Checksums are right unless a test
// makes them wrong.
import { linkLocalWords, macOfAddress, parseIpv4, parseMac } from '../base/text.ts'
import { ARP_OCTETS, writeArp } from '../wire/arp.ts'
import {
  complementSum, foldSum, pseudoSumIpv4, pseudoSumIpv6, sumOctets,
} from '../wire/checksum.ts'
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, writeMac } from '../wire/ether.ts'
import { writeIcmpEcho } from '../wire/icmp.ts'
import { IPV4_HEADER_OCTETS, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.ts'
import { IPV6_HEADER_OCTETS } from '../wire/ipv6.ts'
import { TCP_HEADER_OCTETS, writeTcpHeader } from '../wire/tcp.ts'
import { UDP_HEADER_OCTETS, writeUdpHeader } from '../wire/udp.ts'

export const BROADCAST = 'ff:ff:ff:ff:ff:ff'
export const NO_MAC = '00:00:00:00:00:00'
/** 802.1Q tag of VLAN 10, and 802.1ad tag of VLAN 100. */
export const VLAN_10 = 0x8100000a
export const SERVICE_VLAN_100 = 0x88a80064

export type Words4 = readonly [number, number, number, number]

export function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.byteLength)
}

/** `octets` octets that are told apart from each other, and from those of another `start`. */
export function payloadOf(octets: number, start = 0): Uint8Array {
  const payload = new Uint8Array(octets)
  for (let i = 0; i < octets; i++) payload[i] = start + i * 7
  return payload
}

/** @param tags 32-bit words such as VLAN_10, outermost first */
export function ether(to: string, from: string, type: number, payload: Uint8Array,
  tags: readonly number[] = []): Uint8Array {
  const header = 14 + tags.length * 4
  const frame = new Uint8Array(header + payload.length)
  const view = viewOf(frame)
  writeMac(view, 0, ...parseMac(to))
  writeMac(view, 6, ...parseMac(from))
  tags.forEach((tag, i) => view.setUint32(12 + i * 4, tag))
  view.setUint16(header - 2, type)
  frame.set(payload, header)
  return frame
}

export type Ipv4Words = {
  source: string
  destination: string
  protocol: number
  tos?: number
  /** The word of flags and fragment offset: 0x4000 don't fragment, 0x2000 more fragments. */
  fragment?: number
  id?: number
  options?: Uint8Array
}

export function ipv4(words: Ipv4Words, payload: Uint8Array): Uint8Array {
  const options = words.options ?? new Uint8Array()
  const header = IPV4_HEADER_OCTETS + options.length
  const packet = new Uint8Array(header + payload.length)
  const view = viewOf(packet)
  view.setUint8(0, 0x40 | (header >> 2))
  view.setUint8(1, words.tos ?? 0)
  view.setUint16(2, packet.length)
  view.setUint16(4, words.id ?? 0)
  view.setUint16(6, words.fragment ?? 0)
  view.setUint8(8, 64)
  view.setUint8(9, words.protocol)
  view.setUint32(12, parseIpv4(words.source))
  view.setUint32(16, parseIpv4(words.destination))
  packet.set(options, IPV4_HEADER_OCTETS)
  view.setUint16(10, complementSum(sumOctets(view, 0, header, 0)))
  packet.set(payload, header)
  return packet
}

export type Ipv6Words = {
  source: Words4
  destination: Words4
  nextHeader: number
  trafficClass?: number
  flowLabel?: number
}

export function ipv6(words: Ipv6Words, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(IPV6_HEADER_OCTETS + payload.length)
  const view = viewOf(packet)
  view.setInt32(0, 0x60000000 | ((words.trafficClass ?? 0) << 20) | (words.flowLabel ?? 0))
  view.setUint16(4, payload.length)
  view.setUint8(6, words.nextHeader)
  view.setUint8(7, 64)
  words.source.forEach((word, i) => view.setInt32(8 + i * 4, word))
  words.destination.forEach((word, i) => view.setInt32(24 + i * 4, word))
  packet.set(payload, IPV6_HEADER_OCTETS)
  return packet
}

/** A UDP datagram without a checksum; see withChecksum. */
export function udp(sourcePort: number, destinationPort: number, payload: Uint8Array): Uint8Array {
  const datagram = new Uint8Array(UDP_HEADER_OCTETS + payload.length)
  writeUdpHeader(viewOf(datagram), 0, sourcePort, destinationPort, datagram.length, 0)
  datagram.set(payload, UDP_HEADER_OCTETS)
  return datagram
}

/** A TCP segment without a checksum; see withChecksum. */
export function tcp(sourcePort: number, destinationPort: number, payload: Uint8Array): Uint8Array {
  const segment = new Uint8Array(TCP_HEADER_OCTETS + payload.length)
  writeTcpHeader(viewOf(segment), 0, sourcePort, destinationPort, 1, 1, TCP_HEADER_OCTETS, 0x10,
    512, 0)
  segment.set(payload, TCP_HEADER_OCTETS)
  return segment
}

/** A TCP segment with these flags and numbers, without a checksum; see withChecksum. */
export function segmentOf(sourcePort: number, destinationPort: number, flags: number,
  sequence = 1, acknowledgment = 1, payload: Uint8Array = new Uint8Array()): Uint8Array {
  const segment = tcp(sourcePort, destinationPort, payload)
  const view = viewOf(segment)
  view.setInt32(4, sequence)
  view.setInt32(8, acknowledgment)
  view.setUint8(13, flags)
  return segment
}

/** An ICMP echo message. */
export function echo(type: number, sequence: number, data: Uint8Array): Uint8Array {
  const message = new Uint8Array(8 + data.length)
  message.set(data, 8)
  writeIcmpEcho(viewOf(message), 0, type, 77, sequence, message.length)
  return message
}

/**
 * Fill in the checksum of the TCP or UDP inside an IP packet that has no options: the right one, or
 * the partial one, which is the sum of the pseudo-header alone.
 */
export function withChecksum(packet: Uint8Array, kind: 'right' | 'partial'): Uint8Array {
  const done = packet.slice()
  const view = viewOf(done)
  const isV4 = done[0]! >> 4 === 4
  const header = isV4 ? IPV4_HEADER_OCTETS : IPV6_HEADER_OCTETS
  const protocol = done[isV4 ? 9 : 6]!
  const octets = done.length - header
  const field = header + (protocol === PROTOCOL_TCP ? 16 : 6)
  const pseudo = isV4 ? pseudoSumIpv4(view, 0, protocol, octets)
    : pseudoSumIpv6(view, 0, protocol, octets)
  view.setUint16(field, 0)
  view.setUint16(field, kind === 'partial' ? foldSum(pseudo)
    : complementSum(sumOctets(view, header, octets, pseudo)))
  return done
}

export type Station = { readonly mac: string; readonly address: string }

/** A station with the MAC that its address gives. */
export function station(address: string): Station {
  return { address, mac: macOfAddress(parseIpv4(address)) }
}

/** A whole frame with one UDP datagram. */
export function udpFrame(from: Station, to: Station, payload: Uint8Array,
  over: Partial<Ipv4Words> & { sourcePort?: number; tags?: readonly number[] } = {}): Uint8Array {
  const { sourcePort = 5000, tags, ...words } = over
  const packet = ipv4({ source: from.address, destination: to.address, protocol: PROTOCOL_UDP,
    ...words }, udp(sourcePort, 9, payload))
  return ether(to.mac, from.mac, ETHERTYPE_IPV4, packet, tags)
}

export function ipv6Frame(from: Station, to: Station, words: Ipv6Words, payload: Uint8Array,
  tags?: readonly number[]): Uint8Array {
  return ether(to.mac, from.mac, ETHERTYPE_IPV6, ipv6(words, payload), tags)
}

export function arpFrame(to: string, from: string, operation: number, sender: Station,
  target: Station, tags?: readonly number[]): Uint8Array {
  const message = new Uint8Array(ARP_OCTETS)
  writeArp(viewOf(message), 0, operation, ...parseMac(sender.mac), parseIpv4(sender.address),
    ...parseMac(target.mac), parseIpv4(target.address))
  return ether(to, from, ETHERTYPE_ARP, message, tags)
}

/** Who has `address`? */
export function arpRequest(from: Station, address: string, tags?: readonly number[]): Uint8Array {
  return arpFrame(BROADCAST, from.mac, 1, from, { mac: NO_MAC, address }, tags)
}

/** `from` answers `to`. */
export function arpReply(from: Station, to: Station): Uint8Array {
  return arpFrame(to.mac, from.mac, 2, from, to)
}

/**
 * `from` says to `to` that `target` is at its MAC: a neighbour advertisement, of 32 octets, or
 * fewer; behind a hop-by-hop header, or not.
 */
export function advertisement(from: Station, to: Station, target: Words4, octets = 32,
  isBehind = false): Uint8Array {
  const message = new Uint8Array(32)
  const view = viewOf(message)
  view.setInt32(0, 136 << 24)
  view.setInt32(4, 0x60000000)
  target.forEach((word, i) => view.setInt32(8 + i * 4, word))
  view.setUint16(24, 0x0201)
  writeMac(view, 26, ...parseMac(from.mac))
  const [source, destination] = [linkLocalWords(from.mac), linkLocalWords(to.mac)]
  const options = isBehind ? [58, 0, 1, 4, 0, 0, 0, 0] : []
  return ipv6Frame(from, to, { source, destination, nextHeader: isBehind ? 0 : 58 },
    Uint8Array.of(...options, ...message.subarray(0, octets)))
}
