// What many changes ask for is done at the first of them, and then not more often than is good.
import test from 'ava'
import { ManualClock } from '../base/clock.ts'
import { Pace, PACE_GAP_MAX_MS, PACE_GAP_MS } from './pace.ts'

/** @param tookMs what the work takes */
function paceOf(tookMs = 1, work = (_: Pace) => {}) {
  const clock = new ManualClock(1000)
  const doneMs: number[] = []
  let alarm: { atMs: number; ring: () => void } | null = null
  const pace: Pace = new Pace(clock, () => {
    doneMs.push(clock.nowMs())
    clock.advance(tookMs)
    work(pace)
  }, {
    set(inMs, ring) { alarm = { atMs: clock.nowMs() + inMs, ring } },
    clear() { alarm = null },
  })
  return {
    doneMs, pace,
    goOn(byMs: number): void {
      for (let ms = 0; ms < byMs; ms += 1) {
        clock.advance(1)
        const due = alarm
        if (due === null || due.atMs > clock.nowMs()) continue
        alarm = null
        due.ring()
      }
    },
  }
}

test('what is asked for after a rest is done at once', t => {
  const { doneMs, goOn, pace } = paceOf()
  pace.ask()
  t.deepEqual(doneMs, [1000])
  goOn(500)
  pace.ask()
  t.deepEqual(doneMs, [1000, 1501])
  goOn(500)
  t.is(doneMs.length, 2, 'and not once more')
})

test('all that is asked for within the gap is done once, when it is over', t => {
  const { doneMs, goOn, pace } = paceOf()
  pace.ask()
  for (let n = 0; n < 5; n += 1) pace.ask()
  t.true(pace.isAwaited)
  goOn(PACE_GAP_MS - 1)
  t.is(doneMs.length, 1)
  goOn(1)
  t.deepEqual(doneMs, [1000, 1001 + PACE_GAP_MS])
  t.false(pace.isAwaited)
})

test('a stream of changes is answered for as long as it lasts', t => {
  const { doneMs, goOn, pace } = paceOf()
  for (let n = 0; n < 1000; n += 1) {
    pace.ask()
    goOn(1)
  }
  t.true(doneMs.length > 80, `${doneMs.length} times`)
  t.true(doneMs.every((ms, n) => n === 0 || ms - doneMs[n - 1]! >= PACE_GAP_MS), doneMs.join())
})

const gaps: [tookMs: number, gapMs: number][] = [
  [1, PACE_GAP_MS], [8, 16], [40, PACE_GAP_MAX_MS],
]
for (const [tookMs, gapMs] of gaps) {
  test(`after work of ${tookMs} ms there is a gap of ${gapMs} ms`, t => {
    const { doneMs, goOn, pace } = paceOf(tookMs)
    pace.ask()
    pace.ask()
    goOn(gapMs - 1)
    t.is(doneMs.length, 1)
    goOn(1)
    t.is(doneMs.length, 2)
  })
}

test('work that asks for itself is done again after the gap, not within itself', t => {
  let rest = 2
  const { doneMs, goOn, pace } = paceOf(1, self => { if (rest-- > 0) self.ask() })
  pace.ask()
  t.is(doneMs.length, 1)
  goOn(100)
  t.is(doneMs.length, 3)
})

test('work that fails is done again when it is asked for', t => {
  let isFirst = true
  const { doneMs, goOn, pace } = paceOf(1, () => {
    if (!isFirst) return
    isFirst = false
    throw new Error('no')
  })
  t.throws(() => pace.ask(), { message: 'no' })
  pace.ask()
  goOn(PACE_GAP_MS)
  t.is(doneMs.length, 2)
})

test('nothing is done after the end', t => {
  const { doneMs, goOn, pace } = paceOf()
  pace.ask()
  pace.ask()
  pace.close()
  pace.ask()
  goOn(100)
  t.is(doneMs.length, 1)
  t.false(pace.isAwaited)
})
