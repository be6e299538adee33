// Golden frames of the kernel's VXLAN device, changed at random, into a port and into the underlay:
// the switch never throws, never runs for ever, keeps its tables bounded and its memory as it is.
// A failing run is repeated with TAPMESH_SEED.
import test from 'ava'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { makeRandom, pick, type Random32 } from '../base/prng.ts'
import { formatMac } from '../base/text.ts'
import { hexOf, INNER_FRAME, OUTER_VXLAN, vector, vectorNames } from '../wire/vectors.test-kit.ts'
import { viewOf, withChecksum } from './frames.test-kit.ts'
import { type LabEndpoint, type LabHost, Lab, VNI } from './lab.test-kit.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 4789)
const MUTATIONS = 100_000
const WARM_UP = 20_000
const BATCH = 20
const LEARNED_PER_NETWORK = 64
const GROWTH_OCTETS_MAX = 4 << 20

/** Values that stand at the limits of fields. */
const EDGES = [0, 1, 4, 5, 6, 0x0f, 0x40, 0x45, 0x60, 0x7f, 0x80, 0x81, 0x86, 0x88, 0xfe, 0xff]

const frames = vectorNames().map(name => vector(name).subarray(INNER_FRAME))
const datagrams = vectorNames().map(name => vector(name).subarray(OUTER_VXLAN))
datagrams.push(partial('tcp-syn'), partial('udp-datagram'))

/** A datagram as it leaves a device that leaves checksums to hardware. */
function partial(name: string): Uint8Array {
  const packetAt = INNER_FRAME + 14
  const whole = vector(name)
  whole.set(withChecksum(whole.subarray(packetAt), 'partial'), packetAt)
  return whole.subarray(OUTER_VXLAN)
}

type Change = (random: Random32, octets: Uint8Array) => Uint8Array
const CHANGES: Change[] = [
  (random, octets) => { // one bit
    if (octets.length > 0) octets[pick(random, octets.length)]! ^= 1 << pick(random, 8)
    return octets
  },
  (random, octets) => { // one octet, mostly of the headers
    const at = pick(random, pick(random, 4) === 0 ? octets.length + 1 : 64)
    if (at < octets.length) octets[at] = EDGES[pick(random, EDGES.length)]!
    return octets
  },
  (random, octets) => { // two octets: lengths, types, ports
    const at = pick(random, 64)
    if (at + 2 <= octets.length) viewOf(octets).setUint16(at, random() & 0xffff)
    return octets
  },
  (random, octets) => octets.subarray(0, pick(random, octets.length + 1)),
  (random, octets) => { // longer, up to more than the MTU
    const longer = new Uint8Array(octets.length + pick(random, 1500)).fill(random() & 0xff)
    longer.set(octets)
    return longer
  },
  (random, octets) => { // a VLAN tag more
    const at = Math.min(octets.length, 12 + pick(random, 12))
    const tag = pick(random, 2) === 0 ? [0x81, 0, 0, 7] : [0x88, 0xa8, 0, 9]
    return Uint8Array.of(...octets.subarray(0, at), ...tag, ...octets.subarray(at))
  },
  (random, octets) => { // the end of another one
    const other = frames[pick(random, frames.length)]!
    const at = pick(random, Math.min(octets.length, other.length) + 1)
    return Uint8Array.of(...octets.subarray(0, at), ...other.subarray(at))
  },
]

function mutated(random: Random32, from: readonly Uint8Array[]): Uint8Array {
  let octets: Uint8Array = from[pick(random, from.length)]!.slice()
  for (let changes = 1 + pick(random, 4); changes > 0; changes--) {
    octets = CHANGES[pick(random, CHANGES.length)]!(random, octets)
  }
  return octets
}

/** Two hosts with the endpoints that the vectors speak of, and one each that may send anything. */
function makeTargets() {
  const lab = new Lab({ hosts: 2, vnis: [VNI, VNI + 1], learnedMax: LEARNED_PER_NETWORK })
  const [one, two] = [lab.host(0), lab.host(1)]
  const ends = [
    one.addEndpoint('10.0.1.8'), one.addEndpoint('10.0.1.20', { promiscuous: true }),
    one.addEndpoint('10.0.1.8', { network: 1 }),
    two.addEndpoint('10.0.1.9'), two.addEndpoint('10.0.1.21', { promiscuous: true }),
  ]
  return { lab, one, two, ends }
}

/** struct virtio_net_hdr for UDP over IPv4 in segments of 8 octets: linux/virtio_net.h. */
const UDP_SEGMENTS = [1, 5, 42, 0, 8, 0, 34, 0, 6, 0]

/** A virtio header that asks for a checksum, for segments, or for something that makes no sense. */
function randomVnetHeader(random: Random32): Uint8Array {
  if (pick(random, 4) === 0) return Uint8Array.from(UDP_SEGMENTS)
  const some = (...values: number[]) => pick(random, 8) === 0 ? random() & 0xffff
    : values[pick(random, values.length)]!
  const header = new Uint8Array(10)
  const view = viewOf(header)
  view.setUint8(0, some(0, 1, 1, 1))
  view.setUint8(1, some(0, 1, 4, 5, 0x81))
  view.setUint16(2, some(54, 74, 42, 62), true)
  view.setUint16(4, some(0, 8, 100, 500, 1400), true)
  view.setUint16(6, some(34, 54, 38), true)
  view.setUint16(8, some(6, 16), true)
  return header
}

/** What is wrong with what the endpoint got, or ''. The kernel refuses bad virtio headers. */
function faultOfReceived(end: LabEndpoint, isOurHeader: boolean): string {
  for (let next = end.take(); next !== undefined; next = end.take()) {
    const { octets, vnetHeader } = next
    if (octets.length < 14) return `a frame of ${octets.length} octets`
    const header = viewOf(vnetHeader)
    const checksumAt = header.getUint16(6, true) + header.getUint16(8, true)
    const isPlain = vnetHeader.every(octet => octet === 0)
    const isPartial = vnetHeader[0] === 1 && vnetHeader.subarray(1, 6).every(octet => octet === 0)
      && checksumAt > 14 + 20 && checksumAt + 2 <= octets.length
    if (isOurHeader && !isPlain && !isPartial) return `a virtio header ${hexOf(vnetHeader)}`
  }
  return ''
}

function collectGarbage(): number {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  if (typeof gc === 'function') gc()
  return process.memoryUsage().heapUsed
}

/** Three hosts that were told of each other; nobody unknown may be anywhere but on the first. */
function makeStrictTargets() {
  const lab = new Lab({ hosts: 3, vnis: [VNI, VNI + 1], learnedMax: LEARNED_PER_NETWORK,
    strict: true })
  const [one, two, three] = [lab.host(0), lab.host(1), lab.host(2)]
  const ends = [
    one.addEndpoint('10.0.1.8'), one.addEndpoint('10.0.1.20', { promiscuous: true }),
    one.addEndpoint('10.0.1.8', { network: 1 }),
  ]
  two.addEndpoint('10.0.1.9')
  two.addEndpoint('10.0.1.9', { network: 1 })
  three.addEndpoint('10.0.1.21')
  lab.share()
  return { lab, one, two, three, ends }
}

type Targets = ReturnType<typeof makeTargets>
type Feed = (random: Random32, targets: Targets) => void

/** A frame of an endpoint; some with a virtio header, which a neighbour gets as it is. */
const feedPort: Feed = (random, { ends }) => {
  const octets = mutated(random, frames)
  const vnetHeader = pick(random, 4) === 0 ? randomVnetHeader(random) : new Uint8Array(10)
  const { port } = ends[pick(random, 4) < 2 ? 0 : 1]!
  port.inbound.push({ octets, vnetHeader, source: 0, tos: 0, flow: 0 })
}

/** A datagram of the other host, or now and then of a stranger. */
const feedUnderlay: Feed = (random, { one, two }) => {
  const source = pick(random, 50) === 0 ? random() : two.address
  one.receive(mutated(random, datagrams), source, pick(random, 8) === 0 ? random() & 0xff : 0)
}

/** Feed `count` mutations in batches. Answers the first fault, or ''. */
function fuzz(random: Random32, targets: Targets, count: number,
  feed: Feed): string {
  const { lab, ends } = targets
  const isOurHeader = feed !== feedPort
  for (let done = 0; done < count; done += BATCH) {
    for (let n = 0; n < BATCH; n++) feed(random, targets)
    lab.run()
    if (done % 1000 === 0) lab.advance(200_000)
    if (done % 5000 === 0) for (const host of lab.hosts) host.adopt()
    for (const end of ends) {
      const fault = faultOfReceived(end, isOurHeader)
      if (fault !== '') return `TAPMESH_SEED=${SEED}: ${end.address} got ${fault} near ${done}`
    }
    for (const host of lab.hosts) {
      if (host.learnedCount > 2 * LEARNED_PER_NETWORK) return `TAPMESH_SEED=${SEED}: table grows`
    }
  }
  return ''
}

function reached(host: LabHost): string[] {
  return Object.keys({ ...host.drops(), ...host.counts() })
}

test('100,000 changed frames from an endpoint', t => {
  const random = makeRandom(SEED)
  const targets = makeTargets()
  t.is(fuzz(random, targets, WARM_UP, feedPort), '')
  const before = collectGarbage()
  t.is(fuzz(random, targets, MUTATIONS - WARM_UP, feedPort), '')
  const growth = collectGarbage() - before
  t.true(growth < GROWTH_OCTETS_MAX, `TAPMESH_SEED=${SEED}: ${growth} octets more`)
  t.is(targets.one.count('frames.tap_in'), MUTATIONS)
  // The changes are neither so small nor so big that they all end in the same place.
  for (const name of ['malformed', 'spoofed_mac', 'spoofed_address', 'source_is_group',
    'too_large', 'frames.underlay_out', 'arp.answered', 'icmp.too_large_sent', 'fdb.learned',
    'fdb.aged', 'fdb.evicted', 'frames.segmented']) {
    t.true(reached(targets.one).includes(name), name)
  }
})

test('100,000 changed datagrams from the underlay', t => {
  const random = makeRandom(SEED + 1)
  const targets = makeTargets()
  t.is(fuzz(random, targets, WARM_UP, feedUnderlay), '')
  const before = collectGarbage()
  t.is(fuzz(random, targets, MUTATIONS - WARM_UP, feedUnderlay), '')
  const growth = collectGarbage() - before
  t.true(growth < GROWTH_OCTETS_MAX, `TAPMESH_SEED=${SEED}: ${growth} octets more`)
  t.is(targets.one.count('frames.underlay_in'), MUTATIONS)
  t.is(targets.one.count('frames.underlay_out'), 0)
  for (const name of ['malformed', 'bad_flags', 'bad_vni', 'unknown_vtep', 'source_is_local',
    'source_is_group', 'ecn_congestion', 'frames.tap_out', 'checksum.partial', 'fdb.learned',
    'fdb.aged', 'fdb.evicted']) {
    t.true(reached(targets.one).includes(name), name)
  }
})

test('50,000 changed datagrams into a network where all is given', t => {
  const random = makeRandom(SEED + 2)
  const { lab, one, two, three, ends } = makeStrictTargets()
  const sources = new Set([...two.rows.ports, ...three.rows.ports].map(port =>
    formatMac(port.macHigh, port.macLow).replaceAll(':', '')))
  const addresses = new Set([...two.rows.ports, ...three.rows.ports].map(port => port.address | 0))
  for (let done = 0; done < MUTATIONS / 2; done += BATCH) {
    for (let n = 0; n < BATCH; n++) {
      one.receive(mutated(random, datagrams), pick(random, 3) === 0 ? three.address : two.address,
        pick(random, 8) === 0 ? random() & 0xff : 0)
    }
    lab.run()
    for (const octets of ends.flatMap(end => end.takeAll())) {
      const type = hexOf(octets.subarray(12, 14))
      const told = `TAPMESH_SEED=${SEED} near ${done}: ${hexOf(octets)}`
      if (!sources.has(hexOf(octets.subarray(6, 12)))) return t.fail(`source MAC: ${told}`)
      const at = type === '0800' ? 14 + 12 : type === '0806' ? 14 + 14 : -1
      const source = at < 0 ? 0 : viewOf(octets).getInt32(at)
      if (source !== 0 && !addresses.has(source)) return t.fail(`source address: ${told}`)
    }
  }
  for (const name of ['malformed', 'bad_flags', 'bad_vni', 'source_is_local', 'source_is_group',
    'wrong_vtep', 'unknown_source', 'frames.tap_out']) {
    t.true(reached(one).includes(name), name)
  }
  t.is(one.count('fdb.learned'), 0)
  t.is(one.count('frames.underlay_out'), 0)
})

test('50,000 changed frames from an endpoint of a network where all is given', t => {
  const random = makeRandom(SEED + 3)
  const { lab, one, two, three, ends } = makeStrictTargets()
  const targets = { lab, one, two, ends: [ends[0]!, ends[1]!] }
  t.is(fuzz(random, targets, MUTATIONS / 2, feedPort), '')
  // Whatever left, the others took from this host: it lets nothing out that they would refuse.
  for (const name of ['malformed', 'spoofed_mac', 'spoofed_address', 'no_vtep', 'arp.answered',
    'frames.underlay_out', 'unknown_address', 'fdb.learned']) {
    t.true(reached(one).includes(name), name)
  }
  for (const host of [two, three]) {
    for (const name of ['wrong_vtep', 'unknown_source', 'source_is_local', 'malformed']) {
      t.false(reached(host).includes(name), name)
    }
  }
})
