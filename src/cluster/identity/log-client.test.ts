// Managers that ask members for the output of tasks, piece by piece over one connection.
import test, { type ExecutionContext } from 'ava'
import { ManualClock } from '../../base/clock.ts'
import type { DeskOptions } from './desk-options.ts'
import type { Identity } from './identity.ts'
import { JoinError } from './join-error.ts'
import { LOG_OCTETS_MAX } from './join-messages.ts'
import { makeCluster, makeMember, NOW_MS, startedFor, type TestMember } from './join.test-kit.ts'
import { askLogs, type AskLog } from './log-client.ts'

const manager = await makeCluster()
const worker = await makeMember(manager)
const TASK = 'ab'.repeat(32)
const TEXT = Buffer.alloc(LOG_OCTETS_MAX + 7, 'x')

/** A worker with the output of one task, which has ended. */
function withLog(t: ExecutionContext, asked: unknown[] = []): Promise<TestMember> {
  const readLog: DeskOptions['readLog'] = async (container, from, tail) => {
    asked.push([from, tail])
    if (container !== TASK) return null
    const octets = TEXT.subarray(from ?? 0, (from ?? 0) + LOG_OCTETS_MAX)
    const next = (from ?? 0) + octets.length
    return { octets, next, isOver: next === TEXT.length }
  }
  return startedFor(t, worker, { readLog })
}

function asking<T>(identity: Identity, { target }: TestMember, talk: (ask: AskLog) => Promise<T>,
  nodeId = worker.certificate.nodeId): Promise<T> {
  return askLogs({ identity, target, nodeId, version: '0.1.0', clock: new ManualClock(NOW_MS) },
    talk)
}

test('pieces of a log come over one connection, the longest among them', async t => {
  const asked: unknown[] = []
  const member = await withLog(t, asked)
  const [first, second] = await asking(manager, member, async ask => {
    const piece = await ask(TASK, null, 3)
    return [piece, await ask(TASK, piece.next, null)] as const
  })
  t.deepEqual(asked, [[null, 3], [LOG_OCTETS_MAX, null]])
  t.deepEqual([first.octets.length, first.isOver], [LOG_OCTETS_MAX, false])
  t.deepEqual([second.octets.length, second.next, second.isOver], [7, TEXT.length, true])
  t.is(member.server.counters.accepted, 1)
  t.is(member.desk.counters.log, 2)
})

test('a task that is not there is said so, and is no event', async t => {
  const member = await withLog(t)
  const error = await t.throwsAsync(
    asking(manager, member, ask => ask('cd'.repeat(32), null, null)),
    { instanceOf: JoinError, message: /no such task/ })
  t.is(error?.reason, 'no-log')
  t.deepEqual(member.events, [])
})

test('a worker is shown nothing', async t => {
  const member = await withLog(t)
  const other = await makeMember(manager, { nodeId: 'o'.repeat(25), nodeName: 'node-9' })
  const error = await t.throwsAsync(asking(other, member, ask => ask(TASK, null, null)),
    { instanceOf: JoinError, message: /only managers/ })
  t.is(error?.reason, 'not-a-manager')
})

test('who is removed, and who is of another cluster, is shown nothing', async t => {
  const removing = await startedFor(t, worker, {
    isRemoved: () => true, readLog: async () => ({ octets: TEXT, next: 0, isOver: true }),
  })
  await t.throwsAsync(asking(manager, removing, ask => ask(TASK, null, null)),
    { instanceOf: JoinError, message: /was removed/ })
  const stranger = await makeCluster()
  await t.throwsAsync(asking(stranger, await withLog(t), ask => ask(TASK, null, null)),
    { instanceOf: JoinError })
})

test('another node at that address is not asked', async t => {
  const member = await withLog(t)
  await t.throwsAsync(asking(manager, member, ask => ask(TASK, null, null), 'x'.repeat(25)),
    { instanceOf: JoinError, message: /is node-2 now/ })
  t.is(member.server.counters.answered, 0)
})
