// A network that is not there, in virtual time: it delays, loses, doubles and overtakes, is cut in
// parts or in one direction, and its hosts can stand still. Seeded, so that each run can be had
// again.
import { pick, type Random32 } from '../base/prng.ts'
import { formatMeshAddress, type MeshAddress } from './mesh-address.ts'
import { zeroCounters } from './swim/context.ts'
import {
  TRANSPORT_COUNTERS, type Exchange, type MeshTransport, type ReadMessage, type TransportCounters,
  type TransportHandlers,
} from './transport.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Parts are of 1: 0.02 loses one datagram in fifty. */
export type NetworkConditions = Readonly<{
  delayMinMs: number
  delayMaxMs: number
  loss: number
  duplication: number
  /** This part is delayed by up to ten times more, and so overtaken. */
  reordering: number
}>

export const GOOD_CONDITIONS: NetworkConditions = Object.freeze({
  delayMinMs: 0.2, delayMaxMs: 1, loss: 0, duplication: 0, reordering: 0,
})

/** What a host that stands still keeps for later; a socket's buffer is not larger. */
const WAITING_MAX = 1024
/** TCP tries again: first after this for a connection, and for what was lost later (RFC 6298). */
const CONNECT_RETRY_MS = 1000
const SEGMENT_RETRY_MS = 200

const IN_PARTS = 1 << 20

export class MemoryNetwork {
  conditions: NetworkConditions
  readonly time: VirtualTime
  readonly #random: Random32
  readonly #hosts = new Map<string, MemoryTransport>()
  /** Pairs of hosts, with a direction, between which nothing gets through. */
  readonly #cuts = new Set<string>()

  constructor(time: VirtualTime, random: Random32, conditions = GOOD_CONDITIONS) {
    this.time = time
    this.#random = random
    this.conditions = conditions
  }

  attach(transport: MemoryTransport): void {
    this.#hosts.set(formatMeshAddress(transport.address), transport)
  }

  detach(transport: MemoryTransport): void {
    const key = formatMeshAddress(transport.address)
    if (this.#hosts.get(key) === transport) this.#hosts.delete(key)
  }

  at(address: MeshAddress): MemoryTransport | undefined {
    return this.#hosts.get(formatMeshAddress(address))
  }

  /** Nothing gets from `from` to `to` any more; the other direction is left as it is. */
  cut(from: MeshAddress, to: MeshAddress): void {
    this.#cuts.add(cutKey(from, to))
  }

  /** Nothing gets from one group to another. */
  partition(groups: readonly (readonly MeshAddress[])[]): void {
    for (const group of groups) {
      for (const other of groups) {
        if (other === group) continue
        for (const a of group) for (const b of other) this.cut(a, b)
      }
    }
  }

  heal(): void {
    this.#cuts.clear()
  }

  chance(part: number): boolean {
    return part > 0 && pick(this.#random, IN_PARTS) < part * IN_PARTS
  }

  /** When something sent now is there, or null when it gets lost. */
  arrivalMs(from: MeshAddress, to: MeshAddress): number | null {
    if (this.#cuts.has(cutKey(from, to)) || this.chance(this.conditions.loss)) return null
    const { delayMinMs, delayMaxMs, reordering } = this.conditions
    const part = pick(this.#random, IN_PARTS) / IN_PARTS
    const delayMs = delayMinMs + (delayMaxMs - delayMinMs) * part
    const times = this.chance(reordering) ? 1 + pick(this.#random, 10) : 1
    return this.time.nowMs() + delayMs * times
  }

  /** Sends again until it is there; gives up after `deadlineMs` without a word, as TCP does. */
  deliver(from: MeshAddress, to: MeshAddress, retryMs: number, deadlineMs: number,
    run: () => void): void {
    const arrivalMs = this.arrivalMs(from, to)
    if (arrivalMs !== null) return void this.time.at(arrivalMs, run)
    const againMs = this.time.nowMs() + retryMs
    if (againMs > deadlineMs) return
    this.time.at(againMs, () => this.deliver(from, to, retryMs * 2, deadlineMs, run))
  }
}

type Answer = (octets: Uint8Array | null) => void

export class MemoryTransport implements MeshTransport {
  readonly address: MeshAddress
  readonly counters: TransportCounters = zeroCounters(TRANSPORT_COUNTERS)
  readonly #network: MemoryNetwork
  #handlers: TransportHandlers | undefined
  readonly #asked = new Map<number, Answer>()
  #id = 0
  #waiting: (() => void)[] | undefined

  constructor(network: MemoryNetwork, address: MeshAddress) {
    this.#network = network
    this.address = address
  }

  get isPaused(): boolean {
    return this.#waiting !== undefined
  }

  /** The process stands still; the system takes in for it what comes. */
  pause(): void {
    this.#waiting ??= []
  }

  /** Goes on with `first`, and then with what came meanwhile. */
  resume(first: () => void = () => {}): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    first()
    for (const run of waiting) run()
  }

  async open(handlers: TransportHandlers): Promise<void> {
    this.start(handlers)
  }

  /** `open`, for who cannot wait. */
  start(handlers: TransportHandlers): void {
    this.#handlers = handlers
    this.#network.attach(this)
  }

  send(to: MeshAddress, octets: Uint8Array): void {
    this.counters.datagramsOut += 1
    this.counters.datagramOctetsOut += octets.length
    const network = this.#network
    const copies = network.chance(network.conditions.duplication) ? 2 : 1
    for (let copy = 0; copy < copies; copy += 1) {
      const arrivalMs = network.arrivalMs(this.address, to)
      if (arrivalMs === null) continue
      network.time.at(arrivalMs, () => network.at(to)?.receive(this.address, octets))
    }
  }

  /** A datagram, also one that somebody has made up. */
  receive(from: MeshAddress, octets: Uint8Array): void {
    this.#run(() => {
      this.counters.datagramsIn += 1
      this.counters.datagramOctetsIn += octets.length
      this.#handlers?.datagram(from, octets)
    })
  }

  exchange({ id, to, octets, awaitsAnswer, timeoutMs }: Exchange): void {
    this.counters.exchanges += 1
    const network = this.#network
    const deadlineMs = network.time.nowMs() + timeoutMs
    let isDone = false
    const done = (octets: Uint8Array | null, reason: string) => this.#run(() => {
      if (isDone) return
      isDone = true
      if (reason !== '') this.counters.exchangesFailed += 1
      this.#handlers?.exchanged(id, octets && this.#read('answerer', octets), reason)
    })
    network.time.at(deadlineMs, () => done(null, 'no answer in time'))
    const back = (run: () => void, retryMs: number) => {
      network.deliver(to, this.address, retryMs, deadlineMs, run)
    }
    const ask = () => network.deliver(this.address, to, SEGMENT_RETRY_MS, deadlineMs, () => {
      const host = network.at(to)
      if (host === undefined) return back(() => done(null, 'connection reset'), SEGMENT_RETRY_MS)
      if (!awaitsAnswer) back(() => done(null, ''), SEGMENT_RETRY_MS)
      host.ask(this.address.host, octets, answer => {
        back(() => done(answer, answer === null ? 'closed without an answer' : ''),
          SEGMENT_RETRY_MS)
      })
    })
    // The system accepts connections also for a process that stands still.
    network.deliver(this.address, to, CONNECT_RETRY_MS, deadlineMs, () => {
      if (network.at(to) !== undefined) back(ask, CONNECT_RETRY_MS)
      else back(() => done(null, 'connection refused'), CONNECT_RETRY_MS)
    })
  }

  ask(host: string, octets: Uint8Array, answer: Answer): void {
    this.#run(() => {
      this.counters.streamsIn += 1
      this.#id += 1
      this.#asked.set(this.#id, answer)
      // Streams come from any port.
      const read = this.#read('caller', octets)
      this.#handlers?.stream(this.#id, { host, port: 0 }, read)
    })
  }

  answer(id: number, octets: Uint8Array | null): void {
    const answer = this.#asked.get(id)
    this.#asked.delete(id)
    answer?.(octets)
  }

  async close(): Promise<void> {
    this.stop()
  }

  /** `close`, for who cannot wait. */
  stop(): void {
    this.#handlers = undefined
    this.#network.detach(this)
  }

  #read(side: 'caller' | 'answerer', octets: Uint8Array): ReadMessage {
    const reader = this.#handlers?.reader(side)
    return reader?.push(octets) ?? reader?.end() ?? { fault: 'empty' }
  }

  #run(run: () => void): void {
    if (this.#waiting === undefined) run()
    else if (this.#waiting.length < WAITING_MAX) this.#waiting.push(run)
  }
}

function cutKey(from: MeshAddress, to: MeshAddress): string {
  return `${formatMeshAddress(from)} ${formatMeshAddress(to)}`
}
