// IP headers as text, for dump.ts; dump-payload.ts says what the packet carries.
import { payloadText } from './dump-payload.ts'
import type { Payload, UdpPayloadText } from './dump-payload.ts'
import {
  hex, ipv4AddressText, ipv6AddressText, MALFORMED, TRUNCATED, withTruncated,
} from './dump-text.ts'
import {
  ipv4FragmentOffset, ipv4Identification, ipv4IsFragment, ipv4MoreFragments, ipv4Protocol, ipv4Tos,
  ipv4TotalOctets, IPV4_DESTINATION, IPV4_HEADER_OCTETS, IPV4_SOURCE,
} from './ipv4.ts'
import {
  ipv6TrafficClass, ipv6Upper, IPV6_DESTINATION, IPV6_FRAGMENT, IPV6_HEADER_OCTETS, IPV6_PAYLOAD,
  IPV6_SOURCE,
} from './ipv6.ts'

/** The IPv4 or IPv6 packet at `at`, of which `present` octets are there. */
export function packetText(
  dv: DataView, at: number, present: number, udpPayload?: UdpPayloadText,
): string {
  if (present < 1) return TRUNCATED
  const version = dv.getUint8(at) >>> 4
  if (version !== 4 && version !== 6) return MALFORMED
  const payload = version === 4 ? ipv4Payload(dv, at, present) : ipv6Payload(dv, at, present)
  if (typeof payload === 'string') return payload
  const text = payloadText(dv, payload, udpPayload)
  return payload.present < payload.octets ? withTruncated(text) : text
}

function ipv4Payload(dv: DataView, at: number, present: number): Payload | string {
  if (present < IPV4_HEADER_OCTETS) return TRUNCATED
  const headerOctets = (dv.getUint8(at) & 15) * 4
  const octets = ipv4TotalOctets(dv, at) - headerOctets
  if (headerOctets < IPV4_HEADER_OCTETS || octets < 0) return MALFORMED
  const offset = ipv4FragmentOffset(dv, at)
  const place = `${ipv4Identification(dv, at)}@${offset}${ipv4MoreFragments(dv, at) ? '+' : ''}`
  return {
    at: at + headerOctets,
    octets,
    present: Math.max(0, Math.min(octets, present - headerOctets)),
    protocol: ipv4Protocol(dv, at),
    continues: offset > 0,
    source: ipv4AddressText(dv, at + IPV4_SOURCE),
    destination: ipv4AddressText(dv, at + IPV4_DESTINATION),
    marks: `${tosMark(ipv4Tos(dv, at))}${ipv4IsFragment(dv, at) ? ` fragment ${place}` : ''}`,
  }
}

function ipv6Payload(dv: DataView, at: number, present: number): Payload | string {
  if (present < IPV6_HEADER_OCTETS) return TRUNCATED
  const payloadOctets = dv.getUint16(at + IPV6_PAYLOAD)
  const presentOctets = Math.min(payloadOctets, present - IPV6_HEADER_OCTETS)
  const source = ipv6AddressText(dv, at + IPV6_SOURCE)
  const destination = ipv6AddressText(dv, at + IPV6_DESTINATION)
  const upper = ipv6Upper(dv, at, presentOctets)
  if (upper < 0) {
    const fault = presentOctets < payloadOctets ? TRUNCATED : MALFORMED
    return `${source} > ${destination}: ${fault}`
  }
  const offset = upper >>> 8
  const continues = (upper & 255) === IPV6_FRAGMENT
  return {
    at: at + offset,
    octets: payloadOctets + IPV6_HEADER_OCTETS - offset,
    present: presentOctets + IPV6_HEADER_OCTETS - offset,
    protocol: continues ? dv.getUint8(at + offset) : upper & 255,
    continues,
    source,
    destination,
    marks: tosMark(ipv6TrafficClass(dv, at)),
  }
}

function tosMark(tos: number): string {
  return tos === 0 ? '' : ` tos 0x${hex(tos, 2)}`
}
