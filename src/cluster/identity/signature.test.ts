// Signed rows: only managers of this cluster prove them, nothing of them can be changed, and no
// proof makes the check throw.
import test from 'ava'
import { makeRandom, pick } from '../../base/prng.ts'
import { certify, MEMBER_LIFE_MS } from './ca.ts'
import { CLOCK_TOLERANCE_MS, makeKeyPair } from './certificates.ts'
import { createCluster, type Identity } from './identity.ts'
import type { Role } from './member.ts'
import type { Row } from '../tables/rows.ts'
import {
  checkOwner, makeTrust, signRow, verifyRow, VERIFIED_CERTIFICATES_MAX, type RowFault,
  type UnprovenRow,
} from './signature.ts'

const NOW_MS = Date.UTC(2026, 10, 21, 12)
const facts = { clusterName: 'lab', insecure: false, nodeName: 'node-1', address: '192.168.56.11' }
const manager = await createCluster(facts, NOW_MS)
const stranger = await createCluster(facts, NOW_MS)

type Signer = Pick<Identity, 'certificate' | 'privateKey'>
async function member(role: Role, nodeId: string, nodeName = 'node-2'): Promise<Signer> {
  const keys = makeKeyPair()
  const asked = { nodeId, nodeName, role, address: '192.168.56.12' }
  const certificate = await certify(
    manager.authority, manager.authorityKey!, asked, keys.publicKey, NOW_MS)
  return { certificate, privateKey: keys.privateKey }
}
const worker = await member('worker', 'w'.repeat(25))
const other = await member('manager', 'm'.repeat(25), 'n'.repeat(63))

const trust = makeTrust(manager.authority, () => null)
const rowOf = (signer: Signer, change: Partial<UnprovenRow> = {}): UnprovenRow => ({
  table: 'services', key: 'web', value: Buffer.from('{"image":"whoami"}'),
  stamp: { ms: NOW_MS, counter: 7, node: signer.certificate.nodeId, epoch: 1_763_000_000 },
  ...change,
})
const proven = (signer: Signer, row = rowOf(signer)): Row =>
  ({ ...row, proof: signRow(signer, row) })

test('what managers sign is accepted, tombstones too', t => {
  for (const signer of [manager, other]) {
    t.is(verifyRow(trust, proven(signer)), null)
    t.is(verifyRow(trust, proven(signer, rowOf(signer, { value: null }))), null)
    t.is(verifyRow(trust, proven(signer, rowOf(signer, { value: new Uint8Array() }))), null)
  }
})

test('a proof is small enough for a datagram, whatever the names', t => {
  t.true(proven(other).proof.length <= 549, `${proven(other).proof.length} octets`)
})

test('a stolen worker cannot sign a spec', t => {
  t.is(verifyRow(trust, proven(worker)), 'not-a-manager')
  const asManager = proven(worker, rowOf(manager))
  t.is(verifyRow(trust, asManager), 'not-a-manager')
  // With the certificate of a manager, which it knows, but not the key.
  const borrowed = { certificate: manager.certificate, privateKey: worker.privateKey }
  t.is(verifyRow(trust, proven(borrowed)), 'wrong-signature')
  // With a certificate that it wrote itself.
  t.is(verifyRow(trust, proven(stranger)), 'other-cluster')
})

const original = proven(manager)
const stamp = original.stamp
const tampered: [name: string, change: Partial<Row>, fault: RowFault][] = [
  ['its table', { table: 'networks' }, 'wrong-signature'],
  ['its key', { key: 'wob' }, 'wrong-signature'],
  ['its value', { value: Buffer.from('{"image":"whoamj"}') }, 'wrong-signature'],
  ['deleted', { value: null }, 'wrong-signature'],
  ['emptied', { value: new Uint8Array() }, 'wrong-signature'],
  ['later', { stamp: { ...stamp, ms: stamp.ms + 1 } }, 'wrong-signature'],
  ['its counter', { stamp: { ...stamp, counter: 8 } }, 'wrong-signature'],
  ['its epoch', { stamp: { ...stamp, epoch: stamp.epoch + 1 } }, 'wrong-signature'],
  ['its node', { stamp: { ...stamp, node: worker.certificate.nodeId } }, 'wrong-signer'],
  ['parts shifted', { table: 'service', key: 'sweb' }, 'wrong-signature'],
  ['no proof', { proof: new Uint8Array() }, 'no-proof'],
  ['a proof of one octet', { proof: Uint8Array.of(1) }, 'damaged-proof'],
  ['a later version of proof', { proof: Buffer.concat([Uint8Array.of(2),
    original.proof.subarray(1)]) }, 'damaged-proof'],
  ['a proof cut off', { proof: original.proof.subarray(0, -1) }, 'damaged-proof'],
  ['an octet behind the proof', { proof: Buffer.concat([original.proof, Uint8Array.of(0)]) },
    'damaged-proof'],
  ['a proof of another row', { proof: proven(manager, rowOf(manager, { key: 'db' })).proof },
    'wrong-signature'],
  ['a proof of another manager', { proof: proven(other).proof }, 'wrong-signer'],
]
for (const [name, change, fault] of tampered) {
  test(`tampered: ${name}: ${fault}`, t => {
    t.is(verifyRow(trust, { ...original, ...change }), fault)
    t.is(verifyRow(makeTrust(manager.authority, () => null), { ...original, ...change }), fault)
  })
}

const times: [name: string, ms: number, fault: RowFault | null][] = [
  ['when it was made', NOW_MS, null],
  ['an hour before the certificate', NOW_MS - 2 * 3_600_000, 'early-certificate'],
  ['at the end of the certificate', NOW_MS + MEMBER_LIFE_MS + CLOCK_TOLERANCE_MS, null],
  ['after the certificate', NOW_MS + MEMBER_LIFE_MS + CLOCK_TOLERANCE_MS + 1,
    'expired-certificate'],
]
for (const [name, ms, fault] of times) {
  test(`stamped ${name}: ${fault ?? 'accepted'}`, t => {
    const row = rowOf(manager, { stamp: { ...stamp, ms } })
    t.is(verifyRow(trust, proven(manager, row)), fault)
  })
}

test('what a manager signed before it was removed stays, nothing after does', t => {
  const since = makeTrust(manager.authority,
    nodeId => nodeId === other.certificate.nodeId ? NOW_MS : null)
  const at = (ms: number) => proven(other, rowOf(other, {
    stamp: { ...stamp, ms, node: other.certificate.nodeId },
  }))
  t.is(verifyRow(since, at(NOW_MS - 1)), null)
  t.is(verifyRow(since, at(NOW_MS)), 'removed-member')
  t.is(verifyRow(since, original), null)
})

test('an owner writes its own rows and no others', t => {
  const nodeId = worker.certificate.nodeId
  const own = { ...rowOf(worker, { table: 'endpoints' }), proof: new Uint8Array() }
  t.is(checkOwner(trust, { ...own, key: `${nodeId}/eth0` }), null)
  t.is(checkOwner(trust, { ...own, key: nodeId }), null)
  const managerId = manager.certificate.nodeId
  for (const key of [`${managerId}/eth0`, `${nodeId}x/eth0`, '/eth0', '', 'eth0']) {
    t.is(checkOwner(trust, { ...own, key }), 'wrong-owner', key)
  }
  const foreign = rowOf(worker, { key: `${manager.certificate.nodeId}/eth0` })
  t.is(checkOwner(trust, proven(worker, foreign)), 'not-a-manager')
})

test('an owner may have to prove its rows, and a proof that is there is verified', t => {
  const row = rowOf(worker, { table: 'nodes', key: worker.certificate.nodeId })
  t.is(checkOwner(trust, { ...row, proof: new Uint8Array() }, true), 'no-proof')
  t.is(checkOwner(trust, proven(worker, row), true), null)
  t.is(checkOwner(trust, proven(worker, row)), null)
  const changed = { ...proven(worker, row), value: Buffer.from('else') }
  t.is(checkOwner(trust, changed), 'wrong-signature')
  const forged = rowOf(manager, { table: 'nodes', key: manager.certificate.nodeId })
  t.is(checkOwner(trust, proven(worker, forged), true), 'wrong-signer')
})

test('a manager removes the rows of others, and a removed owner writes none', t => {
  const nodeId = worker.certificate.nodeId
  const row = rowOf(manager, { key: `${nodeId}/eth0`, value: null })
  t.is(checkOwner(trust, proven(manager, row)), null)
  const since = makeTrust(manager.authority, id => id === nodeId ? NOW_MS : null)
  const own = { ...rowOf(worker, { key: `${nodeId}/eth0` }), proof: new Uint8Array() }
  t.is(checkOwner(since, own), 'removed-member')
  t.is(checkOwner(since, { ...own, stamp: { ...own.stamp, ms: NOW_MS - 1 } }), null)
})

test('verified certificates are kept, the latest of them', async t => {
  const kept = makeTrust(manager.authority, () => null)
  for (let i = 0; i < 3; i += 1) t.is(verifyRow(kept, original), null)
  t.is(kept.verified.size, 1)
  for (let i = 0; i <= VERIFIED_CERTIFICATES_MAX; i += 1) {
    const nodeId = String(i).padStart(25, '0')
    t.is(verifyRow(kept, proven(await member('manager', nodeId))), null)
    if (i % 100 === 0) t.is(verifyRow(kept, original), null)
  }
  t.is(kept.verified.size, VERIFIED_CERTIFICATES_MAX)
  const names = [...kept.verified.values()].map(({ nodeId }) => nodeId)
  t.true(names.includes(manager.certificate.nodeId), 'used meanwhile')
  t.false(names.includes('0'.repeat(25)), 'the oldest has gone')
})

const SEED = Number(process.env.TAPMESH_SEED ?? 5)
test(`mutated rows are refused and never throw (seed ${SEED})`, t => {
  const random = makeRandom(SEED)
  for (let i = 0; i < 3000; i += 1) {
    const proof = Uint8Array.from(original.proof)
    for (let flips = 1 + pick(random, 3); flips > 0; flips -= 1) {
      proof[pick(random, proof.length)]! ^= 1 + pick(random, 255)
    }
    const cut = pick(random, 4) === 0 ? proof.subarray(0, pick(random, proof.length)) : proof
    if (Buffer.compare(cut, original.proof) === 0) continue
    t.is(typeof verifyRow(trust, { ...original, proof: cut }), 'string')
  }
  t.true(trust.verified.size <= 3)
})
