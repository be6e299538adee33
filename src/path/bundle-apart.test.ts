// What arrives from the tunnel and is not put together, for no one header could say all of it. Each
// flow stays in order. A failing run is repeated with TAPMESH_SEED.
import test from 'ava'
import fc from 'fast-check'
import { makeRandom, pick } from '../base/prng.ts'
import { hexOf } from '../wire/vectors.test-kit.ts'
import { ether, viewOf, VLAN_10 } from './frames.test-kit.ts'
import {
  differenceOf, disorder, keyOf, makeHost, nameOf, PLAIN, segments,
} from './bundle.test-kit.ts'
import {
  A, ACK, B, CWR, FIN, finished, firstDifference, type Passed, payloadAt, plainChecksum, PSH,
  pseudoHeader, segmentsOf, shapeOf, TCP, UDP, unpacked,
} from './offload.test-kit.ts'
import { joinableSpec, specOf, superFrame, type SuperSpec } from './super-frame.test-kit.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 4789)

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

/** Whether `frame` came in a write of its own with a header of zeros. */
function cameSingly(passed: Passed[], frame: Uint8Array): boolean {
  return passed.some(({ octets, header }) => keyOf(octets) === keyOf(frame)
    && hexOf(header) === PLAIN)
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
