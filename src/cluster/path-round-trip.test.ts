import test from 'ava'
import { ROUND_TRIP_SAMPLES, RoundTrips } from './path-round-trip.ts'

const LEAST_MS = 150
const MOST_MS = 1000

function tripsOf(samples: (number | 'lost')[]): RoundTrips {
  const trips = new RoundTrips()
  for (const sample of samples) {
    if (sample === 'lost') trips.addLost()
    else trips.add(sample)
  }
  return trips
}

test('before the first sample nothing is known', t => {
  const trips = new RoundTrips()
  t.deepEqual(trips.view(), {
    rttMs: null, rttMinMs: null, rttSmoothMs: null, jitterMs: null, lossPercent: null, samples: 0,
  })
  t.false(trips.hasLoss)
  t.is(trips.timeoutMs(LEAST_MS, MOST_MS), MOST_MS)
})

test('round trips are smoothed by an eighth, jitter by a sixteenth', t => {
  const view = tripsOf([8, 16, 16]).view()
  t.deepEqual(view, {
    rttMs: 16, rttMinMs: 8, rttSmoothMs: 9.875, jitterMs: 0.46875, lossPercent: 0, samples: 3,
  })
})

test('a lost one counts as loss and moves nothing else', t => {
  const view = tripsOf([10, 'lost', 'lost', 10]).view()
  t.is(view.lossPercent, 50)
  t.is(view.jitterMs, 0)
  t.is(view.rttSmoothMs, 10)
  t.is(tripsOf(['lost']).view().rttMs, null)
})

test('old samples are forgotten', t => {
  const trips = tripsOf([1, 'lost', ...Array.from({ length: ROUND_TRIP_SAMPLES - 2 }, () => 5)])
  t.true(trips.hasLoss)
  t.is(trips.view().rttMinMs, 1)
  trips.add(5)
  t.is(trips.view().rttMinMs, 5)
  trips.add(5)
  t.false(trips.hasLoss)
  t.is(trips.view().samples, ROUND_TRIP_SAMPLES)
})

const timeouts: [name: string, samples: number[], timeoutMs: number][] = [
  ['a near member is given the least', [0.2, 0.2], LEAST_MS],
  ['three round trips', [100], 300],
  ['and four times the jitter', [100, 180], 350],
  ['never more than the most', [900], MOST_MS],
]
for (const [name, samples, timeoutMs] of timeouts) {
  test(`time-out: ${name}`, t => {
    t.is(tripsOf(samples).timeoutMs(LEAST_MS, MOST_MS), timeoutMs)
  })
}
