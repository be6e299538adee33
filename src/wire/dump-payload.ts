// What an IP packet carries, as text, for dump.ts: TCP, UDP, ICMP, ICMPv6, or a protocol's number.
import { ipv6AddressText, TRUNCATED } from './dump-text.ts'
import {
  icmpCode, icmpIdentifier, icmpMtu, icmpSequence, icmpType, icmpv6Mtu, ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST, ICMP_FRAGMENTATION_NEEDED_CODE, ICMP_HEADER_OCTETS, ICMP_REDIRECT,
  ICMP_TIME_EXCEEDED, ICMP_UNREACHABLE, ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST,
  ICMPV6_NEIGHBOUR_ADVERTISEMENT, ICMPV6_NEIGHBOUR_SOLICITATION, ICMPV6_PACKET_TOO_BIG,
} from './icmp.ts'
import { PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from './ipv4.ts'
import { PROTOCOL_ICMPV6 } from './ipv6.ts'
import {
  tcpAcknowledgment, tcpDestinationPort, tcpFlags, tcpHeaderOctets, tcpSequence, tcpSourcePort,
  tcpWindow, TCP_ACK, TCP_HEADER_OCTETS,
} from './tcp.ts'
import { udpDestinationPort, udpSourcePort, UDP_HEADER_OCTETS } from './udp.ts'

/** Text for what UDP carries to `port`, or undefined when only its length is to be shown. */
export type UdpPayloadText =
  (dv: DataView, at: number, octets: number, port: number) => string | undefined

/** What an IP header says: its payload is at `at`, `octets` long, of which `present` are there. */
export type Payload = Readonly<{
  at: number
  octets: number
  present: number
  protocol: number
  /** It is a later part of a datagram, without transport header. */
  continues: boolean
  source: string
  destination: string
  /** What is special about the packet, each with a space in front. */
  marks: string
}>

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  1: 'ICMP', 2: 'IGMP', 6: 'TCP', 17: 'UDP', 47: 'GRE', 50: 'ESP', 51: 'AH', 58: 'ICMPv6',
  59: 'no next header', 89: 'OSPF', 112: 'VRRP', 132: 'SCTP',
}

/** RFC 792 and RFC 1812 section 5.2.7.1, by code. */
const UNREACHABLE_NAMES: Readonly<Record<number, string>> = {
  0: 'net unreachable', 1: 'host unreachable', 2: 'protocol unreachable', 3: 'port unreachable',
  13: 'administratively prohibited',
}

/** RFC 792, by type, those without a line of their own. */
const ICMP_NAMES: Readonly<Record<number, string>> = {
  4: 'source quench', 9: 'router advertisement', 10: 'router solicitation',
  12: 'parameter problem', 13: 'time stamp query', 14: 'time stamp reply',
}

/** RFC 4443, RFC 2710, RFC 4861 and RFC 3810, by type, those without a line of their own. */
const ICMPV6_NAMES: Readonly<Record<number, string>> = {
  1: 'destination unreachable', 3: 'time exceeded', 4: 'parameter problem',
  130: 'multicast listener query', 131: 'multicast listener report',
  132: 'multicast listener done', 133: 'router solicitation', 134: 'router advertisement',
  137: 'redirect', 143: 'multicast listener report v2',
}

/** Control bits from the lowest, as tcpdump writes them. */
const TCP_FLAG_LETTERS = 'FSRP.UEW'

/** "10.0.1.8 > 10.0.1.9: ICMP echo request, …"; ports, if any, follow the addresses. */
export function payloadText(dv: DataView, payload: Payload, udpPayload?: UdpPayloadText): string {
  const { protocol } = payload
  const name = PROTOCOL_NAMES[protocol] ?? `protocol ${protocol}`
  if (payload.continues) return `${between(payload)}${name}, length ${payload.octets}`
  if (protocol === PROTOCOL_TCP) return tcpText(dv, payload)
  if (protocol === PROTOCOL_UDP) return udpText(dv, payload, udpPayload)
  if (protocol === PROTOCOL_ICMP) return `${between(payload)}ICMP ${icmpText(dv, payload)}`
  if (protocol === PROTOCOL_ICMPV6) return `${between(payload)}ICMPv6 ${icmpv6Text(dv, payload)}`
  return `${between(payload)}${name}, length ${payload.octets}`
}

function between(payload: Payload): string {
  return `${payload.source} > ${payload.destination}${payload.marks}: `
}

function betweenPorts(payload: Payload, sourcePort: number, destinationPort: number): string {
  return between({
    ...payload,
    source: `${payload.source}.${sourcePort}`,
    destination: `${payload.destination}.${destinationPort}`,
  })
}

function tcpText(dv: DataView, payload: Payload): string {
  const { at, octets, present } = payload
  if (present < TCP_HEADER_OCTETS) return `${between(payload)}TCP ${TRUNCATED}`
  const ends = betweenPorts(payload, tcpSourcePort(dv, at), tcpDestinationPort(dv, at))
  const flags = tcpFlags(dv, at)
  const letters = [...TCP_FLAG_LETTERS].filter((_, bit) => (flags & (1 << bit)) !== 0).join('')
  const acknowledgment = (flags & TCP_ACK) === 0 ? '' : `, ack ${tcpAcknowledgment(dv, at) >>> 0}`
  const headerOctets = tcpHeaderOctets(dv, at, octets)
  const length = headerOctets < 0 ? 'bad header length' : `length ${octets - headerOctets}`
  return `${ends}TCP [${letters === '' ? 'none' : letters}], seq ${tcpSequence(dv, at) >>> 0}`
    + `${acknowledgment}, win ${tcpWindow(dv, at)}, ${length}`
}

function udpText(dv: DataView, payload: Payload, udpPayload?: UdpPayloadText): string {
  const { at, octets, present } = payload
  if (present < UDP_HEADER_OCTETS) return `${between(payload)}UDP ${TRUNCATED}`
  const port = udpDestinationPort(dv, at)
  const inside = udpPayload?.(dv, at + UDP_HEADER_OCTETS, present - UDP_HEADER_OCTETS, port)
  const text = inside ?? `UDP, length ${octets - UDP_HEADER_OCTETS}`
  return `${betweenPorts(payload, udpSourcePort(dv, at), port)}${text}`
}

function icmpText(dv: DataView, payload: Payload): string {
  const { at, octets, present } = payload
  if (present < ICMP_HEADER_OCTETS) return TRUNCATED
  const type = icmpType(dv, at)
  const code = icmpCode(dv, at)
  if (type === ICMP_ECHO_REQUEST) return echoText(dv, payload, 'echo request')
  if (type === ICMP_ECHO_REPLY) return echoText(dv, payload, 'echo reply')
  if (type === ICMP_UNREACHABLE && code === ICMP_FRAGMENTATION_NEEDED_CODE) {
    return `fragmentation needed, mtu ${icmpMtu(dv, at)}, length ${octets}`
  }
  if (type === ICMP_UNREACHABLE) {
    return `${UNREACHABLE_NAMES[code] ?? `unreachable, code ${code}`}, length ${octets}`
  }
  if (type === ICMP_TIME_EXCEEDED) {
    const what = code === 0 ? 'time exceeded in transit' : 'reassembly time exceeded'
    return `${what}, length ${octets}`
  }
  if (type === ICMP_REDIRECT) return `redirect, code ${code}, length ${octets}`
  return `${ICMP_NAMES[type] ?? `type ${type}, code ${code}`}, length ${octets}`
}

function icmpv6Text(dv: DataView, payload: Payload): string {
  const { at, octets, present } = payload
  if (present < ICMP_HEADER_OCTETS) return TRUNCATED
  const type = icmpType(dv, at)
  if (type === ICMPV6_ECHO_REQUEST) return echoText(dv, payload, 'echo request')
  if (type === ICMPV6_ECHO_REPLY) return echoText(dv, payload, 'echo reply')
  if (type === ICMPV6_PACKET_TOO_BIG) {
    return `packet too big, mtu ${icmpv6Mtu(dv, at)}, length ${octets}`
  }
  if (type === ICMPV6_NEIGHBOUR_SOLICITATION || type === ICMPV6_NEIGHBOUR_ADVERTISEMENT) {
    const [name, verb] = type === ICMPV6_NEIGHBOUR_SOLICITATION
      ? ['neighbour solicitation', 'who has'] : ['neighbour advertisement', 'target is']
    const address = present < 24 ? TRUNCATED : ipv6AddressText(dv, at + 8)
    return `${name}, ${verb} ${address}, length ${octets}`
  }
  const name = ICMPV6_NAMES[type] ?? `type ${type}, code ${icmpCode(dv, at)}`
  return `${name}, length ${octets}`
}

function echoText(dv: DataView, payload: Payload, name: string): string {
  const { at, octets } = payload
  return `${name}, id ${icmpIdentifier(dv, at)}, seq ${icmpSequence(dv, at)}, length ${octets}`
}
