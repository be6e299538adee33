// What a VTEP may say it is: only what was given to it. Everything else is dropped under its own
// name, reaches nobody, and teaches the switch nothing.
import test from 'ava'
import { linkLocalWords } from '../base/text.ts'
import { complementSum, sumOctets } from '../wire/checksum.ts'
import { writeVxlan } from '../wire/vxlan.ts'
import { hexOf } from '../wire/vectors.test-kit.ts'
import type { DropName } from './counter-names.ts'
import {
  advertisement, arpFrame, arpRequest, BROADCAST, ether, ipv4, ipv6Frame, payloadOf, station,
  type Station, tcp, udpFrame, viewOf, withChecksum, type Words4,
} from './frames.test-kit.ts'
import { Lab, type LabEndpoint, type LabOptions, VNI } from './lab.test-kit.ts'

const PAYLOAD = payloadOf(20)
const STRANGER = station('10.0.1.99')
const STRANGER_VTEP = 0xc0a838c8
const NOBODY: Words4 = [0, 0, 0, 0]

/** a, b and c on hosts one, two, three, told of each other; `behind` c anybody may be. */
function makeMesh(options: LabOptions & { behind?: boolean } = {}) {
  const lab = new Lab({ hosts: 3, strict: true, ...options })
  const [one, two, three] = [lab.host(0), lab.host(1), lab.host(2)]
  const a = one.addEndpoint('10.0.1.2')
  const b = two.addEndpoint('10.0.1.3')
  const c = three.addEndpoint('10.0.1.4', { promiscuous: options.behind ?? false })
  lab.share()
  return { lab, one, two, three, a, b, c }
}

function datagram(frame: Uint8Array): Uint8Array {
  const octets = new Uint8Array(8 + frame.length)
  writeVxlan(viewOf(octets), 0, VNI)
  octets.set(frame, 8)
  return octets
}

type Ends = { a: LabEndpoint; b: LabEndpoint; c: LabEndpoint }
type Case = [name: string, frame: (ends: Ends) => Uint8Array, drop?: DropName]

function v6(from: Station, to: LabEndpoint, source: Words4): Uint8Array {
  return ipv6Frame(from, to, { source, destination: to.linkLocal, nextHeader: 59 }, PAYLOAD)
}

/** A sender's own MAC with the IPv4 source of another. */
function as(from: Station, address: string, to: Station): Uint8Array {
  return udpFrame({ mac: from.mac, address }, to, PAYLOAD)
}

// From b's VTEP, behind which is nobody else.
const FROM_B: Case[] = [
  ['its own endpoint', ({ a, b }) => udpFrame(b, a, PAYLOAD)],
  ['its own endpoint, ARP', ({ a, b }) => arpRequest(b, a.address)],
  ['its own endpoint, a probe', ({ a, b }) => arpFrame(BROADCAST, b.mac, 1,
    { mac: b.mac, address: '0.0.0.0' }, a)],
  ['its own endpoint, IPv6', ({ a, b }) => v6(b, a, b.linkLocal)],
  ['its own endpoint, IPv6 from nobody', ({ a, b }) => v6(b, a, NOBODY)],
  ['its own endpoint, something else', ({ a, b }) => ether(a.mac, b.mac, 0x88b5, PAYLOAD)],
  ['a MAC of another VTEP', ({ a, c }) => udpFrame(c, a, PAYLOAD), 'wrong_vtep'],
  ['a MAC of another VTEP, to all', ({ a, c }) => arpRequest(c, a.address), 'wrong_vtep'],
  ['a MAC of this host', ({ a }) => udpFrame(a, a, PAYLOAD), 'source_is_local'],
  ['an unknown MAC', ({ a }) => udpFrame(STRANGER, a, PAYLOAD), 'unknown_source'],
  ['an unknown MAC, no IP', ({ a }) => ether(a.mac, STRANGER.mac, 0x88b5, PAYLOAD),
    'unknown_source'],
  ['an address of another VTEP', ({ a, b, c }) => as(b, c.address, a), 'wrong_vtep'],
  ['an address of this host', ({ a, b }) => as(b, a.address, a), 'source_is_local'],
  ['an unknown address', ({ a, b }) => as(b, STRANGER.address, a), 'unknown_source'],
  ['no address', ({ a, b }) => as(b, '0.0.0.0', a), 'unknown_source'],
  ['IPv4 that is not whole', ({ a, b }) => ether(a.mac, b.mac, 0x0800, payloadOf(30)),
    'malformed'],
  ['IPv6 that is not whole', ({ a, b }) => ether(a.mac, b.mac, 0x86dd, payloadOf(30)),
    'malformed'],
  ['ARP that is not whole', ({ a, b }) => ether(a.mac, b.mac, 0x0806, payloadOf(27)), 'malformed'],
  ['ARP with the address of another VTEP', ({ a, b, c }) => arpFrame(a.mac, b.mac, 2,
    { mac: b.mac, address: c.address }, a), 'wrong_vtep'],
  ['ARP with an address of this host', ({ a, b }) => arpFrame(a.mac, b.mac, 2,
    { mac: b.mac, address: a.address }, a), 'source_is_local'],
  ['ARP with an unknown address', ({ a, b }) => arpFrame(a.mac, b.mac, 2,
    { mac: b.mac, address: STRANGER.address }, a), 'unknown_source'],
  ['ARP with the MAC of another VTEP', ({ a, b, c }) => arpFrame(a.mac, b.mac, 2,
    { mac: c.mac, address: b.address }, a), 'wrong_vtep'],
  ['ARP with an unknown MAC', ({ a, b }) => arpFrame(a.mac, b.mac, 2,
    { mac: STRANGER.mac, address: b.address }, a), 'unknown_source'],
  ['IPv6 from the address of another VTEP', ({ a, b, c }) => v6(b, a, c.linkLocal), 'wrong_vtep'],
  ['IPv6 from an address of this host', ({ a, b }) => v6(b, a, a.linkLocal), 'source_is_local'],
  ['IPv6 from the address of an unknown MAC', ({ a, b }) =>
    v6(b, a, linkLocalWords(STRANGER.mac)), 'unknown_source'],
  ['where it is itself', ({ a, b }) => advertisement(b, a, b.linkLocal)],
  ['where the endpoint of another VTEP is', ({ a, b, c }) => advertisement(b, a, c.linkLocal),
    'wrong_vtep'],
  ['where an endpoint of this host is, behind an option', ({ a, b }) =>
    advertisement(b, a, a.linkLocal, 32, true), 'source_is_local'],
  ['where an address is that nobody gives', ({ a, b }) =>
    advertisement(b, a, [0xfd000001 | 0, 0, 0, 3]), 'unknown_source'],
  ['where something is, and not what', ({ a, b }) => advertisement(b, a, b.linkLocal, 23),
    'malformed'],
  ['IPv6 from an address that nobody gives', ({ a, b }) => v6(b, a, [0xfd000001 | 0, 0, 0, 3]),
    'unknown_source'],
]
for (const [name, frame, drop] of FROM_B) {
  test(`from a VTEP${drop === undefined ? '' : `, dropped as ${drop}`}: ${name}`, t => {
    const { lab, one, two, a, b, c } = makeMesh()
    const octets = frame({ a, b, c })
    one.receive(datagram(octets), two.address)
    lab.run()
    t.deepEqual(a.takeAll().map(hexOf), drop === undefined ? [hexOf(octets)] : [])
    t.deepEqual(one.drops(), drop === undefined ? {} : { [drop]: 1 })
    t.is(one.learnedCount, 0)
  })
}

// From c's VTEP, behind which is a promiscuous endpoint.
const FROM_C: Case[] = [
  ['its own endpoint', ({ a, c }) => udpFrame(c, a, PAYLOAD)],
  ['its own endpoint with an address that is free', ({ a, c }) => as(c, STRANGER.address, a)],
  ['somebody behind it', ({ a }) => udpFrame(STRANGER, a, PAYLOAD)],
  ['somebody behind it, ARP', ({ a }) => arpRequest(STRANGER, a.address)],
  ['somebody behind it, IPv6', ({ a }) => v6(STRANGER, a, linkLocalWords(STRANGER.mac))],
  ['somebody behind it, with a global address', ({ a }) =>
    v6(STRANGER, a, [0xfd000001 | 0, 0, 0, 3])],
  ['somebody behind it with the address of its endpoint', ({ a, c }) =>
    as(STRANGER, c.address, a)],
  ['a MAC of another VTEP', ({ a, b }) => udpFrame(b, a, PAYLOAD), 'wrong_vtep'],
  ['a MAC of this host', ({ a }) => udpFrame(a, a, PAYLOAD), 'source_is_local'],
  ['somebody behind it with the address of another VTEP', ({ a, b }) =>
    as(STRANGER, b.address, a), 'wrong_vtep'],
  ['somebody behind it with an address of this host', ({ a }) =>
    as(STRANGER, a.address, a), 'source_is_local'],
  ['ARP that takes the address of another VTEP', ({ a, b }) => arpFrame(a.mac, STRANGER.mac, 2,
    { mac: STRANGER.mac, address: b.address }, a), 'wrong_vtep'],
  ['ARP that takes the MAC of another VTEP', ({ a, b }) => arpFrame(a.mac, STRANGER.mac, 2,
    { mac: b.mac, address: STRANGER.address }, a), 'wrong_vtep'],
  ['IPv6 that takes the address of another VTEP', ({ a, b }) => v6(STRANGER, a, b.linkLocal),
    'wrong_vtep'],
  ['where somebody behind it is', ({ a, c }) =>
    advertisement(c, a, linkLocalWords(STRANGER.mac))],
  ['where the endpoint of another VTEP is', ({ a, b }) => advertisement(STRANGER, a, b.linkLocal),
    'wrong_vtep'],
  ['IPv6 that takes an address of this host', ({ a }) => v6(STRANGER, a, a.linkLocal),
    'source_is_local'],
]
for (const [name, frame, drop] of FROM_C) {
  test(`from a promiscuous VTEP${drop === undefined ? '' : `, dropped as ${drop}`}: ${name}`, t => {
    const { lab, one, three, a, b, c } = makeMesh({ behind: true })
    const octets = frame({ a, b, c })
    const isUnknown = hexOf(octets.subarray(6, 12)) === STRANGER.mac.replaceAll(':', '')
    one.receive(datagram(octets), three.address)
    lab.run()
    t.deepEqual(a.takeAll().map(hexOf), drop === undefined ? [hexOf(octets)] : [])
    t.deepEqual(one.drops(), drop === undefined ? {} : { [drop]: 1 })
    t.is(one.learnedCount, drop === undefined && isUnknown ? 1 : 0)
  })
}

test('a stranger is no VTEP, whatever it says', t => {
  const { lab, one, a, b } = makeMesh()
  one.receive(datagram(udpFrame(b, a, PAYLOAD)), STRANGER_VTEP)
  lab.run()
  t.deepEqual(one.drops(), { unknown_vtep: 1 })
  t.deepEqual(a.takeAll(), [])
})

test('where not all is given, unknown sources are learned, but given ones are not taken', t => {
  const { lab, one, two, a, b, c } = makeMesh({ strict: false })
  for (const frame of [
    udpFrame(STRANGER, a, PAYLOAD), as(b, STRANGER.address, a), as(b, c.address, a),
    udpFrame(c, a, PAYLOAD), udpFrame(a, a, PAYLOAD),
  ]) one.receive(datagram(frame), two.address)
  lab.run()
  t.is(a.takeAll().length, 3)
  t.deepEqual(one.drops(), { wrong_vtep: 1, source_is_local: 1 })
  t.is(one.learnedCount, 1)
})

test('what was given to another VTEP and comes here by mistake reaches nobody', t => {
  const { lab, one, two, a, b, c } = makeMesh()
  const watcher = one.addEndpoint('10.0.1.9', { promiscuous: true })
  one.receive(datagram(udpFrame(b, c, PAYLOAD)), two.address)
  lab.run()
  t.deepEqual([a.takeAll(), watcher.takeAll(), c.takeAll()], [[], [], []])
  t.deepEqual(one.drops(), { unknown_mac: 1 })
  t.is(one.count('frames.underlay_out'), 0)
})

// ---- promiscuous endpoints of this host ----

const FROM_INSIDE: Case[] = [
  ['itself', ({ a, c }) => udpFrame(c, a, PAYLOAD)],
  ['somebody behind it', ({ a }) => udpFrame(STRANGER, a, PAYLOAD)],
  ['the MAC of another node\'s endpoint', ({ a, b }) => udpFrame(b, a, PAYLOAD), 'spoofed_mac'],
  ['an endpoint of this host', ({ a }) => udpFrame(station('10.0.1.5'), a, PAYLOAD),
    'spoofed_mac'],
  ['the address of another node\'s endpoint', ({ a, b }) => as(STRANGER, b.address, a),
    'spoofed_address'],
  ['ARP for the address of another node\'s endpoint', ({ a, b }) => arpFrame(BROADCAST,
    STRANGER.mac, 2, { mac: STRANGER.mac, address: b.address }, a), 'spoofed_address'],
  ['IPv4 that is not whole', ({ a }) => ether(a.mac, STRANGER.mac, 0x0800, payloadOf(30)),
    'malformed'],
]
for (const [name, frame, drop] of FROM_INSIDE) {
  test(`a promiscuous endpoint may be ${name}: ${drop ?? 'yes'}`, t => {
    const { lab, one, three, a, b, c } = makeMesh({ behind: true })
    three.addEndpoint('10.0.1.5')
    lab.share()
    const octets = frame({ a, b, c })
    c.send(octets)
    lab.run()
    t.deepEqual(a.takeAll().map(hexOf), drop === undefined ? [hexOf(octets)] : [])
    t.deepEqual(three.drops(), drop === undefined ? {} : { [drop]: 1 })
    t.deepEqual(one.drops(), {})
  })
}

// ---- the short way of trains ----

type Change = (octets: Uint8Array) => void

/** Segment `n` of one flow: what it is like but for `change` is right, its checksums too. */
function segment(from: Station, to: Station, n: number, change: Change = () => {}): Uint8Array {
  const message = tcp(80, 5000, payloadOf(100, n))
  viewOf(message).setInt32(4, n * 100)
  const words = { source: from.address, destination: to.address, protocol: 6, fragment: 0x4000 }
  const octets = datagram(ether(to.mac, from.mac, 0x0800, ipv4(words, message)))
  change(octets)
  const packet = octets.subarray(8 + 14)
  viewOf(packet).setUint16(10, 0)
  viewOf(packet).setUint16(10, complementSum(sumOctets(viewOf(packet), 0, 20, 0)))
  packet.set(withChecksum(packet, 'right'))
  return octets
}

test('segments of a given source that follow one another go the short way', t => {
  const { lab, one, two, a, b } = makeMesh()
  for (let n = 0; n < 8; n++) one.receive(segment(b, a, n), two.address)
  lab.run()
  t.deepEqual(one.drops(), {})
  t.is(one.count('frames.coalesced'), 7)
})

test('what goes on where a train ends is checked when another VTEP sends it', t => {
  const { lab, one, two, three, a, b } = makeMesh()
  one.receive(segment(b, a, 0), two.address)
  one.receive(segment(b, a, 1), three.address)
  one.receive(segment(b, a, 1), two.address)
  lab.run()
  t.deepEqual(one.drops(), { wrong_vtep: 1 })
  t.deepEqual([one.count('frames.tap_out'), one.count('frames.coalesced')], [2, 1])
})

const CHANGES: [name: string, at: number, octet: number, drop: DropName][] = [
  ['source MAC', 8 + 11, 0x04, 'wrong_vtep'],
  ['source MAC, which is unknown', 8 + 11, 0x77, 'unknown_source'],
  ['source MAC, its first octet', 8 + 6, 0x06, 'unknown_source'],
  ['IPv4 source', 8 + 29, 0x04, 'wrong_vtep'],
  ['IPv4 source, which is unknown', 8 + 29, 0x77, 'unknown_source'],
  ['destination MAC', 8 + 5, 0x77, 'unknown_mac'],
  ['network', 6, 0x77, 'bad_vni'],
  ['I flag', 0, 0, 'bad_flags'],
]
for (const [name, at, octet, drop] of CHANGES) {
  test(`what goes on where a train ends but for its ${name} is ${drop}`, t => {
    const { lab, one, two, a, b } = makeMesh()
    one.receive(segment(b, a, 0), two.address)
    one.receive(segment(b, a, 1, octets => { octets[at] = octet }), two.address)
    one.receive(segment(b, a, 1), two.address)
    lab.run()
    t.deepEqual(one.drops(), { [drop]: 1 })
    t.deepEqual([one.count('frames.tap_out'), one.count('frames.coalesced')], [2, 1])
  })
}
