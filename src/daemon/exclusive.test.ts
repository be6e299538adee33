import test from 'ava'
import { Exclusive, WAITING_MAX } from './exclusive.ts'

test('changes take turns, in the order in which they were asked for', async t => {
  const changes = new Exclusive()
  const done: string[] = []
  const held = Promise.withResolvers<void>()
  const turns = [
    changes.run(async () => {
      done.push('first begins')
      await held.promise
      done.push('first ends')
    }),
    changes.run(() => { done.push('second') }),
    changes.runSurely(() => { done.push('third') }),
  ]
  await new Promise(resolve => setImmediate(resolve))
  t.deepEqual(done, ['first begins'])
  held.resolve()
  await Promise.all(turns)
  t.deepEqual(done, ['first begins', 'first ends', 'second', 'third'])
})

test('a change that fails tells who asked, and stops no other', async t => {
  const changes = new Exclusive()
  const failing = changes.run(() => { throw new Error('no') })
  const next = changes.run(() => 7)
  await t.throwsAsync(failing, { message: 'no' })
  t.is(await next, 7)
})

test('too many are refused, but not what has happened already', async t => {
  const changes = new Exclusive()
  const held = Promise.withResolvers<void>()
  const turns = Array.from({ length: WAITING_MAX }, () => changes.run(() => held.promise))
  await t.throwsAsync(changes.run(() => 1), { code: 'TM_LIMIT' })
  const sure = changes.runSurely(() => 2)
  held.resolve()
  t.is(await sure, 2)
  await Promise.all(turns)
  t.is(await changes.run(() => 3), 3)
})

test('the last change comes after those that wait, and none comes after it', async t => {
  const changes = new Exclusive()
  const done: string[] = []
  const before = changes.run(() => { done.push('before') })
  const last = changes.close(() => { done.push('last') })
  t.true(changes.isClosed)
  await t.throwsAsync(changes.run(() => { done.push('after') }), { code: 'TM_STOPPING' })
  await t.throwsAsync(changes.runSurely(() => { done.push('after') }), { code: 'TM_STOPPING' })
  await Promise.all([before, last])
  t.deepEqual(done, ['before', 'last'])
})
