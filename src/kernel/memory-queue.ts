// A wire in memory, between two ports of port.memory.ts. It may lose and reorder, by a seeded
// generator, so that a failing run can be repeated.
import type { Random32 } from '../base/prng.ts'

/** What stands ready to be received at one end of a wire. */
export type Delivery = {
  octets: Uint8Array
  /** Of a datagram: its sender, TOS octet and flow. */
  source: number
  tos: number
  flow: number
  /** Of a frame: the virtio header in front of it, zeros when there is none. */
  vnetHeader?: Uint8Array
}

export type WireFaults = {
  random: Random32
  lossPercent: number
  reorderPercent: number
  /** Datagrams of one sender and flow keep their order, as on routes that choose by source port. */
  keepsFlows: boolean
}

/** How many others one early delivery may pass. */
const PASSED_MAX = 3

/** A bounded queue between two ports. What does not fit is counted. */
export class MemoryQueue {
  readonly #waiting: Delivery[] = []
  readonly #faults: WireFaults | undefined
  readonly #max: number
  lost = 0
  overflowed = 0
  /** Deliveries that passed at least one that was sent before. */
  reordered = 0

  constructor(max = 4096, faults?: WireFaults) {
    this.#max = max
    this.#faults = faults
  }

  get length(): number {
    return this.#waiting.length
  }

  /** Answers false when the queue is full. What the wire loses was sent all the same. */
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
    const passed = early ? this.#passable(delivery, faults.keepsFlows) : 0
    if (passed > 0) this.reordered += 1
    this.#waiting.splice(this.#waiting.length - passed, 0, delivery)
    return true
  }

  shift(): Delivery | undefined {
    return this.#waiting.shift()
  }

  /** How many of the last deliveries this one may pass. */
  #passable(delivery: Delivery, keepsFlows: boolean): number {
    let passed = 0
    while (passed < PASSED_MAX) {
      const other = this.#waiting.at(-1 - passed)
      if (other === undefined) break
      const isSameFlow = other.source === delivery.source && other.flow === delivery.flow
      if (keepsFlows && isSameFlow) break
      passed += 1
    }
    return passed
  }
}
