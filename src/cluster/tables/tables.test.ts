// The rules of the tables, one by one. That they also hold together is for the simulation.
import test from 'ava'
import { encodeRoots } from './item-codec.ts'
import { acquainted, Bench, epochRow, octets, peer, rowOf } from './pair.test-kit.ts'
import { EPOCH_STEP_MAX } from './own-rows.ts'
import { EPOCH_GRACE_MS, LEFT_GRACE_MS, RETURN_HOLD_MS } from './owners.ts'
import type { Row } from './rows.ts'
import { ENDPOINTS, SPECS, World } from './simulation.test-kit.ts'

const HOUR_MS = 3_600_000
const [b, c] = [peer('b'), peer('c')]

test('a row that is written is there, told, and persisted before anything else', t => {
  const a = acquainted()
  const effects = a.write(SPECS, 'k', '1')
  t.deepEqual(effects.map(effect => effect.type), ['persist', 'changed', 'send', 'send'])
  t.is(a.text(SPECS, 'k'), '1')
  t.like(a.changes.at(-1), { table: SPECS, key: 'k', old: null, wasShown: false, isShown: true })
  t.true(a.persisted.at(-1)!.rows.some(({ row }) => row.key === 'k'))
})

test('a deletion leaves a tombstone, and what is not there is not deleted', t => {
  const a = acquainted()
  a.write(SPECS, 'k', '1')
  a.write(SPECS, 'k', null)
  t.is(a.tables.get(SPECS, 'k'), null)
  t.is([...a.tables.allRows(SPECS)][0]?.row.value, null)
  t.like(a.changes.at(-1), { wasShown: true, isShown: false })
  t.deepEqual(a.write(SPECS, 'k', null), [])
  t.deepEqual(a.write(SPECS, 'other', null), [])
})

test('a deletion that comes before what it deletes wins all the same', t => {
  const a = acquainted()
  a.get(b, [rowOf('b', SPECS, 'k', null, 2)])
  a.get(c, [rowOf('c', SPECS, 'k', 'old', 1)])
  t.is(a.text(SPECS, 'k'), null)
  t.is(a.tables.counters.known, 1)
  a.get(c, [rowOf('c', SPECS, 'k', 'new', 3)])
  t.is(a.text(SPECS, 'k'), 'new')
})

test('what cannot be written changes nothing', t => {
  const a = acquainted()
  const good = { table: SPECS, key: 'k', value: octets('1') }
  const bad = [
    { write: { ...good, table: 'nothing' }, code: 'TM_USAGE' },
    { write: { ...good, key: '' }, code: 'TM_USAGE' },
    { write: { ...good, key: 'a\n' }, code: 'TM_USAGE' },
    { write: { ...good, table: 'epochs', key: 'a-id/' }, code: 'TM_USAGE' },
    { write: { ...good, table: ENDPOINTS, key: 'b-id/x' }, code: 'TM_USAGE' },
    { write: { ...good, value: new Uint8Array(4097) }, code: 'TM_LIMIT' },
  ]
  for (const { write, code } of bad) {
    t.throws(() => a.step({ type: 'write', writes: [good, write] }), { code })
  }
  t.is(a.text(SPECS, 'k'), null)
})

test('a row that is written does not change with the octets that were handed in', t => {
  const a = acquainted()
  const value = octets('1')
  a.step({ type: 'write', writes: [{ table: SPECS, key: 'k', value }] })
  value[0] = 0x32
  t.is(a.text(SPECS, 'k'), '1')
})

test('endpoints of a member that fails are hidden, and come back with it', t => {
  const a = acquainted()
  a.get(b, [rowOf('b', ENDPOINTS, 'b-id/1', 'x')])
  t.is(a.text(ENDPOINTS, 'b-id/1'), 'x')
  a.changes = []
  a.peers(peer('b', 'failed'), c)
  t.is(a.text(ENDPOINTS, 'b-id/1'), null)
  t.like(a.changes, [{ wasShown: true, isShown: false }])
  t.is([...a.tables.allRows(ENDPOINTS)].length, 1)
  a.get(c, [rowOf('b', ENDPOINTS, 'b-id/2', 'y', 5)])
  t.is(a.text(ENDPOINTS, 'b-id/2'), null, 'taken over, but hidden')
  a.peers(b, c)
  t.deepEqual([a.text(ENDPOINTS, 'b-id/1'), a.text(ENDPOINTS, 'b-id/2')], ['x', 'y'])
  a.peers(c)
  t.is(a.text(ENDPOINTS, 'b-id/1'), null, 'who is not listed has failed')
})

test('a row may come before its owner', t => {
  const a = new Bench('a')
  a.peers(c)
  a.get(c, [rowOf('b', ENDPOINTS, 'b-id/1', 'x')])
  t.is(a.text(ENDPOINTS, 'b-id/1'), null)
  a.peers(b, c)
  t.is(a.text(ENDPOINTS, 'b-id/1'), 'x')
})

test('a new boot of an owner: its old rows go, unless it writes them again in time', t => {
  const a = acquainted()
  const old = ['1', '2'].map(n => rowOf('b', ENDPOINTS, `b-id/${n}`, 'old'))
  a.get(b, old)
  const reborn = peer('b', 'alive', 101)
  a.peers(reborn, c)
  a.get(reborn, [epochRow('b', 101), rowOf('b', ENDPOINTS, 'b-id/1', 'new', 5, 101)])
  t.deepEqual(['1', '2'].map(n => a.text(ENDPOINTS, `b-id/${n}`)), ['new', 'old'])
  a.pass(EPOCH_GRACE_MS)
  t.deepEqual(['1', '2'].map(n => a.text(ENDPOINTS, `b-id/${n}`)), ['new', null])
  t.is([...a.tables.allRows(ENDPOINTS)].length, 1)
  a.get(c, old)
  t.is(a.text(ENDPOINTS, 'b-id/2'), null, 'somebody who has not heard of it sends them again')
  t.is(a.tables.counters.oldEpoch, 2)
})

test('a member that had failed comes back in a new boot: nothing old is shown', t => {
  const a = acquainted()
  a.get(b, [rowOf('b', ENDPOINTS, 'b-id/1', 'old')])
  a.peers(peer('b', 'failed'), c)
  a.peers(peer('b', 'alive', 101), c)
  t.is(a.text(ENDPOINTS, 'b-id/1'), null)
  a.peers(peer('b', 'failed', 101), c)
  a.get(c, [epochRow('b', 101)])
  t.deepEqual([...a.tables.allRows(ENDPOINTS)], [])
})

const impostors: [name: string, row: Row, counter: 'notOwner' | 'unknownTable'][] = [
  ['in the name of another', rowOf('c', ENDPOINTS, 'b-id/1', 'x'), 'notOwner'],
  ['of nobody', rowOf('b', ENDPOINTS, '1', 'x'), 'notOwner'],
  ['that says another is in a new boot', epochRow('b', 200, true, 'c'), 'notOwner'],
  ['of another epoch than its stamp',
    { ...epochRow('b', 200), stamp: rowOf('b', '', '', '').stamp }, 'notOwner'],
  ['of no epoch', rowOf('b', 'epochs', 'b-id/', 'x'), 'notOwner'],
  ['of a table that nobody knows', rowOf('b', 'other', 'k', 'x'), 'unknownTable'],
]
for (const [name, row, counter] of impostors) {
  test(`refused: a row ${name}`, t => {
    const a = acquainted()
    a.get(b, [row])
    t.is(a.tables.counters[counter], 1)
    t.is([...a.tables.allRows(ENDPOINTS)].length, 0)
  })
}

test('what the check refuses is not taken, and not checked again for each copy', t => {
  let checks = 0
  const a = acquainted({
    check: row => {
      if (row.table === SPECS) checks += 1
      return row.key === 'bad' ? 'not signed' : null
    },
  })
  a.get(b, [rowOf('b', SPECS, 'bad', 'x'), rowOf('b', SPECS, 'good', 'x')])
  a.get(c, [rowOf('b', SPECS, 'bad', 'x'), rowOf('b', SPECS, 'good', 'x')])
  t.deepEqual([a.text(SPECS, 'bad'), a.text(SPECS, 'good')], [null, 'x'])
  t.is(checks, 2)
  a.pass(5001)
  a.get(c, [rowOf('b', SPECS, 'bad', 'x')])
  t.is(checks, 3, 'what was refused may be right later')
})

test('own rows carry a proof', t => {
  const a = acquainted({ prove: row => octets(`${row.key} at ${row.stamp.counter}`) })
  a.write(SPECS, 'k', '1')
  const row = a.tables.get(SPECS, 'k')!
  t.is(new TextDecoder().decode(row.proof), `k at ${row.stamp.counter}`)
})

test('a stamp from the future waits until its time has come', t => {
  const a = acquainted()
  a.get(b, [rowOf('b', SPECS, 'k', 'soon', 90_000), rowOf('b', SPECS, 'l', 'now', 60_000)])
  t.deepEqual([a.text(SPECS, 'k'), a.text(SPECS, 'l')], [null, 'now'])
  t.is(a.tables.sizes().quarantined, 1)
  a.write(SPECS, 'k', 'mine')
  t.true(a.tables.get(SPECS, 'k')!.stamp.ms < rowOf('b', SPECS, 'k', '', 60_001).stamp.ms)
  a.pass(29_000)
  t.is(a.text(SPECS, 'k'), 'mine')
  a.pass(3_000)
  t.is(a.text(SPECS, 'k'), 'soon')
  t.is(a.tables.sizes().quarantined, 0)
})

test('a removed member: its rows go and stay away, and it is told so', t => {
  const a = acquainted()
  a.get(b, [rowOf('b', ENDPOINTS, 'b-id/1', 'x')])
  a.step({ type: 'remove', node: 'b-id', epoch: 150 })
  t.deepEqual([...a.tables.allRows(ENDPOINTS)], [])
  a.get(c, [rowOf('b', ENDPOINTS, 'b-id/1', 'x')])
  t.is(a.tables.counters.ownerGone, 1)
  t.throws(() => a.step({ type: 'remove', node: 'a-id', epoch: 1 }), { code: 'TM_USAGE' })
  const removal = [...a.tables.allRows('epochs')].find(({ row }) => row.key === 'b-id/')!.row
  const other = new Bench('b')
  other.peers(peer('a'), c)
  other.get(peer('a'), [removal])
  t.deepEqual(other.notices, [{ what: 'removed', by: 'a-id' }])
  t.throws(() => other.write(SPECS, 'k', '1'), { code: 'TM_CONFLICT' })
  a.get(c, [epochRow('b', 151), rowOf('b', ENDPOINTS, 'b-id/2', 'y', 9, 151)])
  a.peers(peer('b', 'alive', 151), c)
  t.is(a.text(ENDPOINTS, 'b-id/2'), 'y', 'a later boot is somebody new')
})

test('who leaves takes its rows along', t => {
  const a = acquainted()
  a.write(ENDPOINTS, 'a-id/1', 'x')
  a.write(SPECS, 'k', 'stays')
  a.step({ type: 'leave' })
  t.deepEqual([a.text(ENDPOINTS, 'a-id/1'), a.text(SPECS, 'k')], [null, 'stays'])
  t.throws(() => a.write(SPECS, 'k', '1'), { code: 'TM_CONFLICT' })
})

test('rows of a member that left without a word go after a while', t => {
  const a = acquainted()
  a.get(b, [rowOf('b', ENDPOINTS, 'b-id/1', 'x')])
  a.peers(peer('b', 'left'), c)
  t.is(a.text(ENDPOINTS, 'b-id/1'), null)
  a.pass(LEFT_GRACE_MS - 1)
  t.is([...a.tables.allRows(ENDPOINTS)].length, 1)
  a.pass(2)
  t.is([...a.tables.allRows(ENDPOINTS)].length, 0)
})

test('an earlier boot with a higher epoch is overtaken, and all rows are written anew', t => {
  const a = acquainted()
  a.write(ENDPOINTS, 'a-id/1', 'x')
  a.get(b, [epochRow('a', 500)])
  const { epoch } = a.tables
  t.true(epoch > 500 && epoch <= 500 + EPOCH_STEP_MAX)
  t.is(a.tables.get(ENDPOINTS, 'a-id/1')?.stamp.epoch, epoch)
  t.like(a.notices, [{ what: 'epoch-raised', from: 100, to: epoch }])
  a.get(b, [rowOf('a', ENDPOINTS, 'a-id/2', 'old', 0, 7000)])
  t.true(a.tables.epoch > 7000 && a.tables.epoch <= 7000 + EPOCH_STEP_MAX)
  t.is(a.text(ENDPOINTS, 'a-id/2'), null)
  t.is(a.tables.counters.overtaken, 2)
})

test('the owner has the last word on its rows', t => {
  const a = acquainted()
  a.write(ENDPOINTS, 'a-id/1', 'mine')
  const forged = rowOf('a', ENDPOINTS, 'a-id/1', 'forged', 5000)
  a.get(b, [forged, rowOf('a', ENDPOINTS, 'a-id/2', 'x', 9)])
  t.deepEqual([a.text(ENDPOINTS, 'a-id/1'), a.text(ENDPOINTS, 'a-id/2')], ['mine', null])
  const [first] = [...a.tables.allRows(ENDPOINTS)].filter(({ row }) => row.key === 'a-id/1')
  t.true(first!.row.stamp.ms >= forged.stamp.ms, 'written over the forgery')
  t.is(a.tables.counters.twin, 2)
  a.get(b, [rowOf('a', ENDPOINTS, 'a-id/1', 'later', HOUR_MS)])
  const [again] = [...a.tables.allRows(ENDPOINTS)].filter(({ row }) => row.key === 'a-id/1')
  t.is(again!.row, first!.row, 'what nobody takes yet is not answered: our clock stays right')
})

test('tombstones go after a day, and are kept while somebody is missing', t => {
  const a = acquainted()
  a.write(SPECS, 'k', '1')
  a.write(SPECS, 'k', null)
  a.leap(23 * HOUR_MS)
  t.is(a.tables.sizes().tombstones, 1)
  a.peers(b, peer('c', 'failed'))
  a.leap(10 * HOUR_MS)
  t.is(a.tables.sizes().tombstones, 1, 'c may not know')
  a.peers(b, c)
  a.pass(RETURN_HOLD_MS - 10_000)
  t.is(a.tables.sizes().tombstones, 1, 'c has only just come back')
  a.pass(30_000)
  t.is(a.tables.sizes().tombstones, 0)
  t.is(a.tables.counters.tombstonesPurged, 1)
})

test('the age of a tombstone outlives a restart, and travels', t => {
  const a = acquainted()
  a.get(b, [rowOf('b', SPECS, 'k', null)], 10 * HOUR_MS)
  a.leap(9 * HOUR_MS)
  a.step({ type: 'stop' })
  const stored = a.persisted.flatMap(one => one.rows)
  const rows = new Map(stored.map(one => [`${one.row.table} ${one.row.key}`, one]))
  const meta = a.persisted.at(-1)!.meta
  const again = new Bench('a', { epoch: 101, restored: { meta, rows: rows.values() } })
  again.peers(b, c)
  again.leap(4 * HOUR_MS)
  t.is(again.tables.sizes().tombstones, 1)
  again.leap(2 * HOUR_MS)
  t.is(again.tables.sizes().tombstones, 0)
  again.get(b, [rowOf('b', SPECS, 'k', null)], 25 * HOUR_MS)
  t.is(again.tables.counters.expiredTombstone, 1)
  again.get(b, [rowOf('b', SPECS, 'k', null)], 20 * HOUR_MS)
  t.is(again.tables.sizes().tombstones, 1, 'elsewhere it is younger, and kept for as long as there')
})

test('a clock that was in the future before a restart does not run back', t => {
  const a = acquainted()
  a.aheadMs = HOUR_MS
  a.write(SPECS, 'k', '1')
  const { ms } = a.tables.get(SPECS, 'k')!.stamp
  const meta = a.persisted.at(-1)!.meta
  const again = new Bench('a', { epoch: 101, restored: { meta, rows: [] } })
  again.write(SPECS, 'l', '2')
  t.true(again.tables.get(SPECS, 'l')!.stamp.ms >= ms)
})

test('messages that were sent again, or to somebody else, or by an earlier boot', t => {
  const a = acquainted()
  const roots = encodeRoots([{ table: SPECS, high: 1, low: 2, count: 3 }])
  const message = a.wrap(b, roots)
  a.step({ type: 'message', from: 'b', octets: message })
  t.is(a.sent.filter(({ to }) => to === 'b').length > 0, true)
  a.sent = []
  a.step({ type: 'message', from: 'b', octets: message })
  t.is(a.tables.counters.replayed, 1)
  a.step({ type: 'message', from: 'c', octets: a.wrap(b, roots) })
  a.step({ type: 'message', from: 'b', octets: new Bench('other').wrap(b, roots) })
  t.is(a.tables.counters.misdirected, 2)
  a.step({ type: 'message', from: 'b', octets: a.wrap(peer('b', 'alive', 99), roots) })
  t.is(a.tables.counters.replayed, 2)
  a.step({ type: 'message', from: 'b', octets: octets('T\u0001') })
  t.is(a.tables.counters.malformed, 1)
  t.deepEqual(a.sent, [])
  a.step({ type: 'message', from: null, octets: a.wrap(b, roots) })
  t.is(a.sent.length, 1, 'over a stream the message itself says who sent it')
})

test('of a boot that the membership does not know yet, rows are taken, and no more', t => {
  const a = acquainted()
  const reborn = peer('b', 'alive', 200)
  a.sent = []
  a.step({ type: 'message', from: 'b', octets: a.wrap(reborn, encodeRoots([])) })
  t.deepEqual(a.sent, [])
  a.get(reborn, [epochRow('b', 200), rowOf('b', ENDPOINTS, 'b-id/1', 'x', 1, 200)])
  t.is(a.text(ENDPOINTS, 'b-id/1'), 'x')
})

test('a hundred thousand rows get to a new node, and then there is silence', t => {
  t.timeout(60_000)
  const world = new World(3, 3)
  const [first, second, third] = world.nodes as [typeof world.nodes[0], typeof world.nodes[0],
    typeof world.nodes[0]]
  world.start(first, second)
  world.runFor(1000)
  for (let batch = 0; batch < 100; batch += 1) {
    const writes = Array.from({ length: 1000 }, (_, i) =>
      ({ table: SPECS, key: `key ${batch} ${i}`, value: octets(`value ${i} `.repeat(5)) }))
    world.step(first, { type: 'write', writes })
  }
  world.runFor(15_000)
  t.is(second.tables!.sizes().rows, 100_002)
  world.start(third)
  const startMs = world.nowMs
  while (third.tables!.digest(SPECS) !== first.tables!.digest(SPECS)) {
    world.runFor(100)
    if (world.nowMs > startMs + 20_000) break
  }
  t.true(world.nowMs - startMs < 10_000, `${world.nowMs - startMs} ms`)
  world.runFor(3000)
  let size = 0
  world.onMessage = sent => { size += sent }
  world.runFor(5000)
  t.true(size / 3 / 5 < 500, `${size / 3 / 5} octets a second for each node`)
  world.step(second, { type: 'write', writes: [{ table: SPECS, key: 'one', value: octets('1') }] })
  size = 0
  world.runFor(2000)
  t.true(size < 10_000, `${size} octets for one change`)
})
