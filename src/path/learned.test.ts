// The learned table: what it keeps, what it lets go, and that it never grows.
import test from 'ava'
import { makeRandom, pick } from '../base/prng.ts'
import {
  COUNT_AGED, COUNT_EVICTED, COUNT_LEARNED, COUNT_MOVED, GAUGE_LEARNED, makeCounters,
} from './counters.ts'
import {
  age, AGEING_SECONDS, findLearned, forget, FROM_UNDERLAY, learn, LEARNED_MAX, makeLearned,
} from './learned.ts'

const VNI = 4097
const VTEP = 0x0a0b0c0d

function table() {
  const counters = makeCounters()
  return { counters, t: makeLearned(7, counters) }
}

test('a MAC is found where it was learned, in its own network only', t => {
  const { t: table_ } = table()
  learn(table_, VNI, 10, 0x0242, 5, FROM_UNDERLAY, VTEP, 0)
  const entry = findLearned(table_, VNI, 0x0242, 5)
  t.is(table_.address[entry], VTEP)
  t.is(table_.port[entry], FROM_UNDERLAY)
  t.is(findLearned(table_, VNI + 1, 0x0242, 5), -1)
  t.is(findLearned(table_, VNI, 0x0242, 6), -1)
})

test('a MAC that moves is one entry', t => {
  const { t: learned, counters } = table()
  learn(learned, VNI, 10, 0x0242, 5, FROM_UNDERLAY, VTEP, 0)
  learn(learned, VNI, 10, 0x0242, 5, 3, 0, 1)
  t.is(learned.port[findLearned(learned, VNI, 0x0242, 5)], 3)
  t.is(counters[COUNT_MOVED], 1)
  t.is(counters[GAUGE_LEARNED], 1)
})

test('a full network lets its least recently seen MAC go, and no other network\'s', t => {
  const { t: learned, counters } = table()
  learn(learned, 9, 10, 0x0242, 99, FROM_UNDERLAY, VTEP, 0)
  for (let mac = 0; mac < 10; mac++) learn(learned, VNI, 10, 0x0242, mac, FROM_UNDERLAY, VTEP, mac)
  learn(learned, VNI, 10, 0x0242, 0, FROM_UNDERLAY, VTEP, 11) // seen again, so 1 is the oldest now
  learn(learned, VNI, 10, 0x0242, 10, FROM_UNDERLAY, VTEP, 12)
  t.true(findLearned(learned, VNI, 0x0242, 0) >= 0)
  t.is(findLearned(learned, VNI, 0x0242, 1), -1)
  t.true(findLearned(learned, 9, 0x0242, 99) >= 0)
  t.is(counters[COUNT_EVICTED], 1)
})

test('ageing takes what was silent for 300 seconds, a bounded number at a time', t => {
  const { t: learned, counters } = table()
  for (let mac = 0; mac < 5; mac++) learn(learned, VNI, 10, 1, mac, FROM_UNDERLAY, VTEP, mac)
  age(learned, AGEING_SECONDS - 1, 100)
  t.is(counters[GAUGE_LEARNED], 5)
  age(learned, AGEING_SECONDS + 3, 2)
  t.is(counters[GAUGE_LEARNED], 3)
  age(learned, AGEING_SECONDS + 3, 100)
  t.is(counters[GAUGE_LEARNED], 1)
  t.is(counters[COUNT_AGED], 4)
})

test('forget clears a network, or one port of it', t => {
  const { t: learned } = table()
  learn(learned, VNI, 10, 1, 1, 4, 0, 0)
  learn(learned, VNI, 10, 1, 2, FROM_UNDERLAY, VTEP, 0)
  learn(learned, 5, 10, 1, 2, FROM_UNDERLAY, VTEP, 0)
  forget(learned, VNI, 4)
  t.is(findLearned(learned, VNI, 1, 1), -1)
  t.true(findLearned(learned, VNI, 1, 2) >= 0)
  forget(learned, VNI, -1)
  t.is(findLearned(learned, VNI, 1, 2), -1)
  t.true(findLearned(learned, 5, 1, 2) >= 0)
})

test('the whole table can fill and stays bounded', t => {
  const { t: learned, counters } = table()
  for (let i = 0; i < LEARNED_MAX + 1000; i++) {
    learn(learned, 1 + (i % 100), 4096, 2, i, FROM_UNDERLAY, VTEP, i >> 10)
  }
  t.is(counters[GAUGE_LEARNED], LEARNED_MAX)
  t.is(counters[COUNT_EVICTED], 1000)
})

test('random use agrees with a Map that forgets the least recently seen', t => {
  const seed = Number(process.env['TAPMESH_SEED'] ?? 1)
  const random = makeRandom(seed)
  const { t: learned, counters } = table()
  const model = new Map<number, number>()
  for (let now = 0; now < 20_000; now++) {
    const mac = pick(random, 40)
    learn(learned, VNI, 16, 0, mac, FROM_UNDERLAY, mac, now)
    model.delete(mac)
    model.set(mac, now)
    if (model.size > 16) model.delete(model.keys().next().value!)
    if (now % 50 === 0) {
      for (let m = 0; m < 40; m++) {
        const is = findLearned(learned, VNI, 0, m) >= 0
        t.is(is, model.has(m), `TAPMESH_SEED=${seed} step ${now} mac ${m}`)
      }
    }
  }
  t.is(counters[GAUGE_LEARNED], model.size)
  t.true(counters[COUNT_LEARNED]! > 16)
})
