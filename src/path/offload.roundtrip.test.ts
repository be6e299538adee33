// Super-frames from endpoint to endpoint: cut, tunnelled, put together again; and frames that go
// to several places at once, each of which gets them rightly. A failing run is repeated with
// TAPMESH_SEED.
import test from 'ava'
import fc from 'fast-check'
import { hexOf } from '../wire/vectors.test-kit.ts'
import { type Station, station, viewOf } from './frames.test-kit.ts'
import {
  A, B, faultOf, finished, firstDifference, joined, type Passed, plainChecksum, pseudoHeader,
  segmentsOf, shapeOf, TCP, UDP, unpacked, virtioHeader, virtioWords,
} from './offload.test-kit.ts'
import {
  type Datagram, type HostOptions, OffloadHost, opened, VXLAN_HEADER,
} from './offload-host.test-kit.ts'
import { HEAD_SLOTS_MAX } from './plane.ts'
import {
  anySpec, joinableSpec, specOf, superFrame, type SuperSpec,
} from './super-frame.test-kit.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 4789)
const MTU = 9000
const REPORT = { seed: SEED, includeErrorInReport: true }

const KINDS: Partial<SuperSpec>[] = [
  {}, { protocol: UDP }, { version: 6 }, { version: 6, protocol: UDP },
]

function hostOf(own: Station, other: Station, over: Partial<HostOptions> = {}): OffloadHost {
  const host = new OffloadHost({ mtu: MTU, endpoints: [own], ...over })
  host.meet(other)
  return host
}

/** The frame behind a VXLAN header, whatever that says. */
const insideOf = ({ octets }: Datagram): Uint8Array => octets.subarray(8)

function check(fault: string): void {
  if (fault !== '') throw new Error(fault)
}

const anyWay = fc.record({
  spec: fc.oneof(anySpec.filter(({ options }) => options < 4), joinableSpec),
  batch: fc.integer({ min: 1, max: 100 }),
  remoteChecksum: fc.boolean(),
  offload: fc.record({ tcp: fc.boolean(), udp: fc.boolean() }),
})

test('what one endpoint sends, the other gets: the same segments in order, all sums right', t => {
  const hosts = [false, true].map(remoteChecksum => hostOf(A, B, { remoteChecksum }))
  let writes = 0
  let frames = 0
  fc.assert(fc.property(anyWay, ({ spec, batch, offload, remoteChecksum }) => {
    const from = hosts[remoteChecksum ? 1 : 0]!
    const to = hostOf(B, A, { offload })
    const whole = superFrame(spec)
    const sent = from.fromPort(0, whole)
    const got = to.fromTunnel(sent.map(insideOf), { batch, tos: sent[0]!.tos })
    const arrived = got.flatMap(unpacked)
    check(firstDifference(arrived, segmentsOf(whole.octets, whole.size)))
    for (const frame of arrived) check(faultOf(frame))
    const counted = to.counted()
    if (counted['frames.tap_out'] !== sent.length
      || (counted['frames.coalesced'] ?? 0) !== sent.length - got.length) {
      throw new Error(JSON.stringify(counted))
    }
    writes += got.length
    frames += sent.length
  }), { ...REPORT, numRuns: 250 })
  t.true(frames - writes > 1000, `${writes} writes for ${frames} frames`)
})

test('a super-frame that fits no worse arrives as one', t => {
  const [from, to] = [hostOf(A, B), hostOf(B, A)]
  fc.assert(fc.property(joinableSpec, spec => {
    const whole = superFrame(spec)
    const sent = from.fromPort(0, whole)
    const got = to.fromTunnel(sent.map(opened), { tos: sent[0]!.tos })
    if (got.length !== 1) throw new Error(`${got.length} writes`)
    check(firstDifference([got[0]!.octets], [whole.octets]))
    check(hexOf(got[0]!.header) === hexOf(whole.header) ? '' : hexOf(got[0]!.header))
  }), { ...REPORT, numRuns: 200 })
  t.pass()
})

// ---- single frames ----

/** `spec` as a single frame whose checksum is left to others. */
function partial(spec: Partial<SuperSpec>): Passed {
  const { octets, header } = superFrame(specOf({ segments: 1, ...spec }))
  return { octets, header: virtioHeader({ ...virtioWords(header), type: 0, size: 0,
    headerOctets: 0 }) }
}

test('a partial checksum is completed for the tunnel, and not for a neighbour', t => {
  const neighbour = station('10.0.1.4')
  const host = new OffloadHost({ mtu: MTU, endpoints: [A, neighbour] })
  host.meet(B)
  fc.assert(fc.property(anySpec, spec => {
    const away = partial({ ...spec, segments: 1 })
    const [datagram, ...more] = host.fromPort(0, away)
    if (more.length > 0 || datagram === undefined) throw new Error('not one datagram')
    check(faultOf(opened(datagram)))
    // TCP may send a checksum of zero as 0xffff too: both are the same number.
    const whole = finished(away.octets, shapeOf(away.octets)!)
    const { l4At, protocol } = shapeOf(whole)!
    const field = l4At + (protocol === TCP ? 16 : 6)
    if (viewOf(whole).getUint16(field) === 0) viewOf(whole).setUint16(field, 0xffff)
    check(firstDifference([opened(datagram)], [whole]))
    const near = superFrame({ ...spec, segments: 1 }, A, neighbour)
    const header = virtioHeader({ ...virtioWords(near.header), type: 0, size: 0, headerOctets: 0 })
    if (host.fromPort(0, { octets: near.octets, header }).length > 0) throw new Error('tunnelled')
    const got = host.received(1)
    check(firstDifference(got.map(({ octets }) => octets), [near.octets]))
    check(hexOf(got[0]!.header) === hexOf(header) ? '' : hexOf(got[0]!.header))
  }), { ...REPORT, numRuns: 500 })
  t.pass()
})

/** What a task's own tunnel sends: TCP with a partial checksum inside of IPv4, or of VXLAN. */
function nested(isVxlan: boolean): Passed {
  const inner = partial({ tcpOptions: 0, size: 400 }).octets
  const inside = isVxlan ? joined(VXLAN_HEADER, inner) : inner.subarray(14)
  const outer = partial({ protocol: UDP, size: isVxlan ? inside.length : 8 }).octets
  const octets = joined(outer.subarray(0, isVxlan ? 42 : 34), inside)
  const view = viewOf(octets)
  if (!isVxlan) octets[23] = 4 // IPv4 in IPv4, RFC 2003
  const shape = shapeOf(octets)!
  view.setUint16(16, octets.length - 14)
  view.setUint16(24, 0)
  view.setUint16(24, plainChecksum(octets.subarray(14, 34)))
  if (isVxlan) {
    view.setUint16(38, octets.length - 34)
    view.setUint16(40, 0) // as RFC 7348 section 5 has it
  }
  const start = shape.l4At + (isVxlan ? 8 + 8 + 14 : 0) + 20
  return { octets, header: virtioHeader({ flags: 1, start, offset: 16 }) }
}

for (const isVxlan of [true, false]) {
  for (const remoteChecksum of [false, true]) {
    const how = `${isVxlan ? 'VXLAN' : 'IPv4'}, ${remoteChecksum ? 'by the other' : 'by us'}`
    test(`a partial checksum inside a task's own tunnel is completed: ${how}`, t => {
      const sent = nested(isVxlan)
      const [datagram] = hostOf(A, B, { remoteChecksum }).fromPort(0, sent)
      const [got, ...more] = hostOf(B, A).fromTunnel([insideOf(datagram!)])
      t.deepEqual(more, [])
      t.is(hexOf(got!.header), '00'.repeat(10))
      const innerAt = isVxlan ? 34 + 8 + 8 : 34 - 14
      const inner = got!.octets.slice(innerAt)
      inner.set([8, 0], 12) // IPv4 in IPv4 has no Ethernet header: look at it as if it had
      t.is(faultOf(inner), '')
    })
  }
}

test('a super-frame for a neighbour stays one', t => {
  const neighbour = station('10.0.1.4')
  const host = new OffloadHost({ mtu: MTU, endpoints: [A, neighbour] })
  for (const over of KINDS) {
    const whole = superFrame(specOf(over), A, neighbour)
    t.deepEqual(host.fromPort(0, whole), [])
    const got = host.received(1)
    t.deepEqual(got.map(one => hexOf(one.header)), [hexOf(whole.header)])
    t.is(firstDifference(got.map(one => one.octets), [whole.octets]), '')
  }
})

for (const version of [4, 6] as const) {
  test(`UDP whose checksum comes out as zero is sent with 0xffff: IPv${version}`, t => {
    const { octets, header } = partial({ version, protocol: UDP, size: 100 })
    const shape = shapeOf(octets)!
    const view = viewOf(octets)
    view.setUint16(octets.length - 2, 0)
    const clean = finished(octets, shape)
    view.setUint16(octets.length - 2, viewOf(clean).getUint16(shape.l4At + 6))
    view.setUint16(shape.l4At + 6, 0xffff - plainChecksum(
      pseudoHeader(octets, shape, octets.length - shape.l4At)))
    const [datagram] = hostOf(A, B).fromPort(0, { octets, header })
    t.is(viewOf(opened(datagram!)).getUint16(shape.l4At + 6), 0xffff)
    t.is(faultOf(opened(datagram!)), '')
  })
}

test('UDP that says it has no checksum goes without one', t => {
  const { octets } = partial({ protocol: UDP })
  viewOf(octets).setUint16(40, 0)
  const [datagram] = hostOf(A, B).fromPort(0, { octets, header: virtioHeader({}) })
  t.is(hexOf(opened(datagram!)), hexOf(octets))
})

// ---- to several at once ----

const VTEPS = ['192.168.56.12', '192.168.56.13', '192.168.56.14']
/** A group's MAC, and that of somebody whom nobody knows. */
const GROUP = { mac: '01:00:5e:01:02:03', address: '239.1.2.3' }
const STRANGER = station('10.0.1.99')

/** A host with a neighbour, a promiscuous one and several VTEPs. */
function crossing(vteps: readonly string[] = VTEPS): OffloadHost {
  return new OffloadHost({ mtu: MTU, vteps, endpoints: [A, station('10.0.1.4'),
    { ...station('10.0.1.5'), promiscuous: true }] })
}

function byMember(datagrams: Datagram[], vteps: number): Uint8Array[][] {
  return Array.from({ length: vteps }, (_, member) =>
    datagrams.filter(one => one.member === member).map(opened))
}

for (const [name, to, slots] of [
  ['a group', GROUP, [1, 2]], ['a stranger', STRANGER, [2]],
] as const) {
  for (const over of KINDS) {
    const kind = `${over.protocol === UDP ? 'UDP' : 'TCP'} over IPv${over.version ?? 4}`
    test(`to ${name}, a super-frame is cut for each VTEP and whole for each port: ${kind}`, t => {
      const host = crossing()
      const whole = superFrame(specOf(over), A, to)
      const datagrams = host.fromPort(0, whole)
      for (const frames of byMember(datagrams, VTEPS.length)) {
        t.is(firstDifference(frames, segmentsOf(whole.octets, whole.size)), '')
      }
      for (const slot of [0, 1, 2]) {
        const got = host.received(slot)
        t.is(got.length, (slots as readonly number[]).includes(slot) ? 1 : 0)
        for (const { octets, header } of got) {
          t.is(firstDifference([octets], [whole.octets]), '')
          t.is(hexOf(header), hexOf(whole.header))
        }
      }
      t.like(host.counted(), { 'frames.flooded': 3, 'frames.underlay_out': 15,
        'frames.segmented': 12, 'frames.tap_out': slots.length })
    })

    test(`to ${name}, a partial checksum is completed for VTEPs and not for ports: ${kind}`, t => {
      const host = crossing()
      const octets = superFrame(specOf({ ...over, segments: 1 }), A, to).octets
      const { start, offset } = virtioWords(partial(over).header)
      const header = virtioHeader({ flags: 1, start, offset })
      const whole = finished(octets, shapeOf(octets)!)
      for (const frames of byMember(host.fromPort(0, { octets, header }), VTEPS.length)) {
        t.is(firstDifference(frames, [whole]), '')
      }
      for (const slot of slots) {
        const got = host.received(slot)
        t.deepEqual(got.map(one => hexOf(one.header)), [hexOf(header)])
        t.is(firstDifference(got.map(one => one.octets), [octets]), '')
      }
    })
  }
}

test('flooding runs out of heads in the middle, and goes on rightly', t => {
  const vteps = Array.from({ length: 50 }, (_, n) => `192.168.57.${n + 1}`)
  const host = crossing(vteps)
  const whole = superFrame(specOf({ size: 900, segments: 60 }), A, GROUP)
  const flushes = host.underlay.flushes
  const datagrams = host.fromPort(0, whole)
  t.true(datagrams.length > HEAD_SLOTS_MAX)
  t.is(host.underlay.flushes - flushes, 2)
  for (const frames of byMember(datagrams, vteps.length)) {
    t.is(firstDifference(frames, segmentsOf(whole.octets, whole.size)), '')
  }
})

test('what is put together for a promiscuous endpoint, it may send on: it is cut the same', t => {
  const router = { ...station('10.0.1.5'), promiscuous: true }
  for (const over of KINDS) {
    const [from, to] = [hostOf(A, B), hostOf(router, B)]
    const whole = superFrame(specOf({ ...over, segments: 30 }))
    const sent = from.fromPort(0, whole).map(opened)
    // B is behind the router from now on.
    to.fromPort(0, superFrame(specOf({}), B, A))
    const [got, ...more] = to.fromTunnel(sent)
    t.deepEqual(more, [])
    const on = hostOf(router, B).fromPort(0, got!).map(opened)
    t.is(firstDifference(on, sent), '')
  }
})
