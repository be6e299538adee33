// Datagrams that other VTEPs or strangers send and that must not reach an endpoint: each dropped
// under its own name, and none teaches the switch anything.
import test from 'ava'
import { hexOf, octetsOf } from '../wire/vectors.test-kit.ts'
import type { DropName } from './counter-names.ts'
import { payloadOf, station, udpFrame } from './frames.test-kit.ts'
import { Lab } from './lab.test-kit.ts'

const A = station('10.0.1.2')
const B = station('10.0.1.3')
const FRAME = hexOf(udpFrame(B, A, payloadOf(20)))
const STRANGER = 0xc0a838c8

/** A host with endpoint A at VTEP ….11, whose only member is ….12, receives one datagram. */
function receive(hex: string, source?: number) {
  const lab = new Lab()
  const host = lab.host(0)
  const a = host.addEndpoint(A.address)
  host.receive(octetsOf(hex), source ?? lab.host(1).address)
  lab.run()
  return { host, arrived: a.takeAll().map(hexOf) }
}

const PASSES: [name: string, header: string][] = [
  ['plain', '0800000000100100'],
  ['all reserved flags set', 'ff00000000100100'],
  ['reserved octets set', '08abcdef001001ff'],
]
for (const [name, header] of PASSES) {
  test(`passes: ${name}`, t => {
    const { host, arrived } = receive(header + FRAME)
    t.deepEqual(arrived, [FRAME])
    t.deepEqual(host.drops(), {})
    t.is(host.learnedCount, 1)
  })
}

const HEADER = PASSES[0]![1]
const REFUSED: [name: string, hex: string, drop: DropName, source?: number][] = [
  ['I flag clear', `0000000000100100${FRAME}`, 'bad_flags'],
  ['all flags but I', `f700000000100100${FRAME}`, 'bad_flags'],
  ['a network that is not here', `0800000000100200${FRAME}`, 'bad_vni'],
  ['network 0', `0800000000000000${FRAME}`, 'bad_vni'],
  ['the largest network', `08000000ffffff00${FRAME}`, 'bad_vni'],
  ['a stranger', HEADER + FRAME, 'unknown_vtep', STRANGER],
  ['a stranger with nothing to say', HEADER, 'unknown_vtep', STRANGER],
  ['nothing at all', '', 'malformed'],
  ['one octet', '08', 'malformed'],
  ['no whole VXLAN header', '08000000001001', 'malformed'],
  ['no frame', HEADER, 'malformed'],
  ['half an Ethernet header', HEADER + FRAME.slice(0, 13 * 2), 'malformed'],
  ['a VLAN tag and no more', `${HEADER}${FRAME.slice(0, 24)}8100`, 'malformed'],
  ['half a VLAN tag', `${HEADER}${FRAME.slice(0, 24)}81000007`, 'malformed'],
  ['a second tag cut off', `${HEADER}${FRAME.slice(0, 24)}88a80064810000`, 'malformed'],
  ['a group as source', `${HEADER}02420a000102 01005e000001 0800 00`, 'source_is_group'],
  ['the broadcast as source', `${HEADER}02420a000102 ffffffffffff 0800 00`, 'source_is_group'],
  ['the MAC of an endpoint here', HEADER + hexOf(udpFrame(A, A, payloadOf(1))), 'source_is_local'],
  ['a MAC that nobody here has', HEADER + hexOf(udpFrame(B, station('10.0.1.7'), payloadOf(1))),
    'unknown_mac'],
]
for (const [name, hex, drop, source] of REFUSED) {
  test(`dropped as ${drop}: ${name}`, t => {
    const { host, arrived } = receive(hex, source)
    t.deepEqual(arrived, [])
    t.deepEqual(host.drops(), { [drop]: 1 })
    t.is(host.count('frames.underlay_in'), 1)
    t.is(host.learnedCount, drop === 'unknown_mac' ? 1 : 0)
  })
}

test('dropped as truncated: a datagram that did not fit into its slot', t => {
  const lab = new Lab()
  const host = lab.host(0)
  host.receive(new Uint8Array(70_000).fill(8), lab.host(1).address)
  lab.run()
  t.deepEqual(host.drops(), { truncated: 1 })
})

test('a VTEP of one network is a stranger in another', t => {
  const lab = new Lab({ vnis: [4097, 4098] })
  const host = lab.host(0)
  host.rows.members = host.rows.members.filter(member => member.network === 0)
  host.adopt()
  host.receive(octetsOf(`0800000000100200${FRAME}`), lab.host(1).address)
  host.receive(octetsOf(`0800000000100100${FRAME}`), lab.host(1).address)
  lab.run()
  t.deepEqual(host.drops(), { unknown_vtep: 1, unknown_mac: 1 })
})

test('a MAC that is local in one network may be remote in another', t => {
  const lab = new Lab({ vnis: [4097, 4098] })
  const host = lab.host(0)
  host.addEndpoint(A.address)
  const other = host.addEndpoint(B.address, { network: 1 })
  const frame = hexOf(udpFrame(A, B, payloadOf(1)))
  host.receive(octetsOf(`0800000000100200${frame}`), lab.host(1).address)
  lab.run()
  t.deepEqual(other.takeAll().map(hexOf), [frame])
  t.deepEqual(host.drops(), {})
})

test('every octet of a good datagram may be missing', t => {
  const whole = octetsOf(HEADER + FRAME)
  for (let length = 0; length < whole.length; length++) {
    const { host, arrived } = receive(hexOf(whole.subarray(0, length)))
    const expected = length < 8 + 14 ? 0 : 1
    t.is(arrived.length, expected, `${length} octets`)
    t.deepEqual(host.drops(), expected === 1 ? {} : { malformed: 1 })
  }
})
