// Ports in memory: the same interfaces without a kernel, for tests, benches and examples.
import { assert } from '../base/assert.ts'
import { EAGAIN, EHOSTUNREACH } from './constants.ts'
import { MemoryQueue } from './memory-queue.ts'
import type { FramePort, Underlay, Waiter } from './port.ts'
import { DESTINATIONS_MAX, ERRNO_MAX } from './port.ts'
import { FRAME_OCTETS_MAX, makeRoom, type Ring, VNET_HEADER_OCTETS } from './ring.ts'

const SLOT_OCTETS_MAX = (FRAME_OCTETS_MAX + 128) & ~63
const AREA_OCTETS = 1 << 20

/** Frames and datagrams of one receive. */
export const MEMORY_BATCH = 64

/** Where all ports of one ring that share it receive to, as all TAPs of one worker do. */
export function makeMemoryArea(ring: Ring): number {
  return makeRoom(ring, AREA_OCTETS)
}

/**
 * Lay deliveries into the ring one behind the other, each with `lead` octets in front: zeros, or
 * its virtio header.
 * @param cutLength what ring.length shows for a delivery that does not fit, which is cut
 * @param taken     ring.taken, where what was received before stays
 */
function receiveInto(ring: Ring, area: number, queue: MemoryQueue, lead: number,
  cutLength: number, taken?: Int32Array): number {
  const room = SLOT_OCTETS_MAX - lead
  let start = area + (taken?.[0] ?? 0)
  let count = 0
  for (; count < MEMORY_BATCH && start + SLOT_OCTETS_MAX <= area + AREA_OCTETS; count++) {
    const delivery = queue.shift()
    if (delivery === undefined) break
    const at = start + lead
    const fits = delivery.octets.length <= room
    ring.octets.fill(0, start, at)
    if (delivery.vnetHeader !== undefined) ring.octets.set(delivery.vnetHeader, start)
    ring.octets.set(fits ? delivery.octets : delivery.octets.subarray(0, room), at)
    ring.at[count] = at
    ring.length[count] = fits ? delivery.octets.length : cutLength
    ring.source[count] = delivery.source
    ring.tos[count] = delivery.tos
    start = (at + Math.min(delivery.octets.length, room) + 63) & ~63
  }
  if (taken !== undefined) taken[0] = start - area
  return count
}

export class MemoryFramePort implements FramePort {
  readonly #ring: Ring
  readonly #area: number
  /** Frames on their way into the switch. */
  readonly inbound: MemoryQueue
  /** Frames that the switch handed over. */
  readonly outbound: MemoryQueue

  /** @param area from makeMemoryArea; ports may share it */
  constructor(ring: Ring, area: number, inbound = new MemoryQueue(), outbound = new MemoryQueue()) {
    this.#ring = ring
    this.#area = area
    this.inbound = inbound
    this.outbound = outbound
  }

  receive(): number {
    const room = SLOT_OCTETS_MAX - VNET_HEADER_OCTETS
    return receiveInto(this.#ring, this.#area, this.inbound, VNET_HEADER_OCTETS, room,
      this.#ring.taken)
  }

  send(at: number, lengthOctets: number): number {
    const octets = this.#ring.octets.slice(at, at + lengthOctets)
    const vnetHeader = this.#ring.octets.slice(at - VNET_HEADER_OCTETS, at)
    return this.outbound.push({ octets, source: 0, tos: 0, flow: 0, vnetHeader }) ? 0 : -EAGAIN
  }

  gather(headAt: number, headOctets: number, pieceAt: Int32Array, pieceOctets: Int32Array,
    first: number, count: number): number {
    const { octets } = this.#ring
    const parts = [octets.slice(headAt + VNET_HEADER_OCTETS, headAt + headOctets)]
    for (let i = first; i < first + count; i++) {
      parts.push(octets.slice(pieceAt[i], pieceAt[i]! + pieceOctets[i]!))
    }
    const frame = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      frame.set(part, at)
      at += part.length
    }
    const vnetHeader = octets.slice(headAt, headAt + VNET_HEADER_OCTETS)
    const taken = this.outbound.push({ octets: frame, source: 0, tos: 0, flow: 0, vnetHeader })
    return taken ? 0 : -EAGAIN
  }

  close(): void {}
}

type Queued = {
  destination: number
  flow: number
  tos: number
  headAt: number
  headOctets: number
  bodyAt: number
  bodyOctets: number
}

/** A frame inside VXLAN then has its IP header 4-aligned, and room for a virtio header. */
const DATAGRAM_LEAD_OCTETS = 2

/**
 * An underlay whose datagrams go to the queue of their destination's address. As with a real one,
 * nothing is copied before the flush, so a frame that is overwritten too early shows in a test.
 */
export class MemoryUnderlay implements Underlay {
  readonly #ring: Ring
  readonly #area: number
  readonly #address: number
  readonly #network: Map<number, MemoryQueue>
  readonly #destinations = new Int32Array(DESTINATIONS_MAX)
  readonly #queued: Queued[] = []
  readonly inbound: MemoryQueue
  readonly refused = new Float64Array(ERRNO_MAX)
  readonly refusedOctets = new Float64Array(1)
  flushes = 0

  /** @param network the queue of each address; this underlay adds its own `inbound` */
  constructor(ring: Ring, address: number, network: Map<number, MemoryQueue>,
    inbound = new MemoryQueue()) {
    this.#ring = ring
    this.#area = makeMemoryArea(ring)
    this.#address = address | 0
    this.#network = network
    this.inbound = inbound
    network.set(this.#address, inbound)
  }

  receive(): number {
    assert(this.#queued.length === 0, 'datagrams are flushed before the next receive')
    return receiveInto(this.#ring, this.#area, this.inbound, DATAGRAM_LEAD_OCTETS, -1)
  }

  setDestination(destination: number, address: number, _port: number): void {
    this.#destinations[destination] = address
  }

  queue(destination: number, flow: number, tos: number, headAt: number, headOctets: number,
    bodyAt: number, bodyOctets: number): void {
    this.#queued.push({ destination, flow, tos, headAt, headOctets, bodyAt, bodyOctets })
  }

  /** An address that nobody has on this network refuses as a route without a neighbour does. */
  flush(): void {
    this.flushes += 1
    for (const { destination, flow, tos, headAt, headOctets, bodyAt, bodyOctets } of this.#queued) {
      const there = this.#network.get(this.#destinations[destination] ?? 0)
      if (there === undefined) {
        this.refused[0]! += 1
        this.refused[EHOSTUNREACH]! += 1
        this.refusedOctets[0]! += headOctets + bodyOctets
        continue
      }
      const octets = new Uint8Array(headOctets + bodyOctets)
      octets.set(this.#ring.octets.subarray(headAt, headAt + headOctets))
      octets.set(this.#ring.octets.subarray(bodyAt, bodyAt + bodyOctets), headOctets)
      there.push({ octets, source: this.#address, tos, flow })
    }
    this.#queued.length = 0
  }

  close(): void {
    this.#network.delete(this.#address)
  }
}

const WATCHED_MAX = 256

/** Tells which queues hold something. It never sleeps: in memory, nothing comes while it waits. */
export class MemoryWaiter implements Waiter {
  readonly ready = new Int32Array(WATCHED_MAX)
  readonly #watched = new Map<number, MemoryQueue>()

  makeWatched(token: number, queue: MemoryQueue): void {
    assert(this.#watched.size < WATCHED_MAX || this.#watched.has(token), 'watched queues fit')
    this.#watched.set(token, queue)
  }

  makeUnwatched(token: number): void {
    this.#watched.delete(token)
  }

  wait(_timeoutMs: number): number {
    let count = 0
    for (const [token, queue] of this.#watched) {
      if (queue.length > 0) this.ready[count++] = token
    }
    return count
  }
}
