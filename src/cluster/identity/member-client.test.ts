// Members that ask managers for certificates and keys: both ends must be members, of the same
// cluster, and not removed.
import test, { type ExecutionContext } from 'ava'
import { ManualClock } from '../../base/clock.ts'
import { MEMBER_LIFE_MS } from './ca.ts'
import { isPairOf, makeKeyPair } from './certificates.ts'
import { makeGossipKey, makeGossipKeys, type Identity } from './identity.ts'
import { JoinError } from './join-error.ts'
import {
  makeCluster, makeMember, NOW_MS, startedFor, type TestMember,
} from './join.test-kit.ts'
import { adopt, nextLamport, replaceKeys, rotate } from './keyring.ts'
import { fetchKeys, renewCertificate, type MemberCall, type SharedKeys } from './member-client.ts'

const manager = await makeCluster()
const worker = await makeMember(manager)
const second = await makeMember(manager, {
  nodeId: 'm'.repeat(25), nodeName: 'node-3', role: 'manager', address: '192.168.56.13',
})
const own = { address: '192.168.56.12', port: 7946 }

function call(
  identity: Identity, managers: readonly TestMember[], change: Partial<MemberCall> = {},
): MemberCall {
  return {
    identity, managers: managers.map(({ target }) => target), isRemoved: () => false,
    version: '0.1.0', clock: new ManualClock(NOW_MS), ...change,
  }
}

async function refused(
  t: ExecutionContext, asking: Promise<unknown>, reason: string, message: RegExp,
): Promise<void> {
  const error = await t.throwsAsync<JoinError>(asking, { instanceOf: JoinError, message })
  t.is(error?.reason, reason as JoinError['reason'])
}

test('a renewed certificate has a new key and 90 days more', async t => {
  const member = await startedFor(t, manager)
  member.clock.advance(60 * 86_400_000)
  const clock = new ManualClock(member.clock.wallMs())
  const renewed = await renewCertificate(call(worker, [member], { clock }), own)
  const { nodeId, nodeName, role, address, notAfterMs } = renewed.certificate
  const before = worker.certificate
  t.deepEqual([nodeId, nodeName, role, address],
    [before.nodeId, before.nodeName, before.role, before.address])
  t.is(notAfterMs, clock.wallMs() + MEMBER_LIFE_MS)
  t.true(isPairOf(renewed.privateKey, renewed.certificate.publicKey))
  t.false(isPairOf(worker.privateKey, renewed.certificate.publicKey))
  t.is(renewed.secrets, null)
  t.is(renewed.from, 'node-1')
  t.like(member.events[0], { type: 'renewed', candidate: { nodeId, isRenewal: true } })
})

test('a node that has moved gets a certificate for its new address', async t => {
  const member = await startedFor(t, manager)
  const moved = { address: '192.168.56.77', port: 7946 }
  t.is((await renewCertificate(call(worker, [member]), moved)).certificate.address, moved.address)
  const wary = await startedFor(t, manager, {
    objection: () => ({ reason: 'not-admitted', text: 'in use by node-9', retryAfterMs: null }),
  })
  await refused(t, renewCertificate(call(worker, [wary]), moved), 'not-admitted', /by node-9/)
})

test('keys: a worker gets the ring, a manager the join secrets, too', async t => {
  const ring = rotate(manager.ring, makeGossipKey(), nextLamport(manager.ring), NOW_MS)
  const member = await startedFor(t, manager)
  member.identity = { ...manager, ring }
  const forWorker = await fetchKeys(call(worker, [member]))
  t.deepEqual(forWorker, { ring, secrets: null, from: 'node-1' })
  const forManager = await fetchKeys(call(second, [member]))
  t.deepEqual(forManager.secrets?.worker, Uint8Array.from(manager.secrets!.worker))
  t.deepEqual(forManager.ring, ring)
})

test('a member that missed rotations understands the others again', async t => {
  let { ring } = manager
  for (let i = 0; i < 9; i += 1) ring = rotate(ring, makeGossipKey(), nextLamport(ring), NOW_MS)
  const member = await startedFor(t, manager)
  member.identity = { ...manager, ring }
  const adopted = adopt(worker.ring, (await fetchKeys(call(worker, [member]))).ring)
  t.deepEqual(adopted.current, ring.current)
})

test('who was removed gets neither certificate nor the keys that came after', async t => {
  const isRemoved = (nodeId: string) => nodeId === worker.certificate.nodeId
  const member = await startedFor(t, manager, { isRemoved })
  member.identity = { ...manager, ring: replaceKeys(manager.ring, makeGossipKeys(), 1, NOW_MS) }
  const message = /^node-2 was removed from the cluster; join again with a token$/
  await refused(t, fetchKeys(call(worker, [member])), 'removed-member', message)
  await refused(t, renewCertificate(call(worker, [member]), own), 'removed-member', message)
})

test('who was away for longer than its certificate lasts has to join anew', async t => {
  const member = await startedFor(t, manager)
  member.clock.advance(MEMBER_LIFE_MS + 3_600_000)
  const fresh = await makeMember(manager,
    { ...manager.certificate, role: 'manager' }, member.clock.wallMs())
  member.server.renew(fresh)
  const clock = new ManualClock(member.clock.wallMs())
  await refused(t, fetchKeys(call(worker, [member], { clock })), 'expired-certificate',
    /^the certificate of node-2 expired at 2027-02-19T12:00:00.000Z; join again with a token$/)
})

test('a server that was given a new certificate shows it, to workers and managers', async t => {
  const member = await startedFor(t, manager)
  const renewed = await makeMember(manager, { ...manager.certificate, nodeName: 'node-one' })
  member.server.renew(renewed)
  t.is((await fetchKeys(call(worker, [member]))).from, 'node-one')
})

test('members of another cluster get nothing, and give nothing', async t => {
  const member = await startedFor(t, manager)
  const other = await makeCluster()
  await refused(t, fetchKeys(call(other, [member])), 'wrong-cluster',
    /is a member of another cluster/)
  // Somebody who pins the right cluster, and shows what is not of it.
  const mixed = { ...other, authority: manager.authority }
  await refused(t, fetchKeys(call(mixed, [member])), 'wrong-cluster',
    /^that certificate is not of the cluster lab$/)
  t.is(member.desk.counters['wrong-cluster'], 1)
  t.is(member.desk.counters.keys, 0)
})

test('a certificate without its key does not even shake hands', async t => {
  const member = await startedFor(t, manager)
  const thief = { ...worker, privateKey: makeKeyPair().privateKey }
  await t.throwsAsync(fetchKeys(call(thief, [member])))
  t.is(member.server.counters.answered, 0)
})

test('managers are tried in turn; workers, those removed and oneself are passed over', async t => {
  const isRemoved = (nodeId: string) => nodeId === 'x'.repeat(25)
  const gone = await startedFor(t, await makeMember(manager,
    { nodeId: 'x'.repeat(25), nodeName: 'node-9', role: 'manager' }))
  const [self, aWorker, third] = [
    await startedFor(t, second), await startedFor(t, worker), await startedFor(t, manager),
  ]
  const asked = call(second, [self, aWorker, gone, third], { isRemoved })
  t.is((await fetchKeys(asked)).from, 'node-1')
  await refused(t, fetchKeys({ ...asked, managers: asked.managers.slice(0, 3) }), 'no-manager',
    /is this node itself; node-2 \(.*\) is a worker; node-9 \(.*\) was removed from the cluster$/)
  await refused(t, fetchKeys({ ...asked, managers: [] }), 'no-manager', /no manager is known$/)
  t.is(gone.server.counters.answered, 0)
})

test('a manager with old keys is not the last one asked', async t => {
  const ring = rotate(manager.ring, makeGossipKey(), nextLamport(manager.ring), NOW_MS)
  const [late, fresh] = [await startedFor(t, manager), await startedFor(t, second)]
  fresh.identity = { ...second, ring }
  const seen: string[] = []
  const areEnough = (keys: SharedKeys) => {
    seen.push(keys.from)
    return keys.ring.current.at(-1)!.lamport > manager.ring.current.at(-1)!.lamport
  }
  t.is((await fetchKeys(call(worker, [late, fresh]), areEnough)).from, 'node-3')
  t.deepEqual(seen, ['node-1', 'node-3'])
  await refused(t, fetchKeys(call(worker, [late]), areEnough), 'no-manager',
    /^node-1 has no newer keys itself, so far$/)
})

test('asking can be cancelled', async t => {
  const member = await startedFor(t, manager, { objection: () => new Promise(() => {}) })
  const abort = new AbortController()
  const asking = renewCertificate(call(worker, [member], { signal: abort.signal }), own)
  setImmediate(() => abort.abort())
  await refused(t, asking, 'cancelled', /was cancelled$/)
})
