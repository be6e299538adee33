// How soon nodes compare their tables again.
import test from 'ava'
import { decodeMessage } from './codec.ts'
import { DIGEST_MS, HOT_PEERS, HOT_ROUNDS } from './digests.ts'
import { encodeList, encodeRoots, encodeWant } from './item-codec.ts'
import { lastOf } from './key-tree.ts'
import { Bench, peer, type Sent } from './pair.test-kit.ts'
import { SPECS, WALL_START_MS } from './simulation.test-kit.ts'

const [b, c] = [peer('b'), peer('c')]
const MISSED = { key: 'k', ms: WALL_START_MS, counter: 0, hash: 1 }

function kindsOf({ octets }: Sent): string[] {
  const message = decodeMessage(octets)
  if (typeof message === 'string') throw new Error(message)
  return message.items.map(({ kind }) => kind)
}

/** A machine that has met its peers a while ago; no message of another ever gets to it. */
function bench(): Bench {
  const a = new Bench('a')
  a.peers(b, c)
  a.pass(5 * DIGEST_MS)
  a.sent = []
  return a
}

const digests = (a: Bench): number =>
  a.sent.filter(sent => kindsOf(sent).includes('roots')).length

test('without differences one peer is asked in a second', t => {
  const a = bench()
  a.pass(10 * DIGEST_MS)
  t.true(Math.abs(digests(a) - 10) <= 1, `${digests(a)} digests in 10 s`)
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
    a.step({ type: 'message', from: b.name, octets: a.wrap(b, body) })
    a.pass(1.2 * DIGEST_MS)
    if (isDifference) t.true(digests(a) >= HOT_ROUNDS * HOT_PEERS, `${digests(a)} digests`)
    else t.true(digests(a) <= 2, `${digests(a)} digests`)
  })
}
