// Who was away for longer than deletions are remembered: what it drops, and what it tells others.
import test from 'ava'
import { DECIDE_MS } from './away.ts'
import { STEADY } from './codec.ts'
import { encodeRoots } from './item-codec.ts'
import { acquainted, peer, rowOf } from './pair.test-kit.ts'
import { ENDPOINTS, SPECS } from './simulation.test-kit.ts'

const HOUR_MS = 3_600_000
const [b, c] = [peer('b'), peer('c')]

test('a node that was away for more than a day drops what others may have deleted', t => {
  const a = acquainted()
  a.write(SPECS, 'mine', 'x')
  a.write(ENDPOINTS, 'a-id/1', 'x')
  a.get(b, [rowOf('b', SPECS, 'theirs', 'x')])
  a.leap(HOUR_MS)
  a.get(b, [rowOf('b', SPECS, 'fresh', 'x', HOUR_MS)])
  a.peers(peer('b', 'failed'), peer('c', 'failed'))
  a.leap(HOUR_MS)
  a.write(SPECS, 'while-away', 'x')
  a.leap(25 * HOUR_MS)
  a.peers(b, c)
  a.step({ type: 'message', from: 'b', octets: a.wrap(b, encodeRoots([]), STEADY) })
  a.pass(1000)
  t.like(a.notices, [{ what: 'stale', rows: 4 }])
  const kept = [...a.tables.rows(SPECS)].map(({ key }) => key).sort()
  t.deepEqual(kept, ['fresh', 'while-away'], 'the last minutes may not have got to them')
  t.is(a.text(ENDPOINTS, 'a-id/1'), 'x')
})

test('when all were away, nobody drops anything', t => {
  const a = acquainted()
  a.write(SPECS, 'k', 'x')
  a.peers()
  a.leap(100 * HOUR_MS)
  a.peers(b, c)
  a.step({ type: 'message', from: 'b', octets: a.wrap(b, encodeRoots([]), 0) })
  a.step({ type: 'message', from: 'c', octets: a.wrap(c, encodeRoots([]), STEADY) })
  a.pass(1000)
  t.is(a.text(SPECS, 'k'), 'x')
  t.deepEqual(a.notices, [])
})

test('who slept drops nothing because of what it was sent before', t => {
  const a = acquainted()
  a.get(b, [rowOf('b', SPECS, 'k', 'x')])
  const before = a.wrap(b, encodeRoots([]), STEADY)
  a.leap(25 * HOUR_MS)
  a.step({ type: 'message', from: 'b', octets: before })
  a.pass(1000)
  t.is(a.text(SPECS, 'k'), 'x')
  t.deepEqual(a.notices, [])
})

test('who was away and kept everything tells nobody else to drop anything', t => {
  const a = acquainted()
  a.leap(25 * HOUR_MS)
  a.hear(b, encodeRoots([]))
  a.said()
  a.pass(DECIDE_MS)
  t.false(a.saysSteady(), 'it may have missed deletions')
  t.is(a.persisted.at(-1)?.meta.awayMs, 0, 'and is here again, also after a restart')
  for (let hours = 0; hours < 23; hours += 1) {
    a.leap(HOUR_MS)
    a.hear(b, encodeRoots([]))
  }
  t.false(a.saysSteady())
  a.leap(2 * HOUR_MS)
  a.hear(b, encodeRoots([]))
  t.true(a.saysSteady(), 'all that was deleted meanwhile is gone')
})
