// The order of rows: whoever merges in whatever order ends up with the same.
import test from 'ava'
import fc from 'fast-check'
import { compareVersions, encodeOwnerEpoch, EPOCHS_TABLE, isDead } from './epochs.ts'
import { compareRows, compareStamps, isNodeId, isTableName, ownerOfKey, type Row } from './rows.ts'

const small = fc.integer({ min: 0, max: 2 })
const octets = fc.uint8Array({ maxLength: 2, max: 2 })
const stamp = fc.record({
  ms: small, counter: small, node: fc.constantFrom('a', 'b'), epoch: small,
})
const row: fc.Arbitrary<Row> = fc.record({
  table: fc.constant('specs'), key: fc.constant('k'), proof: octets, stamp,
  value: fc.option(octets, { nil: null }),
})
const epochRow: fc.Arbitrary<Row> = fc.record({
  table: fc.constant(EPOCHS_TABLE), key: fc.constant('a/'), proof: octets, stamp,
  value: fc.record({ epoch: small, isActive: fc.boolean() }).map(encodeOwnerEpoch),
})

const merge = (a: Row, b: Row): Row => compareVersions(a, b) >= 0 ? a : b

for (const [name, arbitrary] of [['a row', row], ['a row of epochs', epochRow]] as const) {
  test(`merging ${name} is commutative, associative and idempotent`, t => {
    fc.assert(fc.property(arbitrary, arbitrary, arbitrary, (a, b, c) => {
      t.deepEqual(merge(a, b), merge(b, a))
      t.deepEqual(merge(merge(a, b), c), merge(a, merge(b, c)))
      t.deepEqual(merge(a, a), a)
      t.is(Math.sign(compareVersions(a, b)), -Math.sign(compareVersions(b, a)) + 0)
    }), { numRuns: 3000 })
  })
}

const base: Row = {
  table: 'specs', key: 'k', value: Uint8Array.of(5), proof: Uint8Array.of(5),
  stamp: { ms: 5, counter: 5, node: 'm', epoch: 5 },
}
const newer: [name: string, row: Row][] = [
  ['a later millisecond', { ...base, stamp: { ...base.stamp, ms: 6, counter: 0 } }],
  ['a higher counter', { ...base, stamp: { ...base.stamp, counter: 6, node: 'a' } }],
  ['a node further back in the alphabet', { ...base, stamp: { ...base.stamp, node: 'n' } }],
  ['a later boot', { ...base, stamp: { ...base.stamp, epoch: 6 }, value: Uint8Array.of(1) }],
  ['a greater value', { ...base, value: Uint8Array.of(5, 0), proof: Uint8Array.of(1) }],
  ['a greater proof', { ...base, proof: Uint8Array.of(6) }],
]
for (const [name, other] of newer) {
  test(`of two rows the winner has ${name}`, t => {
    t.true(compareRows(other, base) > 0)
    t.true(compareRows(base, other) < 0)
  })
}

test('a tombstone beats an empty value of the same stamp', t => {
  const empty = { ...base, value: new Uint8Array() }
  t.true(compareRows({ ...base, value: null }, empty) > 0)
  t.is(compareStamps(base.stamp, empty.stamp), 0)
})

test('of boots the later wins, whatever the clocks said, and the end of one wins over it', t => {
  const at = (epoch: number, isActive: boolean, ms: number): Row => ({
    ...base, table: EPOCHS_TABLE, value: encodeOwnerEpoch({ epoch, isActive }),
    stamp: { ...base.stamp, ms },
  })
  t.true(compareVersions(at(8, true, 1), at(7, true, 1000)) > 0)
  t.true(compareVersions(at(7, false, 1), at(7, true, 1000)) > 0)
  t.true(compareVersions(at(8, true, 1), at(7, false, 1000)) > 0)
  t.deepEqual([at(7, true, 1), at(7, false, 1)].map(isDead), [false, true])
})

test('owners, node ids and names of tables', t => {
  t.deepEqual(['a/b', 'a/', '/b', 'ab', 'a/b/c'].map(ownerOfKey), ['a', 'a', '', '', 'a'])
  t.deepEqual(['a', 'Az9_.-', '', 'a/b', 'a b', 'x'.repeat(65)].map(isNodeId),
    [true, true, false, false, false, false])
  t.deepEqual(['specs', 'a-1', 'A', '1a', '', 'x'.repeat(33)].map(isTableName),
    [true, true, false, false, false, false])
})
