// Key rings: which key seals and which open, and that no order of rotations and meetings cuts
// members off that hear of each rotation in time.
import test from 'ava'
import fc from 'fast-check'
import {
  adopt, compareNotices, decodeNotice, decodeRing, encodeNotice, encodeRing, FORMER_KEYS_MAX,
  forgetFormer, isReplacementDue, isRotator, KEY_OCTETS, keysForMesh, keysWhileSwitching, makeRing,
  nextLamport, noticeOf, replaceKeys,
  rotate, rotationDueMs, rotationWaitMs, ROTATE_EVERY_MS, ROTATE_GAP_MS, type KeyRing,
} from './keyring.ts'

const key = (seed: number): Uint8Array => new Uint8Array(KEY_OCTETS).fill(seed)
const seeds = (ring: KeyRing): number[] => keysForMesh(ring).map(octets => octets[0]!)
const first = makeRing([key(1), key(2), key(3)], 1000)
const next = (ring: KeyRing, seed: number): KeyRing =>
  rotate(ring, key(seed), nextLamport(ring), ring.rotatedAtMs + ROTATE_EVERY_MS)
const sealing = (ring: KeyRing): number => seeds(ring)[0]!

test('the middle key seals, and all open', t => {
  t.deepEqual(seeds(first), [2, 3, 1])
  const second = next(first, 4)
  t.deepEqual(seeds(second), [3, 4, 2, 1])
  t.deepEqual(seeds(next(second, 5)), [4, 5, 3, 2, 1])
  t.deepEqual(second.current.map(({ lamport }) => lamport), [2, 3, 4])
})

test('a member that has not heard of a rotation yet and one that has understand each other', t => {
  let ring = first
  for (let seed = 4; seed < 40; seed += 1) {
    const after = next(ring, seed)
    t.true(seeds(ring).includes(sealing(after)))
    t.true(seeds(after).includes(sealing(ring)))
    t.true(after.former.length <= FORMER_KEYS_MAX)
    ring = after
  }
})

test('when a member is removed no key that it knows goes on being used', t => {
  const grown = next(next(first, 4), 5)
  t.false(isReplacementDue(grown, 0))
  t.true(isReplacementDue(grown, 1))
  const replaced = replaceKeys(grown, [key(11), key(12), key(13)], 1, 5000)
  t.is(replaced.epoch, 2)
  t.false(isReplacementDue(replaced, 1))
  t.deepEqual(seeds(replaced), [12, 13, 11, 5, 4, 3], 'for a while the old ones open')
  t.deepEqual(seeds(forgetFormer(replaced)), [12, 13, 11])
  t.true(compareNotices(noticeOf(replaced), noticeOf(next(grown, 6))) > 0)
  t.deepEqual(adopt(forgetFormer(replaced), grown), forgetFormer(replaced),
    'an older epoch brings nothing back')
  t.deepEqual(seeds(forgetFormer(adopt(grown, replaced))), [12, 13, 11])
})

test('when all keys are replaced nothing is lost, provided they are fetched in time', t => {
  const grown = next(next(first, 4), 5)
  const atManager = replaceKeys(grown, [key(11), key(12), key(13)], 1, 5000)
  const atMember = adopt(grown, decodeRing(encodeRing(atManager))!)
  const first3 = (keys: Uint8Array[]) => keys.map(octets => octets[0]!)
  for (const ring of [atManager, atMember]) {
    t.deepEqual(first3(keysWhileSwitching(ring)), [4, 12, 13, 11, 5, 3])
    t.true(seeds(grown).includes(first3(keysWhileSwitching(ring))[0]!))
    t.deepEqual(seeds(ring), [12, 13, 11, 5, 4, 3])
  }
  t.deepEqual(keysWhileSwitching(forgetFormer(atMember)), keysForMesh(forgetFormer(atMember)))
  t.deepEqual(keysWhileSwitching(next(grown, 6)), keysForMesh(next(grown, 6)))
})

test('keys of an epoch that is over do not survive a restart', t => {
  const replaced = replaceKeys(first, [key(11), key(12), key(13)], 1, 5000)
  t.is(replaced.former.length, 3)
  t.deepEqual(decodeRing(encodeRing(replaced)), forgetFormer(replaced))
  const rotated = next(forgetFormer(replaced), 14)
  t.deepEqual(decodeRing(encodeRing(rotated)), rotated, 'those of this epoch do')
})

test('two members removed on two sides of a split: another replacement is due', t => {
  const a = replaceKeys(first, [key(11), key(12), key(13)], 1, 5000)
  const b = replaceKeys(first, [key(21), key(22), key(23)], 1, 5000)
  const both = adopt(a, b)
  t.is(both.epoch, 2)
  t.true(isReplacementDue(both, 2))
  t.is(replaceKeys(both, [key(31), key(32), key(33)], 2, 6000).epoch, 3)
})

test('two managers that rotate at once end with the same ring, and understand each other', t => {
  const [a, b] = [next(first, 4), next(first, 5)]
  const [atA, atB] = [adopt(a, b), adopt(b, a)]
  t.deepEqual(atA.current, atB.current)
  for (const [one, other] of [[a, b], [a, atB], [atA, b], [atA, atB]] as const) {
    t.true(seeds(one).includes(sealing(other)) && seeds(other).includes(sealing(one)))
  }
})

test('after a split of days both sides open what the other seals once they have met', t => {
  const a = [4, 5, 6].reduce(next, first)
  const b = [14, 15, 16, 17].reduce(next, first)
  t.false(seeds(a).includes(sealing(b)), 'before, they do not')
  const [atA, atB] = [adopt(a, b), adopt(b, a)]
  t.deepEqual(atA.current, b.current)
  t.deepEqual(atB.current, b.current)
  t.true(seeds(atB).includes(sealing(a)), 'also what was sealed before')
})

test('the order in which rings are met does not matter', t => {
  const rings = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 6 })
    .map(added => added.reduce((ring, seed) => next(ring, seed), first))
  fc.assert(fc.property(fc.array(rings, { minLength: 2, maxLength: 5 }), all => {
    const meet = (order: KeyRing[]): string => noticeOf(order.reduce(adopt)).digest
    const again = adopt(all[0]!, all[1]!)
    return meet(all) === meet([...all].reverse())
      && JSON.stringify(adopt(again, all[1]!).current) === JSON.stringify(again.current)
      && again.former.length <= FORMER_KEYS_MAX
  }))
  t.pass()
})

test('when to rotate, and who does', t => {
  t.is(rotationDueMs(first), 1000 + ROTATE_EVERY_MS)
  t.is(rotationWaitMs(first, 1000), ROTATE_GAP_MS)
  t.is(rotationWaitMs(first, 1000 + ROTATE_GAP_MS - 1), 1)
  t.is(rotationWaitMs(first, 1000 + ROTATE_GAP_MS), 0)
  t.is(rotationWaitMs(first, 500), 0, 'a clock that was put back does not stop rotations')
  t.true(isRotator('aaa', ['bbb', 'aaa']))
  t.false(isRotator('bbb', ['bbb', 'aaa']))
  t.true(isRotator('aaa', []))
})

test('what cannot be is an assertion', t => {
  t.throws(() => makeRing([key(1)], 0), { message: /CURRENT_KEYS/ })
  t.throws(() => rotate(first, key(4).subarray(1), 4, 0), { message: /KEY_OCTETS/ })
  t.throws(() => rotate(first, key(4), 3, 0), { message: /Lamport/ })
})

test('a ring and its notice come back from text', t => {
  const ring = next(first, 4)
  t.deepEqual(decodeRing(encodeRing(ring)), ring)
  const full = [5, 6, 7, 8].reduce(next, ring)
  t.deepEqual(decodeRing(encodeRing(full)), full)
  const octets = encodeNotice(ring)
  t.deepEqual(decodeNotice(octets), noticeOf(ring))
  t.false(Buffer.from(octets).toString().includes(Buffer.from(key(3)).toString('base64')))
})

const text = encodeRing(first)
const changed = (change: (ring: any) => void): string => {
  const ring = JSON.parse(text)
  change(ring)
  return JSON.stringify(ring)
}
const damaged: [name: string, text: string][] = [
  ['nothing', ''],
  ['no JSON', text.slice(1)],
  ['a number', '7'],
  ['two keys', changed(ring => ring.current.pop())],
  ['four keys', changed(ring => ring.current.push(ring.current[0]))],
  ['keys out of order', changed(ring => ring.current.reverse())],
  ['one Lamport time twice', changed(ring => { ring.current[1].lamport = 1 })],
  ['a short key', changed(ring => { ring.current[1].key = 'AAAA' })],
  ['a key of 33 octets', changed(ring => { ring.current[1].key = 'A'.repeat(44) })],
  ['an epoch without a beginning', changed(ring => { delete ring.epochLamport })],
  ['an epoch below one', changed(ring => { ring.epoch = 0 })],
  ['a word more', changed(ring => { ring.more = 1 })],
  ['too much', text + ' '.repeat(1024)],
]
for (const [name, octets] of damaged) {
  test(`not a ring: ${name}`, t => t.is(decodeRing(octets), null))
}
test('not a notice', t => {
  for (const octets of ['', '{}', '[]', '{"epoch":1,"lamport":1,"digest":"00"}']) {
    t.is(decodeNotice(Buffer.from(octets)), null)
  }
})
