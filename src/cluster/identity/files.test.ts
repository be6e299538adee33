// The identity on disk: comes back whole, is never half there, and every damage names its file.
import test from 'ava'
import {
  chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { certify } from './ca.ts'
import { isPairOf, makeKeyPair } from './certificates.ts'
import {
  createIdentity, identityDirectory, loadIdentity, removeIdentity, saveCertificate, saveCluster,
  saveRing,
} from './files.ts'
import { createCluster, joinToken, makeGossipKey, type Identity } from './identity.ts'
import { nextLamport, rotate } from './keyring.ts'
import { formatBase36 } from './base36.ts'
import { parseToken, roleOfSecret, rotateSecret } from './token.ts'

const NOW_MS = Date.UTC(2026, 10, 21, 12)
const facts = { clusterName: 'lab', insecure: false, nodeName: 'node-1', address: '192.168.56.11' }
const manager = await createCluster(facts, NOW_MS)
const workerKeys = makeKeyPair()
const worker: Identity = {
  ...manager,
  certificate: await certify(manager.authority, manager.authorityKey!,
    { ...manager.certificate, role: 'worker' }, workerKeys.publicKey, NOW_MS),
  privateKey: workerKeys.privateKey,
  authorityKey: null,
  secrets: null,
}

const roots: string[] = []
test.after.always(() => roots.forEach(root => rmSync(root, { recursive: true })))
function stateDirectory(): string {
  roots.push(mkdtempSync(`${tmpdir()}/tapmesh-identity-`))
  return `${roots.at(-1)}/state`
}

test('a new cluster has a manager that can let others in', t => {
  t.is(manager.cluster.name, 'lab')
  t.is(manager.cluster.id, manager.authority.clusterId)
  t.is(manager.certificate.role, 'manager')
  t.true(isPairOf(manager.privateKey, manager.certificate.publicKey))
  t.true(isPairOf(manager.authorityKey!, manager.authority.publicKey))
  for (const role of ['worker', 'manager'] as const) {
    const token = parseToken(joinToken(manager, role)!)
    t.deepEqual(token.authorityDigest, manager.authority.digest)
    t.is(roleOfSecret(manager.secrets!, token.secret), role)
  }
  t.is(joinToken(worker, 'worker'), null)
})

for (const [change, message] of [
  [{ clusterName: '' }, /"" cannot be the name of a cluster/],
  [{ nodeName: 'a b' }, /"a b" cannot be the name of a node/],
  [{ address: '::1' }, /"::1" cannot be the address of a node/],
] as const) {
  test(`no cluster with ${JSON.stringify(change)}`, async t => {
    const made = createCluster({ ...facts, ...change }, NOW_MS)
    await t.throwsAsync(made, { code: 'TM_USAGE', message })
  })
}

function same(t: { deepEqual(a: unknown, b: unknown): void }, a: Identity, b: Identity): void {
  const texts = ({ authority, certificate, privateKey, authorityKey, ...rest }: Identity) => ({
    ...rest,
    ring: { ...rest.ring },
    secrets: rest.secrets === null ? null
      : [formatBase36(rest.secrets.worker), formatBase36(rest.secrets.manager)],
    authority: authority.octets,
    certificate: certificate.octets,
    keys: [privateKey, authorityKey].map(key => key?.export({ type: 'pkcs8', format: 'pem' })),
  })
  t.deepEqual(texts(a), texts(b))
}

for (const [name, identity] of [['manager', manager], ['worker', worker]] as const) {
  test(`the identity of a ${name} comes back, readable by its user alone`, t => {
    const state = stateDirectory()
    t.is(loadIdentity(state), null)
    createIdentity(state, identity)
    same(t, loadIdentity(state)!, identity)
    const directory = identityDirectory(state)
    t.is(statSync(directory).mode & 0o777, 0o700)
    const modes = Object.fromEntries(readdirSync(directory).map(file => {
      return [file, (statSync(`${directory}/${file}`).mode & 0o777).toString(8)]
    }))
    const secret = identity.authorityKey === null ? {} : { 'ca.key': '600' }
    t.deepEqual(modes, {
      ...secret, 'ca.crt': '644', 'node.crt': '644', 'node.key': '600', keyring: '600',
      'cluster.json': '600',
    })
  })
}

test('who is a member cannot become one again, and nothing is changed', t => {
  const state = stateDirectory()
  createIdentity(state, manager)
  t.throws(() => createIdentity(state, worker), {
    code: 'TM_CONFLICT', message: /already part of a cluster; leave it first with tapmesh leave/,
  })
  same(t, loadIdentity(state)!, manager)
  t.deepEqual(readdirSync(state), ['identity'])
})

test('who has left is no member, and may become one again', t => {
  const state = stateDirectory()
  createIdentity(state, manager)
  removeIdentity(state)
  t.is(loadIdentity(state), null)
  t.deepEqual(readdirSync(state), [])
  removeIdentity(state)
  createIdentity(state, worker)
  same(t, loadIdentity(state)!, worker)
})

test('a join or a leave that was cut off leaves no member', t => {
  const state = stateDirectory()
  createIdentity(state, manager)
  for (const ending of ['new', 'gone']) {
    mkdirSync(`${state}/identity.${ending}`)
    writeFileSync(`${state}/identity.${ending}/node.key`, 'half')
  }
  same(t, loadIdentity(state)!, manager)
  t.deepEqual(readdirSync(state), ['identity'])
  mkdirSync(`${state}/identity.new`)
  writeFileSync(`${state}/identity.new/node.key`, 'half')
  removeIdentity(state)
  createIdentity(state, worker)
  same(t, loadIdentity(state)!, worker)
})

test('a disk that refuses leaves nothing', t => {
  const state = stateDirectory()
  writeFileSync(state, 'a file where the directory should be')
  t.throws(() => createIdentity(state, manager), {
    code: 'TM_CONFIG', message: /^cannot write .*identity: EEXIST; nothing was changed/,
  })
  t.throws(() => saveRing(state, manager.ring), {
    code: 'TM_CONFIG', message: /^cannot write .*keyring: ENOTDIR/,
  })
})

test('rings, secrets and certificates are replaced', async t => {
  const state = stateDirectory()
  createIdentity(state, manager)
  const ring = rotate(manager.ring, makeGossipKey(), nextLamport(manager.ring), NOW_MS)
  saveRing(state, ring)
  const secrets = rotateSecret(manager.secrets!, 'worker')
  saveCluster(state, { ...manager.cluster, name: 'other' }, secrets)
  const keys = makeKeyPair()
  const certificate = await certify(
    manager.authority, manager.authorityKey!, manager.certificate, keys.publicKey, NOW_MS + 1000)
  saveCertificate(state, manager, { certificate, privateKey: keys.privateKey })
  const cluster = { ...manager.cluster, name: 'other' }
  same(t, loadIdentity(state)!,
    { ...manager, ring, secrets, cluster, certificate, privateKey: keys.privateKey })
  t.is(statSync(`${state}/identity/keyring`).mode & 0o777, 0o600)
  t.is(readFileSync(`${state}/identity/node.key`, 'utf8').match(/BEGIN/g)!.length, 1)
})

test('a renewal that was cut off leaves a certificate and its key, old or new', async t => {
  const state = stateDirectory()
  createIdentity(state, worker)
  const directory = identityDirectory(state)
  const before = readFileSync(`${directory}/node.crt`, 'utf8')
  const keys = makeKeyPair()
  const certificate = await certify(
    manager.authority, manager.authorityKey!, worker.certificate, keys.publicKey, NOW_MS + 1000)
  saveCertificate(state, worker, { certificate, privateKey: keys.privateKey })
  const renewed = loadIdentity(state)!
  const pem = (key: typeof keys.privateKey) => key.export({ type: 'pkcs8', format: 'pem' })
  writeFileSync(`${directory}/node.key`, `${pem(worker.privateKey)}${pem(keys.privateKey)}`)
  same(t, loadIdentity(state)!, renewed)
  writeFileSync(`${directory}/node.crt`, before)
  same(t, loadIdentity(state)!, worker)
})

const stranger = await createCluster(facts, NOW_MS)
const files = ['ca.crt', 'ca.key', 'node.crt', 'node.key', 'keyring', 'cluster.json']
type Damage = [name: string, change: (text: string) => string | null, what: RegExp]
const damages: Damage[] = [
  ['missing', () => null, /is missing/],
  ['empty', () => '', /is damaged/],
  ['cut off', text => text.slice(0, text.length / 2), /is damaged/],
  ['garbage', text => text.replaceAll(/[A-Za-z]/g, 'x'), /is damaged/],
  ['too large', text => text + ' '.repeat(65_536), /is damaged/],
]
for (const file of files) {
  for (const [name, change, what] of damages) {
    test(`${file} ${name} is said with the way back`, t => {
      const state = stateDirectory()
      createIdentity(state, manager)
      const path = `${identityDirectory(state)}/${file}`
      const text = readFileSync(path, 'utf8')
      const changed = change(text)
      if (changed === null) rmSync(path)
      else writeFileSync(path, changed)
      const error = t.throws(() => loadIdentity(state), { code: 'TM_CONFIG', message: what })!
      t.true(error.message.includes(`${path} `), error.message)
      t.regex(error.message, /put it back from a backup, or move .*identity away and join .* token/)
      t.is(error.cause, undefined, 'a cause could quote a secret')
      t.is(existsSync(path), changed !== null, 'and the file is left as it was')
    })
  }
}

for (const file of ['ca.crt', 'ca.key', 'node.crt', 'node.key']) {
  test(`${file} of another cluster is damage, too`, t => {
    const [state, other] = [stateDirectory(), stateDirectory()]
    createIdentity(state, manager)
    createIdentity(other, stranger)
    const path = `${identityDirectory(state)}/${file}`
    writeFileSync(path, readFileSync(`${identityDirectory(other)}/${file}`))
    t.throws(() => loadIdentity(state), { code: 'TM_CONFIG', message: /is damaged/ })
  })
}

for (const file of ['ca.key', 'node.key', 'keyring', 'cluster.json']) {
  test(`${file} that others may read is refused`, t => {
    const state = stateDirectory()
    createIdentity(state, manager)
    const path = `${identityDirectory(state)}/${file}`
    chmodSync(path, 0o640)
    t.throws(() => loadIdentity(state), {
      code: 'TM_CONFIG', message: /holds secrets and other users may .* run: chmod 600 .*identity/,
    })
  })
}
