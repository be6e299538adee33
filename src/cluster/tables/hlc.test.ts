import test from 'ava'
import fc from 'fast-check'
import { HybridClock, type HlcTime } from './hlc.ts'
import { CLOCK_FRESH_MS, PeerClocks } from './peer-clocks.ts'
import { COUNTER_MAX } from './rows.ts'

const isAfter = (a: HlcTime, b: HlcTime): boolean => (a.ms - b.ms || a.counter - b.counter) > 0

test('a hybrid clock follows the wall clock and counts within a millisecond', t => {
  const clock = new HybridClock()
  t.deepEqual(clock.next(1000), { ms: 1000, counter: 0 })
  t.deepEqual(clock.next(1000.9), { ms: 1000, counter: 1 })
  t.deepEqual(clock.next(2000), { ms: 2000, counter: 0 })
  t.deepEqual(clock.next(500), { ms: 2000, counter: 1 }, 'the wall clock went back')
})

test('a counter that is full goes on in the next millisecond', t => {
  const clock = new HybridClock({ ms: 7, counter: COUNTER_MAX })
  t.deepEqual(clock.next(0), { ms: 8, counter: 0 })
})

test('what comes after an observed stamp is later', t => {
  const clock = new HybridClock()
  clock.next(1000)
  clock.observe({ ms: 5000, counter: 9 })
  t.deepEqual(clock.next(1001), { ms: 5000, counter: 10 })
  clock.observe({ ms: 4000, counter: 99 })
  t.deepEqual(clock.next(1002), { ms: 5000, counter: 11 })
})

test('whatever the wall clock does, and whatever is seen, time only grows', t => {
  const step = fc.oneof(
    fc.record({ wallMs: fc.oneof(fc.integer({ min: -10, max: 10 }), fc.double()) }),
    fc.record({ ms: fc.integer({ min: 0, max: 20 }), counter: fc.integer({ min: 0, max: 65535 }) }),
    fc.constant('restart' as const),
  )
  fc.assert(fc.property(fc.array(step, { maxLength: 50 }), steps => {
    let clock = new HybridClock()
    let last: HlcTime = { ms: -1, counter: 0 }
    for (const one of steps) {
      if (one === 'restart') clock = new HybridClock(clock.last)
      else if ('ms' in one) {
        clock.observe(one)
        if (isAfter(one, clock.last)) return false
      } else {
        const next = clock.next(one.wallMs)
        if (!isAfter(next, last) || !Number.isInteger(next.ms)) return false
        last = next
      }
    }
    return true
  }), { numRuns: 2000 })
  t.pass()
})

test('with two others a clock that is far off goes by the middle', t => {
  const clocks = new PeerClocks()
  const hourMs = 3_600_000
  t.is(clocks.agreedMs(0, hourMs), hourMs, 'alone there is nobody to ask')
  clocks.heard(0, 'b', 0)
  t.is(clocks.agreedMs(0, hourMs), hourMs, 'of two nobody knows who is wrong')
  clocks.heard(0, 'c', 20_000)
  t.is(clocks.agreedMs(2000, hourMs + 2000), 22_000)
  t.is(clocks.agreedMs(3000, 48_000), 48_000, 'near the middle the own clock is taken')
  t.is(clocks.aheadMs(2000, 2000, 'c'), 20_000)
  t.is(clocks.agreedMs(CLOCK_FRESH_MS + 1, hourMs), hourMs, 'they have not been heard for long')
  t.is(clocks.aheadMs(CLOCK_FRESH_MS + 1, 0, 'c'), null)
})
