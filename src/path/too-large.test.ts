// Frames that are too large for the tunnel are answered with ICMP to the sender, and to him only.
import test from 'ava'
import { linkLocalWords } from '../base/text.ts'
import { foldSum, pseudoSumIpv6, sumOctets } from '../wire/checksum.ts'
import { hexOf, INNER_FRAME, vector } from '../wire/vectors.test-kit.ts'
import {
  BROADCAST, echo, ether, ipv4, ipv6, payloadOf, SERVICE_VLAN_100, station, udp, udpFrame, viewOf,
  VLAN_10, type Words4,
} from './frames.test-kit.ts'
import { type LabOptions, Lab, MTU } from './lab.test-kit.ts'
import { ICMP_PER_SECOND } from './plane.ts'

const A = station('10.0.1.2')
const B = station('10.0.1.3')
const A6 = linkLocalWords(A.mac)
const B6 = linkLocalWords(B.mac)

type Options = LabOptions & { promiscuous?: boolean }

/** What A gets back for `frame`, and its host. */
function send(frame: Uint8Array, { promiscuous = false, ...options }: Options = {}) {
  const lab = new Lab(options)
  const a = lab.host(0).addEndpoint(A.address, { promiscuous })
  const b = lab.host(1).addEndpoint(B.address)
  a.send(frame)
  lab.run()
  return { host: lab.host(0), answer: a.take(), passed: b.takeAll() }
}

const big4 = (octets: number, tags: readonly number[] = []) =>
  udpFrame(A, B, payloadOf(octets - 28), { tags, fragment: 0x4000 })
const big6 = (octets: number, tags: readonly number[] = [], source: Words4 = A6) => ether(B.mac,
  A.mac, 0x86dd, ipv6({ source, destination: B6, nextHeader: 17 },
    udp(1, 2, payloadOf(octets - 48))), tags)

const TAGS: [name: string, tags: number[]][] = [
  ['', []], [' in a VLAN', [VLAN_10]], [' in two VLANs', [SERVICE_VLAN_100, VLAN_10]],
]
for (const [where, tags] of TAGS) {
  const most = MTU - tags.length * 4
  test(`IPv4${where}: ${most} octets pass, one more is answered with fragmentation needed`, t => {
    t.is(send(big4(most, tags)).passed.length, 1)
    const frame = big4(most + 1, tags)
    const { host, answer, passed } = send(frame)
    t.deepEqual(passed, [])
    t.deepEqual(host.drops(), { too_large: 1 })
    t.is(host.count('icmp.too_large_sent'), 1)
    const { octets, vnetHeader } = answer!
    const l3 = 14 + tags.length * 4
    const view = viewOf(octets)
    t.is(hexOf(vnetHeader), '00'.repeat(10))
    t.is(hexOf(octets.subarray(0, 12)), hexOf(frame.subarray(6, 12)) + hexOf(frame.subarray(0, 6)))
    t.is(hexOf(octets.subarray(12, l3)), hexOf(frame.subarray(12, l3)))
    t.is(octets.length, l3 + 20 + 8 + 548)
    t.is(view.getUint16(l3 + 2), octets.length - l3)
    t.is(foldSum(sumOctets(view, l3, 20, 0)), 0xffff)
    t.is(hexOf(octets.subarray(l3 + 12, l3 + 20)), '0a0001030a000102')
    t.is(octets[l3 + 9], 1)
    t.is(view.getUint16(l3 + 20), 0x0304)
    t.is(view.getUint32(l3 + 24), most)
    t.is(foldSum(sumOctets(view, l3 + 20, octets.length - l3 - 20, 0)), 0xffff)
    t.is(hexOf(octets.subarray(l3 + 28)), hexOf(frame.subarray(l3, l3 + 548)))
  })

  test(`IPv6${where}: ${most} octets pass, one more is answered with packet too big`, t => {
    t.is(send(big6(most, tags)).passed.length, 1)
    const frame = big6(most + 1, tags)
    const { host, answer, passed } = send(frame)
    t.deepEqual(passed, [])
    t.deepEqual(host.drops(), { too_large: 1 })
    const { octets, vnetHeader } = answer!
    const l3 = 14 + tags.length * 4
    const view = viewOf(octets)
    t.is(hexOf(vnetHeader), '00'.repeat(10))
    t.is(hexOf(octets.subarray(0, 12)), hexOf(frame.subarray(6, 12)) + hexOf(frame.subarray(0, 6)))
    t.is(hexOf(octets.subarray(12, l3)), hexOf(frame.subarray(12, l3)))
    t.is(octets.length, l3 + 1280)
    t.is(view.getUint16(l3 + 4), 1240)
    t.is(octets[l3 + 6], 58)
    t.is(hexOf(octets.subarray(l3 + 8, l3 + 24)), hexOf(frame.subarray(l3 + 24, l3 + 40)))
    t.is(hexOf(octets.subarray(l3 + 24, l3 + 40)), hexOf(frame.subarray(l3 + 8, l3 + 24)))
    t.is(view.getUint16(l3 + 40), 0x0200)
    t.is(view.getUint32(l3 + 44), most)
    const pseudo = pseudoSumIpv6(view, l3, 58, 1240)
    t.is(foldSum(sumOctets(view, l3 + 40, 1240, pseudo)), 0xffff)
    t.is(hexOf(octets.subarray(l3 + 48)), hexOf(frame.subarray(l3, l3 + 1232)))
  })
}

test('the answer says what the kernel\'s own routers say, in the same form', t => {
  const asked = vector('icmp-too-long').subarray(INNER_FRAME)
  const theirs = vector('icmp-fragmentation-needed').subarray(INNER_FRAME)
  const { answer } = send(asked, { mtu: 600, promiscuous: true })
  const ours = answer!.octets
  t.is(ours.length, theirs.length)
  t.is(hexOf(ours.subarray(34, 36)), hexOf(theirs.subarray(34, 36)))
  t.is(hexOf(ours.subarray(38, 42)), hexOf(theirs.subarray(38, 42)))
})

test('a neighbour on the same host is no way around the MTU', t => {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint(A.address)
  const b = lab.host(0).addEndpoint(B.address)
  a.send(big4(MTU + 1))
  lab.run()
  t.is(a.takeAll().length, 1)
  t.deepEqual(b.takeAll(), [])
})

const inIpv4 = (over: { fragment?: number; source?: string; protocol?: number },
  payload: Uint8Array, to = B.mac) => ether(to, A.mac, 0x0800,
  ipv4({ source: A.address, destination: B.address, protocol: 17, ...over }, payload))
const inIpv6 = (nextHeader: number, payload: Uint8Array, source: Words4 = A6, to = B.mac) =>
  ether(to, A.mac, 0x86dd, ipv6({ source, destination: B6, nextHeader }, payload))
const LONG = payloadOf(MTU + 1)
const icmp = (type: number) => Uint8Array.of(type, 0, 0, 0, ...LONG)

const SILENT: [name: string, frame: Uint8Array][] = [
  ...[3, 4, 5, 11, 12].map(type =>
    [`ICMP error ${type}`, inIpv4({ protocol: 1 }, icmp(type))] as [string, Uint8Array]),
  ...[1, 2, 3, 4, 127].map(type =>
    [`ICMPv6 error ${type}`, inIpv6(58, icmp(type))] as [string, Uint8Array]),
  ['ICMPv6 error behind an extension header',
    inIpv6(0, Uint8Array.of(58, 0, 1, 4, 0, 0, 0, 0, ...icmp(1)))],
  ['a later IPv4 fragment', inIpv4({ fragment: 0x0010 }, LONG)],
  ['the last IPv4 fragment', inIpv4({ fragment: 0x2010 }, LONG)],
  ['IPv4 to all', inIpv4({}, LONG, BROADCAST)],
  ['IPv4 to a group', inIpv4({}, LONG, '01:00:5e:00:00:01')],
  ['IPv6 to a group', inIpv6(17, LONG, A6, '33:33:00:00:00:01')],
  ['IPv6 from nobody', inIpv6(17, LONG, [0, 0, 0, 0])],
  ['IPv6 from a group', inIpv6(17, LONG, [0xff020000 | 0, 0, 0, 1])],
  ['IPv4 from nobody', inIpv4({ source: '0.0.0.0' }, LONG)],
  ['IPv4 from a group', inIpv4({ source: '224.0.0.9' }, LONG)],
  ['IPv4 from everybody', inIpv4({ source: '255.255.255.255' }, LONG)],
  ['IPv4 from a loopback address', inIpv4({ source: '127.0.0.1' }, LONG)],
  ['no IP at all', ether(B.mac, A.mac, 0x88b5, LONG)],
  ['IPv4 that is not whole', ether(B.mac, A.mac, 0x0800, new Uint8Array(MTU + 1).fill(0x55))],
  ['ARP', ether(B.mac, A.mac, 0x0806, new Uint8Array(MTU + 1))],
]
for (const [name, frame] of SILENT) {
  test(`dropped without an answer: ${name}`, t => {
    const { host, answer, passed } = send(frame, { promiscuous: true })
    t.is(hexOf(answer?.octets ?? new Uint8Array()), '')
    t.deepEqual(passed, [])
    t.deepEqual(host.drops(), { too_large: 1 })
    t.is(host.count('icmp.too_large_sent') + host.count('icmp.too_large_limited'), 0)
  })
}

const ANSWERED: [name: string, frame: Uint8Array][] = [
  ['an echo request', inIpv4({ protocol: 1 }, echo(8, 1, LONG))],
  ['the first IPv4 fragment', inIpv4({ fragment: 0x2000 }, LONG)],
  ['an ICMPv6 echo request', inIpv6(58, icmp(128))],
  ['IPv6 behind an extension header',
    inIpv6(0, Uint8Array.of(17, 0, 1, 4, 0, 0, 0, 0, ...LONG))],
]
for (const [name, frame] of ANSWERED) {
  test(`answered: ${name}`, t => {
    const { host, answer } = send(frame)
    t.not(answer, undefined)
    t.is(host.count('icmp.too_large_sent'), 1)
  })
}

test('a spoofed frame is not answered, whatever its size', t => {
  const { host, answer } = send(udpFrame(station('10.0.1.66'), B, LONG))
  t.is(hexOf(answer?.octets ?? new Uint8Array()), '')
  t.deepEqual(host.drops(), { spoofed_mac: 1 })
})

test('answers are limited in a second, and what is left out is counted', t => {
  const lab = new Lab()
  const host = lab.host(0)
  const a = host.addEndpoint(A.address)
  const many = Array.from({ length: ICMP_PER_SECOND + 50 }, () => big4(MTU + 1))
  a.send(...many)
  lab.run()
  t.is(a.takeAll().length, ICMP_PER_SECOND)
  t.is(host.count('icmp.too_large_limited'), 50)
  t.deepEqual(host.drops(), { too_large: ICMP_PER_SECOND + 50 })
  lab.advance(1000)
  a.send(big4(MTU + 1))
  lab.run()
  t.is(a.takeAll().length, 1)
})

test('the limit holds also while many entries age in the same second', t => {
  const lab = new Lab()
  const host = lab.host(0)
  const a = host.addEndpoint(A.address, { promiscuous: true })
  for (let n = 0; n < 600; n++) {
    a.send(udpFrame(station(`10.2.${n >> 8}.${n & 255}`), B, payloadOf(1)))
  }
  lab.run()
  lab.advance(300_000)
  t.true(host.learnedCount > 256)
  for (let n = 0; n < ICMP_PER_SECOND + 50; n++) a.send(big4(MTU + 1))
  lab.run()
  t.is(host.count('icmp.too_large_sent'), ICMP_PER_SECOND)
})
