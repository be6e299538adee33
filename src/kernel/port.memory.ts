// Ports in memory: the same interfaces without a kernel, for tests, benches and examples. A wire may
// lose and reorder frames, by a seeded generator, so that a failing run can be repeated.
import type { Random32 } from '../base/prng.ts'
import type { FramePort, Underlay } from './port.ts'
import { DESTINATIONS_MAX, ERRNO_MAX } from './port.ts'
import { FRAMES_MAX, FRAME_OCTETS_MAX, makeRoom, type Ring, VNET_HEADER_OCTETS } from './ring.ts'

/** What stands ready to be received at one end of a wire. */
export type Delivery = { octets: Uint8Array; source: number; tos: number }

export type WireFaults = { random: Random32; lossPercent: number; reorderPercent: number }

/** A bounded queue between two ports. What does not fit is counted. */
export class MemoryQueue {
  readonly #waiting: Delivery[] = []
  readonly #faults: WireFaults | undefined
  readonly #max: number
  lost = 0
  overflowed = 0

  constructor(max = 4096, faults?: WireFaults) {
    this.#max = max
    this.#faults = faults
  }

  get length(): number {
    return this.#waiting.length
  }

  push(delivery: Delivery): boolean {
    const faults = this.#faults
    if (faults !== undefined && faults.random() % 100 < faults.lossPercent) {
      this.lost += 1
      return true
    }
    if (this.#waiting.length >= this.#max) {
      this.overflowed += 1
      return false
    }
    const early = faults !== undefined && faults.random() % 100 < faults.reorderPercent
    if (early) this.#waiting.splice(Math.max(0, this.#waiting.length - 3), 0, delivery)
    else this.#waiting.push(delivery)
    return true
  }

  shift(): Delivery | undefined {
    return this.#waiting.shift()
  }
}

const STRIDE_OCTETS = (FRAME_OCTETS_MAX + 128) & ~63

/** Lay deliveries into the ring, each with room for a virtio header in front. */
function receiveInto(ring: Ring, area: number, max: number, queue: MemoryQueue, lead: number): number {
  let count = 0
  for (; count < max; count++) {
    const delivery = queue.shift()
    if (delivery === undefined) break
    const at = area + count * STRIDE_OCTETS + lead
    ring.octets.fill(0, at - lead, at)
    ring.octets.set(delivery.octets, at)
    ring.at[count] = at
    ring.length[count] = delivery.octets.length
    ring.source[count] = delivery.source
    ring.tos[count] = delivery.tos
  }
  return count
}

export class MemoryFramePort implements FramePort {
  readonly #ring: Ring
  readonly #area: number
  readonly #max: number
  /** Frames on their way into the switch. */
  readonly inbound: MemoryQueue
  /** Frames that the switch handed over. */
  readonly outbound: MemoryQueue

  constructor(ring: Ring, inbound = new MemoryQueue(), outbound = new MemoryQueue(), max = 4) {
    this.#ring = ring
    this.#max = Math.min(max, FRAMES_MAX)
    this.#area = makeRoom(ring, this.#max * STRIDE_OCTETS)
    this.inbound = inbound
    this.outbound = outbound
  }

  receive(): number {
    return receiveInto(this.#ring, this.#area, this.#max, this.inbound, VNET_HEADER_OCTETS)
  }

  send(at: number, lengthOctets: number): number {
    const octets = this.#ring.octets.slice(at, at + lengthOctets)
    return this.outbound.push({ octets, source: 0, tos: 0 }) ? 0 : -11
  }

  close(): void {}
}

/** An underlay whose datagrams go to the queue of their destination's address. */
export class MemoryUnderlay implements Underlay {
  readonly #ring: Ring
  readonly #area: number
  readonly #max: number
  readonly #address: number
  readonly #network: Map<number, MemoryQueue>
  readonly #destinations = new Int32Array(DESTINATIONS_MAX)
  readonly inbound: MemoryQueue
  readonly refused = new Float64Array(ERRNO_MAX)
  flushes = 0

  /** @param network the queue of each address; this underlay adds its own `inbound` */
  constructor(ring: Ring, address: number, network: Map<number, MemoryQueue>,
    inbound = new MemoryQueue(), max = 4) {
    this.#ring = ring
    this.#max = Math.min(max, FRAMES_MAX)
    this.#area = makeRoom(ring, this.#max * STRIDE_OCTETS)
    this.#address = address
    this.#network = network
    this.inbound = inbound
    network.set(address | 0, inbound)
  }

  receive(): number {
    return receiveInto(this.#ring, this.#area, this.#max, this.inbound, 2)
  }

  setDestination(destination: number, address: number): void {
    this.#destinations[destination] = address
  }

  queue(destination: number, _flow: number, tos: number, headerAt: number, at: number,
    lengthOctets: number): void {
    const octets = new Uint8Array(8 + lengthOctets)
    octets.set(this.#ring.octets.subarray(headerAt, headerAt + 8))
    octets.set(this.#ring.octets.subarray(at, at + lengthOctets), 8)
    const there = this.#network.get(this.#destinations[destination] ?? 0)
    there?.push({ octets, source: this.#address | 0, tos })
  }

  flush(): void {
    this.flushes += 1
  }

  close(): void {}
}
