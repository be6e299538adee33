// Parsing and flow hashes, over frames that a kernel VXLAN device sent and over some made here.
import test from 'ava'
import { atEnd, AT, INNER_FRAME, ringOf, vector, vectorNames } from '../wire/vectors.test-kit.ts'
import {
  arpRequest, BROADCAST, ether, type Ipv4Words, ipv4, ipv6, payloadOf, SERVICE_VLAN_100, station,
  tcp, udp, udpFrame, VLAN_10, type Words4,
} from './frames.test-kit.ts'
import { flowHash, type Frame, makeFrame, parseFrame } from './frame.ts'

const A = station('10.0.1.2')
const B = station('10.0.1.3')
const LOCAL: Words4 = [0xfe800000 | 0, 0, 0, 2]
const REMOTE: Words4 = [0xfe800000 | 0, 0, 0, 3]

function inner(name: string): Uint8Array {
  return vector(name).subarray(INNER_FRAME)
}

function parse(octets: Uint8Array): { view: DataView; frame: Frame; whole: boolean } {
  const view = ringOf(octets)
  const frame = makeFrame()
  return { view, frame, whole: parseFrame(view, AT, octets.length, frame) }
}

function hash(octets: Uint8Array): number {
  const { view, frame } = parse(octets)
  return flowHash(view, frame)
}

type Row = [name: string, etherType: number, l3: number, ipHeader: number, protocol: number,
  l4Octets: number]
const VECTORS: Row[] = [
  ['arp-reply', 0x0806, 14, 0, -1, 0],
  ['arp-request', 0x0806, 14, 0, -1, 0],
  ['icmp-echo-ect0', 0x0800, 14, 20, 1, 64],
  ['icmp-echo-request', 0x0800, 14, 20, 1, 64],
  ['icmp-fragment-first', 0x0800, 14, 20, -1, 576],
  ['icmp-fragment-last', 0x0800, 14, 20, -1, 132],
  ['icmp-fragmentation-needed', 0x0800, 14, 20, 1, 556],
  ['icmp-port-unreachable', 0x0800, 14, 20, 1, 47],
  ['icmp-record-route', 0x0800, 14, 60, 1, 64],
  ['icmp-too-long', 0x0800, 14, 20, 1, 608],
  ['icmpv6-echo-request', 0x86dd, 14, 40, 58, 64],
  ['icmpv6-mld-report', 0x86dd, 14, 40, 0, 56],
  ['icmpv6-neighbour-advertisement', 0x86dd, 14, 40, 58, 32],
  ['icmpv6-neighbour-solicitation', 0x86dd, 14, 40, 58, 32],
  ['icmpv6-packet-too-big', 0x86dd, 14, 40, 58, 1240],
  ['icmpv6-too-long', 0x86dd, 14, 40, 58, 1308],
  ['qinq-echo', 0x0800, 22, 20, 1, 64],
  ['tcp-request', 0x0800, 14, 20, 6, 104],
  ['tcp-syn', 0x0800, 14, 20, 6, 40],
  ['udp-datagram', 0x0800, 14, 20, 17, 19],
  ['vlan-echo', 0x0800, 18, 20, 1, 64],
]
for (const [name, etherType, l3, ipHeader, protocol, l4Octets] of VECTORS) {
  test(`parse ${name}`, t => {
    const octets = inner(name)
    const { frame, whole } = parse(octets)
    t.true(whole)
    t.is(frame.etherType, etherType)
    t.is(frame.l3At - AT, l3)
    t.is(frame.l3Octets, octets.length - l3)
    t.is(frame.ipHeaderOctets, ipHeader)
    t.is(frame.protocol, protocol)
    if (ipHeader === 0) return
    t.is(frame.l4At - AT, l3 + ipHeader)
    t.is(frame.l4Octets, l4Octets)
  })
}

test('the table has every vector', t => {
  t.deepEqual(VECTORS.map(([name]) => name), vectorNames())
})

test('MACs are their first 16 and last 32 bits', t => {
  const { frame } = parse(ether('01:02:83:04:05:06', 'f1:02:03:04:05:fe', 0x88b5, payloadOf(1)))
  t.deepEqual([frame.destinationHigh, frame.destinationLow], [0x0102, 0x83040506 | 0])
  t.deepEqual([frame.sourceHigh, frame.sourceLow], [0xf102, 0x030405fe])
})

test('a frame leaves nothing behind in the record for the next one', t => {
  const frame = makeFrame()
  const first = inner('tcp-request')
  t.true(parseFrame(ringOf(first), AT, first.length, frame))
  const second = arpRequest(A, B.address)
  t.true(parseFrame(ringOf(second), AT, second.length, frame))
  t.deepEqual([frame.ipHeaderOctets, frame.protocol], [0, -1])
  const third = ether(B.mac, A.mac, 0x0800, payloadOf(10))
  t.true(parseFrame(ringOf(third), AT, third.length, frame))
  t.deepEqual([frame.ipHeaderOctets, frame.protocol], [0, -1])
})

test('a frame may be cut anywhere: nothing is read behind its end', t => {
  const frame = makeFrame()
  for (const name of vectorNames()) {
    const whole = inner(name)
    for (let length = 0; length <= whole.length; length++) {
      const { dv, at } = atEnd(whole.slice(0, length))
      const parsed = parseFrame(dv, at, length, frame)
      t.is(parsed, length >= (name === 'qinq-echo' ? 22 : name === 'vlan-echo' ? 18 : 14), name)
      if (!parsed) continue
      t.true(frame.l3Octets >= 0 && frame.l3At + frame.l3Octets === at + length)
      t.is(frame.ipHeaderOctets > 0, length === whole.length && frame.etherType !== 0x0806)
      t.true(flowHash(dv, frame) >= 0)
    }
  }
})

test('what stands behind a frame changes neither its parse nor its hash', t => {
  for (const name of vectorNames()) {
    const octets = inner(name)
    const dv = new DataView(new ArrayBuffer(AT + octets.length + 64))
    new Uint8Array(dv.buffer).set(octets, AT)
    const frame = makeFrame()
    parseFrame(dv, AT, octets.length, frame)
    t.deepEqual(frame, parse(octets).frame)
    t.is(flowHash(dv, frame), hash(octets), name)
  }
})

const ONE_FLOW: [name: string, frames: Uint8Array[]][] = [
  ['all fragments of a datagram', [inner('icmp-fragment-first'), inner('icmp-fragment-last')]],
  ['a TCP connection\'s first and later segments', [inner('tcp-syn'), inner('tcp-request')]],
  ['tagged and untagged', [inner('icmp-echo-request'), inner('vlan-echo'), inner('qinq-echo')]],
  ['with and without IP options', [inner('icmp-echo-request'), inner('icmp-record-route')]],
  ['marked and not', [inner('icmp-echo-request'), inner('icmp-echo-ect0')]],
  ['short and long', [inner('icmpv6-echo-request'), inner('icmpv6-too-long')]],
  ['UDP with other payload, TOS and identification', [
    udpFrame(A, B, payloadOf(5)), udpFrame(A, B, payloadOf(700, 9), { tos: 0xb8, id: 77 }),
    udpFrame(A, B, payloadOf(9), { tags: [VLAN_10] }),
    udpFrame(A, B, payloadOf(9), { tags: [SERVICE_VLAN_100, VLAN_10] }),
    udpFrame(A, { ...B, mac: A.mac }, payloadOf(9)),
  ]],
  ['fragments whose payload looks like other ports', [0x2000, 0x2010, 0x0020].map((fragment, n) =>
    udpFrame(A, B, payloadOf(64, n), { fragment, sourcePort: 1000 + n }))],
  ['IPv6 fragments', [[1, 0], [1, 64], [0, 128]].map(([more, at]) => ether(B.mac, A.mac, 0x86dd,
    ipv6({ source: LOCAL, destination: REMOTE, nextHeader: 44 },
      Uint8Array.of(17, 0, 0, at! | more!, 0, 0, 0, 9, ...payloadOf(30, at)))))],
  ['IPv6 with other flow label and class', [0, 1].map(n => ether(B.mac, A.mac, 0x86dd, ipv6(
    { source: LOCAL, destination: REMOTE, nextHeader: 17, trafficClass: n * 9, flowLabel: n * 77 },
    udp(7, 8, payloadOf(n + 3)))))],
]
for (const [name, frames] of ONE_FLOW) {
  test(`one flow: ${name}`, t => {
    t.true(frames.length > 1)
    t.is(new Set(frames.map(hash)).size, 1)
  })
}

const words = (over: Partial<Ipv4Words>): Ipv4Words =>
  ({ source: '10.0.1.2', destination: '10.0.1.3', protocol: 17, ...over })
const ip = (over: Partial<Ipv4Words>, payload: Uint8Array) =>
  ether(B.mac, A.mac, 0x0800, ipv4(words(over), payload))

test('another address, port, protocol or direction is another flow', t => {
  const frames = [
    ip({}, udp(1000, 2000, payloadOf(3))),
    ip({}, udp(2000, 1000, payloadOf(3))),
    ip({}, udp(1001, 2000, payloadOf(3))),
    ip({}, udp(1000, 2001, payloadOf(3))),
    ip({ protocol: 6 }, tcp(1000, 2000, payloadOf(3))),
    ip({ source: '10.0.1.4' }, udp(1000, 2000, payloadOf(3))),
    ip({ destination: '10.0.1.4' }, udp(1000, 2000, payloadOf(3))),
    ip({ source: '10.0.1.3', destination: '10.0.1.2' }, udp(1000, 2000, payloadOf(3))),
    ether(BROADCAST, A.mac, 0x88b5, payloadOf(9)),
    ether(BROADCAST, B.mac, 0x88b5, payloadOf(9)),
    ether(B.mac, A.mac, 0x88b5, payloadOf(9)),
    ether(B.mac, A.mac, 0x88b6, payloadOf(9)),
  ]
  t.is(new Set(frames.map(hash)).size, frames.length)
})

test('a UDP packet too short for ports has a hash all the same', t => {
  t.is(hash(ip({}, Uint8Array.of(1, 2, 3))), hash(ip({}, Uint8Array.of(9, 9))))
})

test('flows spread over 16 senders and over the whole range', t => {
  const bySender = new Array<number>(16).fill(0)
  const all = new Set<number>()
  for (let port = 1024; port < 5120; port++) {
    const value = hash(ip({}, udp(port, 80, payloadOf(1))))
    t.true(Number.isInteger(value) && value >= 0 && value <= 0x7fffffff)
    bySender[value & 15]! += 1
    all.add(value)
  }
  t.true(bySender.every(count => count > 192 && count < 320), bySender.join(' '))
  t.true(all.size > 4090)
})
