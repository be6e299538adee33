// The lists by which workers tell each other what they learned: every row arrives once and in
// order, or is known to be lost.
import test from 'ava'
import { makeRandom, pick } from '../base/prng.ts'
import {
  makeNews, makeNewsMemory, NEWS_ADDRESS, NEWS_GENERATION, NEWS_MAC_LOW, NEWS_ROWS, passRow,
  readNext, skipLost, tell, waiting, type News,
} from './news.ts'

function team(workers: number): News[] {
  const memories = Array.from({ length: workers }, makeNewsMemory)
  return memories.map((_, mine) => makeNews(memories, mine))
}

/** The MACs that `news` reads of its n-th other one, and how many it knows it has lost. */
function hear(news: News, n: number): { macs: number[]; lost: number } {
  const macs: number[] = []
  let lost = 0
  while (waiting(news, n) !== 0) {
    if (waiting(news, n) >= NEWS_ROWS || !readNext(news, n)) {
      lost += skipLost(news, n)
      continue
    }
    macs.push(news.row[NEWS_MAC_LOW]!)
    passRow(news, n)
  }
  return { macs, lost }
}

test('who is alone tells nobody, and hears nothing', t => {
  const alone = makeNews()
  tell(alone, 1, 2, 3, 4, 5)
  t.is(alone.others.length, 0)
})

test('each of the others hears all of it, in its own time', t => {
  const [one, two, three] = team(3)
  one!.generation[0] = 9
  for (let mac = 0; mac < 5; mac++) tell(one!, 7, 0x0242, mac, -1, 1000 + mac)
  t.deepEqual(hear(two!, 0), { macs: [0, 1, 2, 3, 4], lost: 0 })
  t.is(two!.row[NEWS_GENERATION], 9)
  t.is(two!.row[NEWS_ADDRESS], 1004)
  tell(one!, 7, 0x0242, 5, -1, 1005)
  t.deepEqual(hear(two!, 0).macs, [5])
  t.deepEqual(hear(three!, 0).macs, [0, 1, 2, 3, 4, 5])
  t.deepEqual([hear(two!, 1).macs, hear(one!, 0).macs], [[], []])
})

test('a row that is looked at but not passed comes again', t => {
  const [one, two] = team(2)
  tell(one!, 7, 0, 1, -1, 0)
  t.true(readNext(two!, 0))
  t.deepEqual(hear(two!, 0).macs, [1])
})

test('who is too slow loses the oldest, and knows how many', t => {
  const [one, two] = team(2)
  const told = 3 * NEWS_ROWS + 17
  for (let mac = 0; mac < told; mac++) tell(one!, 7, 0, mac, -1, 0)
  const { macs, lost } = hear(two!, 0)
  t.is(macs.length + lost, told)
  t.true(lost > 2 * NEWS_ROWS && lost < told)
  t.deepEqual(macs, Array.from({ length: macs.length }, (_, n) => lost + n))
})

test('a full list that is still whole is read whole', t => {
  const [one, two] = team(2)
  for (let mac = 0; mac < NEWS_ROWS - 1; mac++) tell(one!, 7, 0, mac, -1, 0)
  t.is(hear(two!, 0).macs.length, NEWS_ROWS - 1)
})

test('the count of rows may wrap', t => {
  const memories = [makeNewsMemory(), makeNewsMemory()]
  new Int32Array(memories[0]!)[0] = 2 ** 31 - 3
  const [one, two] = [makeNews(memories, 0), makeNews(memories, 1)]
  two.heard[0] = 2 ** 31 - 3
  for (let mac = 0; mac < 8; mac++) tell(one, 7, 0, mac, -1, 0)
  t.deepEqual(hear(two, 0), { macs: [0, 1, 2, 3, 4, 5, 6, 7], lost: 0 })
})

test('rows come in order and none twice, however reading and writing take turns', t => {
  const seed = Number(process.env['TAPMESH_SEED'] ?? 3)
  const random = makeRandom(seed)
  const [one, two] = team(2)
  let told = 0
  let heard = 0
  for (let turn = 0; turn < 300; turn++) {
    for (let n = pick(random, 1 + pick(random, NEWS_ROWS * 2)); n > 0; n--) {
      tell(one!, 7, 0, told++, -1, 0)
    }
    const { macs, lost } = hear(two!, 0)
    heard += lost
    t.deepEqual(macs, Array.from({ length: macs.length }, (_, n) => heard + n), `seed ${seed}`)
    heard += macs.length
  }
  t.is(heard, told)
})
