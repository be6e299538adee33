// The small parts of the membership machine: formulas against memberlist's own, the queue of news,
// timers and allowances.
import test from 'ava'
import { Allowance } from './allowance.ts'
import { Awareness } from './awareness.ts'
import {
  confirmationsWanted, pushPullIntervalMs, retransmitLimit, suspicionMinMs, suspicionTimeoutMs,
} from './formulas.ts'
import { GossipQueue } from './gossip-queue.ts'
import { Timers } from './timers.ts'
import { LAN_TIMINGS } from './timings.ts'

// memberlist's util_test.go and suspicion_test.go, and its formulas computed by hand.
const minima: [nodes: number, timeoutMs: number][] = [
  [1, 4000], [3, 4000], [10, 4000], [32, 6020], [50, 6792], [100, 8000], [1000, 12_000],
]
for (const [nodes, timeoutMs] of minima) {
  test(`a suspicion among ${nodes} lasts at least ${timeoutMs} ms`, t => {
    t.is(Math.round(suspicionMinMs(LAN_TIMINGS, nodes)), timeoutMs)
  })
}

const remaining: [confirmations: number, wanted: number, timeoutMs: number][] = [
  [0, 3, 30_000], [1, 3, 16_000], [2, 3, 7810], [3, 3, 2000], [4, 3, 2000], [0, 0, 2000],
]
for (const [confirmations, wanted, timeoutMs] of remaining) {
  test(`${confirmations} of ${wanted} confirmations: ${timeoutMs} ms`, t => {
    t.is(suspicionTimeoutMs(confirmations, wanted, 2000, 30_000), timeoutMs)
  })
}

test('small clusters want no confirmations', t => {
  t.deepEqual([2, 3, 4, 100].map(nodes => confirmationsWanted(LAN_TIMINGS, nodes)), [0, 0, 2, 2])
})

test('news is told often enough, and not less often than by memberlist', t => {
  const nodes = [1, 3, 10, 100, 1000]
  t.deepEqual(nodes.map(count => retransmitLimit(LAN_TIMINGS, count)), [4, 6, 12, 21, 30])
  for (let count = 1; count < 5000; count += 1) {
    t.true(retransmitLimit(LAN_TIMINGS, count) >= 4 * Math.ceil(Math.log10(count + 1)))
  }
})

test('large clusters exchange states less often', t => {
  const nodes = [32, 33, 65, 129]
  t.deepEqual(nodes.map(count => pushPullIntervalMs(LAN_TIMINGS, count) / 1000), [30, 60, 90, 120])
})

test('health stays within its limits and stretches time', t => {
  const awareness = new Awareness(8)
  awareness.apply(-3)
  t.is(awareness.scaleMs(1000), 1000)
  awareness.apply(3)
  t.is(awareness.scaleMs(1000), 4000)
  awareness.apply(50)
  t.is(awareness.score, 7)
})

test('news: what was told least comes first, then the longest, then the newest', t => {
  const queue = new GossipQueue()
  const news = (first: number, length: number) => new Uint8Array(length).fill(first)
  const take = (budget: number) => queue.take(budget, 2, 3).map(([first = 0]) => first)
  queue.put('a', news(1, 10))
  queue.put('b', news(2, 20))
  queue.put('c', news(3, 10))
  t.deepEqual(take(12), [3], 'the newest that fits; there is no room for the longest')
  t.deepEqual(take(100), [2, 1, 3])
  t.deepEqual(take(33), [2], 'a part for itself is two octets more')
  t.deepEqual(take(100), [1, 2, 3])
  t.is(queue.size, 1, 'what was told three times is gone')
})

test('news about a member replaces what was there about it, and is told so often only', t => {
  const queue = new GossipQueue()
  queue.put('a', Uint8Array.of(1))
  queue.put('a', Uint8Array.of(2))
  t.is(queue.size, 1)
  t.true(queue.hasBelow(1))
  t.deepEqual(queue.take(100, 2, 6, 3, true), [Uint8Array.of(2)])
  t.false(queue.hasBelow(1))
  t.deepEqual(queue.take(100, 2, 6, 3, true), [], 'nothing that nobody was told')
  for (let i = 0; i < 3; i += 1) t.is(queue.take(100, 2, 6).length, 1)
  t.is(queue.size, 0)
})

test('timers run in order of time, and what is set while they run is run too when due', t => {
  const timers = new Timers()
  const ran: string[] = []
  timers.set('b', 20, () => ran.push('b'))
  timers.set('a', 10, () => {
    ran.push('a')
    timers.set('a2', 15, () => ran.push('a2'))
  })
  timers.set('c', 30, () => ran.push('c'))
  timers.set('gone', 5, () => ran.push('gone'))
  timers.set('moved', 5, () => ran.push('too early'))
  timers.set('moved', 40, () => ran.push('moved'))
  timers.delete('gone')
  t.is(timers.nextMs(), 10)
  timers.runDue(20)
  t.deepEqual(ran, ['a', 'a2', 'b'])
  timers.shift(100)
  t.is(timers.nextMs(), 130)
  timers.runDue(139)
  t.deepEqual(ran.slice(3), ['c'])
  t.is(timers.atMs('moved'), 140)
  timers.clear()
  t.is(timers.nextMs(), Infinity)
})

test('an allowance is used up, and there again after its time', t => {
  const allowance = new Allowance(2, 1000)
  t.deepEqual([0, 1, 2, 999, 1000, 1001, 1002].map(nowMs => allowance.take(nowMs)),
    [true, true, false, false, true, true, false])
})
