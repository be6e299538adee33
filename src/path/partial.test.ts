// Frames whose TCP or UDP checksum is left to hardware that is not there reach the kernel with a
// virtio header that says so; all others with a header of zeros.
import test from 'ava'
import { linkLocalWords } from '../base/text.ts'
import { complementSum, foldSum, pseudoSumIpv4, sumOctets } from '../wire/checksum.ts'
import { hexOf, octetsOf, vector, vectorNames } from '../wire/vectors.test-kit.ts'
import {
  BROADCAST, ether, ipv4, ipv6, payloadOf, SERVICE_VLAN_100, station, tcp, udp, udpFrame, viewOf,
  VLAN_10, withChecksum,
} from './frames.test-kit.ts'
import { Lab } from './lab.test-kit.ts'

const A = station('10.0.1.2')
const B = station('10.0.1.3')
const PLAIN = '00'.repeat(10)
const TAGS: [name: string, tags: number[]][] = [
  ['', []], [' in a VLAN', [VLAN_10]], [' in two VLANs', [SERVICE_VLAN_100, VLAN_10]],
]

function arrive(frame: Uint8Array) {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint(A.address)
  lab.host(0).receive(octetsOf(`0800000000100100${hexOf(frame)}`), lab.host(1).address)
  lab.run()
  const one = a.take()!
  return { header: hexOf(one.vnetHeader), octets: one.octets, host: lab.host(0) }
}

/** struct virtio_net_hdr with NEEDS_CSUM; numbers are little-endian. */
function needsChecksum(start: number, offset: number): string {
  const header = new Uint8Array(10)
  header[0] = 1
  viewOf(header).setUint16(6, start, true)
  viewOf(header).setUint16(8, offset, true)
  return hexOf(header)
}

type Packet = (payload: Uint8Array) => Uint8Array
const v6 = (nextHeader: number, payload: Uint8Array) => ipv6({
  source: linkLocalWords(B.mac), destination: linkLocalWords(A.mac), nextHeader }, payload)
const v4 = (protocol: number, payload: Uint8Array) =>
  ipv4({ source: B.address, destination: A.address, protocol }, payload)
const KINDS: [name: string, type: number, l4: number, field: number, packet: Packet][] = [
  ['TCP over IPv4', 0x0800, 34, 16, payload => v4(6, tcp(80, 5000, payload))],
  ['UDP over IPv4', 0x0800, 34, 6, payload => v4(17, udp(80, 5000, payload))],
  ['TCP over IPv6', 0x86dd, 54, 16, payload => v6(6, tcp(80, 5000, payload))],
  ['UDP over IPv6', 0x86dd, 54, 6, payload => v6(17, udp(80, 5000, payload))],
]
for (const [name, type, l4, field, packet] of KINDS) {
  for (const [where, tags] of TAGS) {
    test(`a partial checksum is announced: ${name}${where}`, t => {
      for (const length of [0, 1, 700, 1300]) {
        const frame = ether(A.mac, B.mac, type, withChecksum(packet(payloadOf(length)), 'partial'),
          tags)
        const { header, octets, host } = arrive(frame)
        t.is(header, needsChecksum(l4 + tags.length * 4, field))
        t.is(hexOf(octets), hexOf(frame))
        t.is(host.count('checksum.partial'), 1)
      }
    })
    test(`a right checksum is not: ${name}${where}`, t => {
      for (const length of [0, 1, 700, 1300]) {
        const frame = ether(A.mac, B.mac, type, withChecksum(packet(payloadOf(length)), 'right'),
          tags)
        const { header, octets, host } = arrive(frame)
        t.is(header, PLAIN)
        t.is(hexOf(octets), hexOf(frame))
        t.is(host.count('checksum.partial'), 0)
      }
    })
  }
  test(`what the kernel then does makes the checksum right: ${name}`, t => {
    const whole = packet(payloadOf(701))
    const { octets } = arrive(ether(A.mac, B.mac, type, withChecksum(whole, 'partial')))
    const view = viewOf(octets)
    view.setUint16(l4 + field, complementSum(sumOctets(view, l4, octets.length - l4, 0)))
    t.is(hexOf(octets.subarray(14)), hexOf(withChecksum(whole, 'right')))
  })
}

test('behind IPv4 options the checksum begins later', t => {
  const options = new Uint8Array(12).fill(1)
  const packet = ipv4({ source: B.address, destination: A.address, protocol: 17, options },
    udp(80, 5000, payloadOf(20)))
  const plain = withChecksum(v4(17, udp(80, 5000, payloadOf(20))), 'partial')
  packet.set(plain.subarray(20 + 6, 20 + 8), 32 + 6)
  t.is(arrive(ether(A.mac, B.mac, 0x0800, packet)).header, needsChecksum(14 + 32, 6))
})

test('padding behind the packet changes nothing', t => {
  const packet = withChecksum(v4(17, udp(80, 5000, payloadOf(1))), 'partial')
  const padded = new Uint8Array(46)
  padded.set(packet)
  t.is(arrive(ether(A.mac, B.mac, 0x0800, padded)).header, needsChecksum(34, 6))
})

/** A UDP header of 6 octets, and behind the packet, as padding, what would be its partial sum. */
function sumInPadding(): Uint8Array {
  const packet = v4(17, payloadOf(6))
  const padded = new Uint8Array(packet.length + 2)
  padded.set(packet)
  viewOf(padded).setUint16(packet.length, foldSum(pseudoSumIpv4(viewOf(packet), 0, 17, 6)))
  return ether(A.mac, B.mac, 0x0800, padded)
}

const PLAIN_FRAMES: [name: string, frame: Uint8Array][] = [
  ['UDP without a checksum', udpFrame(B, A, payloadOf(10))],
  ['a fragment', udpFrame(B, A, payloadOf(16), { fragment: 0x2000 })],
  ['UDP cut off before its checksum', ether(A.mac, B.mac, 0x0800, v4(17, payloadOf(7)))],
  ['TCP cut off before its checksum', ether(A.mac, B.mac, 0x0800, v4(6, payloadOf(17)))],
  ['UDP cut off before its checksum, padding in its place', sumInPadding()],
  ['no IP', ether(BROADCAST, B.mac, 0x88b5, payloadOf(60))],
  ...vectorNames().map(name => [name, vector(name).subarray(50)] as [string, Uint8Array]),
]
for (const [name, frame] of PLAIN_FRAMES) {
  test(`the header is all zeros: ${name}`, t => {
    const lab = new Lab()
    const a = lab.host(0).addEndpoint('10.0.99.99', { promiscuous: true })
    lab.host(0).receive(octetsOf(`0800000000100100${hexOf(frame)}`), lab.host(1).address)
    lab.run()
    const one = a.take()!
    t.is(hexOf(one.vnetHeader), PLAIN)
    t.is(hexOf(one.octets), hexOf(frame))
  })
}

test('a frame between two endpoints of one host keeps a header of zeros', t => {
  const lab = new Lab()
  const [a, b] = [A, B].map(({ address }) => lab.host(0).addEndpoint(address))
  b!.send(udpFrame(b!, a!, payloadOf(10)))
  lab.run()
  t.is(hexOf(a!.take()!.vnetHeader), PLAIN)
})

// ---- VTEPs that mark what they leave partial ----

const UNMARKED = '0800000000100100'
const MARKED = '0820000000100100'

/** What A gets of frames and VXLAN headers from a VTEP that marks, or from one that does not. */
function arriveFrom(marksPartial: boolean, ...datagrams: [header: string, frame: Uint8Array][]) {
  const lab = new Lab()
  const host = lab.host(0)
  const a = host.addEndpoint(A.address)
  host.rows.members.forEach(member => { member.marksPartial = marksPartial })
  host.adopt()
  for (const [header, frame] of datagrams) {
    host.receive(octetsOf(header + hexOf(frame)), lab.host(1).address)
  }
  lab.run()
  const headers: string[] = []
  for (let one = a.take(); one !== undefined; one = a.take()) headers.push(hexOf(one.vnetHeader))
  return { headers, partial: host.count('checksum.partial'),
    coalesced: host.count('frames.coalesced') }
}

for (const [name, type, l4, field, packet] of KINDS) {
  test(`of a VTEP that marks what it leaves, only that is believed: ${name}`, t => {
    const frame = ether(A.mac, B.mac, type, withChecksum(packet(payloadOf(100)), 'partial'))
    t.deepEqual(arriveFrom(true, [UNMARKED, frame]), { headers: [PLAIN], partial: 0, coalesced: 0 })
    t.deepEqual(arriveFrom(true, [MARKED, frame]),
      { headers: [needsChecksum(l4, field)], partial: 1, coalesced: 0 })
    t.deepEqual(arriveFrom(false, [MARKED, frame]),
      { headers: [needsChecksum(l4, field)], partial: 1, coalesced: 0 })
  })
  test(`a whole checksum may look like a partial one, and is none: ${name}`, t => {
    let whole = packet(payloadOf(0))
    for (let word = 0; word < 0x10000; word++) {
      const plain = packet(Uint8Array.of(word >> 8, word & 0xff))
      whole = withChecksum(plain, 'right')
      if (hexOf(whole) === hexOf(withChecksum(plain, 'partial'))) break
    }
    const frame = ether(A.mac, B.mac, type, whole)
    t.deepEqual(arriveFrom(true, [UNMARKED, frame]).headers, [PLAIN])
    t.deepEqual(arriveFrom(false, [UNMARKED, frame]).headers, [needsChecksum(l4, field)])
  })
}

/** Segment `n` of a flow from B to A. */
function segment(n: number, kind: 'right' | 'partial'): Uint8Array {
  const message = tcp(80, 5000, payloadOf(100, n))
  viewOf(message).setInt32(4, n * 100)
  const words = { source: B.address, destination: A.address, protocol: 6, fragment: 0x4000 }
  return ether(A.mac, B.mac, 0x0800, withChecksum(ipv4(words, message), kind))
}

const TRAINS: [name: string, marksPartial: boolean, coalesced: number,
  datagrams: [header: string, kind: 'right' | 'partial'][]][] = [
  ['partial, by value', false, 2, Array.from({ length: 3 }, () => [UNMARKED, 'partial'])],
  ['partial, marked', true, 2, Array.from({ length: 3 }, () => [MARKED, 'partial'])],
  ['whole', true, 2, Array.from({ length: 3 }, () => [UNMARKED, 'right'])],
  ['partial by value, of who would have marked it', true, 0,
    Array.from({ length: 3 }, () => [UNMARKED, 'partial'])],
  ['marked and not, of who marks', true, 0, [[MARKED, 'partial'], [UNMARKED, 'right']]],
  ['not marked and marked, of who marks', true, 0, [[UNMARKED, 'right'], [MARKED, 'partial']]],
  ['marked and not, of who does not', false, 1, [[MARKED, 'partial'], [UNMARKED, 'right']]],
]
for (const [name, marksPartial, coalesced, datagrams] of TRAINS) {
  test(`segments that follow one another are put together, or not: ${name}`, t => {
    const frames = datagrams.map(([header, kind], n) =>
      [header, segment(n, kind)] as [string, Uint8Array])
    t.is(arriveFrom(marksPartial, ...frames).coalesced, coalesced)
  })
}
