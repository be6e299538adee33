// Run as a program of its own by garbage.test.ts, so that nobody else's garbage counts: forwards
// frames through breathe() over ports that allocate nothing, and prints as JSON what the collector
// did meanwhile. Arguments: traffic, frames of a batch, and how many frames are to be forwarded.
import { GCProfiler } from 'node:v8'
import { type Clock, systemClock } from '../base/clock.ts'
import { linkLocalWords, macOfAddress, parseIpv4, parseMac } from '../base/text.ts'
import type { FramePort, Underlay, Waiter } from '../kernel/port.ts'
import { ERRNO_MAX } from '../kernel/port.ts'
import { makeRing, makeRoom, type Ring, VNET_HEADER_OCTETS } from '../kernel/ring.ts'
import { GSO_TCPV4, writeVirtioChecksum, writeVirtioGso } from '../wire/virtio.ts'
import { DROP_NAMES } from './counter-names.ts'
import { COUNT_TAP_OUT, COUNT_UNDERLAY_OUT, makeCounters } from './counters.ts'
import { makeFlowMemory } from './flow-memory.ts'
import { breathe, TOKEN_FIRST_PORT, TOKEN_UNDERLAY } from './engine.ts'
import {
  ether, ipv4, payloadOf, type Station, station, tcp, viewOf, withChecksum,
} from './frames.test-kit.ts'
import { buildImage } from './image.ts'
import type { PublishedRow, RemoteRow, ServiceRow } from './image-rows.ts'
import { adoptTables, makePlane, type Plane } from './plane.ts'
import { makeTables } from './tables.ts'

/**
 * From a TAP to the tunnel and back, as single frames and as many in one. `given` is in a strict
 * network of many given endpoints. `vip` is to a virtual address, and from its backend; with
 * `begin` every frame begins a flow, in a table that is always full; with `host` it goes to a
 * published port, and comes from there. Of `out-folded` every other frame goes with the next.
 * `wasteful` is `in` to a port that makes one object of each frame, to see that it would be seen.
 */
export type Traffic = 'out' | 'out-super' | 'in' | 'in-train' | 'out-given' | 'in-given'
  | 'in-train-given' | 'wasteful' | 'out-vip' | 'out-vip-begin' | 'in-vip' | 'in-train-vip'
  | 'out-host-vip' | 'out-host-vip-begin' | 'in-host-vip' | 'out-folded'

export type GarbageReport = {
  forwarded: number
  drops: number
  collections: number
  /** Growth of the heap, which is what was allocated when nothing was collected. */
  heapOctets: number
  elapsedMs: number
}

const VNI = 4097
const RING_PAGES = 128
const OWN_ADDRESS = parseIpv4('192.168.56.11')
const PEER_ADDRESS = parseIpv4('192.168.56.12')
const HERE = station('10.0.1.2')
const THERE = station('10.0.1.3')
const GIVEN = 10_000
const VIP = station('10.9.0.1')
const BACKENDS = 100
/** So few that a table of flows that begin is full at once. */
const FLOWS = 4096
const SEGMENT_OCTETS = 1400
const HEAD_OCTETS = 14 + 20 + 20
/** 1,460: more than fits, so each frame that begins a flow is changed. */
const MSS_OPTION = [2, 4, 0x05, 0xb4]
/** Rounds of warm-up, until two of them have left the heap as it was. */
const WARM_UP_FRAMES = 250_000
const WARM_UP_ROUNDS_MAX = 24
const CALM_OCTETS_MAX = 8192
/** The real clock, but quick, so that what happens once a second is warm too. */
const CLOCK_FACTOR = 20
const quickClock: Clock = {
  nowMs: () => systemClock.nowMs() * CLOCK_FACTOR,
  wallMs: () => systemClock.wallMs(),
}
const KEPT_OCTETS = 64
const VXLAN_HEADER = [8, 0, 0, 0, 0, VNI >> 8, VNI & 0xff, 0]

/** Frames in the ring that are received again and again. */
class Replay {
  readonly #ring: Ring
  readonly #at: Int32Array
  readonly #length: Int32Array

  readonly #firstAt: Int32Array

  /** @param lead octets in front of each frame, as the real port has them */
  constructor(ring: Ring, frames: Uint8Array[], batch: number, lead: number) {
    this.#ring = ring
    this.#at = new Int32Array(batch)
    this.#firstAt = new Int32Array(batch)
    this.#length = new Int32Array(batch)
    for (let n = 0; n < batch; n++) {
      const frame = frames[n % frames.length]!
      this.#at[n] = makeRoom(ring, frame.length + lead) + lead
      this.#length[n] = frame.length
      ring.octets.set(frame, this.#at[n])
      this.#firstAt[n] = makeRoom(ring, KEPT_OCTETS)
      ring.octets.set(frame.subarray(0, KEPT_OCTETS), this.#firstAt[n])
    }
  }

  /** Headers as they were: what is translated is translated where it lies. */
  restore(): void {
    for (let n = 0; n < this.#at.length; n++) {
      const from = this.#firstAt[n]!
      const octets = Math.min(this.#length[n]!, KEPT_OCTETS)
      this.#ring.octets.copyWithin(this.#at[n]!, from, from + octets)
    }
  }

  receive(): number {
    const count = this.#at.length
    for (let n = 0; n < count; n++) {
      this.#ring.at[n] = this.#at[n]!
      this.#ring.length[n] = this.#length[n]!
    }
    return count
  }
}

class ReplayPort implements FramePort {
  readonly #ring: Ring
  readonly #replay: Replay
  readonly #isVirtual: boolean
  readonly #isBeginning: boolean
  readonly #isSuper: boolean
  #began = 0
  sent = 0

  constructor(ring: Ring, frames: Uint8Array[], batch: number, traffic: string) {
    this.#ring = ring
    this.#replay = new Replay(ring, frames, batch, VNET_HEADER_OCTETS)
    this.#isVirtual = /^out.*vip/.test(traffic)
    this.#isBeginning = traffic.endsWith('-begin')
    this.#isSuper = traffic === 'out-super'
  }

  /** Checksums are left to the switch, as a kernel does that is told it may. */
  receive(): number {
    const { at, view } = this.#ring
    const count = this.#replay.receive()
    if (this.#isVirtual) this.#replay.restore()
    for (let n = 0; n < count; n++) {
      const header = at[n]! - VNET_HEADER_OCTETS
      if (this.#isBeginning) {
        this.#began = (this.#began + 1) & 0xffff
        view.setUint16(at[n]! + 34, this.#began)
      }
      if (this.#isSuper) {
        writeVirtioGso(view, header, GSO_TCPV4, SEGMENT_OCTETS, HEAD_OCTETS, 34, 16)
      } else {
        writeVirtioChecksum(view, header, 34, 16)
      }
    }
    return count
  }

  send(at: number, lengthOctets: number): number {
    this.sent = (this.sent + at + lengthOctets) | 0
    return 0
  }

  gather(headAt: number, headOctets: number, pieceAt: Int32Array, pieceOctets: Int32Array,
    first: number, count: number): number {
    this.sent = (this.sent + headAt + headOctets) | 0
    for (let n = first; n < first + count; n++) {
      this.sent = (this.sent + pieceAt[n]! + pieceOctets[n]!) | 0
    }
    return 0
  }

  close(): void {}
}

class WastefulPort extends ReplayPort {
  kept: readonly number[] = []
  override gather(headAt: number, headOctets: number): number {
    this.kept = [headAt, headOctets]
    return 0
  }
}

class ReplayUnderlay implements Underlay {
  readonly refused = new Float64Array(ERRNO_MAX)
  readonly refusedOctets = new Float64Array(1)
  readonly #ring: Ring
  readonly #replay: Replay
  readonly #isVirtual: boolean
  sent = 0

  constructor(ring: Ring, datagrams: Uint8Array[], batch: number, isVirtual: boolean) {
    this.#ring = ring
    this.#replay = new Replay(ring, datagrams, batch, 2)
    this.#isVirtual = isVirtual
  }

  receive(): number {
    const count = this.#replay.receive()
    if (this.#isVirtual) this.#replay.restore()
    const { source, tos } = this.#ring
    for (let n = 0; n < count; n++) {
      source[n] = PEER_ADDRESS | 0
      tos[n] = 0
    }
    return count
  }

  setDestination(): void {}

  queue(destination: number, flow: number, tos: number, headAt: number, headOctets: number,
    bodyAt: number, bodyOctets: number): void {
    this.sent = (this.sent + destination + flow + tos + headAt + headOctets + bodyAt
      + bodyOctets) | 0
  }

  flush(): void {}
  close(): void {}
}

class OneReady implements Waiter {
  readonly ready = new Int32Array(1)
  constructor(token: number) {
    this.ready[0] = token
  }
  wait(): number {
    return 1
  }
}

/** A TCP segment of one flow. */
function segment(from: Station, to: Station, flow: number, sequence: number,
  octets: number): Uint8Array {
  const message = tcp(5000 + flow, 80, payloadOf(octets))
  viewOf(message).setInt32(4, sequence)
  const words = { source: from.address, destination: to.address, protocol: 6, tos: flow & 2 }
  return ether(to.mac, from.mac, 0x0800, withChecksum(ipv4(words, message), 'right'))
}

/** What the endpoint sends: eight flows, as single frames or as 40 segments in one. */
function outgoing(traffic: string): Uint8Array[] {
  if (traffic === 'out-folded') {
    return Array.from({ length: 16 }, (_, n) => segment(HERE, THERE, n >> 1, 1, (n & 1) * 100))
  }
  const isSuper = traffic === 'out-super'
  return Array.from({ length: 8 }, (_, flow) => {
    const frame = segment(HERE, traffic.includes('vip') ? VIP : THERE, flow, 1,
      isSuper ? SEGMENT_OCTETS * 40 : MSS_OPTION.length + flow * 150)
    if (traffic.endsWith('-begin')) {
      frame[46] = (20 + MSS_OPTION.length) << 2
      frame[47] = 2 // SYN
      frame.set(MSS_OPTION, HEAD_OCTETS)
    }
    if (traffic.startsWith('in')) { // the flows that are answered: to the ports that answer
      const view = viewOf(frame)
      const ports = view.getInt32(34)
      view.setInt32(34, ports << 16 | ports >>> 16)
    }
    return frame
  })
}

/** What the other host sends: segments that follow one another, or that do not. */
function incoming(isTrain: boolean): Uint8Array[] {
  return Array.from({ length: 64 }, (_, n) => Uint8Array.of(...VXLAN_HEADER, ...(isTrain
    ? segment(THERE, HERE, 0, n * SEGMENT_OCTETS, SEGMENT_OCTETS)
    : segment(THERE, HERE, n % 8, n * 7777, (n % 8) * 150))))
}

/** THERE and the addresses behind it. */
function given(): RemoteRow[] {
  return Array.from({ length: GIVEN }, (_, n) => {
    const address = parseIpv4(THERE.address) + n
    const [macHigh, macLow] = parseMac(macOfAddress(address))
    return { network: 0, macHigh, macLow, address, member: PEER_ADDRESS }
  })
}

/** Of which the endpoint THERE is one, or the only one. */
function services(traffic: string): ServiceRow[] {
  const count = traffic.startsWith('in') ? 1 : BACKENDS
  return [{ mark: 256, network: 0, address: parseIpv4(VIP.address),
    scheduler: traffic.endsWith('-begin') ? 'lc' : 'maglev',
    backends: Array.from({ length: count }, (_, id) =>
      ({ id, address: parseIpv4(THERE.address) + id, weight: 1 })) }]
}

/** The ports that outgoing() asks for. */
function published(traffic: string): PublishedRow[] {
  const ports = traffic.startsWith('in') ? Array.from({ length: 8 }, (_, n) => 5000 + n) : [80]
  return ports.map(port =>
    ({ protocol: 6, port, mark: 256, target: port, isPreserving: false }))
}

function makeTarget(traffic: string, batch: number): Plane {
  const memory = new WebAssembly.Memory({ initial: RING_PAGES, maximum: RING_PAGES })
  const ring = makeRing(memory, 0)
  const isTrain = traffic.startsWith('in-train')
  const isVirtual = traffic.includes('vip')
  const underlay = new ReplayUnderlay(ring, incoming(isTrain), batch, isVirtual)
  const isHost = traffic.includes('host')
  const flows = traffic.endsWith('-begin')
    ? { memories: [makeFlowMemory(FLOWS)], mine: 0, capacity: FLOWS } : undefined
  const plane = makePlane({ ring, underlay, counters: makeCounters(), clock: quickClock,
    inheritDscp: true, offload: { tcp: true, udp: true }, folds: true, seed: OWN_ADDRESS,
    ...flows && { flows } })
  const Port = traffic === 'wasteful' ? WastefulPort : ReplayPort
  plane.ports[0] = new Port(ring, outgoing(traffic), batch, traffic)
  const isGiven = traffic.endsWith('-given') || isVirtual
  const address = parseIpv4(HERE.address)
  const mac = macOfAddress(address)
  const [macHigh, macLow] = parseMac(mac)
  adoptTables(plane, makeTables(buildImage({
    generation: 1,
    networks: [{ vni: VNI, mtu: 1450, learnedMax: 4096, strict: isGiven,
      gateway: parseIpv4('10.0.1.1'), isIngress: isHost }],
    services: isVirtual ? services(traffic) : [],
    published: isHost ? published(traffic) : [],
    ports: [{ id: 1, slot: 0, fd: 3, network: 0, macHigh, macLow, address,
      linkLocal: linkLocalWords(mac), promiscuous: false, ...isHost && { role: 'host' } }],
    members: [{ network: 0, address: PEER_ADDRESS, port: 4789 }],
    remotes: isGiven ? given() : [],
  })))
  // One batch begins the flows that are answered, and one teaches where THERE is.
  if (traffic.startsWith('in') && isVirtual) breathe(plane, new OneReady(TOKEN_FIRST_PORT), 0)
  if (!traffic.startsWith('out-host')) breathe(plane, new OneReady(TOKEN_UNDERLAY), 0)
  return plane
}

function forwarded(plane: Plane): number {
  return plane.counters[COUNT_TAP_OUT]! + plane.counters[COUNT_UNDERLAY_OUT]!
}

function breatheUntil(plane: Plane, waiter: Waiter, frames: number): void {
  while (forwarded(plane) < frames) breathe(plane, waiter, 0)
}

/** The engine compiles beside the run, so on a busy machine it takes a while to be done. */
function warmUp(plane: Plane, waiter: Waiter): void {
  let calm = 0
  for (let round = 0; round < WARM_UP_ROUNDS_MAX && calm < 2; round++) {
    const heapBefore = process.memoryUsage().heapUsed
    breatheUntil(plane, waiter, forwarded(plane) + WARM_UP_FRAMES)
    const growth = process.memoryUsage().heapUsed - heapBefore
    calm = growth >= 0 && growth < CALM_OCTETS_MAX ? calm + 1 : 0
  }
}

function measure(traffic: string, batch: number, frames: number): GarbageReport {
  const plane = makeTarget(traffic, batch)
  const waiter = new OneReady(traffic.startsWith('out') ? TOKEN_FIRST_PORT : TOKEN_UNDERLAY)
  warmUp(plane, waiter)
  const before = forwarded(plane)
  const profiler = new GCProfiler()
  profiler.start()
  const heapBefore = process.memoryUsage().heapUsed
  const begin = performance.now()
  breatheUntil(plane, waiter, before + frames)
  const elapsedMs = performance.now() - begin
  const heapOctets = process.memoryUsage().heapUsed - heapBefore
  return {
    forwarded: forwarded(plane) - before,
    drops: DROP_NAMES.reduce((sum, _, n) => sum + plane.counters[n]!, 0),
    collections: profiler.stop().statistics.length,
    heapOctets,
    elapsedMs,
  }
}

const [traffic = 'out', batch, frames] = process.argv.slice(2)
console.log(JSON.stringify(measure(traffic, Number(batch), Number(frames))))
