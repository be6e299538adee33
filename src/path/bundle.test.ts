// What arrives from the tunnel is put together where one header can say all: the receiving kernel,
// taking it apart again, gets the very frames that were sent.
import test from 'ava'
import { hexOf } from '../wire/vectors.test-kit.ts'
import { viewOf } from './frames.test-kit.ts'
import { differenceOf, disorder, makeHost, PLAIN, segments, writes } from './bundle.test-kit.ts'
import {
  A, ACK, B, finished, payloadAt, plainChecksum, PSH, pseudoHeader, shapeOf, TCP, UDP, unpacked,
  virtioWords,
} from './offload.test-kit.ts'
import { type Arrival, VTEP, VXLAN_HEADER } from './offload-host.test-kit.ts'
import { specOf, superFrame, type SuperSpec } from './super-frame.test-kit.ts'

const KINDS: [name: string, over: Partial<SuperSpec>][] = [
  ['TCP over IPv4', {}], ['TCP over IPv6', { version: 6 }],
  ['UDP over IPv4', { protocol: UDP }], ['UDP over IPv6', { version: 6, protocol: UDP }],
]
for (const [name, over] of KINDS) {
  test(`segments of one flow arrive in one write: ${name}`, t => {
    const host = makeHost()
    const sent = segments({ ...over, segments: 40, last: 300 })
    const got = host.fromTunnel(sent)
    t.is(got.length, 1)
    t.is(differenceOf(got, sent), '')
    t.is(virtioWords(got[0]!.header).size, 1000)
    const { 'frames.tap_out': out, 'frames.coalesced': coalesced, 'octets.tap_out': octets }
      = host.counted()
    t.deepEqual([out, coalesced, octets], [40, 39, sent.reduce((sum, one) => sum + one.length, 0)])
  })

  test(`a partial checksum is the sender's word that the octets are good: ${name}`, t => {
    const sent = segments({ ...over, segments: 6 })
    const partial = sent.map(frame => {
      const shape = shapeOf(frame)!
      const copy = frame.slice()
      viewOf(copy).setUint16(shape.l4At + (shape.protocol === TCP ? 16 : 6),
        0xffff - plainChecksum(pseudoHeader(frame, shape, shape.end - shape.l4At)))
      return copy
    })
    for (const which of [() => true, (n: number) => n % 2 === 0, (n: number) => n % 2 === 1]) {
      const got = makeHost().fromTunnel(sent.map((frame, n) => which(n) ? partial[n]! : frame))
      t.is(got.length, 1)
      t.is(differenceOf(got, sent), '')
    }
  })

  test(`nothing waits behind the batch that brought it: ${name}`, t => {
    const host = makeHost()
    const sent = segments({ ...over, segments: 9 })
    const got = host.fromTunnel(sent, { batch: 4 })
    t.deepEqual(writes(got), [4, 4, 1])
    t.is(differenceOf(got, sent), '')
    t.is(hexOf(got[2]!.header), PLAIN)
  })

  test(`a longer one begins anew, a shorter one is the last: ${name}`, t => {
    // In sequence, and of other sizes than the flow's own.
    const sizes = [1000, 1000, 1200, 1200, 700, 700, 699, 1000]
    let at = 0
    const sent = sizes.map((size, n) => {
      const [frame] = segments({ ...over, size, segments: 1, sequence: at, id: n, seed: n })
      at += size
      return frame!
    })
    const got = makeHost().fromTunnel(sent)
    t.deepEqual(writes(got), [2, 3, 2, 1])
    const payloads = got.flatMap(unpacked).map(one => hexOf(one.subarray(
      payloadAt(one, shapeOf(one)!))))
    t.deepEqual(payloads, sent.map(one => hexOf(one.subarray(payloadAt(one, shapeOf(one)!)))))
  })
}

test('what is pushed ends its write and is not kept waiting', t => {
  const [a, b] = [{ segments: 4, flags: ACK | PSH }, { segments: 3, sequence: 9000, id: 1004 }]
  const sent = [...segments(a), ...segments(b)]
  const got = makeHost().fromTunnel(sent)
  t.deepEqual(writes(got), [4, 3])
  t.is(differenceOf(got, sent), '')
  t.deepEqual(got.map(({ octets }) => octets[47]), [ACK | PSH, ACK])
  const lone = segments({ segments: 1, flags: ACK | PSH })
  t.deepEqual(makeHost().fromTunnel(lone).map(({ octets }) => hexOf(octets)), lone.map(hexOf))
})

const FULL: [name: string, over: Partial<SuperSpec>, each: number[]][] = [
  ['128 segments of TCP', { size: 10, segments: 300 }, [128, 128, 44]],
  ['64 datagrams of UDP', { protocol: UDP, size: 10, segments: 150 }, [64, 64, 22]],
  ['65,535 octets', { size: 1400, segments: 46 }, [46]],
]
for (const [name, over, each] of FULL) {
  test(`a write holds at most ${name}`, t => {
    const sent = segments(over)
    const got = makeHost().fromTunnel(sent)
    t.deepEqual(writes(got), each)
    t.is(differenceOf(got, sent), '')
  })
}

test('a write holds at most 65,535 octets of IP, over several super-frames', t => {
  for (const [version, protocol] of [[4, TCP], [6, TCP], [4, UDP], [6, UDP]] as const) {
    const one = { version, protocol, size: 1400, segments: 40 }
    const sent = [...segments(one), ...segments({ ...one, sequence: 5000 + 56_000, id: 1040 })]
    const got = makeHost().fromTunnel(sent)
    t.is(got.length, 2)
    t.true(got[0]!.octets.length <= 14 + 65_535)
    t.true(got[0]!.octets.length > 65_535 - 1500)
    t.is(differenceOf(got, sent), '')
  }
})

test('an endpoint without super-frames gets single ones', t => {
  for (const [protocol, offload] of [
    [TCP, { tcp: false, udp: true }], [UDP, { tcp: true, udp: false }],
  ] as const) {
    const sent = segments({ protocol, segments: 5 })
    const got = makeHost({ offload }).fromTunnel(sent)
    t.deepEqual(got.map(({ octets }) => hexOf(octets)), sent.map(hexOf))
    t.true(got.every(({ header }) => hexOf(header) === PLAIN))
    const other = segments({ protocol: protocol === TCP ? UDP : TCP, segments: 5 })
    t.deepEqual(writes(makeHost({ offload }).fromTunnel(other)), [5])
  }
})

test('a TAP that is full, or gone, costs each frame of the write', t => {
  for (const [errno, reason] of [[11, 'drops.tap_full'], [5, 'drops.tap_down']] as const) {
    const host = makeHost()
    host.ports[0]!.answer = -errno
    t.deepEqual(host.fromTunnel(segments({ segments: 7 })), [])
    t.like(host.counted(), { [reason]: 7 })
    t.false('frames.tap_out' in host.counted())
    t.false('frames.coalesced' in host.counted())
  }
})

test('congestion that one datagram met is told by the segments that it met', t => {
  const sent = segments({ segments: 5, tos: 2 })
  const host = makeHost()
  const marked = sent.map((frame, n) => {
    const copy = frame.slice()
    if (n === 2) copy[15] = 3
    return finished(copy, shapeOf(copy)!)
  })
  const got = [...host.fromTunnel(sent.slice(0, 2), { tos: 2 }),
    ...host.fromTunnel(sent.slice(2, 3), { tos: 3 }), ...host.fromTunnel(sent.slice(3), { tos: 2 })]
  t.is(differenceOf(got, marked), '')
})

test('of two flows in turns, each arrives in one write', t => {
  const [a, b] = [segments({ segments: 10 }), segments({ segments: 10, sourcePort: 6000, seed: 2 })]
  const got = makeHost().fromTunnel(a.flatMap((frame, n) => [frame, b[n]!]))
  t.deepEqual(writes(got), [10, 10])
  t.is(disorder(got, [...a, ...b]), '')
})

// ---- what goes on where a bundle ends is not looked at twice: only what is the same in all ----

const STRANGER_VTEP = '192.168.56.66'
const OTHER_VTEP = '192.168.56.13'
const OTHERS: [name: string, over: Partial<Arrival>, drop: string][] = [
  ['a stranger', { vtep: STRANGER_VTEP }, 'drops.unknown_vtep'],
  ['another network', { header: Uint8Array.of(8, 0, 0, 0, 0, 0x20, 0, 0) }, 'drops.bad_vni'],
  ['a header without a flag', { header: VXLAN_HEADER.with(0, 0) }, 'drops.bad_flags'],
  ['a congested way that it cannot tell', { tos: 3 }, 'drops.ecn_congestion'],
]
for (const [name, over, drop] of OTHERS) {
  test(`a segment that goes on in all, from ${name}, is no part of its flow`, t => {
    for (const place of [1, 2, 3]) {
      const host = makeHost()
      const sent = segments({ segments: 5 })
      const got = host.fromWire(sent.map((frame, n) => n === place ? { frame, ...over }
        : { frame }))
      t.is(disorder(got, sent.filter((_, n) => n !== place)), '')
      t.is(host.counted()[drop], 1)
      t.is(host.counted()['frames.underlay_in'], 5)
    }
  })
}

test('a flow that moves to another VTEP goes on, and is learned there', t => {
  const host = makeHost({ vteps: [VTEP, OTHER_VTEP] })
  const sent = segments({ segments: 6 })
  const got = host.fromWire(sent.map((frame, n) => ({ frame, vtep: n < 3 ? VTEP : OTHER_VTEP })))
  t.is(differenceOf(got, sent), '')
  const [reply] = host.fromPort(0, superFrame(specOf({}), A, B))
  t.is(reply!.member, 1)
})

test('reserved bits of a VXLAN header are nobody\'s business, also in the middle', t => {
  const sent = segments({ segments: 6 })
  const got = makeHost().fromWire(sent.map((frame, n) => ({ frame,
    header: n === 3 ? VXLAN_HEADER.with(7, 0xff) : VXLAN_HEADER })))
  t.is(differenceOf(got, sent), '')
})

test('congestion in the middle of a batch is told by the segments that met it', t => {
  const sent = segments({ segments: 9, tos: 2 })
  const outer = [2, 2, 3, 3, 3, 2, 2, 1, 1]
  const got = makeHost().fromWire(sent.map((frame, n) => ({ frame, tos: outer[n]! })))
  const marked = sent.map((frame, n) => finished(frame.with(15, [0, 1, 2, 3][outer[n]!]!),
    shapeOf(frame)!))
  t.is(differenceOf(got, marked), '')
})

test('an empty segment that was padded is no part of the flow around it', t => {
  for (const version of [4, 6] as const) {
    const sent = segments({ version, segments: 4, tcpOptions: 0, size: 100 })
    const head = version === 4 ? 54 : 74
    const empty = finished(sent[2]!.slice(0, head), shapeOf(sent[2]!)!)
    viewOf(empty).setUint16(18, version === 4 ? 7 : 20)
    const padded = finishedPadding(empty, 6)
    const all = [sent[0]!, sent[1]!, padded, sent[2]!, sent[3]!]
    const got = makeHost().fromTunnel(all)
    t.deepEqual(writes(got), [2, 1, 2])
    t.is(differenceOf(got, all), '')
  }
})

/** `frame`, whose header may have changed, and octets that Ethernet adds to a short one. */
function finishedPadding(frame: Uint8Array, octets: number): Uint8Array {
  return Uint8Array.of(...finished(frame, shapeOf(frame)!), ...new Uint8Array(octets))
}
