// struct virtio_net_hdr: each field where linux/virtio_net.h has it, little-endian, and nothing
// written beside it.
import test from 'ava'
import { AT, overNoise, ringOf } from './vectors.test-kit.ts'
import {
  clearVirtio, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP, VIRTIO_HEADER_OCTETS,
  virtioChecksumOffset, virtioChecksumStart, virtioGsoSize, virtioGsoType, virtioNeedsChecksum,
  writeVirtioChecksum, writeVirtioGso,
} from './virtio.ts'

/** Flags, type, header octets, segment size, checksum start and offset. */
const rows: [name: string, octets: string, needs: boolean, type: number, size: number,
  start: number, offset: number][] = [
  ['nothing', '00000000000000000000', false, GSO_NONE, 0, 0, 0],
  ['a partial checksum of TCP over IPv4', '01000000000022001000', true, GSO_NONE, 0, 34, 16],
  ['a partial checksum of UDP over IPv6', '01000000000036000600', true, GSO_NONE, 0, 54, 6],
  ['TCP over IPv4', '01014200780522001000', true, GSO_TCPV4, 1400, 34, 16],
  ['TCP over IPv4 with congestion marks', '01814200780522001000', true, GSO_TCPV4, 1400, 34, 16],
  ['TCP over IPv6', '01045600640536001000', true, GSO_TCPV6, 1380, 54, 16],
  ['UDP', '01052a00b80422000600', true, GSO_UDP, 1208, 34, 6],
  ['checked already, which is no request', '02000000000000000000', false, GSO_NONE, 0, 0, 0],
  ['all flags', 'ff000000000000000000', true, GSO_NONE, 0, 0, 0],
  ['the largest of all', 'ffffffffffffffffffff', true, 0x7f, 65_535, 65_535, 65_535],
  ['the order of octets', '00000201040306050807', false, GSO_NONE, 0x0304, 0x0506, 0x0708],
]
for (const [name, octets, needs, type, size, start, offset] of rows) {
  test(`virtio read: ${name}`, t => {
    const view = ringOf(octets)
    t.is(octets.length, VIRTIO_HEADER_OCTETS * 2)
    t.is(virtioNeedsChecksum(view, AT), needs)
    t.is(virtioGsoType(view, AT), type)
    t.is(virtioGsoSize(view, AT), size)
    t.is(virtioChecksumStart(view, AT), start)
    t.is(virtioChecksumOffset(view, AT), offset)
  })
}

test('virtio written: nothing', t => {
  t.is(overNoise(VIRTIO_HEADER_OCTETS, noise => clearVirtio(noise, AT)), '00'.repeat(10))
})

for (const [name, octets, , type, size, start, offset] of rows.slice(1, 3)) {
  test(`virtio written: ${name}`, t => {
    t.is(type + size, 0)
    t.is(overNoise(VIRTIO_HEADER_OCTETS, noise => writeVirtioChecksum(noise, AT, start, offset)),
      octets)
  })
}

for (const [name, octets, , type, size, start, offset] of [rows[3]!, rows[5]!, rows[6]!]) {
  test(`virtio written: ${name}`, t => {
    const headerOctets = ringOf(octets).getUint16(AT + 2, true)
    t.is(overNoise(VIRTIO_HEADER_OCTETS, noise =>
      writeVirtioGso(noise, AT, type, size, headerOctets, start, offset)), octets)
  })
}

test('virtio written: each field in its octets', t => {
  t.is(overNoise(VIRTIO_HEADER_OCTETS, noise =>
    writeVirtioGso(noise, AT, GSO_UDP, 0x0304, 0x0102, 0x0506, 0x0708)), '01050201040306050807')
})

test('the numbers are those of linux/virtio_net.h', t => {
  t.deepEqual([GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP, VIRTIO_HEADER_OCTETS], [0, 1, 4, 5, 10])
})
