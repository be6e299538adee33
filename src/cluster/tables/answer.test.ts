// What is said in answer to what others send and list.
import test from 'ava'
import { TOMBSTONE_MS } from './away.ts'
import { listedOf } from './epochs.ts'
import { encodeList, type Item } from './item-codec.ts'
import { lastOf } from './key-tree.ts'
import { REASSERTS_PER_MINUTE } from './own-rows.ts'
import { acquainted, type Bench, peer, rowOf } from './pair.test-kit.ts'
import type { Row } from './rows.ts'
import { ENDPOINTS, SPECS } from './simulation.test-kit.ts'

const SOON_MS = 60_000
const [b, c] = [peer('b'), peer('c')]

/** A machine that has these rows of others, and says nothing of them any more. */
function bench(...rows: Row[]): Bench {
  const a = acquainted()
  a.get(b, rows)
  a.said()
  return a
}

/** A machine with a tombstone that it kept for a day, and keeps because c may not know of it. */
function benchWithOld(dead: Row): Bench {
  const a = bench()
  a.peers(b, peer('c', 'failed'))
  a.get(b, [dead], TOMBSTONE_MS - SOON_MS)
  const before = a.tables.digest(SPECS)
  a.pass(2 * SOON_MS)
  if (a.tables.digest(SPECS) === before) throw new Error('it is told of all the same')
  a.said()
  return a
}

const listOf = (...rows: Row[]): Uint8Array =>
  encodeList(SPECS, 0, lastOf(0, 0), rows.map(listedOf))

/** What each item is about: 'rows k=new', 'want k'. */
function inWords(items: readonly Item[]): string[] {
  return items.map(item => {
    if (item.kind === 'want') return `want ${item.keys.join(' ')}`
    if (item.kind !== 'rows') return item.kind
    return `rows ${item.rows.map(({ row }) => `${row.key}=${textOf(row)}`).join(' ')}`
  })
}

const textOf = ({ value }: Row): string =>
  value === null ? '-' : new TextDecoder().decode(value)

test('who sends a row that is older than ours is sent ours', t => {
  const [old, young] = [rowOf('b', SPECS, 'k', 'old', 1), rowOf('c', SPECS, 'k', 'young', 2)]
  const a = bench(young)
  a.get(b, [old])
  t.deepEqual(inWords(a.said()), ['rows k=young'])
  a.get(b, [young])
  t.deepEqual(a.said(), [], 'the same is no reason to say anything')
  a.get(b, [rowOf('b', SPECS, 'k', 'youngest', 3)])
  t.deepEqual(a.said(), [], 'nor is a newer one')
  a.get(b, [old], 0, true)
  t.deepEqual(a.said(), [], 'nor is old news: others tell it what is new')
})

test('a tombstone that nobody is told of any more answers the row that it ended', t => {
  const a = benchWithOld(rowOf('b', SPECS, 'k', null, 2))
  a.get(b, [rowOf('c', SPECS, 'k', 'old', 1)])
  t.deepEqual(inWords(a.said()), ['rows k=-'])
})

test('where a tombstone is still told of, it is asked for, and told of here again', t => {
  const dead = rowOf('b', SPECS, 'k', null)
  const a = benchWithOld(dead)
  a.hear(b, listOf(dead))
  t.deepEqual(inWords(a.said()), ['want k'])
  a.get(b, [dead], TOMBSTONE_MS / 2)
  a.said()
  a.hear(b, listOf())
  t.deepEqual(inWords(a.said()), ['rows k=-'])
  a.hear(b, listOf(dead))
  t.deepEqual(a.said(), [])
})

test('an earlier boot whose clock was ahead: this one stamps its rows after it', t => {
  const a = bench()
  a.write(ENDPOINTS, 'a-id/1', 'mine')
  const ofEarlier = rowOf('a', ENDPOINTS, 'a-id/1', 'earlier', 20_000, 99)
  a.get(b, [ofEarlier])
  const { stamp } = a.tables.get(ENDPOINTS, 'a-id/1')!
  t.is(a.text(ENDPOINTS, 'a-id/1'), 'mine')
  t.deepEqual([stamp.epoch, stamp.ms >= ofEarlier.stamp.ms], [100, true])
  t.deepEqual(a.notices, [], 'nobody has written in our name')
  a.get(c, [ofEarlier, rowOf('a', ENDPOINTS, 'a-id/2', 'gone', 20_000, 99)])
  t.deepEqual(a.tables.get(ENDPOINTS, 'a-id/1')?.stamp, stamp, 'once is enough')
  t.is(a.text(ENDPOINTS, 'a-id/2'), null, 'what this boot has not is left to go')
  t.is(a.tables.counters.oldEpoch, 3)
})

test('what an earlier boot is not proved to have written changes no stamp', t => {
  let asked = 0
  const check = (): string => `no, for the ${asked += 1}. time`
  const a = acquainted({ check })
  asked = 0
  a.write(ENDPOINTS, 'a-id/1', 'mine')
  const { stamp } = a.tables.get(ENDPOINTS, 'a-id/1')!
  const forged = rowOf('a', ENDPOINTS, 'a-id/1', 'forged', 20_000, 99)
  a.get(b, [forged])
  a.get(c, [forged])
  t.deepEqual(a.tables.get(ENDPOINTS, 'a-id/1')?.stamp, stamp)
  t.is(asked, 1)
})

test('so many stamps of an earlier boot are overtaken in a minute, and the rest is counted', t => {
  const a = bench()
  const keys = Array.from({ length: REASSERTS_PER_MINUTE + 1 }, (_, n) => `a-id/${n}`)
  for (const key of keys) a.write(ENDPOINTS, key, 'mine')
  a.get(b, keys.map(key => rowOf('a', ENDPOINTS, key, 'earlier', 20_000, 99)))
  t.is(a.tables.counters.restampsFull, 1)
  a.pass(60_001)
  a.get(b, [rowOf('a', ENDPOINTS, keys.at(-1)!, 'earlier', 20_000, 99)])
  t.is(a.tables.counters.restampsFull, 1)
})
