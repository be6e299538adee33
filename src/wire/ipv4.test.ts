// The IPv4 header: golden headers read and written again, changes that keep the checksum, refusals.
import test from 'ava'
import { makeRandom } from '../base/prng.ts'
import {
  ipv4ChecksumHolds, ipv4Destination, ipv4DontFragment, ipv4FragmentOffset, ipv4HeaderOctets,
  ipv4Identification, ipv4IsFragment, ipv4MoreFragments, ipv4Protocol, ipv4Source, ipv4Tos,
  ipv4TotalOctets, ipv4Ttl, setIpv4Destination, setIpv4Source, setIpv4Tos, writeIpv4Header,
  IPV4_HEADER_OCTETS, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP,
} from './ipv4.ts'
import {
  AT, hexAt, hexOf, INNER_PACKET, OUTER_IPV4, overNoise, ringOf, vector, vectorNames,
} from './vectors.test-kit.ts'

/** Vectors whose inner packet is untagged IPv4, with the protocol and the header's length. */
const inner: [name: string, protocol: number, headerOctets: number][] = [
  ['icmp-echo-request', PROTOCOL_ICMP, 20],
  ['icmp-echo-ect0', PROTOCOL_ICMP, 20],
  ['icmp-record-route', PROTOCOL_ICMP, 60],
  ['icmp-fragment-first', PROTOCOL_ICMP, 20],
  ['icmp-fragment-last', PROTOCOL_ICMP, 20],
  ['icmp-port-unreachable', PROTOCOL_ICMP, 20],
  ['icmp-too-long', PROTOCOL_ICMP, 20],
  ['icmp-fragmentation-needed', PROTOCOL_ICMP, 20],
  ['tcp-syn', PROTOCOL_TCP, 20],
  ['tcp-request', PROTOCOL_TCP, 20],
  ['udp-datagram', PROTOCOL_UDP, 20],
]

function rewritten(dv: DataView): string {
  return overNoise(IPV4_HEADER_OCTETS, noise => writeIpv4Header(
    noise, AT, ipv4TotalOctets(dv, AT), ipv4Protocol(dv, AT), ipv4Ttl(dv, AT), ipv4Tos(dv, AT),
    ipv4Source(dv, AT), ipv4Destination(dv, AT), ipv4Identification(dv, AT),
    ipv4DontFragment(dv, AT),
  ))
}

for (const name of vectorNames()) {
  test(`ipv4 outer header read and written again: ${name}`, t => {
    const golden = vector(name).subarray(OUTER_IPV4)
    const dv = ringOf(golden)
    t.is(ipv4HeaderOctets(dv, AT, golden.length), 20)
    t.is(ipv4TotalOctets(dv, AT), golden.length)
    t.is(ipv4Protocol(dv, AT), PROTOCOL_UDP)
    t.true(ipv4ChecksumHolds(dv, AT, 20))
    t.is(rewritten(dv), hexOf(golden.subarray(0, 20)))
  })
}

for (const [name, protocol, headerOctets] of inner) {
  test(`ipv4 inner header: ${name}`, t => {
    const golden = vector(name).subarray(INNER_PACKET)
    const dv = ringOf(golden)
    t.is(ipv4HeaderOctets(dv, AT, golden.length), headerOctets)
    t.is(ipv4TotalOctets(dv, AT), golden.length)
    t.is(ipv4Protocol(dv, AT), protocol)
    t.true(ipv4ChecksumHolds(dv, AT, headerOctets))
    if (headerOctets > 20 || ipv4IsFragment(dv, AT)) return
    t.is(rewritten(dv), hexOf(golden.subarray(0, 20)))
  })
}

test('the fields of a packet', t => {
  const dv = ringOf(vector('icmp-echo-ect0').subarray(INNER_PACKET))
  t.is(ipv4Source(dv, AT), 0x0a000108)
  t.is(ipv4Destination(dv, AT), 0x0a000109)
  t.is(ipv4Tos(dv, AT), 0x02)
  t.is(ipv4Ttl(dv, AT), 64)
  t.true(ipv4DontFragment(dv, AT))
  t.false(ipv4IsFragment(dv, AT))
})

test('an address above 2^31 is negative, as in an Int32Array', t => {
  const dv = ringOf(vector('icmp-echo-request').subarray(OUTER_IPV4))
  t.is(ipv4Source(dv, AT), 0xc0a8380b | 0)
  t.is(Int32Array.of(ipv4Destination(dv, AT))[0], ipv4Destination(dv, AT))
})

test('the parts of a datagram', t => {
  const first = ringOf(vector('icmp-fragment-first').subarray(INNER_PACKET))
  const last = ringOf(vector('icmp-fragment-last').subarray(INNER_PACKET))
  t.true(ipv4IsFragment(first, AT))
  t.true(ipv4MoreFragments(first, AT))
  t.is(ipv4FragmentOffset(first, AT), 0)
  t.false(ipv4DontFragment(first, AT))
  t.true(ipv4IsFragment(last, AT))
  t.false(ipv4MoreFragments(last, AT))
  t.is(ipv4FragmentOffset(last, AT), ipv4TotalOctets(first, AT) - 20)
  t.is(ipv4Identification(first, AT), ipv4Identification(last, AT))
})

const GOOD = '4500001c00000000401100000a0001080a000109'
const refusals: [name: string, octets: string, available: number, headerOctets: number][] = [
  ['whole', GOOD, 28, 20],
  ['padding behind the packet', GOOD, 46, 20],
  ['header alone', GOOD.replace('001c', '0014'), 20, 20],
  ['longest header', GOOD.replace('4500001c', '4f00003c'), 60, 60],
  ['one octet missing', GOOD, 27, -1],
  ['header cut', GOOD, 19, -1],
  ['nothing there', '', 0, -1],
  ['version 6', GOOD.replace('45', '65'), 28, -1],
  ['version 0', GOOD.replace('45', '05'), 28, -1],
  ['header length below 20', GOOD.replace('45', '44'), 28, -1],
  ['header longer than the packet', GOOD.replace('45', '48'), 28, -1],
  ['total length below the header', GOOD.replace('001c', '0013'), 28, -1],
  ['total length 0', GOOD.replace('001c', '0000'), 28, -1],
]
for (const [name, octets, available, headerOctets] of refusals) {
  test(`ipv4 check: ${name}`, t => {
    t.is(ipv4HeaderOctets(ringOf(octets), AT, available), headerOctets)
  })
}

test('a wrong header checksum is seen', t => {
  const dv = ringOf(vector('tcp-syn').subarray(INNER_PACKET))
  dv.setUint8(AT + 8, 63)
  t.false(ipv4ChecksumHolds(dv, AT, 20))
})

test('a change keeps the checksum right, options included', t => {
  const random = makeRandom(1624)
  for (let round = 0; round < 2000; round += 1) {
    const [name, , headerOctets] = inner[round % inner.length]!
    const dv = ringOf(vector(name).subarray(INNER_PACKET))
    const [tos, source, destination] = [random() & 255, random() | 0, random() | 0]
    setIpv4Tos(dv, AT, tos)
    setIpv4Source(dv, AT, source)
    setIpv4Destination(dv, AT, destination)
    t.is(ipv4Tos(dv, AT), tos)
    t.is(ipv4Source(dv, AT), source)
    t.is(ipv4Destination(dv, AT), destination)
    t.true(ipv4ChecksumHolds(dv, AT, headerOctets), `${name} ${tos} ${source} ${destination}`)
  }
})

test('setting what is there already changes nothing', t => {
  const golden = vector('udp-datagram').subarray(INNER_PACKET)
  const dv = ringOf(golden)
  setIpv4Tos(dv, AT, ipv4Tos(dv, AT))
  setIpv4Source(dv, AT, ipv4Source(dv, AT))
  setIpv4Destination(dv, AT, ipv4Destination(dv, AT))
  t.is(hexAt(dv, AT, golden.length), hexOf(golden))
})
