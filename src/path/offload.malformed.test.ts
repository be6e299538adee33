// Virtio headers that no kernel would write: a task with a raw packet socket can make some of them.
// Whatever they say, the frame is carried rightly, answered with ICMP, or dropped as malformed; and
// nothing in them changes the addresses that the switch has checked. A failing run is repeated with
// TAPMESH_SEED.
import test from 'ava'
import { makeRandom, pick, type Random32 } from '../base/prng.ts'
import { hexOf } from '../wire/vectors.test-kit.ts'
import { arpRequest, ether, payloadOf, station, viewOf, VLAN_10 } from './frames.test-kit.ts'
import {
  A, B, firstDifference, gsoTypeOf, type Passed, payloadAt, plainChecksum, segmentsOf, shapeOf, TCP,
  UDP, virtioHeader, type VirtioWords, virtioWords,
} from './offload.test-kit.ts'
import { type Datagram, OffloadHost, opened, VXLAN_HEADER } from './offload-host.test-kit.ts'
import { specOf, superFrame, type SuperSpec } from './super-frame.test-kit.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 4789)
const CASES = 100_000
const MTU = 1450
const NEIGHBOUR = station('10.0.1.4')

function makeHost(remoteChecksum = false): OffloadHost {
  const host = new OffloadHost({ mtu: MTU, endpoints: [A, NEIGHBOUR], remoteChecksum })
  host.meet(B)
  return host
}

const SPECS: Partial<SuperSpec>[] = [
  {}, { protocol: UDP }, { version: 6 }, { version: 6, protocol: UDP },
  { tags: [VLAN_10] }, { version: 6, protocol: UDP, tags: [VLAN_10], options: 2 },
  { options: 4, tcpOptions: 0 }, { options: 1, protocol: UDP }, { version: 6, options: 8 },
]

/** Frames of a kernel: super-frames, single ones, with a partial checksum or a whole one. */
function framesTo(to: typeof B): Passed[] {
  const specs = SPECS.map(over => specOf({ size: 40, segments: 4, last: 500, ...over }))
  const supers = specs.map(spec => superFrame(spec, A, to))
  const partial = supers.map(({ octets, header }) => ({ octets, header: virtioHeader({
    ...virtioWords(header), type: 0, size: 0, headerOctets: 0 }) }))
  const whole = specs.map(spec => ({ header: virtioHeader({}), octets: segmentsOf(
    superFrame(spec, A, to).octets, 1000)[0]! }))
  const foreign = ether(to.mac, A.mac, 0x88b5, payloadOf(80))
  return [...supers, ...partial, ...whole, { octets: foreign, header: virtioHeader({}) },
    { octets: arpRequest(A, to.address), header: virtioHeader({}) }]
}

type Verdict = 'malformed' | 'too large' | Uint8Array[]

/** What must become of a frame on the tunnel. */
function verdictOf({ octets, header }: Passed): Verdict {
  const words = virtioWords(header)
  const shape = shapeOf(octets)
  const largest = MTU + 14
  if ((words.type & 0x7f) === 0) {
    if ((words.flags & 1) === 0) return octets.length > largest ? 'too large' : [octets]
    return octets.length > largest && isPlaceForChecksum(octets, words) ? 'too large'
      : completed(octets, words)
  }
  if (shape === undefined || shape.isFragment || (words.flags & 1) === 0) return 'malformed'
  const begin = payloadAt(octets, shape)
  if ((words.type & 0x7f) !== gsoTypeOf(shape) || words.start !== shape.l4At || words.size === 0
    || words.offset !== (shape.protocol === TCP ? 16 : 6) || begin >= octets.length) {
    return 'malformed'
  }
  if (Math.min(octets.length, begin + words.size) > largest) return 'too large'
  return segmentsOf(octets, words.size)
}

/** In the payload of IP, or of a protocol that we do not know; never in what the switch checks. */
function isPlaceForChecksum(octets: Uint8Array, { start, offset }: VirtioWords): boolean {
  const typeAt = octets[12] === 0x81 ? 16 : 12
  const type = viewOf(octets).getUint16(typeAt)
  const ip = type === 0x0800 ? (octets[typeAt + 2]! & 15) * 4 : type === 0x86dd ? 40 : 0
  return type !== 0x0806 && start + offset >= typeAt + 2 + ip
    && start + offset + 2 <= octets.length
}

function completed(octets: Uint8Array, words: VirtioWords): Verdict {
  if (!isPlaceForChecksum(octets, words)) return 'malformed'
  const whole = octets.slice()
  const sum = plainChecksum(whole.subarray(words.start))
  viewOf(whole).setUint16(words.start + words.offset, sum === 0 ? 0xffff : sum)
  return [whole]
}

const EDGES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 14, 16, 26, 34, 38, 54, 58, 128, 129, 132, 133, 255,
  1396, 1398, 1410, 0x7fff, 0x8000, 0xfffe, 0xffff]
const FIELDS = ['flags', 'type', 'headerOctets', 'size', 'start', 'offset'] as const

/** `header` with some of its fields changed, to anything or to what stands at a limit. */
function mutated(random: Random32, { octets, header }: Passed): Uint8Array {
  const words = virtioWords(header)
  for (let changes = 1 + pick(random, 3); changes > 0; changes--) {
    const field = FIELDS[pick(random, FIELDS.length)]!
    const near = [words[field] + 1, words[field] - 1, octets.length, octets.length - 2,
      octets.length - words.start - 2, EDGES[pick(random, EDGES.length)]!, random() & 0xffff,
      [0, 1, 4, 5][pick(random, 4)]!]
    const limit = field === 'flags' || field === 'type' ? 0xff : 0xffff
    words[field] = near[pick(random, near.length)]! & limit
  }
  return virtioHeader(words)
}

/**
 * What a VTEP gets that finishes checksums for us: as its header says, which is where its own
 * headers have it, or it would not be found.
 * @throws Error when the header says anything else
 */
function finishedByMark(datagram: Datagram): Uint8Array {
  const { octets } = datagram
  if (octets[1] === 0) return opened(datagram)
  const shape = shapeOf(octets.subarray(8))
  const isUdp = shape?.protocol === UDP
  const mark = Uint8Array.of(8, 0x20, 0, 0, ...VXLAN_HEADER.subarray(4, 7),
    (shape?.l4At ?? 0) / 2 + (isUdp ? 0x80 : 0))
  if (hexOf(mark) !== hexOf(octets.subarray(0, 8)) || !(isUdp || shape?.protocol === TCP)) {
    throw new Error(`${hexOf(octets.subarray(0, 8))} in front of ${hexOf(octets.subarray(8, 90))}`)
  }
  const frame = octets.slice(8)
  const sum = plainChecksum(frame.subarray(shape!.l4At))
  viewOf(frame).setUint16(shape!.l4At + (isUdp ? 6 : 16), isUdp && sum === 0 ? 0xffff : sum)
  return frame
}

/** What is wrong with what became of a frame, or ''. */
function faultOfCase(host: OffloadHost, passed: Passed, isLocal: boolean,
  seen: Map<string, number>): string {
  host.plane.counters.fill(0)
  host.plane.icmpLeft = 100
  const verdict = verdictOf(passed)
  const datagrams = host.fromPort(0, passed).map(finishedByMark)
  const { 'drops.malformed': malformed = 0, 'drops.too_large': tooLarge = 0 } = host.counted()
  const delivered = host.received(1)
  host.received(0)
  const is = typeof verdict === 'string' ? verdict : 'carried'
  seen.set(is, (seen.get(is) ?? 0) + 1)
  if (malformed !== (verdict === 'malformed' ? 1 : 0)) return `${malformed} malformed, it is ${is}`
  if (tooLarge !== (verdict === 'too large' ? 1 : 0)) return `${tooLarge} too large, it is ${is}`
  if (typeof verdict === 'string') {
    return datagrams.length + delivered.length === 0 ? '' : `carried, though it is ${is}`
  }
  if (!isLocal) return delivered.length > 0 ? 'given to a stranger'
    : firstDifference(datagrams, verdict)
  const [one, ...more] = delivered
  if (datagrams.length + more.length > 0 || one === undefined) return 'not to its neighbour only'
  return hexOf(one.header) !== hexOf(passed.header) ? `header ${hexOf(one.header)}`
    : firstDifference([one.octets], [passed.octets])
}

for (const [where, to, remoteChecksum] of [
  ['the tunnel', B, false], ['a neighbour', NEIGHBOUR, false],
  ['a VTEP that finishes checksums', B, true],
] as const) {
  test(`${CASES / 2} random virtio headers to ${where}`, t => {
    const random = makeRandom(SEED)
    const host = makeHost(remoteChecksum)
    const frames = framesTo(to).filter(({ octets }) => octets[12] !== 8 || octets[13] !== 6)
    const seen = new Map<string, number>()
    for (let n = 0; n < CASES / 2; n++) {
      const frame = frames[pick(random, frames.length)]!
      const passed = { octets: frame.octets, header: mutated(random, frame) }
      const fault = faultOfCase(host, passed, to === NEIGHBOUR, seen)
      if (fault === '') continue
      return t.fail(`TAPMESH_SEED=${SEED} case ${n}: ${JSON.stringify(virtioWords(passed.header))} `
        + `in front of ${hexOf(passed.octets)}: ${fault}`)
    }
    for (const verdict of ['malformed', 'carried']) {
      t.true(seen.get(verdict)! > 5000, `${seen.get(verdict)} ${verdict}`)
    }
  })
}

test('random virtio headers in front of changed frames, and of parts of frames', t => {
  const random = makeRandom(SEED)
  const host = makeHost()
  const frames = framesTo(B)
  let out = 0
  for (let n = 0; n < 30_000; n++) {
    const frame = frames[pick(random, frames.length)]!
    const octets = frame.octets.slice(0, pick(random, 3) === 0 ? pick(random, 90) : undefined)
    for (let changes = pick(random, 3); changes > 0; changes--) {
      octets[12 + pick(random, 70)] = EDGES[pick(random, EDGES.length)]!
    }
    const header = pick(random, 2) === 0 ? frame.header : mutated(random, frame)
    const datagrams = host.fromPort(0, { octets, header }).map(opened)
    out += datagrams.length
    host.received(0)
    const foreign = datagrams.find(one => hexOf(one.subarray(0, 12)) !== hexOf(
      octets.subarray(0, 12)))
    if (foreign === undefined) continue
    return t.fail(`TAPMESH_SEED=${SEED} case ${n}: ${hexOf(header)} ${hexOf(octets)} became `
      + hexOf(foreign))
  }
  t.true(out > 5000, `${out} datagrams`)
})

// ---- the ones that a task would try ----

const udp = superFrame(specOf({ protocol: UDP, segments: 1, size: 60 }), A, B)
const arp = arpRequest(A, B.address)
const SPOOFS: [name: string, octets: Uint8Array, start: number, offset: number][] = [
  ['its MAC', udp.octets, 0, 6],
  ['the receiver\'s MAC', udp.octets, 0, 0],
  ['its EtherType', udp.octets, 12, 0],
  ['its IPv4 address', udp.octets, 14, 12],
  ['its IPv4 address, from the front', udp.octets, 0, 28],
  ['the IPv4 protocol', udp.octets, 22, 0],
  ['its IPv6 address', superFrame(specOf({ version: 6, size: 9 })).octets, 14, 8],
  ['its MAC in ARP', arp, 14, 8],
  ['its address in ARP', arp, 14, 14],
  ['what is behind the frame', udp.octets, 34, udp.octets.length - 34],
  ['half behind the frame', udp.octets, 34, udp.octets.length - 35],
  ['far behind the frame', udp.octets, 0xffff, 0xffff],
]
for (const [name, octets, start, offset] of SPOOFS) {
  test(`no checksum is written over ${name}`, t => {
    const host = makeHost()
    const header = virtioHeader({ flags: 1, start, offset })
    t.is(host.fromPort(0, { octets, header }).length, 0)
    t.like(host.counted(), { 'drops.malformed': 1, 'frames.tap_in': 1 })
    t.deepEqual(host.received(1), [])
  })
}
