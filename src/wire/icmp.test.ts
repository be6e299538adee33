// ICMP and ICMPv6: echo messages written again, errors about length as the kernel makes them.
import test from 'ava'
import {
  unreachableOctets, icmpCode, icmpIdentifier, icmpIsError, icmpMtu, icmpSequence, icmpType,
  icmpv6IsError, icmpv6Mtu, packetTooBigOctets, writeFragmentationNeeded, writeIcmpEcho,
  writeIcmpv6Echo, writePacketTooBig, ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST,
  ICMP_FRAGMENTATION_NEEDED_CODE, ICMP_REDIRECT, ICMP_TIME_EXCEEDED, ICMP_UNREACHABLE,
  ICMPV6_ECHO_REQUEST, ICMPV6_PACKET_TOO_BIG,
} from './icmp.ts'
import {
  ipv4Destination, ipv4Identification, ipv4Source, ipv4Tos, ipv4Ttl, writeIpv4Header,
  IPV4_HEADER_OCTETS, PROTOCOL_ICMP,
} from './ipv4.ts'
import { IPV6_SOURCE } from './ipv6.ts'
import {
  AT, hexAt, hexOf, INNER_IPV4_PAYLOAD, INNER_IPV6_PAYLOAD, INNER_PACKET, overNoise, ringOf, vector,
} from './vectors.test-kit.ts'

const echoes: [name: string, at: number, type: number, identifier: number][] = [
  ['icmp-echo-request', INNER_IPV4_PAYLOAD, ICMP_ECHO_REQUEST, 5],
  ['icmp-echo-ect0', INNER_IPV4_PAYLOAD, ICMP_ECHO_REQUEST, 6],
  ['icmp-record-route', INNER_IPV4_PAYLOAD + 40, ICMP_ECHO_REQUEST, 7],
  ['icmpv6-echo-request', INNER_IPV6_PAYLOAD, ICMPV6_ECHO_REQUEST, 5],
]
for (const [name, at, type, identifier] of echoes) {
  test(`echo read and written again: ${name}`, t => {
    const golden = vector(name)
    const dv = ringOf(golden)
    const octets = golden.length - at
    t.is(icmpType(dv, AT + at), type)
    t.is(icmpCode(dv, AT + at), 0)
    t.is(icmpIdentifier(dv, AT + at), identifier)
    t.is(icmpSequence(dv, AT + at), 1)
    dv.setInt32(AT + at, -1)
    dv.setInt32(AT + at + 4, -1)
    if (type === ICMP_ECHO_REQUEST) writeIcmpEcho(dv, AT + at, type, identifier, 1, octets)
    else writeIcmpv6Echo(dv, AT + at, type, identifier, 1, octets, AT + INNER_PACKET + IPV6_SOURCE)
    t.is(hexAt(dv, AT, golden.length), hexOf(golden))
  })
}

test('fragmentation needed is what the kernel answers to the same packet', t => {
  const original = vector('icmp-too-long').subarray(INNER_PACKET)
  const golden = vector('icmp-fragmentation-needed').subarray(INNER_PACKET)
  const answer = ringOf(golden)
  const octets = golden.length - IPV4_HEADER_OCTETS
  t.is(golden.length, 576)
  t.is(unreachableOctets(original.length), octets)
  const memory = ringOf(hexOf(new Uint8Array(golden.length).fill(0xa5)) + hexOf(original))
  writeIpv4Header(memory, AT, golden.length, PROTOCOL_ICMP, ipv4Ttl(answer, AT),
    ipv4Tos(answer, AT), ipv4Source(answer, AT), ipv4Destination(answer, AT),
    ipv4Identification(answer, AT), false)
  const at = AT + IPV4_HEADER_OCTETS
  t.is(writeFragmentationNeeded(memory, at, 600, AT + golden.length, original.length), octets)
  t.is(hexAt(memory, AT, golden.length), hexOf(golden))
  t.is(hexAt(memory, AT + golden.length, original.length), hexOf(original), 'original untouched')
  t.is(icmpType(memory, at), ICMP_UNREACHABLE)
  t.is(icmpCode(memory, at), ICMP_FRAGMENTATION_NEEDED_CODE)
  t.is(icmpMtu(memory, at), 600)
})

test('packet too big is what the kernel answers to the same packet', t => {
  const original = vector('icmpv6-too-long').subarray(INNER_PACKET)
  // The recorded packet is on its way to the router; Linux counts the hop down before it quotes.
  original[7]! -= 1
  const golden = vector('icmpv6-packet-too-big').subarray(INNER_PACKET)
  const octets = golden.length - 40
  t.is(golden.length, 1280)
  t.is(packetTooBigOctets(original.length), octets)
  const memory = ringOf(hexOf(golden.subarray(0, 40)) + 'a5'.repeat(octets) + hexOf(original))
  const at = AT + 40
  const originalAt = AT + golden.length
  t.is(writePacketTooBig(memory, at, 1280, originalAt, original.length, AT + IPV6_SOURCE),
    octets)
  t.is(hexAt(memory, AT, golden.length), hexOf(golden))
  t.is(hexAt(memory, originalAt, original.length), hexOf(original), 'original untouched')
  t.is(icmpType(memory, at), ICMPV6_PACKET_TOO_BIG)
  t.is(icmpv6Mtu(memory, at), 1280)
})

for (const [name, moveOctets] of [['forwards', 28], ['backwards', -28]] as const) {
  test(`an error may overlap the packet that it quotes, ${name}`, t => {
    const original = vector('icmp-too-long').subarray(INNER_PACKET)
    const golden = vector('icmp-fragmentation-needed').subarray(INNER_IPV4_PAYLOAD)
    const memory = ringOf('a5'.repeat(28) + hexOf(original) + 'a5'.repeat(28))
    const originalAt = AT + 28
    writeFragmentationNeeded(memory, originalAt + moveOctets - 8, 600, originalAt, original.length)
    t.is(hexAt(memory, originalAt + moveOctets - 8, golden.length), hexOf(golden))
  })
}

test('a short packet is quoted whole, and nothing is written behind it', t => {
  const original = 20
  const octets = overNoise(28, noise => {
    t.is(writeFragmentationNeeded(noise, AT, 576, AT + 8, original), 28)
  })
  t.is(octets.slice(0, 4), '0304')
  t.is(octets.slice(8, 16), '00000240')
  t.is(octets.slice(16), 'a5'.repeat(original))
  t.is(packetTooBigOctets(40), 48)
})

test('no error answers an error', t => {
  for (const type of [ICMP_UNREACHABLE, 4, ICMP_REDIRECT, ICMP_TIME_EXCEEDED, 12]) {
    t.true(icmpIsError(type), `type ${type}`)
  }
  for (const type of [ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, 9, 10, 13, 14]) {
    t.false(icmpIsError(type), `type ${type}`)
  }
  t.true(icmpv6IsError(ICMPV6_PACKET_TOO_BIG))
  t.true(icmpv6IsError(127))
  t.false(icmpv6IsError(ICMPV6_ECHO_REQUEST))
})

test('a port unreachable of the kernel is an error', t => {
  const dv = ringOf(vector('icmp-port-unreachable'))
  t.true(icmpIsError(icmpType(dv, AT + INNER_IPV4_PAYLOAD)))
  t.is(icmpCode(dv, AT + INNER_IPV4_PAYLOAD), 3)
})
