// Hosts in memory for the tests of the switch: planes with memory ports, joined by memory underlays
// whose wires may lose and reorder. Time moves only when a test moves it.
import { assert } from '../base/assert.ts'
import { ManualClock } from '../base/clock.ts'
import { linkLocalWords, macOfAddress, parseIpv4, parseMac } from '../base/text.ts'
import { MemoryQueue, type WireFaults } from '../kernel/memory-queue.ts'
import {
  makeMemoryArea, MemoryFramePort, MemoryUnderlay, MemoryWaiter,
} from '../kernel/port.memory.ts'
import { makeRing } from '../kernel/ring.ts'
import { COUNT_NAMES, DROP_NAMES } from './counter-names.ts'
import { type Counters, GAUGE_LEARNED, makeCounters } from './counters.ts'
import { breathe, TOKEN_FIRST_PORT, TOKEN_UNDERLAY } from './engine.ts'
import { makeFlowMemory } from './flow-memory.ts'
import type { FlowShards } from './flow-table.ts'
import type { Station, Words4 } from './frames.test-kit.ts'
import { buildImage } from './image.ts'
import type { ImageRows } from './image-rows.ts'
import { adoptTables, makePlane, type Plane } from './plane.ts'
import type { News } from './news.ts'
import { makeTables } from './tables.ts'

export const VNI = 4097
export const MTU = 1450
const RING_PAGES = 48
const FIRST_VTEP = '192.168.56.11'
const BREATHS_MAX = 100_000
export const LAB_FLOWS = 4096

export type LabOptions = {
  hosts?: number
  /** One network for each; every host is a VTEP of all. */
  vnis?: number[]
  mtu?: number
  learnedMax?: number
  /** Networks of a cluster: see Lab.share. */
  strict?: boolean
  inheritDscp?: boolean
  folds?: boolean
  faults?: WireFaults
  /** Frames that may wait for an endpoint or in front of a host. */
  queueMax?: number
  /** For a host that is one of several workers. */
  news?: News
  flows?: FlowShards
  workers?: number
}

export type EndpointOptions = {
  network?: number
  promiscuous?: boolean
  mac?: string
  role?: 'published' | 'host'
}

/** A task's end of a port. */
export class LabEndpoint implements Station {
  readonly address: string
  readonly mac: string
  readonly linkLocal: Words4
  readonly slot: number
  readonly port: MemoryFramePort

  constructor(address: string, mac: string, slot: number, port: MemoryFramePort) {
    this.address = address
    this.mac = mac
    this.linkLocal = linkLocalWords(mac)
    this.slot = slot
    this.port = port
  }

  send(...frames: Uint8Array[]): void {
    for (const octets of frames) {
      const taken = this.port.inbound.push({ octets, source: 0, tos: 0, flow: 0 })
      assert(taken, 'the endpoint may send')
    }
  }

  /** The frame that came first of those not yet taken, and its virtio header. */
  take(): { octets: Uint8Array; vnetHeader: Uint8Array } | undefined {
    const next = this.port.outbound.shift()
    return next?.vnetHeader === undefined ? undefined
      : { octets: next.octets, vnetHeader: next.vnetHeader }
  }

  takeAll(): Uint8Array[] {
    const all: Uint8Array[] = []
    for (let next = this.take(); next !== undefined; next = this.take()) all.push(next.octets)
    return all
  }
}

/** One host: a packet worker without its thread. */
export class LabHost {
  readonly address: number
  readonly plane: Plane
  readonly underlay: MemoryUnderlay
  readonly waiter = new MemoryWaiter()
  readonly rows: ImageRows
  readonly #area: number
  readonly #queueMax: number

  constructor(address: number, lab: Lab, options: LabOptions) {
    const { vnis = [VNI], mtu = MTU, learnedMax = 4096, inheritDscp = false } = options
    const { strict = false, folds = true } = options
    const ring = makeRing(new WebAssembly.Memory({ initial: RING_PAGES, maximum: RING_PAGES }), 0)
    ring.octets.fill(0xa5) // noise, so that what is not written shows
    this.#queueMax = options.queueMax ?? 4096
    this.address = address
    this.underlay = new MemoryUnderlay(ring, address, lab.network,
      new MemoryQueue(this.#queueMax, options.faults))
    this.#area = makeMemoryArea(ring)
    this.plane = makePlane({ ring, underlay: this.underlay, counters: makeCounters(),
      clock: lab.clock, inheritDscp, offload: { tcp: true, udp: true }, folds, seed: 7,
      flows: options.flows
        ?? { memories: [makeFlowMemory(LAB_FLOWS)], mine: 0, capacity: LAB_FLOWS },
      ...options.news && { news: options.news, workers: options.workers ?? 1 } })
    this.waiter.makeWatched(TOKEN_UNDERLAY, this.underlay.inbound)
    this.rows = { generation: 0, ports: [], members: [],
      networks: vnis.map(vni => ({ vni, mtu, learnedMax, strict })) }
  }

  addEndpoint(address: string, options: EndpointOptions = {}): LabEndpoint {
    const { network = 0, promiscuous = false, mac = macOfAddress(parseIpv4(address)) } = options
    const slot = this.plane.ports.indexOf(undefined)
    const port = new MemoryFramePort(this.plane.ring, this.#area, new MemoryQueue(this.#queueMax),
      new MemoryQueue(this.#queueMax))
    const [macHigh, macLow] = parseMac(mac)
    this.plane.ports[slot] = port
    this.waiter.makeWatched(TOKEN_FIRST_PORT + slot, port.inbound)
    const endpoint = new LabEndpoint(address, mac, slot, port)
    this.rows.ports.push({ id: slot + 1, slot, fd: slot + 10, network, macHigh, macLow,
      address: parseIpv4(address), linkLocal: endpoint.linkLocal, promiscuous,
      ...options.role && { role: options.role } })
    this.adopt()
    return endpoint
  }

  addMember(address: number, network = 0): void {
    this.rows.members.push({ network, address, port: 4789 })
    this.adopt()
  }

  /** Use the rows as they are now. */
  adopt(): void {
    this.rows.generation += 1
    adoptTables(this.plane, makeTables(buildImage(this.rows)))
  }

  /** A UDP payload from another VTEP, or from a stranger. */
  receive(octets: Uint8Array, source: number, tos = 0): void {
    this.underlay.inbound.push({ octets, source: source | 0, tos, flow: 0 })
  }

  get counters(): Counters {
    return this.plane.counters
  }

  /** Drops by name, without those that are 0. */
  drops(): Record<string, number> {
    return named(this.counters, DROP_NAMES, 0)
  }

  /** The other counters by name, without those that are 0. */
  counts(): Record<string, number> {
    return named(this.counters, COUNT_NAMES, DROP_NAMES.length)
  }

  count(name: typeof COUNT_NAMES[number]): number {
    return this.counters[DROP_NAMES.length + COUNT_NAMES.indexOf(name)]!
  }

  get learnedCount(): number {
    return this.counters[GAUGE_LEARNED]!
  }
}

function named(counters: Counters, names: readonly string[],
  first: number): Record<string, number> {
  return Object.fromEntries(names.map((name, i) => [name, counters[first + i]!] as const)
    .filter(([, value]) => value !== 0))
}

export class Lab {
  readonly clock = new ManualClock(1000)
  readonly network = new Map<number, MemoryQueue>()
  readonly hosts: LabHost[]

  constructor(options: LabOptions = {}) {
    const first = parseIpv4(FIRST_VTEP)
    const addresses = Array.from({ length: options.hosts ?? 2 }, (_, n) => first + n)
    this.hosts = addresses.map(address => new LabHost(address, this, options))
    for (const host of this.hosts) {
      for (const address of addresses) {
        if (address === host.address) continue
        host.rows.networks.forEach((_, network) => {
          host.rows.members.push({ network, address, port: 4789 })
        })
      }
      host.adopt()
    }
  }

  host(number: number): LabHost {
    const host = this.hosts[number]
    assert(host !== undefined, 'the lab has this host')
    return host
  }

  /** Give every host the endpoints of the others, as the control plane of a cluster does. */
  share(): void {
    for (const host of this.hosts) {
      const others = this.hosts.filter(other => other !== host)
      host.rows.remotes = others.flatMap(other => other.rows.ports.map(port => ({
        network: port.network, macHigh: port.macHigh, macLow: port.macLow, address: port.address,
        member: other.address,
      })))
      for (const member of host.rows.members) {
        const other = others.find(one => one.address === member.address)
        member.promiscuous = other?.rows.ports.some(port =>
          port.promiscuous && port.network === member.network) ?? false
        member.marksPartial = true
      }
      host.adopt()
    }
  }

  /** Let all hosts breathe until nothing moves any more. */
  run(): void {
    for (let breaths = 0; breaths < BREATHS_MAX; breaths++) {
      const busy = this.hosts.filter(host => host.waiter.wait(0) > 0)
      if (busy.length === 0) return
      for (const host of busy) breathe(host.plane, host.waiter, 0)
    }
    throw new Error('a frame goes round and round: the lab is never quiet')
  }

  /** Time passes, and every host sees it. */
  advance(byMs: number): void {
    this.clock.advance(byMs)
    for (const host of this.hosts) breathe(host.plane, host.waiter, 0)
  }
}
