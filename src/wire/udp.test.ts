// UDP: golden headers, inner and outer, read and written again; lengths that do not fit.
import test from 'ava'
import { complementSum, pseudoSumIpv4, sumOctets } from './checksum.ts'
import {
  udpChecksum, udpChecksumOnWire, udpDestinationPort, udpOctets, udpSourcePort, writeUdpHeader,
  UDP_CHECKSUM_FIELD, UDP_HEADER_OCTETS,
} from './udp.ts'
import {
  AT, hexOf, INNER_IPV4_PAYLOAD, INNER_PACKET, OUTER_IPV4, OUTER_UDP, overNoise, ringOf, vector,
  vectorNames,
} from './vectors.test-kit.ts'
import { VXLAN_PORT } from './vxlan.ts'

const places: [name: string, ipv4: number, udp: number][] =
  vectorNames().map(name => [name, OUTER_IPV4, OUTER_UDP])
places.push(['udp-datagram', INNER_PACKET, INNER_IPV4_PAYLOAD])

for (const [name, ipv4, udp] of places) {
  test(`udp read and written again: ${name} at ${udp}`, t => {
    const golden = vector(name)
    const dv = ringOf(golden)
    const octets = golden.length - udp
    t.is(udpOctets(dv, AT + udp, octets), octets)
    const written = (checksum: number) => overNoise(UDP_HEADER_OCTETS, noise => writeUdpHeader(
      noise, AT, udpSourcePort(dv, AT + udp), udpDestinationPort(dv, AT + udp), octets, checksum))
    t.is(written(udpChecksum(dv, AT + udp)), hexOf(golden.subarray(udp, udp + UDP_HEADER_OCTETS)))
    if (udpChecksum(dv, AT + udp) === 0) return
    const sent = udpChecksum(dv, AT + udp)
    dv.setUint16(AT + udp + UDP_CHECKSUM_FIELD, 0)
    const pseudo = pseudoSumIpv4(dv, AT + ipv4, 17, octets)
    t.is(udpChecksumOnWire(complementSum(sumOctets(dv, AT + udp, octets, pseudo))), sent)
  })
}

test('outer ports: the destination is VXLAN, and a checksum may be absent', t => {
  const summed = ringOf(vector('tcp-syn'))
  t.is(udpDestinationPort(summed, AT + OUTER_UDP), VXLAN_PORT)
  t.not(udpChecksum(summed, AT + OUTER_UDP), 0)
  t.is(udpChecksum(ringOf(vector('udp-datagram')), AT + OUTER_UDP), 0)
})

const rows: [name: string, octets: string, available: number, answer: number][] = [
  ['whole', '04d2 0009 000a 0000', 10, 10],
  ['padding behind it', '04d2 0009 000a 0000', 30, 10],
  ['no payload', '04d2 0009 0008 0000', 8, 8],
  ['one octet missing', '04d2 0009 000a 0000', 9, -1],
  ['header cut', '04d2 0009 0008 0000', 7, -1],
  ['length below the header', '04d2 0009 0007 0000', 8, -1],
  ['length 0', '04d2 0009 0000 0000', 8, -1],
  ['nothing there', '', 0, -1],
]
for (const [name, octets, available, answer] of rows) {
  test(`udp length: ${name}`, t => t.is(udpOctets(ringOf(octets), AT, available), answer))
}

test('a computed checksum of 0 is sent as 0xffff', t => {
  t.is(udpChecksumOnWire(0), 0xffff)
  t.is(udpChecksumOnWire(1), 1)
})
