// IPv6: golden headers read and written again, the walk over extension headers, refusals.
import test from 'ava'
import {
  ipv6FlowLabel, ipv6HopLimit, ipv6NextHeader, ipv6PayloadOctets, ipv6TrafficClass, ipv6Upper,
  ipv6Word, isIpv6Multicast, setIpv6TrafficClass, writeIpv6Address, writeIpv6Header,
  IPV6_DESTINATION, IPV6_EXTENSIONS_MAX, IPV6_HEADER_OCTETS, IPV6_HOP_BY_HOP, IPV6_SOURCE,
  PROTOCOL_ICMPV6,
} from './ipv6.ts'
import { AT, hexAt, hexOf, INNER_PACKET, overNoise, ringOf, vector } from './vectors.test-kit.ts'

const names = [
  'icmpv6-echo-request', 'icmpv6-neighbour-solicitation', 'icmpv6-mld-report', 'icmpv6-too-long',
  'icmpv6-packet-too-big',
]

for (const name of names) {
  test(`ipv6 header read and written again: ${name}`, t => {
    const golden = vector(name).subarray(INNER_PACKET)
    const dv = ringOf(golden)
    t.is(ipv6PayloadOctets(dv, AT, golden.length), golden.length - IPV6_HEADER_OCTETS)
    t.is(hexOf(golden.subarray(0, IPV6_HEADER_OCTETS)), overNoise(IPV6_HEADER_OCTETS, noise => {
      for (const [field, first] of [[IPV6_SOURCE, 0], [IPV6_DESTINATION, 4]] as const) {
        writeIpv6Address(noise, AT + field, ipv6Word(dv, AT, first), ipv6Word(dv, AT, first + 1),
          ipv6Word(dv, AT, first + 2), ipv6Word(dv, AT, first + 3))
      }
      writeIpv6Header(noise, AT, ipv6PayloadOctets(dv, AT, golden.length), ipv6NextHeader(dv, AT),
        ipv6HopLimit(dv, AT), ipv6TrafficClass(dv, AT), ipv6FlowLabel(dv, AT),
        AT + IPV6_SOURCE, AT + IPV6_DESTINATION)
    }))
  })
}

test('a header written over itself may exchange its addresses', t => {
  const golden = vector('icmpv6-echo-request').subarray(INNER_PACKET)
  const dv = ringOf(golden)
  writeIpv6Header(dv, AT, 64, PROTOCOL_ICMPV6, 255, 0xa5, 0xbcdef,
    AT + IPV6_DESTINATION, AT + IPV6_SOURCE)
  t.is(hexAt(dv, AT, IPV6_HEADER_OCTETS), '6a5bcdef00403aff'
    + hexOf(golden.subarray(24, 40)) + hexOf(golden.subarray(8, 24)))
})

test('the traffic class stands between version and flow label', t => {
  const dv = ringOf('6a5b cdef'.padEnd(80, '0'))
  t.is(ipv6TrafficClass(dv, AT), 0xa5)
  t.is(ipv6FlowLabel(dv, AT), 0xbcdef)
  setIpv6TrafficClass(dv, AT, 0x03)
  t.is(hexAt(dv, AT, 4), '603bcdef')
  setIpv6TrafficClass(dv, AT, 0xff)
  t.is(hexAt(dv, AT, 4), '6ffbcdef')
})

test('words of the addresses are signed', t => {
  const dv = ringOf(vector('icmpv6-mld-report').subarray(INNER_PACKET))
  t.is(ipv6Word(dv, AT, 0), 0xfe800000 | 0)
  t.is(ipv6Word(dv, AT, 3), 0xfe000108 | 0)
  t.is(ipv6Word(dv, AT, 4), 0xff020000 | 0)
  t.is(ipv6Word(dv, AT, 7), 0x16)
  t.false(isIpv6Multicast(dv, AT + IPV6_SOURCE))
  t.true(isIpv6Multicast(dv, AT + IPV6_DESTINATION))
})

const HEAD = '60000000 0008 3a 40'.replaceAll(' ', '').padEnd(80, '0')
const refusals: [name: string, octets: string, available: number, payloadOctets: number][] = [
  ['whole', HEAD, 48, 8],
  ['padding behind the packet', HEAD, 60, 8],
  ['no payload', HEAD.replace('0008', '0000'), 40, 0],
  ['one octet missing', HEAD, 47, -1],
  ['header cut', HEAD, 39, -1],
  ['nothing there', '', 0, -1],
  ['version 4', HEAD.replace('60', '40'), 48, -1],
]
for (const [name, octets, available, payloadOctets] of refusals) {
  test(`ipv6 check: ${name}`, t => {
    t.is(ipv6PayloadOctets(ringOf(octets), AT, available), payloadOctets)
  })
}

/** A packet whose fixed header names `first`, and whose payload is `rest`. */
function packet(first: string, rest: string): string {
  const octets = rest.replaceAll(' ', '')
  const length = (octets.length / 2).toString(16).padStart(4, '0')
  return `60000000${length}${first}40`.padEnd(80, '0') + octets
}
const OPTIONS_TCP = '06 00 0104 00000000'
const OPTIONS_AGAIN = '00 00 0104 00000000'
const walks: [name: string, first: string, rest: string, offset: number, protocol: number][] = [
  ['none', '06', '', 40, 6],
  ['hop-by-hop', '00', OPTIONS_TCP, 48, 6],
  ['longer destination options', '3c', '11 01 010c 000000000000000000000000', 56, 17],
  ['routing', '2b', '3a 00 0000 00000000', 48, 58],
  ['first fragment', '2c', '06 00 0001 00000007', 48, 6],
  ['second octet of a fragment header is no length', '2c', '06 ff 0001 00000007', 48, 6],
  ['later fragment', '2c', '06 00 0009 00000007', 40, 44],
  ['fragment with one high bit', '2c', '06 00 8000 00000007', 40, 44],
  ['last possible fragment', '2c', '06 00 fff8 00000007', 40, 44],
  ['hop-by-hop, then later fragment', '00', '2c 00 010400000000 06 00 0008 00000007', 48, 44],
  ['as many as are allowed', '00', OPTIONS_AGAIN.repeat(IPV6_EXTENSIONS_MAX - 1) + OPTIONS_TCP,
    40 + 8 * IPV6_EXTENSIONS_MAX, 6],
]
for (const [name, first, rest, offset, protocol] of walks) {
  test(`ipv6 extension headers: ${name}`, t => {
    const octets = packet(first, rest)
    t.is(ipv6Upper(ringOf(octets), AT, octets.length / 2 - 40), (offset << 8) | protocol)
  })
}

const badWalks: [name: string, first: string, rest: string][] = [
  ['cut', '00', '06 00 0104 000000'],
  ['longer than the payload', '00', '06 01 0104 00000000'],
  ['missing', '00', ''],
  ['one too many', '00', OPTIONS_AGAIN.repeat(IPV6_EXTENSIONS_MAX) + OPTIONS_TCP],
]
for (const [name, first, rest] of badWalks) {
  test(`ipv6 extension headers are refused: ${name}`, t => {
    const octets = packet(first, rest)
    t.is(ipv6Upper(ringOf(octets), AT, octets.length / 2 - 40), -1)
  })
}

test('a multicast report stands behind a hop-by-hop header', t => {
  const golden = vector('icmpv6-mld-report').subarray(INNER_PACKET)
  const dv = ringOf(golden)
  t.is(ipv6NextHeader(dv, AT), IPV6_HOP_BY_HOP)
  t.is(ipv6Upper(dv, AT, golden.length - 40), (48 << 8) | PROTOCOL_ICMPV6)
})
