// Remote checksum offload: a VTEP that agreed gets the inner checksums partial, marked in the VXLAN
// header as Linux does it, and makes of them what it would have got otherwise. A failing run is
// repeated with TAPMESH_SEED.
import test from 'ava'
import fc from 'fast-check'
import { BROADCAST, viewOf } from './frames.test-kit.ts'
import {
  A, B, finished, firstDifference, plainChecksum, pseudoHeader, segmentsOf, shapeOf, TCP, UDP,
  unpacked,
} from './offload.test-kit.ts'
import { type Datagram, OffloadHost } from './offload-host.test-kit.ts'
import { anySpec, specOf, superFrame } from './super-frame.test-kit.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 4789)
const MTU = 9000

function makeHost(vteps?: string[]): OffloadHost {
  const host = new OffloadHost({ mtu: MTU, endpoints: [A], remoteChecksum: true, vteps })
  host.meet(B)
  return host
}

/** The frame behind a VXLAN header of any kind. */
const opened = ({ octets }: Datagram): Uint8Array => octets.slice(8)

/** What the VXLAN header has to say for this frame: RCO flag, and start / 2 with the UDP bit. */
function markOf(frame: Uint8Array): [flags: number, field: number] {
  const shape = shapeOf(frame)!
  return [0x28, (shape.l4At >> 1) | (shape.protocol === UDP ? 0x80 : 0)]
}

test('segments are marked, partial, and finished they are those of the plain segmenter', t => {
  const host = makeHost()
  const plain = anySpec.filter(({ tags, options }) => tags.length === 0 && options === 0)
  fc.assert(fc.property(plain, spec => {
    const whole = superFrame(spec)
    const datagrams = host.fromPort(0, whole)
    const frames = datagrams.map(opened)
    datagrams.forEach(({ octets }, n) => {
      const frame = frames[n]!
      const [flags, field] = markOf(frame)
      if (octets[0]! + octets[1]! !== flags || octets[7] !== field) throw new Error('the mark')
      const shape = shapeOf(frame)!
      const sum = viewOf(frame).getUint16(shape.l4At + (shape.protocol === TCP ? 16 : 6))
      const pseudo = 0xffff - plainChecksum(pseudoHeader(frame, shape, shape.end - shape.l4At))
      if (sum !== pseudo) throw new Error(`segment ${n}: the sum of the pseudo-header`)
    })
    const difference = firstDifference(frames.map(frame => finished(frame, shapeOf(frame)!)),
      segmentsOf(whole.octets, whole.size))
    if (difference !== '') throw new Error(difference)
  }), { seed: SEED, numRuns: 300, includeErrorInReport: true })
  t.pass()
})

for (const protocol of [TCP, UDP] as const) {
  test(`the receiver announces them to its kernel, protocol ${protocol}`, t => {
    const whole = superFrame(specOf({ protocol }))
    const wanted = segmentsOf(whole.octets, whole.size)
    const frames = makeHost().fromPort(0, whole).map(opened)
    const there = new OffloadHost({ mtu: MTU, endpoints: [B] })
    const got = there.fromTunnel(frames).flatMap(unpacked)
    t.is(firstDifference(got, wanted), '')
  })
}

test('a frame for several VTEPs is finished by us, for they share its octets', t => {
  const host = makeHost(['192.168.56.12', '192.168.56.13'])
  const whole = superFrame(specOf({ protocol: UDP }), A, { ...B, mac: BROADCAST })
  const datagrams = host.fromPort(0, whole)
  t.deepEqual([...new Set(datagrams.map(({ member }) => member))], [0, 1])
  t.true(datagrams.every(({ octets }) => octets[1] === 0))
  const wanted = segmentsOf(whole.octets, whole.size)
  for (const vtep of [0, 1]) {
    const mine = datagrams.filter(({ member }) => member === vtep).map(opened)
    t.is(firstDifference(mine, wanted), '')
  }
})

test('a frame whose checksum is complete is not marked', t => {
  const frame = segmentsOf(superFrame(specOf({})).octets, 700)[0]!
  const [datagram] = makeHost().fromPort(0, { octets: frame, header: new Uint8Array(10) })
  t.is(datagram!.octets[1], 0)
  t.is(datagram!.octets[7], 0)
  t.deepEqual(opened(datagram!), frame)
})
