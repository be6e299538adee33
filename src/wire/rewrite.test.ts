// Translated addresses and ports: the checksums come out as if computed anew, and translating back
// gives the packet as it was. fast-check prints the seed of a failing run.
import test from 'ava'
import fc from 'fast-check'
import {
  complementSum, foldSum, pseudoSumIpv4, sumOctets,
} from './checksum.ts'
import { ICMP_HEADER_OCTETS, ICMP_UNREACHABLE } from './icmp.ts'
import {
  ipv4ChecksumHolds, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP, writeIpv4Header,
} from './ipv4.ts'
import {
  quotedIsWhole, quotedPortsAt, rewriteIpv4, rewriteQuoted, swapPorts,
} from './rewrite.ts'
import { TCP_HEADER_OCTETS, writeTcpHeader } from './tcp.ts'
import { UDP_HEADER_OCTETS, writeUdpHeader } from './udp.ts'

const HEADER = 20
const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const ends = fc.record({ source: word, destination: word, ports: word })
type Ends = { source: number; destination: number; ports: number }
const packet = fc.record({
  protocol: fc.constantFrom(PROTOCOL_TCP, PROTOCOL_UDP),
  kind: fc.constantFrom<Kind>('right', 'partial'),
  ends,
  payload: fc.uint8Array({ maxLength: 70 }),
})
type Kind = 'right' | 'partial'

function fieldOf(protocol: number): number {
  return HEADER + (protocol === PROTOCOL_TCP ? 16 : 6)
}

/** A whole IPv4 packet with a right checksum, or with that of the pseudo-header alone. */
function make(protocol: number, kind: Kind, { source, destination, ports }: Ends,
  payload: Uint8Array): DataView {
  const head = protocol === PROTOCOL_TCP ? TCP_HEADER_OCTETS : UDP_HEADER_OCTETS
  const octets = new Uint8Array(HEADER + head + payload.length)
  const dv = new DataView(octets.buffer)
  writeIpv4Header(dv, 0, octets.length, protocol, 64, 0, source, destination, 7, false)
  const from = ports >>> 16
  const to = ports & 0xffff
  if (protocol === PROTOCOL_TCP) writeTcpHeader(dv, HEADER, from, to, 5, 6, head, 0x18, 512, 0)
  else writeUdpHeader(dv, HEADER, from, to, head + payload.length, 0)
  octets.set(payload, HEADER + head)
  const length = head + payload.length
  const pseudo = pseudoSumIpv4(dv, 0, protocol, length)
  const sum = complementSum(sumOctets(dv, HEADER, length, pseudo))
  dv.setUint16(fieldOf(protocol), kind === 'partial' ? foldSum(pseudo)
    : sum === 0 && protocol === PROTOCOL_UDP ? 0xffff : sum)
  return dv
}

function rewrite(dv: DataView, protocol: number, kind: Kind, to: Ends): void {
  rewriteIpv4(dv, 0, HEADER, dv.byteLength - HEADER, protocol, to.source, to.destination, to.ports,
    kind === 'partial')
}

function octetsOf(dv: DataView): Uint8Array {
  return new Uint8Array(dv.buffer)
}

test('a translated packet is the one that its ends would have sent', t => {
  fc.assert(fc.property(packet, ends, ({ protocol, kind, ends: from, payload }, to) => {
    const dv = make(protocol, kind, from, payload)
    rewrite(dv, protocol, kind, to)
    t.deepEqual(octetsOf(dv), octetsOf(make(protocol, kind, to, payload)))
  }), { numRuns: 2000 })
})

test('translated back it is what it was, also when it was damaged', t => {
  fc.assert(fc.property(packet, ends, fc.nat(), (given, to, n) => {
    const { protocol, kind, ends: from, payload } = given
    const dv = make(protocol, kind, from, payload)
    // Damage to what follows the ports; not to the checksum, whose two zeros are one number.
    const at = fieldOf(protocol) + 2 + n % (dv.byteLength - fieldOf(protocol) - 1)
    if (at < dv.byteLength) dv.setUint8(at, dv.getUint8(at) ^ 0xa5)
    const before = octetsOf(dv).slice()
    rewrite(dv, protocol, kind, to)
    rewrite(dv, protocol, kind, from)
    t.deepEqual(octetsOf(dv), before)
  }), { numRuns: 2000 })
})

test('UDP without checksum stays so', t => {
  const dv = make(PROTOCOL_UDP, 'right', { source: 1, destination: 2, ports: 3 }, new Uint8Array(5))
  dv.setUint16(fieldOf(PROTOCOL_UDP), 0)
  rewrite(dv, PROTOCOL_UDP, 'right', { source: 4, destination: 5, ports: 6 })
  t.is(dv.getUint16(fieldOf(PROTOCOL_UDP)), 0)
  t.is(dv.getInt32(HEADER), 6)
})

test('a later fragment has addresses only', t => {
  const dv = make(PROTOCOL_UDP, 'right', { source: 1, destination: 2, ports: 3 }, new Uint8Array(5))
  const payload = octetsOf(dv).slice(HEADER)
  rewriteIpv4(dv, 0, HEADER, dv.byteLength - HEADER, -1, 4, 5, 6, false)
  t.deepEqual(octetsOf(dv).slice(HEADER), payload)
  t.deepEqual([dv.getInt32(12), dv.getInt32(16)], [4, 5])
  t.true(ipv4ChecksumHolds(dv, 0, HEADER))
})

/** An ICMP error that quotes the first octets of a packet. */
function errorAbout(quoted: DataView, octets: number): DataView {
  const message = new Uint8Array(ICMP_HEADER_OCTETS + octets)
  message.set(octetsOf(quoted).subarray(0, octets), ICMP_HEADER_OCTETS)
  message[0] = ICMP_UNREACHABLE
  message[1] = 3
  const dv = new DataView(message.buffer)
  dv.setUint16(2, complementSum(sumOctets(dv, 0, message.length, 0)))
  return dv
}

test('a quoted packet is translated with all checksums, whole or cut after its ports', t => {
  fc.assert(fc.property(packet, ends, fc.nat(), ({ protocol, ends: from, payload }, to, n) => {
    const quoted = make(protocol, 'right', from, payload)
    const octets = HEADER + 8 + n % (quoted.byteLength - HEADER - 7)
    fc.pre(octets !== HEADER + 17) // nobody cuts a checksum in two
    const dv = errorAbout(quoted, octets)
    const before = octetsOf(dv).slice()
    t.true(quotedIsWhole(dv, 0, dv.byteLength))
    rewriteQuoted(dv, 0, dv.byteLength, to.source, to.destination, to.ports)
    t.deepEqual(octetsOf(dv), octetsOf(errorAbout(make(protocol, 'right', to, payload), octets)))
    rewriteQuoted(dv, 0, dv.byteLength, from.source, from.destination, from.ports)
    t.deepEqual(octetsOf(dv), before)
  }), { numRuns: 2000 })
})

test('the ICMP checksum of a changed quote is right', t => {
  const quoted = make(PROTOCOL_UDP, 'right', { source: 9, destination: 8, ports: 7 },
    new Uint8Array(30))
  const dv = errorAbout(quoted, quoted.byteLength)
  rewriteQuoted(dv, 0, dv.byteLength, -5, 77, 0x12345678)
  t.is(foldSum(sumOctets(dv, 0, dv.byteLength, 0)), 0xffff)
  t.is(quotedPortsAt(dv, 0), ICMP_HEADER_OCTETS + HEADER)
})

const quotes: [name: string, change: (dv: DataView) => void, octets: number][] = [
  ['cut before its ports end', () => {}, HEADER + 3],
  ['another protocol', dv => dv.setUint8(9, PROTOCOL_ICMP), HEADER + 8],
  ['a later fragment', dv => dv.setUint16(6, 1), HEADER + 8],
  ['not IPv4', dv => dv.setUint8(0, 0x65), HEADER + 8],
  ['options that are not there', dv => dv.setUint8(0, 0x4f), HEADER + 8],
]
for (const [name, change, octets] of quotes) {
  test(`no such quote: ${name}`, t => {
    const quoted = make(PROTOCOL_UDP, 'right', { source: 1, destination: 2, ports: 3 },
      new Uint8Array(9))
    change(quoted)
    const dv = errorAbout(quoted, octets)
    t.false(quotedIsWhole(dv, 0, dv.byteLength))
  })
}

test('ports are exchanged', t => {
  t.is(swapPorts(0x12345678), 0x56781234)
  t.is(swapPorts(swapPorts(-2)), -2)
})
