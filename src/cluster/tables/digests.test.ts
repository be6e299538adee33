// How soon nodes compare their tables again.
import test from 'ava'
import { DIGEST_MS, DIGEST_NEWS_MS, HOT_PEERS, HOT_ROUNDS } from './digests.ts'
import { encodeList, encodeRoots, encodeWant } from './item-codec.ts'
import { lastOf } from './key-tree.ts'
import { Bench, peer, rowOf } from './pair.test-kit.ts'
import { SPECS, WALL_START_MS } from './simulation.test-kit.ts'

const [b, c] = [peer('b'), peer('c')]
const MISSED = { key: 'k', ms: WALL_START_MS, counter: 0, hash: 1 }
/** Rounds come up to a tenth earlier or later. */
const LATE = 1.1

/** A machine that has met its peers a while ago, and has just asked one of them. */
function bench(): Bench {
  const a = new Bench('a')
  a.peers(b, c)
  a.pass(5 * DIGEST_MS)
  a.said()
  while (digests(a) === 0) a.pass(10)
  return a
}

const digests = (a: Bench): number => a.said().filter(({ kind }) => kind === 'roots').length

test('without differences one peer is asked in a second', t => {
  const a = bench()
  a.pass(10 * DIGEST_MS)
  const count = digests(a)
  t.true(Math.abs(count - 10) <= 1, `${count} digests in 10 s`)
})

for (const [what, body, isDifference] of [
  ['what a peer lists', encodeList(SPECS, 0, lastOf(0, 0), [MISSED]), true],
  ['the digest of a peer that differs',
    encodeRoots([{ table: SPECS, high: 1, low: 1, count: 1 }]), true],
  ['the digest of a peer that does not', encodeRoots([]), false],
  ['what a peer asks for', encodeWant(SPECS, ['k']), false],
] as const) {
  const name = isDifference ? 'asks again soon' : 'is no reason to ask sooner'
  test(`${what} ${name}, also when nothing follows`, t => {
    const a = bench()
    a.hear(b, body)
    a.pass(LATE * DIGEST_MS)
    const count = digests(a)
    if (isDifference) t.true(count >= HOT_ROUNDS * HOT_PEERS, `${count} digests`)
    else t.true(count <= 2, `${count} digests`)
  })
}

test('after news one peer is asked sooner, whom it may not have reached', t => {
  const a = bench()
  a.get(b, [rowOf('b', SPECS, 'k', 'new')], 0, true)
  a.pass(LATE * DIGEST_NEWS_MS)
  t.is(digests(a), 1)
  a.get(b, [rowOf('b', SPECS, 'k', 'new')], 0, true)
  a.pass(LATE * DIGEST_NEWS_MS)
  t.is(digests(a), 0, 'it is not news any more')
})
