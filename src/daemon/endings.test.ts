// The end of a task, which comes while something else is being changed.
import test from 'ava'
import type { Log } from '../base/log.ts'
import { Endings } from './endings.ts'
import { Exclusive, WAITING_MAX } from './exclusive.ts'

const TASK = { id: 'a1', name: 'web' }

function endingsOf() {
  const changes = new Exclusive()
  const errors: unknown[] = []
  const log = { error: (facts: { err: unknown }) => errors.push(facts.err) } as unknown as Log
  return { changes, errors, endings: new Endings(changes, log) }
}

/** Everything that can happen without anybody doing anything has happened. */
const settled = () => new Promise<void>(resolve => { setImmediate(resolve) })

test('a task that ends while another change is under way is wound up after it', async t => {
  const { changes, endings } = endingsOf()
  const done: string[] = []
  const held = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  const other = changes.run(async () => {
    done.push('attach begins')
    await held.promise
    done.push('attach ends')
  })
  endings.watch(TASK, ended.promise, async () => { done.push('finish') })
  ended.resolve()
  await settled()
  t.deepEqual(done, ['attach begins'])
  const ending = endings.of(TASK)
  held.resolve()
  await Promise.all([other, ending])
  t.deepEqual(done, ['attach begins', 'attach ends', 'finish'])
  t.is(endings.of(TASK), undefined)
})

test('while a task is wound up no other change is made', async t => {
  const { changes, endings } = endingsOf()
  const done: string[] = []
  const held = Promise.withResolvers<void>()
  endings.watch(TASK, Promise.resolve(), async () => {
    done.push('finish begins')
    await held.promise
    done.push('finish ends')
  })
  await settled()
  const other = changes.run(() => { done.push('other') })
  await settled()
  t.deepEqual(done, ['finish begins'])
  held.resolve()
  await other
  t.deepEqual(done, ['finish begins', 'finish ends', 'other'])
})

test('an end is not refused, however many changes wait', async t => {
  const { changes, errors, endings } = endingsOf()
  const held = Promise.withResolvers<void>()
  const turns = Array.from({ length: WAITING_MAX }, () => changes.run(() => held.promise))
  let finished = false
  endings.watch(TASK, Promise.resolve(), async () => { finished = true })
  held.resolve()
  await Promise.all([...turns, endings.of(TASK)])
  t.true(finished)
  t.deepEqual(errors, [])
})

test('winding up that fails is said, and waiters are let go', async t => {
  const { errors, endings } = endingsOf()
  endings.watch(TASK, Promise.resolve(), async () => { throw new Error('no space') })
  await endings.of(TASK)
  t.like(errors, [{ message: 'no space' }])
  t.is(endings.of(TASK), undefined)
})

test('a daemon that stops leaves an end to the next one, without a word', async t => {
  const { changes, errors, endings } = endingsOf()
  const ended = Promise.withResolvers<void>()
  endings.watch(TASK, ended.promise, async () => t.fail('it must not touch anything any more'))
  await changes.close(() => {})
  ended.resolve()
  await endings.of(TASK)
  t.deepEqual(errors, [])
})
