// What arrives from the tunnel is put together where one header can say all, and only there: the
// receiving kernel, taking it apart again, gets the very frames that were sent, each flow in order.
// A failing run is repeated with TAPMESH_SEED.
import test from 'ava'
import fc from 'fast-check'
import { makeRandom, pick } from '../base/prng.ts'
import { hexOf } from '../wire/vectors.test-kit.ts'
import { ether, viewOf, VLAN_10 } from './frames.test-kit.ts'
import {
  A, ACK, B, CWR, faultOf, FIN, finished, firstDifference, joinableSpec, type Passed, payloadAt,
  plainChecksum, PSH, pseudoHeader, segmentsOf, shapeOf, specOf, superFrame, type SuperSpec, TCP,
  UDP, unpacked, virtioWords,
} from './offload.test-kit.ts'
import {
  type Arrival, type HostOptions, OffloadHost, VTEP, VXLAN_HEADER,
} from './offload-host.test-kit.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 4789)
const PLAIN = '00'.repeat(10)

function makeHost(over: Partial<HostOptions> = {}): OffloadHost {
  const host = new OffloadHost({ endpoints: [A], ...over })
  host.meet(B)
  return host
}

/** Segments of B's super-frame as they leave B's host. */
function segments(over: Partial<SuperSpec>): Uint8Array[] {
  const spec = specOf(over)
  return segmentsOf(superFrame(spec, B, A).octets, spec.size)
}

/** How many frames each write had. */
function writes(passed: Passed[]): number[] {
  return passed.map(one => unpacked(one).length)
}

function differenceOf(passed: Passed[], sent: Uint8Array[]): string {
  return firstDifference(passed.flatMap(unpacked), sent)
}

// ---- what is put together ----

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

// ---- what is not ----

type Change = [name: string, applies: (spec: SuperSpec) => boolean,
  change: (frame: Uint8Array, l4At: number) => void]
const isV4 = (spec: SuperSpec) => spec.version === 4
const isV6 = (spec: SuperSpec) => spec.version === 6
const isTcp = (spec: SuperSpec) => spec.protocol === TCP
const hasOptions = (spec: SuperSpec) => isTcp(spec) && spec.tcpOptions > 0
const always = () => true

/** Each makes a whole and right frame, of the same flow but for the ports, that does not fit. */
const CHANGES: Change[] = [
  ['source port', always, (frame, l4) => { frame[l4 + 1]! ^= 1 }],
  ['destination port', always, (frame, l4) => { frame[l4 + 3]! ^= 1 }],
  ['source MAC', always, frame => { frame[11]! ^= 0x10 }],
  ['TOS', isV4, frame => { frame[15]! ^= 4 }],
  ['ECN', isV4, frame => { frame[15]! ^= 1 }],
  ['time to live', isV4, frame => { frame[22]! ^= 1 }],
  ['don\'t fragment', isV4, frame => { frame[20]! ^= 0x40 }],
  ['source address', isV4, frame => { frame[29]! ^= 1 }],
  ['traffic class', isV6, frame => { frame[14]! ^= 4 }],
  ['flow label, high', isV6, frame => { frame[15]! ^= 1 }],
  ['flow label, low', isV6, frame => { frame[17]! ^= 1 }],
  ['hop limit', isV6, frame => { frame[21]! ^= 1 }],
  ['source address, first octet', isV6, frame => { frame[22]! ^= 1 }],
  ['source address, last octet', isV6, frame => { frame[37]! ^= 1 }],
  ['acknowledgment', isTcp, (frame, l4) => { frame[l4 + 11]! ^= 1 }],
  ['window', isTcp, (frame, l4) => { frame[l4 + 15]! ^= 1 }],
  ['reserved bit', isTcp, (frame, l4) => { frame[l4 + 12]! ^= 1 }],
  ['one octet on', isTcp, (frame, l4) => { frame[l4 + 7]! ^= 1 }],
  ['2 GiB on', isTcp, (frame, l4) => { frame[l4 + 4]! ^= 0x80 }],
  ['FIN', isTcp, (frame, l4) => { frame[l4 + 13]! |= FIN }],
  ['SYN', isTcp, (frame, l4) => { frame[l4 + 13]! |= 2 }],
  ['RST', isTcp, (frame, l4) => { frame[l4 + 13]! |= 4 }],
  ['URG', isTcp, (frame, l4) => { frame[l4 + 13]! |= 0x20 }],
  ['ECE', isTcp, (frame, l4) => { frame[l4 + 13]! ^= 0x40 }],
  ['CWR', isTcp, (frame, l4) => { frame[l4 + 13]! |= CWR }],
  ['no ACK', isTcp, (frame, l4) => { frame[l4 + 13]! &= ~ACK }],
  ['first option', hasOptions, (frame, l4) => { frame[l4 + 20]! = 0 }],
  ['last option', hasOptions,
    (frame, l4) => { frame[l4 + (frame[l4 + 12]! >> 4) * 4 - 1]! = 0 }],
]

function changed(frame: Uint8Array, [, , change]: Change): Uint8Array {
  const copy = frame.slice()
  change(copy, shapeOf(frame)!.l4At)
  return finished(copy, shapeOf(copy)!)
}

/** Who speaks with whom by which ports. */
function flowOf(frame: Uint8Array): string {
  const shape = shapeOf(frame)
  if (shape === undefined) return hexOf(frame.subarray(0, 14))
  const { l3At, l4At, version, protocol } = shape
  const addresses = version === 4 ? frame.subarray(l3At + 12, l3At + 20)
    : frame.subarray(l3At + 8, l3At + 40)
  return `${protocol} ${hexOf(addresses)} ${hexOf(frame.subarray(l4At, l4At + 4))}`
}

const keyOf = (frame: Uint8Array) => Buffer.from(frame).toString('latin1')

/** Whether `frame` came in a write of its own with a header of zeros. */
function cameSingly(passed: Passed[], frame: Uint8Array): boolean {
  return passed.some(({ octets, header }) => keyOf(octets) === keyOf(frame)
    && hexOf(header) === PLAIN)
}

/**
 * A frame as text. The identification of an IPv4 packet that must not be fragmented means nothing
 * (RFC 6864 section 4.1), so it is left out with the checksum that covers it.
 */
function nameOf(frame: Uint8Array): string {
  if (frame[12] !== 8 || (frame[20]! & 0x40) === 0) return keyOf(frame)
  const copy = frame.slice()
  copy.fill(0, 18, 20)
  copy.fill(0, 24, 26)
  return keyOf(copy)
}

/** The first frame that is missing, changed, doubled, or came before one of its flow, or ''. */
function disorder(passed: Passed[], sent: readonly Uint8Array[],
  flows: readonly string[] = sent.map(flowOf)): string {
  const got = passed.flatMap(unpacked)
  const places = Map.groupBy(sent.keys(), n => nameOf(sent[n]!))
  const last = new Map<string, number>()
  for (const frame of got) {
    const n = places.get(nameOf(frame))?.shift()
    if (n === undefined) return `not sent, or twice: ${hexOf(frame.subarray(0, 100))}`
    if (faultOf(frame) !== '') return `${n}: ${faultOf(frame)}`
    if (n < (last.get(flows[n]!) ?? -1)) return `${n} behind ${last.get(flows[n]!)}`
    last.set(flows[n]!, n)
  }
  const missing = [...places.values()].flat()
  return missing.length === 0 ? '' : `${missing.join(', ')} missing`
}

test('a frame that differs in anything passes singly, and the others around it', t => {
  const host = makeHost()
  const seen = new Set<string>()
  const which = fc.tuple(joinableSpec, fc.nat(), fc.nat())
  fc.assert(fc.property(which, ([spec, at, number]) => {
    const sent = segmentsOf(superFrame({ ...spec, fill: 'random' }, B, A).octets, spec.size)
    const fitting = CHANGES.filter(([, applies]) => applies(spec))
    const change = fitting[number % fitting.length]!
    const place = at % sent.length
    sent[place] = changed(sent[place]!, change)
    const got = host.fromTunnel(sent)
    seen.add(change[0])
    const fault = disorder(got, sent)
    if (fault !== '') throw new Error(`${change[0]}: ${fault}`)
    const { protocol, l4At, end } = shapeOf(sent[place]!)!
    const isSingle = cameSingly(got, sent[place]!)
    // A flow of its own, or a sequence number from which the rest of the flow does not go on.
    if (!isSingle) throw new Error(`${change[0]}, IP protocol ${protocol}, ${end - l4At} octets`)
  }), { seed: SEED, numRuns: 500, includeErrorInReport: true })
  t.deepEqual([...seen].sort(), CHANGES.map(([name]) => name).sort())
})

/** Its checksum field holds what a partial one would: nobody can tell that it is none. */
function looksPartial(frame: Uint8Array): boolean {
  const shape = shapeOf(frame)
  if (shape === undefined || frame.length < shape.l4At + 18) return false
  const field = viewOf(frame).getUint16(shape.l4At + (shape.protocol === TCP ? 16 : 6))
  return field === 0xffff - plainChecksum(pseudoHeader(frame, shape, shape.end - shape.l4At))
}

test('one wrong bit is never hidden: the frame passes singly as it is, or is dropped', t => {
  const host = makeHost()
  let dropped = 0
  const where = fc.record({ spec: joinableSpec, at: fc.nat(), bit: fc.nat(), inHead: fc.boolean() })
  fc.assert(fc.property(where, ({ spec, at, bit, inHead }) => {
    const sent = segmentsOf(superFrame({ ...spec, fill: 'random' }, B, A).octets, spec.size)
    const place = at % sent.length
    const wrong = sent[place]!.slice()
    const bits = (inHead ? payloadAt(wrong, shapeOf(wrong)!) : wrong.length) * 8
    wrong[bit % bits >> 3]! ^= 1 << (bit & 7)
    sent[place] = wrong
    fc.pre(!looksPartial(wrong))
    host.plane.counters.fill(0)
    const got = host.fromTunnel(sent)
    const good = got.filter(({ octets }) => keyOf(octets) !== keyOf(wrong))
    const fault = disorder(good, sent.filter(frame => frame !== wrong))
    if (fault !== '') throw new Error(fault)
    if (cameSingly(got, wrong)) return
    const drops = Object.entries(host.counted()).filter(([name]) => name.startsWith('drops.'))
    if (got.length > good.length || drops.length !== 1 || drops[0]![1] !== 1) {
      throw new Error(`bit ${bit % bits} of frame ${place}: ${JSON.stringify(drops)}`)
    }
    // No receiver would have taken it either: another address, or not even a frame of ours.
    if (bit % bits >> 3 >= 12) throw new Error(`bit ${bit % bits} is behind the addresses`)
    dropped += 1
  }), { seed: SEED, numRuns: 1000, includeErrorInReport: true })
  t.true(dropped > 10, `${dropped} dropped`)
})

test('a VLAN tag, IPv4 options or an IPv6 extension: each frame singly, in order', t => {
  for (const over of [{ tags: [VLAN_10] }, { options: 3 }, { version: 6 as const, options: 1 }]) {
    for (const protocol of [TCP, UDP] as const) {
      const sent = segments({ ...over, protocol, segments: 5 })
      const got = makeHost().fromTunnel(sent)
      t.is(firstDifference(got.map(({ octets }) => octets), sent), '')
    }
  }
})

test('UDP without a checksum is not given one', t => {
  const sent = segments({ protocol: UDP, segments: 5 }).map(frame => {
    viewOf(frame).setUint16(40, 0)
    return frame
  })
  const got = makeHost().fromTunnel(sent)
  t.is(firstDifference(got.map(({ octets }) => octets), sent), '')
  t.true(got.every(({ header }) => hexOf(header) === PLAIN))
})

test('padding behind a packet goes with a single frame, and never into a flow', t => {
  for (const protocol of [TCP, UDP] as const) {
    const sent = segments({ protocol, size: 2, segments: 3, tcpOptions: 0 })
    const padded = sent.map(frame => Uint8Array.of(...frame, ...new Uint8Array(9).fill(0x55)))
    t.is(differenceOf(makeHost().fromTunnel(padded), sent), '')
    const alone = makeHost().fromTunnel(padded.slice(0, 1))
    t.deepEqual(alone.map(({ octets }) => hexOf(octets)), [hexOf(padded[0]!)])
  }
})

test('datagrams whose UDP length says less than IP pass singly', t => {
  const sent = segments({ protocol: UDP, segments: 3 }).map(frame => {
    viewOf(frame).setUint16(38, 500)
    viewOf(frame).setUint16(40, 0)
    const shape = shapeOf(frame)!
    const l4 = frame.subarray(34, 534)
    viewOf(frame).setUint16(40, plainChecksum(pseudoHeader(frame, shape, 500), l4))
    return frame
  })
  const got = makeHost().fromTunnel(sent)
  t.is(firstDifference(got.map(({ octets }) => octets), sent), '')
})

// ---- order ----

/** A fragment of a datagram of the flow: the first shows ports, the later ones do not. */
function fragment(frame: Uint8Array, isFirst: boolean): Uint8Array {
  const shape = shapeOf(frame)!
  const copy = frame.slice()
  const view = viewOf(copy)
  if (shape.version === 4) {
    view.setUint16(20, isFirst ? 0x2000 : 0x0010)
    view.setUint16(24, 0)
    view.setUint16(24, plainChecksum(copy.subarray(14, 34)))
    return copy
  }
  const packet = Uint8Array.of(...copy.subarray(14, 54), shape.protocol, 0, 0, isFirst ? 1 : 16, 0,
    0, 0, 9, ...copy.subarray(54))
  viewOf(packet).setUint16(4, packet.length - 40)
  packet[6] = 44
  return ether(A.mac, B.mac, 0x86dd, packet)
}

/** An extension header more, so that the frame no longer fits its flow. */
function extended(frame: Uint8Array): Uint8Array {
  const shape = shapeOf(frame)!
  const packet = Uint8Array.of(...frame.subarray(14, 54), shape.protocol, 0, 1, 4, 0, 0, 0, 0,
    ...frame.subarray(54))
  viewOf(packet).setUint16(4, packet.length - 40)
  packet[6] = 60
  return ether(A.mac, B.mac, 0x86dd, packet)
}

type Sent = { frame: Uint8Array; flow: string; isFragment: boolean }

/** Many flows, their frames mixed, some of each flow no fit for the ones around them. */
function mixture(seed: number): Sent[] {
  const random = makeRandom(seed)
  const flows = Array.from({ length: 1 + pick(random, 40) }, (_, n) => {
    const spec = specOf({ version: pick(random, 2) === 0 ? 4 : 6,
      protocol: pick(random, 2) === 0 ? TCP : UDP, sourcePort: 2000 + n,
      size: 12 + pick(random, 200), segments: 1 + pick(random, 12), last: 1000, seed: n,
      flags: ACK | (pick(random, 3) === 0 ? PSH : 0) })
    return { spec, waiting: segmentsOf(superFrame(spec, B, A).octets, spec.size) }
  })
  const sent: Sent[] = []
  for (;;) {
    const left = flows.filter(({ waiting }) => waiting.length > 0)
    if (left.length === 0) return sent
    const { spec, waiting } = left[pick(random, left.length)]!
    const flow = `${spec.version} ${spec.protocol} ${spec.sourcePort}`
    for (let run = 1 + pick(random, 4); run > 0 && waiting.length > 0; run--) {
      const frame = waiting.shift()!
      const kind = pick(random, 12)
      const isFragment = kind < 2 && spec.protocol === UDP
      const isExtended = kind === 2 && spec.version === 6
      const fitting = CHANGES.filter(([name, applies]) => applies(spec)
        && !/port|MAC|address/.test(name))
      sent.push({ flow, isFragment, frame: isFragment ? fragment(frame, kind === 0)
        : isExtended ? extended(frame)
          : kind === 3 ? changed(frame, fitting[pick(random, fitting.length)]!) : frame })
    }
  }
}

test('flows that are mixed keep their order, whatever of them does not fit', t => {
  let coalesced = 0
  for (let run = 0; run < 120; run++) {
    const host = makeHost()
    const random = makeRandom(SEED + run)
    const sent = mixture(SEED + run)
    const got = host.fromTunnel(sent.map(({ frame }) => frame), { batch: 1 + pick(random, 200) })
    coalesced += host.counted()['frames.coalesced'] ?? 0
    const fault = disorder(got, sent.map(({ frame }) => frame), sent.map(({ flow }) => flow))
    if (fault !== '') return t.fail(`TAPMESH_SEED=${SEED} run ${run}: ${fault}`)
    const order = overtaken(got, sent)
    if (order !== '') return t.fail(`TAPMESH_SEED=${SEED} run ${run}: ${order}`)
  }
  t.true(coalesced > 3000, `${coalesced} put together`)
})

/** Fragments show no ports, so none may pass anything of its IP version that came before it. */
function overtaken(passed: Passed[], sent: Sent[]): string {
  const places = new Map(sent.map(({ frame }, n) => [nameOf(frame), n]))
  const order = passed.flatMap(unpacked).map(frame => places.get(nameOf(frame))!)
  for (const [at, n] of order.entries()) {
    if (!sent[n]!.isFragment) continue
    const later = order.slice(at + 1).find(other => other < n
      && sent[other]!.flow[0] === sent[n]!.flow[0])
    if (later !== undefined) return `the fragment ${n} overtook ${later}`
  }
  return ''
}
