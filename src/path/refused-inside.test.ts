// Frames that an endpoint must not send: from addresses that are not its own, or broken. And what a
// promiscuous endpoint may send all the same.
import test from 'ava'
import { linkLocalWords } from '../base/text.ts'
import { ETHERTYPE_IPV6 } from '../wire/ether.ts'
import { hexOf, octetsOf } from '../wire/vectors.test-kit.ts'
import type { DropName } from './counter-names.ts'
import {
  advertisement, arpFrame, arpReply, arpRequest, BROADCAST, ether, ipv6, ipv6Frame, NO_MAC,
  payloadOf, station, udp, udpFrame, VLAN_10, type Words4,
} from './frames.test-kit.ts'
import { Lab } from './lab.test-kit.ts'

const A = station('10.0.1.2')
const B = station('10.0.1.3')
const OTHER = station('10.0.1.66')
const UNSPECIFIED: Words4 = [0, 0, 0, 0]
const ALL_NODES: Words4 = [0xff020000 | 0, 0, 0, 1]
const GLOBAL: Words4 = [0x20010db8, 0, 0, 2]
const OWN = linkLocalWords(A.mac)
const TO_B = linkLocalWords(B.mac)

/** Endpoint A on one host sends, endpoint B on the other may receive. */
function send(frame: Uint8Array, promiscuous = false) {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint(A.address, { promiscuous })
  const b = lab.host(1).addEndpoint(B.address)
  a.send(frame)
  lab.run()
  return { lab, host: lab.host(0), arrived: b.takeAll().map(hexOf) }
}

function v6(source: Words4, tags?: readonly number[]): Uint8Array {
  const words = { source, destination: TO_B, nextHeader: 17 }
  return ipv6Frame(A, B, words, udp(1, 2, payloadOf(9)), tags)
}

const cut = (frame: Uint8Array, octets: number) => frame.subarray(0, octets)

const GOOD: [name: string, frame: Uint8Array][] = [
  ['its own IPv4', udpFrame(A, B, payloadOf(5))],
  ['its own IPv4 with options', udpFrame(A, B, payloadOf(5), { options: new Uint8Array(8) })],
  ['its own IPv4 with padding behind', octetsOf(`${hexOf(udpFrame(A, B, payloadOf(1)))}000000`)],
  ['its own link-local address', v6(OWN)],
  ['its own link-local address in a VLAN', v6(OWN, [VLAN_10])],
  ['the unspecified address, for duplicate address detection', v6(UNSPECIFIED)],
  ['an ARP request of its own', arpRequest(A, '10.0.1.99')],
  ['an ARP reply of its own', arpReply(A, B)],
  ['an ARP probe', arpFrame(BROADCAST, A.mac, 1, { mac: A.mac, address: '0.0.0.0' },
    { mac: NO_MAC, address: '10.0.1.2' })],
  ['gratuitous ARP', arpRequest(A, A.address)],
  ['a neighbour advertisement of its own', advertisement(A, B, OWN)],
  ['a neighbour advertisement of its own, behind an option', advertisement(A, B, OWN, 24, true)],
  ['what is not IP at all', ether(B.mac, A.mac, 0x88b5, payloadOf(46))],
]
for (const [name, frame] of GOOD) {
  test(`passes: ${name}`, t => {
    const { host, arrived } = send(frame)
    t.deepEqual(arrived, [hexOf(frame)])
    t.deepEqual(host.drops(), {})
    t.is(host.learnedCount, 0)
  })
}

const SPOOFED: [name: string, frame: Uint8Array, drop: DropName][] = [
  ['another MAC', udpFrame({ ...A, mac: OTHER.mac }, B, payloadOf(5)), 'spoofed_mac'],
  ['the MAC 0', udpFrame({ ...A, mac: NO_MAC }, B, payloadOf(5)), 'spoofed_mac'],
  ['another IPv4 address', udpFrame({ ...A, address: OTHER.address }, B, payloadOf(5)),
    'spoofed_address'],
  ['another IPv4 address in a VLAN',
    udpFrame({ ...A, address: OTHER.address }, B, payloadOf(5), { tags: [VLAN_10] }),
    'spoofed_address'],
  ['the IPv4 address 0.0.0.0', udpFrame({ ...A, address: '0.0.0.0' }, B, payloadOf(5)),
    'spoofed_address'],
  ['ARP with the MAC of another', arpFrame(BROADCAST, A.mac, 1, { ...A, mac: OTHER.mac }, B),
    'spoofed_mac'],
  ['an ARP request with the address of another',
    arpFrame(BROADCAST, A.mac, 1, { ...A, address: OTHER.address }, B), 'spoofed_address'],
  ['an ARP reply with the address of another',
    arpFrame(B.mac, A.mac, 2, { ...A, address: OTHER.address }, B), 'spoofed_address'],
  ['gratuitous ARP with the address of another',
    arpFrame(BROADCAST, A.mac, 1, { ...A, address: B.address }, B), 'spoofed_address'],
  ['the link-local address of another', v6(TO_B), 'spoofed_address'],
  ['a global IPv6 address', v6(GLOBAL), 'spoofed_address'],
  ['a neighbour advertisement of another', advertisement(A, B, TO_B), 'spoofed_address'],
  ['a neighbour advertisement of another, behind an option', advertisement(A, B, TO_B, 32, true),
    'spoofed_address'],
  ['a neighbour advertisement of a global address', advertisement(A, B, GLOBAL),
    'spoofed_address'],
  ['a group as IPv6 source', v6(ALL_NODES), 'spoofed_address'],
  ['a link-local address with one bit wrong', v6([OWN[0], OWN[1], OWN[2], OWN[3] ^ 1]),
    'spoofed_address'],
]
for (const [name, frame, drop] of SPOOFED) {
  test(`dropped as ${drop}: ${name}`, t => {
    const { host, arrived } = send(frame)
    t.deepEqual(arrived, [])
    t.deepEqual(host.drops(), { [drop]: 1 })
    t.is(host.count('frames.underlay_out'), 0)
  })
  test(`passes from a promiscuous endpoint: ${name}`, t => {
    const { host, arrived } = send(frame, true)
    t.deepEqual(arrived, [hexOf(frame)])
    t.deepEqual(host.drops(), {})
  })
}

const BROKEN: [name: string, frame: Uint8Array][] = [
  ['no octet', new Uint8Array()],
  ['13 octets', cut(udpFrame(A, B, payloadOf(5)), 13)],
  ['half an IPv4 header', cut(udpFrame(A, B, payloadOf(5)), 14 + 19)],
  ['less than the IPv4 total length', cut(udpFrame(A, B, payloadOf(5)), 14 + 32)],
  ['IPv4 of version 5', ether(B.mac, A.mac, 0x0800, octetsOf('55'.repeat(40)))],
  ['half an IPv6 header', cut(v6(OWN), 14 + 39)],
  ['less than the IPv6 payload length', cut(v6(OWN), 14 + 50)],
  ['IPv4 that says IPv6', ether(B.mac, A.mac, ETHERTYPE_IPV6, octetsOf('45'.repeat(60)))],
  ['a neighbour advertisement without its target', advertisement(A, B, OWN, 23)],
  ['a neighbour advertisement of one octet', advertisement(A, B, OWN, 1, true)],
  ['half an ARP message', cut(arpRequest(A, B.address), 14 + 27)],
  ['ARP for something else than IPv4',
    ether(BROADCAST, A.mac, 0x0806, octetsOf(`000186dd0610${'00'.repeat(40)}`))],
  ['a VLAN tag cut off', cut(udpFrame(A, B, payloadOf(5), { tags: [VLAN_10] }), 16)],
]
for (const [name, frame] of BROKEN) {
  test(`dropped as malformed: ${name}`, t => {
    const { host, arrived } = send(frame)
    t.deepEqual(arrived, [])
    t.deepEqual(host.drops(), { malformed: 1 })
  })
}

test('a group as source is dropped, also from a promiscuous endpoint', t => {
  for (const promiscuous of [false, true]) {
    const { host, arrived } = send(ether(B.mac, '03:42:0a:00:01:02', 0x88b5, payloadOf(46)),
      promiscuous)
    t.deepEqual(arrived, [])
    t.deepEqual(host.drops(), { source_is_group: 1 })
  }
})

test('the MAC of the receiver is refused at home, and abroad if home does not look', t => {
  const frame = ether(BROADCAST, B.mac, 0x88b5, payloadOf(46))
  t.deepEqual(send(frame).host.drops(), { spoofed_mac: 1 })
  const abroad = send(frame, true)
  t.deepEqual(abroad.arrived, [])
  t.deepEqual(abroad.lab.host(1).drops(), { source_is_local: 1 })
})

test('a promiscuous endpoint may send packets that nobody understands', t => {
  const frame = ether(B.mac, A.mac, ETHERTYPE_IPV6, ipv6({ source: GLOBAL, destination: TO_B,
    nextHeader: 59 }, payloadOf(5)).subarray(0, 20))
  t.deepEqual(send(frame, true).arrived, [hexOf(frame)])
})
