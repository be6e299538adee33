// Super-frames on their way into the tunnel: every segment is octet for octet what a plain
// segmenter makes, whatever TCP or UDP the super-frame is. A failing run is repeated with
// TAPMESH_SEED.
import test from 'ava'
import fc from 'fast-check'
import { hexOf } from '../wire/vectors.test-kit.ts'
import { viewOf, VLAN_10 } from './frames.test-kit.ts'
import {
  A, ACK, B, CWR, faultOf, FIN, firstDifference, payloadAt, plainChecksum, PSH, pseudoHeader,
  segmentsOf, shapeOf, TCP, UDP, virtioHeader, virtioWords,
} from './offload.test-kit.ts'
import { OffloadHost, opened } from './offload-host.test-kit.ts'
import { HEAD_SLOTS_MAX } from './plane.ts'
import {
  anySpec, specOf, superFrame, type SuperFrame, type SuperSpec,
} from './super-frame.test-kit.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 4789)
const MTU = 9000

function makeHost(mtu = MTU): OffloadHost {
  const host = new OffloadHost({ mtu, endpoints: [A] })
  host.meet(B)
  return host
}

function framesOf(host: OffloadHost, frame: SuperFrame): Uint8Array[] {
  return host.fromPort(0, frame).map(opened)
}

/** What is wrong with the fields that differ from segment to segment, or ''. */
function faultOfFields(frame: Uint8Array, n: number, count: number, whole: SuperFrame): string {
  const shape = shapeOf(frame)!
  const view = viewOf(frame)
  const { spec, size, payload } = whole
  const begin = payloadAt(frame, shape)
  const octets = n < count - 1 ? size : payload.length - size * (count - 1)
  if (shape.end - begin !== octets) return `${shape.end - begin} octets of payload, not ${octets}`
  if (shape.version === 4 && view.getUint16(shape.l3At + 4) !== ((spec.id + n) & 0xffff)) {
    return 'IPv4 identification'
  }
  if (shape.protocol === UDP) return ''
  const sequence = (spec.sequence + n * size) % 2 ** 32
  if (view.getUint32(shape.l4At + 4) !== sequence) return 'sequence number'
  const flags = frame[shape.l4At + 13]!
  const wanted = spec.flags & ~((n === 0 ? 0 : CWR) | (n === count - 1 ? 0 : FIN | PSH))
  return flags === wanted ? '' : `flags ${flags}, not ${wanted}`
}

test('any super-frame is cut as the plain segmenter cuts it', t => {
  const host = makeHost()
  fc.assert(fc.property(anySpec, spec => {
    const whole = superFrame(spec)
    const count = Math.ceil(whole.payload.length / whole.size)
    host.plane.counters.fill(0)
    const datagrams = host.fromPort(0, whole)
    const frames = datagrams.map(opened)
    const difference = firstDifference(frames, segmentsOf(whole.octets, whole.size))
    if (difference !== '') throw new Error(difference)
    frames.forEach((frame, n) => {
      const fault = faultOf(frame) + faultOfFields(frame, n, count, whole)
      if (fault !== '') throw new Error(`segment ${n}: ${fault}`)
    })
    const joined = Buffer.concat(frames.map(frame =>
      frame.subarray(payloadAt(frame, shapeOf(frame)!))))
    if (Buffer.compare(joined, whole.payload) !== 0) throw new Error('the payload')
    const { member, flow } = datagrams[0]!
    for (const datagram of datagrams) {
      if (datagram.member !== member || datagram.flow !== flow || datagram.tos !== spec.tos) {
        throw new Error(`to ${datagram.member} by ${datagram.flow}, TOS ${datagram.tos}`)
      }
    }
    const counted = host.counted()
    const octets = frames.reduce((sum, frame) => sum + frame.length, 0)
    if (counted['frames.tap_in'] !== 1 || counted['octets.tap_in'] !== whole.octets.length
      || counted['frames.underlay_out'] !== count || counted['octets.underlay_out'] !== octets
      || (counted['frames.segmented'] ?? 0) !== count - 1) throw new Error(JSON.stringify(counted))
  }), { seed: SEED, numRuns: 500, includeErrorInReport: true })
  t.pass()
})

test('a super-frame with more segments than there are heads is sent in parts', t => {
  const host = makeHost()
  const whole = superFrame(specOf({ size: 1, segments: HEAD_SLOTS_MAX + 100 }))
  const flushes = host.underlay.flushes
  const frames = framesOf(host, whole)
  t.is(firstDifference(frames, segmentsOf(whole.octets, 1)), '')
  t.is(frames.length, HEAD_SLOTS_MAX + 100)
  t.is(host.underlay.flushes - flushes, 2)
})

test('65,535 octets of IP are cut, also behind a VLAN tag', t => {
  for (const tags of [[], [VLAN_10]]) {
    for (const version of [4, 6] as const) {
      const host = makeHost()
      const whole = superFrame(specOf({ version, tags, size: 1100, segments: 64 }))
      t.is(whole.octets.length, 14 + tags.length * 4 + 65_535)
      t.is(firstDifference(framesOf(host, whole), segmentsOf(whole.octets, 1100)), '')
    }
  }
})

const FLAGS: [name: string, flags: number, each: number[]][] = [
  ['PSH', ACK | PSH, [ACK, ACK, ACK | PSH]],
  ['FIN', ACK | FIN, [ACK, ACK, ACK | FIN]],
  ['CWR', ACK | CWR, [ACK | CWR, ACK, ACK]],
  ['ECE', ACK | 0x40, [ACK | 0x40, ACK | 0x40, ACK | 0x40]],
  ['URG', ACK | 0x20, [ACK | 0x20, ACK | 0x20, ACK | 0x20]],
  ['all', 0xff, [0xf6, 0x76, 0x7f]],
]
for (const [name, flags, each] of FLAGS) {
  test(`TCP flags of the segments: ${name}`, t => {
    const frames = framesOf(makeHost(), superFrame(specOf({ flags, segments: 3 })))
    t.deepEqual(frames.map(frame => frame[14 + 20 + 13]!), each)
  })
}

test('identification and sequence number go round', t => {
  const spec = specOf({ id: 0xffff, sequence: 0xffffffff - 1500, size: 1000, segments: 3 })
  const frames = framesOf(makeHost(), superFrame(spec)).map(viewOf)
  t.deepEqual(frames.map(view => view.getUint16(18)), [0xffff, 0, 1])
  t.deepEqual(frames.map(view => view.getUint32(38)), [0xffffffff - 1500, 0xffffffff - 500, 499])
})

/** `spec` with a payload that makes the checksum of its second segment `wanted`. */
function withChecksum(spec: SuperSpec, wanted: number): SuperFrame {
  const whole = superFrame(spec)
  const begin = whole.octets.length - whole.payload.length
  const second = segmentsOf(whole.octets, whole.size)[1]!
  const shape = shapeOf(second)!
  const l4 = second.subarray(shape.l4At)
  viewOf(l4).setUint16(shape.protocol === TCP ? 16 : 6, 0)
  viewOf(l4).setUint16(l4.length - 2, 0)
  // The last word is what lacks to the sum, so that the complement of all is `wanted`.
  const word = plainChecksum(pseudoHeader(second, shape, l4.length), l4, Uint8Array.of(wanted >> 8,
    wanted & 255))
  viewOf(whole.octets).setUint16(begin + 2 * whole.size - 2, word)
  return whole
}

for (const version of [4, 6] as const) {
  test(`a computed checksum of zero is sent as 0xffff in UDP, as zero in TCP: IPv${version}`, t => {
    const l4At = version === 4 ? 34 : 54
    const udp = framesOf(makeHost(), withChecksum(specOf({ version, protocol: UDP }), 0))
    t.is(viewOf(udp[1]!).getUint16(l4At + 6), 0xffff)
    const tcp = framesOf(makeHost(), withChecksum(specOf({ version }), 0))
    t.is(viewOf(tcp[1]!).getUint16(l4At + 16), 0)
    for (const frame of [...udp, ...tcp]) t.is(faultOf(frame), '')
  })
}

test('a super-frame no longer than one segment is one frame', t => {
  for (const protocol of [TCP, UDP] as const) {
    const host = makeHost()
    const whole = superFrame(specOf({ protocol, segments: 1, last: 500 }))
    t.is(firstDifference(framesOf(host, whole), segmentsOf(whole.octets, whole.size)), '')
    t.false('frames.segmented' in host.counted())
  }
})

// 14 of Ethernet, 8 of tags, 40 of IPv6, extensions in eights, and TCP; slots are of 192 octets, of
// which the first ten are left free.
const LONG_HEADS: [octets: number, slots: number, extensions: number, tcpOptions: number][] = [
  [182, 1, 10, 5], [186, 2, 10, 6], [370, 2, 31, 10],
]
for (const [octets, slots, extensions, tcpOptions] of LONG_HEADS) {
  test(`a head of ${octets} octets takes ${slots} slots`, t => {
    const host = makeHost()
    const whole = superFrame(specOf({ version: 6, tags: [0x88a80064, VLAN_10], options: extensions,
      tcpOptions, size: 100, segments: 3 }))
    t.is(whole.octets.length - whole.payload.length, octets)
    t.is(firstDifference(framesOf(host, whole), segmentsOf(whole.octets, 100)), '')
    const many = superFrame(specOf({ version: 6, tags: [0x88a80064, VLAN_10], options: extensions,
      tcpOptions, size: 1, segments: HEAD_SLOTS_MAX }))
    const flushes = host.underlay.flushes
    t.is(firstDifference(framesOf(host, many), segmentsOf(many.octets, 1)), '')
    t.is(host.underlay.flushes - flushes, slots)
  })
}

test('a super-frame without payload is no super-frame', t => {
  for (const protocol of [TCP, UDP] as const) {
    for (const version of [4, 6] as const) {
      const host = makeHost()
      const whole = superFrame(specOf({ version, protocol, segments: 1, size: 1 }))
      const octets = whole.octets.subarray(0, whole.octets.length - 1)
      viewOf(octets).setUint16(version === 4 ? 16 : 18, octets.length - (version === 4 ? 14 : 54))
      t.deepEqual(host.fromPort(0, { octets, header: whole.header }), [])
      t.deepEqual(host.counted(), { 'drops.malformed': 1, 'frames.tap_in': 1,
        'octets.tap_in': octets.length })
    }
  }
})

// ---- too large ----

const SIZES: [name: string, spec: Partial<SuperSpec>, size: number][] = [
  ['TCP over IPv4', { tcpOptions: 3 }, 1450 - 20 - 32],
  ['UDP over IPv4', { protocol: UDP }, 1450 - 28],
  ['TCP over IPv6', { version: 6, tcpOptions: 0 }, 1450 - 60],
  ['UDP over IPv6', { version: 6, protocol: UDP }, 1450 - 48],
  ['TCP behind IPv4 options', { options: 10, tcpOptions: 10 }, 1450 - 120],
  ['TCP behind an IPv6 extension', { version: 6, options: 2, tcpOptions: 0 }, 1450 - 76],
  ['TCP in a VLAN', { tags: [VLAN_10], tcpOptions: 0 }, 1450 - 4 - 40],
]
for (const [name, over, size] of SIZES) {
  test(`segments of ${size} octets pass, and of one more are answered with ICMP: ${name}`, t => {
    const host = makeHost(1450)
    const fits = superFrame(specOf({ ...over, size, segments: 3 }))
    t.is(firstDifference(framesOf(host, fits), segmentsOf(fits.octets, size)), '')
    t.deepEqual(host.received(0), [])
    const whole = superFrame(specOf({ ...over, size: size + 1, segments: 3 }))
    t.deepEqual(host.fromPort(0, whole), [])
    const [answer, ...more] = host.received(0)
    t.deepEqual(more, [])
    t.is(hexOf(answer!.header), '00'.repeat(10))
    const { l3At, l4At, version, protocol } = shapeOf(answer!.octets)!
    const view = viewOf(answer!.octets)
    t.is(protocol, version === 4 ? 1 : 58)
    t.is(view.getUint16(l4At), version === 4 ? 0x0304 : 0x0200)
    t.is(view.getUint32(l4At + 4), 1450 - (over.tags?.length ?? 0) * 4)
    // What it quotes begins with the header of the super-frame: its sender knows it by that.
    t.is(hexOf(answer!.octets.subarray(l4At + 8, l4At + 68)),
      hexOf(whole.octets.subarray(l3At, l3At + 60)))
    t.is(faultOf(answer!.octets), '')
    t.is(host.counted()['drops.too_large'], 1)
  })
}

test('a super-frame that is short, though its segments would be too large, passes', t => {
  const whole = superFrame(specOf({ size: 1400, segments: 2, last: 10 }))
  const header = virtioHeader({ ...virtioWords(whole.header), size: 60_000 })
  const short = { ...whole, octets: whole.octets.slice(0, 1464), header }
  viewOf(short.octets).setUint16(16, 1450)
  viewOf(short.octets).setUint16(50, 0xffff - plainChecksum(
    pseudoHeader(short.octets, shapeOf(short.octets)!, 1430)))
  const frames = framesOf(makeHost(1450), short)
  t.is(firstDifference(frames, segmentsOf(short.octets, 60_000)), '')
  t.is(frames.length, 1)
})
