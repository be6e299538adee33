// The driver with an echo of its own: what is told, and when. The real one is a native test.
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../base/clock.ts'
import { AbsentError } from '../base/errors.ts'
import { makeLog } from '../base/log.ts'
import { makeRandom } from '../base/prng.ts'
import type { EchoOptions } from '../kernel/echo.ts'
import { PathProber, type PathProberParts } from './path-prober.ts'

const DEADLINE_MS = 5000
const log = await makeLog({ level: 'silent', format: 'json' }, 'test')

/** Members whose paths carry what stands here; others are silent. */
type Mtus = Map<number, number>

class FakeEcho {
  readonly mtus: Mtus
  options: EchoOptions | undefined
  isOpen = false
  sent = 0

  constructor(mtus: Mtus) {
    this.mtus = mtus
  }

  open(options: EchoOptions): this {
    this.options = options
    this.isOpen = true
    return this
  }

  send(destination: number, sizeOctets: number, sequence: number): void {
    this.sent += 1
    const mtu = this.mtus.get(destination)
    if (mtu === undefined) return
    setImmediate(() => {
      if (!this.isOpen) return
      this.options?.onAnswer(sizeOctets <= mtu ? { type: 'reply', sequence, rttMs: 1 }
        : { type: 'too-large', sequence, from: 1, mtuOctets: mtu })
    })
  }

  counts() {
    return { sent: this.sent, replies: 0, errors: 0, refused: 0, failed: 0, forgotten: 0,
      malformed: 0, unknown: 0, forged: 0 }
  }

  close(): void {
    this.isOpen = false
  }
}

function proberOf(t: ExecutionContext, over: Partial<PathProberParts> = {}) {
  const told: (number | null)[] = []
  const echo = new FakeEcho(new Map([[1, 1400], [2, 1500]]))
  const prober = new PathProber({
    clock: systemClock, random: makeRandom(1), log, underlay: { number: 9, mtu: 1500 },
    onPathMtu: octets => told.push(octets), open: options => echo.open(options),
    noMembersMs: 50, times: { verifyEveryMs: 20, roundTripEveryMs: 10 }, ...over,
  })
  t.teardown(() => prober.close())
  return { told, echo, prober }
}

async function until(holds: () => boolean): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS
  while (!holds()) {
    if (performance.now() > endMs) throw new Error('it did not come to that')
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

test('the smallest is told when it changes, and only then', async t => {
  const { told, echo, prober } = proberOf(t)
  prober.start([{ name: 'a', address: 2 }])
  await until(() => told.length > 0)
  prober.setMembers([{ name: 'a', address: 2 }, { name: 'b', address: 1 }])
  await until(() => told.length > 1)
  echo.mtus.set(1, 1300)
  await until(() => told.length > 2)
  prober.setMembers([{ name: 'a', address: 2 }])
  t.deepEqual(told, [1500, 1400, 1300, 1500])
  const view = prober.view()
  t.is(view.absent, null)
  t.is(view.smallestMtuOctets, 1500)
  t.is(view.paths[0]?.member, 'a')
  t.like(prober.path('a'), { pathMtuOctets: 1500 })
  t.is(prober.path('b'), null)
  t.true(view.counts['probes']! > 0)
})

test('at a restart wide paths that are known first do not widen anything', async t => {
  const { told, echo, prober } = proberOf(t, { beforeOctets: 1400 })
  prober.start([{ name: 'wide', address: 2 }, { name: 'late', address: 3 }])
  await until(() => prober.path('wide')?.pathMtuOctets === 1500)
  t.deepEqual(told, [], 'the other one may be narrow')
  echo.mtus.set(3, 1400)
  await until(() => told.length > 0)
  t.deepEqual(told, [1400])
})

test('a path that is narrower than before is told at once', async t => {
  const { told, prober } = proberOf(t, { beforeOctets: 1450 })
  prober.start([{ name: 'narrow', address: 1 }, { name: 'dead', address: 77 }])
  await until(() => told.length > 0)
  t.deepEqual(told, [1400])
})

test('members that do not answer tell nothing', async t => {
  const { told, echo, prober } = proberOf(t)
  prober.start([{ name: 'dead', address: 77 }])
  const asked = echo.sent
  t.is(asked, 1)
  prober.setMembers([{ name: 'dead', address: 77 }, { name: 'also', address: 78 }])
  t.is(echo.sent, 2)
  t.deepEqual(told, [])
})

test('no members for a while: nobody knows; a moment without them changes nothing', async t => {
  const { told, prober } = proberOf(t)
  prober.start([])
  t.deepEqual(told, [])
  await until(() => told.length > 0)
  prober.setMembers([{ name: 'b', address: 1 }])
  await until(() => told.length > 1)
  prober.setMembers([])
  prober.setMembers([{ name: 'b', address: 1 }])
  await until(() => prober.view().smallestMtuOctets === 1400)
  t.deepEqual(told, [null, 1400])
})

test('a wider path is found when it is asked for', async t => {
  const { told, echo, prober } = proberOf(t)
  prober.start([{ name: 'b', address: 1 }])
  await until(() => told.length > 0)
  echo.mtus.set(1, 1480)
  prober.rise('b')
  await until(() => told.length > 1)
  t.deepEqual(told, [1400, 1480])
})

test('where the package is absent the view says so, and nothing is known', t => {
  const { told, prober } = proberOf(t, {
    open: () => { throw new AbsentError('no package "raw-socket"') },
  })
  prober.start([{ name: 'b', address: 1 }])
  prober.setMembers([])
  prober.rise()
  t.deepEqual(told, [null])
  t.like(prober.view(), { absent: 'no package "raw-socket"', smallestMtuOctets: null, paths: [] })
})

test('a socket that breaks: what was known counts no more', async t => {
  const { told, echo, prober } = proberOf(t)
  prober.start([{ name: 'b', address: 1 }])
  await until(() => told.length > 0)
  echo.options?.onError(new Error('the raw socket is broken'))
  t.deepEqual(told, [1400, null])
  t.is(prober.view().absent, 'the raw socket is broken')
  t.false(echo.isOpen)
})

test('after it is closed nothing is sent or told', async t => {
  const { told, echo, prober } = proberOf(t)
  prober.start([{ name: 'b', address: 1 }])
  prober.close()
  prober.close()
  const { sent } = echo
  prober.setMembers([{ name: 'a', address: 2 }])
  t.is(echo.sent, sent)
  t.deepEqual(told, [])
  t.is(prober.view().absent, 'closed')
})
