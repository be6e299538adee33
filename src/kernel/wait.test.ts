// Waiting: a spin lasts as long as it is told to, finds what comes, and is given up where it finds
// nothing.
import test from 'ava'
import { makeArena } from './arena.ts'
import { close } from './syscalls.ts'
import { Epoll } from './wait.ts'
import { makeWake, wake } from './wake.ts'

const SPIN_MS = 30
/** A machine that does much else at the same time; a clock read wrongly would take far longer. */
const LATE_MS = 10_000

function waited(epoll: Epoll): number {
  const startMs = performance.now()
  epoll.wait(1)
  return performance.now() - startMs
}

test('a spin that finds nothing ends by the clock, and then the wait sleeps', t => {
  const epoll = new Epoll(makeArena(), SPIN_MS * 1000)
  for (let n = 0; n < 3; n++) {
    const tookMs = waited(epoll)
    t.true(tookMs >= SPIN_MS && tookMs < LATE_MS, `${tookMs} ms`)
  }
  epoll.close()
})

test('without success it is seldom tried', t => {
  const epoll = new Epoll(makeArena(), SPIN_MS * 1000)
  const times = Array.from({ length: 24 }, () => waited(epoll))
  t.true(times.slice(0, 8).every(tookMs => tookMs >= SPIN_MS), `${times.map(Math.round)} ms`)
  t.true(times.slice(8).some(tookMs => tookMs < SPIN_MS), `${times.map(Math.round)} ms`)
  epoll.close()
})

test('what is there is found before the time is over, and named by its token', t => {
  const epoll = new Epoll(makeArena(), LATE_MS * 1000)
  const fd = makeWake()
  epoll.makeWatched(fd, 7)
  wake(fd)
  const startMs = performance.now()
  t.is(epoll.wait(LATE_MS), 1)
  t.is(epoll.ready[0], 7)
  t.true(performance.now() - startMs < LATE_MS)
  epoll.drain(fd)
  t.is(epoll.wait(0), 0)
  epoll.close()
  close(fd)
})
