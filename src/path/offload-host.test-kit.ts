// One host for the tests of super-frames: a packet worker without its thread. Its ports pass virtio
// headers, and its underlay brings datagrams as a real one does: many at once, end to end.
import { ManualClock } from '../base/clock.ts'
import { linkLocalWords, parseIpv4, parseMac } from '../base/text.ts'
import { ERRNO_MAX, type FramePort, type Underlay } from '../kernel/port.ts'
import { FRAME_OCTETS_MAX, makeRing, makeRoom, type Ring } from '../kernel/ring.ts'
import { COUNT_NAMES, DROP_NAMES } from './counter-names.ts'
import { makeCounters } from './counters.ts'
import { BROADCAST, ether, payloadOf, type Station } from './frames.test-kit.ts'
import { buildImage } from './image.ts'
import { flushAll } from './flush.ts'
import { fromPort } from './inside.ts'
import { joined, type Passed } from './offload.test-kit.ts'
import { fromUnderlay } from './outside.ts'
import { adoptTables, makePlane, type Offload, type Plane } from './plane.ts'
import { makeTables } from './tables.ts'

export const VNI = 4097
export const VXLAN_HEADER = Uint8Array.of(8, 0, 0, 0, 0, VNI >> 8, VNI & 255, 0)
const RING_PAGES = 48
const TAP_SLOT_OCTETS = (FRAME_OCTETS_MAX + 128) & ~63
const UNDERLAY_OCTETS = 1 << 20
/** A frame in the first datagram then has its IP header 4-aligned; in the others it is chance. */
const UNDERLAY_LEAD_OCTETS = 2

/** A TAP that reads one frame at a time. */
class SuperPort implements FramePort {
  readonly inbox: Passed[] = []
  readonly outbox: Passed[] = []
  /** What the kernel says to every write: 0, or minus errno. */
  answer = 0
  readonly #ring: Ring
  readonly #area: number

  constructor(ring: Ring, area: number) {
    this.#ring = ring
    this.#area = area
  }

  receive(): number {
    const next = this.inbox.shift()
    if (next === undefined) return 0
    const { octets, at, length } = this.#ring
    octets.set(next.header, this.#area)
    octets.set(next.octets, this.#area + next.header.length)
    at[0] = this.#area + next.header.length
    length[0] = next.octets.length
    return 1
  }

  send(at: number, lengthOctets: number): number {
    if (this.answer < 0) return this.answer
    const { octets } = this.#ring
    this.outbox.push({ header: octets.slice(at - 10, at), octets: octets.slice(at,
      at + lengthOctets) })
    return 0
  }

  gather(headAt: number, headOctets: number, pieceAt: Int32Array, pieceOctets: Int32Array,
    first: number, count: number): number {
    if (this.answer < 0) return this.answer
    const { octets } = this.#ring
    const parts = [octets.slice(headAt + 10, headAt + headOctets)]
    for (let i = first; i < first + count; i++) {
      parts.push(octets.slice(pieceAt[i], pieceAt[i]! + pieceOctets[i]!))
    }
    this.outbox.push({ header: octets.slice(headAt, headAt + 10),
      octets: joined(...parts) })
    return 0
  }

  close(): void {}
}

export type Datagram = { member: number; flow: number; tos: number; octets: Uint8Array }
/** A frame from the tunnel, and what is around it. */
export type Arrival = { frame: Uint8Array; header?: Uint8Array; vtep?: string; tos?: number }
type Queued = Omit<Datagram, 'octets'> & { parts: [at: number, octets: number][] }

/** As with the real one, what was queued is read when it is flushed, and not before. */
class TrainUnderlay implements Underlay {
  readonly refused = new Float64Array(ERRNO_MAX)
  readonly refusedOctets = new Float64Array(1)
  readonly inbox: { octets: Uint8Array; source: number; tos: number }[] = []
  readonly outbox: Datagram[] = []
  readonly #queued: Queued[] = []
  readonly #ring: Ring
  readonly #area: number
  flushes = 0

  constructor(ring: Ring) {
    this.#ring = ring
    this.#area = makeRoom(ring, UNDERLAY_OCTETS)
  }

  receive(): number {
    let next = this.#area + UNDERLAY_LEAD_OCTETS
    let count = 0
    for (const { octets, source, tos } of this.inbox) {
      if (next + octets.length > this.#area + UNDERLAY_OCTETS) break
      this.#ring.octets.set(octets, next)
      this.#ring.at[count] = next
      this.#ring.length[count] = octets.length
      this.#ring.source[count] = source
      this.#ring.tos[count] = tos
      next += octets.length
      count += 1
    }
    this.inbox.splice(0, count)
    return count
  }

  setDestination(): void {}

  queue(member: number, flow: number, tos: number, headAt: number, headOctets: number,
    bodyAt: number, bodyOctets: number): void {
    this.#queued.push({ member, flow, tos, parts: [[headAt, headOctets], [bodyAt, bodyOctets]] })
  }

  flush(): void {
    this.flushes += 1
    for (const { parts, ...rest } of this.#queued) {
      const octets = joined(...parts.map(([at, length]) =>
        this.#ring.octets.slice(at, at + length)))
      this.outbox.push({ ...rest, octets })
    }
    this.#queued.length = 0
  }

  close(): void {}
}

export type HostOptions = {
  mtu?: number
  offload?: Offload
  inheritDscp?: boolean
  /** Endpoints, in the order of their slots. */
  endpoints: readonly (Station & { promiscuous?: boolean })[]
  /** Other VTEPs: they are member 0, 1, … of the network. */
  vteps?: readonly string[]
  /** They finish checksums for us. */
  remoteChecksum?: boolean
}

export const VTEP = '192.168.56.12'

export class OffloadHost {
  readonly plane: Plane
  readonly ports: SuperPort[]
  readonly underlay: TrainUnderlay

  constructor(options: HostOptions) {
    const { mtu = 1450, offload = { tcp: true, udp: true }, inheritDscp = true, endpoints,
      vteps = [VTEP], remoteChecksum = false } = options
    const ring = makeRing(new WebAssembly.Memory({ initial: RING_PAGES, maximum: RING_PAGES }), 0)
    ring.octets.fill(0xa5) // noise, so that what is not written shows
    this.underlay = new TrainUnderlay(ring)
    this.plane = makePlane({ ring, underlay: this.underlay, counters: makeCounters(),
      clock: new ManualClock(1000), inheritDscp, offload, folds: true, seed: 7 })
    const area = makeRoom(ring, TAP_SLOT_OCTETS)
    this.ports = endpoints.map(() => new SuperPort(ring, area))
    this.ports.forEach((port, slot) => { this.plane.ports[slot] = port })
    adoptTables(this.plane, makeTables(buildImage({
      generation: 1,
      networks: [{ vni: VNI, mtu, learnedMax: 4096 }],
      ports: endpoints.map(({ address, mac, promiscuous = false }, slot) => {
        const [macHigh, macLow] = parseMac(mac)
        return { id: slot + 1, slot, fd: slot + 10, network: 0, macHigh, macLow, promiscuous,
          address: parseIpv4(address), linkLocal: linkLocalWords(mac) }
      }),
      members: vteps.map(vtep => ({
        network: 0, address: parseIpv4(vtep), port: 4789, remoteChecksum,
      })),
    })))
  }

  /** Let the host know that `who` is behind the VTEP `vtep`. */
  meet(who: Station, vtep = VTEP): void {
    this.fromTunnel([ether(BROADCAST, who.mac, 0x88b5, payloadOf(46))], { vtep })
    for (const port of this.ports) port.outbox.length = 0
    this.plane.counters.fill(0)
  }

  /** Frames that the endpoint in `slot` sends, each read on its own. @returns datagrams sent */
  fromPort(slot: number, ...frames: Passed[]): Datagram[] {
    this.ports[slot]!.inbox.push(...frames)
    while (this.ports[slot]!.inbox.length > 0) fromPort(this.plane, slot)
    flushAll(this.plane)
    return this.underlay.outbox.splice(0)
  }

  /**
   * Frames from the tunnel.
   * @param batch how many datagrams one receive brings at most
   * @returns what the first port got
   */
  fromTunnel(frames: readonly Uint8Array[], { vtep = VTEP, tos = 0, batch = 2048 } = {}): Passed[] {
    const got: Passed[] = []
    for (let next = 0; next < frames.length; next += batch) {
      const some = frames.slice(next, next + batch)
      got.push(...this.fromWire(some.map(frame => ({ frame, vtep, tos }))))
    }
    return got
  }

  /** Datagrams that one receive brings, each its own way. @returns what the first port got */
  fromWire(datagrams: readonly Arrival[]): Passed[] {
    for (const { frame, header = VXLAN_HEADER, vtep = VTEP, tos = 0 } of datagrams) {
      this.underlay.inbox.push({ octets: joined(header, frame), source: parseIpv4(vtep), tos })
    }
    while (this.underlay.inbox.length > 0) fromUnderlay(this.plane)
    return this.received(0)
  }

  received(slot: number): Passed[] {
    return this.ports[slot]!.outbox.splice(0)
  }

  /** Counters that are not 0, drops as "drops.malformed". */
  counted(): Record<string, number> {
    const names = [...DROP_NAMES.map(name => `drops.${name}`), ...COUNT_NAMES]
    return Object.fromEntries(names.map((name, i) => [name, this.plane.counters[i]!] as const)
      .filter(([, value]) => value !== 0))
  }
}

/** The frame inside a datagram. @throws Error when its VXLAN header is not ours */
export function opened({ octets }: Datagram): Uint8Array {
  const isOurs = VXLAN_HEADER.every((octet, i) => octets[i] === octet)
  if (!isOurs) throw new Error(`VXLAN header ${Buffer.from(octets.subarray(0, 8)).toString('hex')}`)
  return octets.subarray(8)
}
