import test from 'ava'
import { makeRandom, pick } from '../base/prng.ts'
import { PATH_PROBE_DEFAULTS, PATHS_MAX, PROBE_BURST } from './path-probe.ts'
import { type VirtualPath, virtualPath, World } from './path-probe.test-kit.ts'
import { SMALL_PROBE_OCTETS } from './probed-path.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 1)
const SEEDS = Number(process.env['TAPMESH_PATH_SEEDS'] ?? 150)
const MINUTE_MS = 60_000

function worldOf(...paths: VirtualPath[]): World {
  const world = new World(SEED)
  for (const path of paths) world.add(path)
  return world
}

const found: [name: string, path: Partial<VirtualPath>, mtu: number, withinMs: number][] = [
  ['a path as wide as the device, in two round trips', {}, 1500, 5],
  ['a router that says how wide, in four', { mtuOctets: 1400 }, 1400, 10],
  ['a router that says no number', { mtuOctets: 1400, router: 'no number' }, 1400, 30],
  ['a router that lies', { mtuOctets: 1400, router: 900 }, 1400, 30],
  ['a black hole', { mtuOctets: 1400, router: 'silent' }, 1400, 5000],
  ['a black hole far away', { mtuOctets: 1400, router: 'silent', delayMs: 250 }, 1400, 20_000],
  ['a far member', { mtuOctets: 1480, delayMs: 600 }, 1480, 4000],
  ['uneven round trips', { mtuOctets: 1476, delayMs: 20, jitterMs: 400 }, 1476, 5000],
  ['every answer twice', { mtuOctets: 1380, duplicatePercent: 100 }, 1380, 10],
]
for (const [name, path, mtu, withinMs] of found) {
  test(`found: ${name}`, t => {
    const world = worldOf(virtualPath(path))
    const tookMs = world.runUntil(() => world.mtuOf(1) !== null, MINUTE_MS)
    t.is(world.mtuOf(1), mtu)
    t.true(tookMs !== null && tookMs <= withinMs, `took ${tookMs} ms`)
    world.run(10 * MINUTE_MS)
    t.is(world.mtuOf(1), mtu)
    t.true(world.results.every(({ result }) => [null, mtu].includes(result.pathMtuOctets)),
      'nothing else was ever told')
  })
}

test('a dead member is asked small questions only, at half the pace', t => {
  const world = worldOf(virtualPath({ state: 'silent' }))
  world.run(MINUTE_MS)
  t.true(world.sent.every(({ sizeOctets }) => sizeOctets === SMALL_PROBE_OCTETS))
  t.is(world.sent.length, 31)
  t.like(world.probe.view('1'),
    { pathMtuOctets: null, lossPercent: 100, last: 'lost', rttMs: null, searching: true })
})

test('a member that a router calls unreachable is not asked faster for that', t => {
  const world = worldOf(virtualPath({ state: 'unreachable' }))
  world.run(MINUTE_MS)
  t.true(world.sent.length <= 62, `${world.sent.length}`)
  t.is(world.probe.view('1')?.last, 'unreachable')
})

const narrower: [name: string, path: Partial<VirtualPath>, withinMs: number][] = [
  ['and a router says so', {}, 5600],
  ['and nobody says so', { router: 'silent' }, 12_000],
]
for (const [name, path, withinMs] of narrower) {
  test(`a path gets narrower ${name}`, t => {
    const wire = virtualPath(path)
    const world = worldOf(wire)
    world.run(30_000)
    t.is(world.mtuOf(1), 1500)
    wire.mtuOctets = 1400
    const tookMs = world.runUntil(() => world.mtuOf(1) === 1400, MINUTE_MS)
    t.true(tookMs !== null && tookMs <= withinMs, `took ${tookMs} ms`)
  })
}

test('a path that gets wider is found after ten minutes, or when it is asked for', t => {
  for (const isAsked of [false, true]) {
    const wire = virtualPath({ mtuOctets: 1400, router: 'silent' })
    const world = worldOf(wire)
    world.run(30_000)
    wire.mtuOctets = 1450
    world.run(9 * MINUTE_MS)
    t.is(world.mtuOf(1), 1400)
    if (isAsked) world.apply(world.probe.step(world.nowMs, { type: 'rise', member: '1' }))
    world.run(isAsked ? 10_000 : 2 * MINUTE_MS)
    t.is(world.mtuOf(1), 1450)
  }
})

test('a member that was away is known at once when it is back, with its new width', t => {
  const wire = virtualPath()
  const world = worldOf(wire)
  world.run(30_000)
  wire.state = 'silent'
  world.run(5 * MINUTE_MS)
  t.is(world.mtuOf(1), 1500, 'silence says nothing about sizes')
  wire.state = 'up'
  wire.mtuOctets = 1400
  t.true((world.runUntil(() => world.mtuOf(1) === 1400, 4000) ?? 9999) < 3000)
})

test('members come, go, and change their address', t => {
  const world = worldOf(virtualPath({ mtuOctets: 1400 }), virtualPath({ mtuOctets: 1300 }))
  world.run(5000)
  t.is(world.probe.smallestMtuOctets(), 1300)
  const members = (event: { name: string; address: number }[]) =>
    world.apply(world.probe.step(world.nowMs, { type: 'members', members: event }))
  members([{ name: '1', address: 1 }])
  t.is(world.probe.smallestMtuOctets(), 1400)
  t.is(world.probe.view('2'), null)
  members([{ name: '1', address: 2 }])
  t.is(world.mtuOf(1), null, 'another address is another path')
  world.run(5000)
  t.is(world.mtuOf(1), 1300)
  members([])
  t.is(world.probe.smallestMtuOctets(), null)
  t.is(world.probe.nextMs(), Number.POSITIVE_INFINITY)
  t.is(world.probe.outstanding, 0)
})

test('figures: round trips, jitter, loss, and the state of the search', t => {
  const world = worldOf(virtualPath({ delayMs: 10, jitterMs: 4, mtuOctets: 1450 }))
  world.run(2 * MINUTE_MS)
  const view = world.probe.view('1')!
  t.like(view, { member: '1', address: 1, pathMtuOctets: 1450, searching: false, last: 'reply',
    lossPercent: 0, samples: 64 })
  t.true(view.rttMinMs! >= 10 && view.rttMinMs! < 10.5)
  t.true(view.rttSmoothMs! > 11 && view.rttSmoothMs! < 13)
  t.true(view.jitterMs! > 0.5 && view.jitterMs! < 3)
})

test('an answer to no question, or to a forgotten one, changes nothing and is counted', t => {
  const world = worldOf(virtualPath())
  world.run(5000)
  const before = world.probe.view('1')
  const answer = { type: 'too-large', sequence: 77, mtuOctets: 600 } as const
  t.deepEqual(world.probe.step(world.nowMs, { type: 'answer', answer })
    .filter(effect => effect.type === 'result'), [])
  t.deepEqual(world.probe.view('1'), before)
  t.is(world.probe.counts().unknownAnswers, 1)
})

test('more members than can be probed are counted', t => {
  const world = new World(SEED)
  const members = Array.from({ length: PATHS_MAX + 3 }, (_, n) => ({ name: `n${n}`, address: n }))
  world.probe.step(world.nowMs, { type: 'members', members })
  t.is(world.probe.paths, PATHS_MAX)
  t.is(world.probe.counts().membersOverLimit, 3)
})

/** At no time do more probes leave than the rate allows. */
function mostOverRate(world: World, perSecond: number): number {
  let worst = Number.NEGATIVE_INFINITY
  // A bucket with the same rate, and no bottom: how deep does it get?
  let level = 0
  let lastMs = world.sent[0]?.atMs ?? 0
  for (const { atMs } of world.sent) {
    level = Math.max(0, level - ((atMs - lastMs) * perSecond) / 1000) + 1
    lastMs = atMs
    worst = Math.max(worst, level)
  }
  return worst
}

test('500 members share the rate fairly, and all are known in time', t => {
  const world = new World(SEED)
  const random = makeRandom(SEED)
  for (let n = 0; n < 500; n++) {
    world.paths.set(n + 1, virtualPath({ mtuOctets: 1300 + pick(random, 201) }))
  }
  world.setMembers()
  world.run(2 * MINUTE_MS)
  t.true(mostOverRate(world, PATH_PROBE_DEFAULTS.probesPerSecondMax) <= PROBE_BURST + 0.1)
  for (const [address, path] of world.paths) t.is(world.mtuOf(address), path.mtuOctets)
  t.true(world.probe.counts().delayed > 0)
  const shares = new Map<number, number>()
  for (const { address } of world.sent) shares.set(address, (shares.get(address) ?? 0) + 1)
  t.true(Math.min(...shares.values()) > 15, 'none is left out')
  t.true(Math.max(...shares.values()) < 50, 'none gets much more')
})

function randomPath(random: ReturnType<typeof makeRandom>): VirtualPath {
  const routers = ['right', 'silent', 'no number', 576 + pick(random, 925)] as const
  return virtualPath({
    mtuOctets: 576 + pick(random, 925),
    router: routers[pick(random, routers.length)]!,
    lossPercent: pick(random, 3) === 0 ? pick(random, 50) / 10 : 0,
    delayMs: 0.1 + pick(random, 400),
    jitterMs: pick(random, 100),
    duplicatePercent: pick(random, 4) === 0 ? 20 : 0,
  })
}

/** One random life: paths that change, die, come back; at the end everything is known exactly. */
function live(seed: number): { world: World; wrong: string[] } {
  const random = makeRandom(seed)
  const world = new World(seed)
  for (let n = 1 + pick(random, 4); n > 0; n--) world.add(randomPath(random))
  for (let n = 0; n < 6; n++) {
    world.run(pick(random, 40_000))
    const paths = [...world.paths.values()]
    const path = paths[pick(random, paths.length)]!
    const state = pick(random, 3) === 0 ? 'silent' : 'up'
    Object.assign(path, pick(random, 2) === 0 ? randomPath(random) : { state })
  }
  for (const path of world.paths.values()) path.state = 'up'
  // Twelve minutes, so that paths that got wider have been looked at, and mistakes of loss mended.
  world.run(12 * MINUTE_MS)
  const wrong = [...world.paths].flatMap(([address, path]) => {
    const mtu = world.mtuOf(address)
    return mtu === path.mtuOctets ? [] : [`path ${address}: ${mtu}, not ${JSON.stringify(path)}`]
  })
  return { world, wrong }
}

test('simulated: in the end every path is known, whatever happened before', t => {
  t.log(`seeds ${SEED} to ${SEED + SEEDS - 1}; TAPMESH_SEED, TAPMESH_PATH_SEEDS choose others`)
  for (let seed = SEED; seed < SEED + SEEDS; seed++) {
    const { world, wrong } = live(seed)
    t.deepEqual(wrong, [], `seed ${seed}`)
    const over = mostOverRate(world, PATH_PROBE_DEFAULTS.probesPerSecondMax)
    t.true(over <= PROBE_BURST + 0.1, `seed ${seed}: ${over}`)
    t.true(world.probe.outstanding <= 8 * world.paths.size, `seed ${seed}`)
    t.true(world.sent.every(({ sizeOctets }) => sizeOctets <= 1500), `seed ${seed}`)
  }
})

test('the same seed gives the same run', t => {
  const [one, two] = [live(SEED), live(SEED)]
  t.deepEqual(one.world.sent, two.world.sent)
})
