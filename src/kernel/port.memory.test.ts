import test from 'ava'
import { makeRandom } from '../base/prng.ts'
import { type Delivery, MemoryQueue, type WireFaults } from './memory-queue.ts'
import {
  makeMemoryArea, MEMORY_BATCH, MemoryFramePort, MemoryUnderlay, MemoryWaiter,
} from './port.memory.ts'
import { FRAME_OCTETS_MAX, makeRing, makeRoom, type Ring, VNET_HEADER_OCTETS } from './ring.ts'

const EHOSTUNREACH = 113

function delivery(number: number, flow = 0, source = 0): Delivery {
  return { octets: Uint8Array.of(number), source, tos: 0, flow }
}

function numbers(queue: MemoryQueue): number[] {
  const all: number[] = []
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) all.push(next.octets[0]!)
  return all
}

function faults(over: Partial<WireFaults>): WireFaults {
  return { random: makeRandom(5), lossPercent: 0, reorderPercent: 0, keepsFlows: false, ...over }
}

/** A ring full of noise, so that what is not written shows. */
function noisyRing(pages = 40): Ring {
  const ring = makeRing(new WebAssembly.Memory({ initial: pages, maximum: pages }), 0)
  ring.octets.fill(0xa5)
  return ring
}

test('a full queue refuses and counts, and keeps what it has', t => {
  const queue = new MemoryQueue(2)
  t.deepEqual([1, 2, 3].map(n => queue.push(delivery(n))), [true, true, false])
  t.is(queue.overflowed, 1)
  t.deepEqual(numbers(queue), [1, 2])
})

test('the same seed loses the same frames, and every one is counted', t => {
  const run = () => {
    const queue = new MemoryQueue(4096, faults({ lossPercent: 30 }))
    for (let n = 0; n < 200; n++) t.true(queue.push(delivery(n)))
    const lost = queue.lost
    return { lost, arrived: numbers(queue) }
  }
  const first = run()
  t.deepEqual(first, run())
  t.is(first.lost + first.arrived.length, 200)
  t.true(first.lost > 30 && first.lost < 90)
})

test('reordering loses nothing and doubles nothing', t => {
  const queue = new MemoryQueue(4096, faults({ reorderPercent: 20 }))
  for (let n = 0; n < 200; n++) queue.push(delivery(n))
  t.true(queue.reordered > 10)
  const arrived = numbers(queue)
  t.notDeepEqual(arrived, arrived.toSorted((a, b) => a - b))
  t.deepEqual(arrived.toSorted((a, b) => a - b), Array.from({ length: 200 }, (_, n) => n))
})

test('a wire that keeps flows reorders only what belongs to different ones', t => {
  const queue = new MemoryQueue(4096, faults({ reorderPercent: 50, keepsFlows: true }))
  for (let n = 0; n < 240; n++) queue.push(delivery(n, n % 3))
  t.true(queue.reordered > 10)
  const arrived = numbers(queue)
  for (let flow = 0; flow < 3; flow++) {
    const mine = arrived.filter(n => n % 3 === flow)
    t.deepEqual(mine, mine.toSorted((a, b) => a - b))
  }
  t.notDeepEqual(arrived, arrived.toSorted((a, b) => a - b))
})

test('two senders with the same flow number are two flows', t => {
  const queue = new MemoryQueue(4096, faults({ reorderPercent: 100, keepsFlows: true }))
  queue.push(delivery(1, 7, 100))
  queue.push(delivery(2, 7, 200))
  t.deepEqual(numbers(queue), [2, 1])
})

test('a frame port lays frames behind zeros, a batch at a time', t => {
  const ring = noisyRing()
  const port = new MemoryFramePort(ring, makeMemoryArea(ring))
  for (let n = 0; n < MEMORY_BATCH + 1; n++) port.inbound.push(delivery(n + 1))
  t.is(port.receive(), MEMORY_BATCH)
  for (let n = 0; n < MEMORY_BATCH; n++) {
    const at = ring.at[n]!
    t.is(ring.length[n], 1)
    t.is(ring.octets[at], n + 1)
    t.deepEqual(ring.octets.slice(at - VNET_HEADER_OCTETS, at), new Uint8Array(VNET_HEADER_OCTETS))
  }
  t.is(port.receive(), 1)
  t.is(port.receive(), 0)
})

test('a frame may come with a virtio header, and the next one is without again', t => {
  const ring = noisyRing()
  const port = new MemoryFramePort(ring, makeMemoryArea(ring))
  const vnetHeader = Uint8Array.of(1, 0, 0, 0, 0, 0, 34, 0, 16, 0)
  port.inbound.push({ ...delivery(1), vnetHeader })
  port.inbound.push(delivery(2))
  t.is(port.receive(), 2)
  const headers = [0, 1].map(n => ring.octets.slice(ring.at[n]! - VNET_HEADER_OCTETS, ring.at[n]!))
  t.deepEqual(headers, [vnetHeader, new Uint8Array(VNET_HEADER_OCTETS)])
})

test('a batch of long frames ends where the area does, and the rest comes next', t => {
  const ring = noisyRing()
  const port = new MemoryFramePort(ring, makeMemoryArea(ring))
  for (let n = 0; n < 40; n++) {
    port.inbound.push({ ...delivery(0), octets: new Uint8Array(FRAME_OCTETS_MAX).fill(n) })
  }
  const seen: number[] = []
  for (let count = port.receive(); count > 0; count = port.receive()) {
    t.true(count < MEMORY_BATCH)
    t.is(port.receive(), 0, 'nothing is laid over what is still needed')
    for (let n = 0; n < count; n++) seen.push(ring.octets[ring.at[n]! + FRAME_OCTETS_MAX - 1]!)
    ring.taken[0] = 0
  }
  t.deepEqual(seen, Array.from({ length: 40 }, (_, n) => n))
})

test('a frame in pieces is handed over whole', t => {
  const ring = noisyRing()
  const port = new MemoryFramePort(ring, makeMemoryArea(ring))
  const at = makeRoom(ring, 256)
  ring.octets.set([1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 10, 11], at)
  ring.octets.set([20, 21, 22], at + 64)
  ring.octets.set([30], at + 128)
  const pieceAt = Int32Array.of(0, at + 64, at + 128)
  const result = port.gather(at, 12, pieceAt, Int32Array.of(9, 3, 1), 1, 2)
  t.is(result, 0)
  const sent = port.outbound.shift()!
  t.deepEqual([...sent.octets], [10, 11, 20, 21, 22, 30])
  t.deepEqual([...sent.vnetHeader!], [1, 0, 0, 0, 0, 0, 34, 0, 16, 0])
})

test('a frame port hands over a copy with its virtio header, and says when it is full', t => {
  const ring = noisyRing()
  const port = new MemoryFramePort(ring, makeMemoryArea(ring), new MemoryQueue(),
    new MemoryQueue(1))
  const at = makeRoom(ring, 64) + VNET_HEADER_OCTETS
  ring.octets[at - VNET_HEADER_OCTETS] = 1
  ring.octets.set([7, 8, 9], at)
  t.is(port.send(at, 3), 0)
  t.is(port.send(at, 3), -11)
  ring.octets.fill(0)
  const sent = port.outbound.shift()!
  t.deepEqual(sent.octets, Uint8Array.of(7, 8, 9))
  t.deepEqual([...sent.vnetHeader!], [1, ...new Array<number>(9).fill(0xa5)])
})

test('a frame that is longer than any is cut as a read would cut it', t => {
  const ring = noisyRing()
  const port = new MemoryFramePort(ring, makeMemoryArea(ring))
  const octets = new Uint8Array(FRAME_OCTETS_MAX + 5000).fill(3)
  port.inbound.push({ octets, source: 0, tos: 0, flow: 0 })
  t.is(port.receive(), 1)
  const lengthOctets = ring.length[0]!
  t.true(lengthOctets >= FRAME_OCTETS_MAX && lengthOctets < octets.length)
  t.is(ring.octets[ring.at[0]! + lengthOctets - 1], 3)
})

/** Two underlays on one network; the first has a header and a frame ready to send. */
function twoUnderlays() {
  const ring = noisyRing()
  const network = new Map<number, MemoryQueue>()
  const one = new MemoryUnderlay(ring, 0xc0a8380b, network)
  const two = new MemoryUnderlay(ring, 0xc0a8380c, network)
  const headerAt = makeRoom(ring, 8)
  const at = makeRoom(ring, 64)
  ring.octets.set([8, 0, 0, 0, 0, 0x10, 1, 0], headerAt)
  ring.octets.set([1, 2, 3], at)
  one.setDestination(4, 0xc0a8380c | 0, 4789)
  return { ring, network, one, two, headerAt, at }
}

test('a datagram leaves with the flush and is header and frame', t => {
  const { ring, one, two, headerAt, at } = twoUnderlays()
  one.queue(4, 9, 0xb8, headerAt, 8, at, 3)
  t.is(two.receive(), 0)
  one.flush()
  t.is(two.receive(), 1)
  const start = ring.at[0]!
  t.is(ring.length[0], 11)
  t.deepEqual([...ring.octets.slice(start, start + 11)], [8, 0, 0, 0, 0, 0x10, 1, 0, 1, 2, 3])
  t.is(ring.source[0], 0xc0a8380b | 0)
  t.is(ring.tos[0], 0xb8)
  t.is(one.refused[0], 0)
})

test('a frame that is overwritten before the flush leaves overwritten', t => {
  const { ring, one, two, headerAt, at } = twoUnderlays()
  one.queue(4, 9, 0, headerAt, 8, at, 3)
  ring.octets[at] = 99
  one.flush()
  two.receive()
  t.is(ring.octets[ring.at[0]! + 8], 99)
})

test('receiving before the flush is a mistake that shows', t => {
  const { one, headerAt, at } = twoUnderlays()
  one.queue(4, 9, 0, headerAt, 8, at, 3)
  t.throws(() => one.receive(), { message: /flushed before the next receive/ })
})

test('an address that nobody has refuses, and the rest goes on', t => {
  const { one, two, headerAt, at } = twoUnderlays()
  one.setDestination(5, 0x0a000001, 4789)
  one.queue(5, 9, 0, headerAt, 8, at, 3)
  one.queue(4, 9, 0, headerAt, 8, at, 3)
  one.flush()
  t.is(one.refused[0], 1)
  t.is(one.refused[EHOSTUNREACH], 1)
  t.is(one.refusedOctets[0], 8 + 3)
  t.is(two.receive(), 1)
})

test('a closed underlay is off the network', t => {
  const { network, one, two, headerAt, at } = twoUnderlays()
  two.close()
  one.queue(4, 9, 0, headerAt, 8, at, 3)
  one.flush()
  t.is(network.size, 1)
  t.is(one.refused[EHOSTUNREACH], 1)
})

test('a datagram that does not fit is cut, and its length says so', t => {
  const { ring, two } = twoUnderlays()
  two.inbound.push({ octets: new Uint8Array(70_000), source: 1, tos: 0, flow: 0 })
  t.is(two.receive(), 1)
  t.is(ring.length[0], -1)
})

test('the waiter names the queues that hold something, until they do not', t => {
  const waiter = new MemoryWaiter()
  const queues = [new MemoryQueue(), new MemoryQueue(), new MemoryQueue()]
  queues.forEach((queue, n) => waiter.makeWatched(n + 10, queue))
  t.is(waiter.wait(0), 0)
  queues[0]!.push(delivery(1))
  queues[2]!.push(delivery(1))
  t.is(waiter.wait(0), 2)
  t.deepEqual([...waiter.ready.subarray(0, 2)], [10, 12])
  waiter.makeUnwatched(10)
  t.is(waiter.wait(0), 1)
  t.is(waiter.ready[0], 12)
  queues[2]!.shift()
  t.is(waiter.wait(1000), 0)
})
