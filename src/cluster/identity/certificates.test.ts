// Certificates: what is certified comes back, what is not of this authority is refused, and no
// octets make the reader throw.
import test from 'ava'
import { createHash, X509Certificate } from 'node:crypto'
import { makeRandom, pick } from '../../base/prng.ts'
import { BACKDATE_MS, certify, makeAuthority, MEMBER_LIFE_MS } from './ca.ts'
import { writeMember } from './certificate-writer.ts'
import {
  CERTIFICATE_OCTETS_MAX, CLOCK_TOLERANCE_MS, digestOf, formatPem, isPairOf, makeKeyPair,
  readAuthority, readNodeCertificate, renewalDueMs, tryPem, tryPrivateKey, validityFault,
  type CertificateFault,
} from './certificates.ts'
import type { Member } from './member.ts'

const NOW_MS = Date.UTC(2026, 10, 21, 12)
const CLUSTER = 'c'.repeat(25)
const member: Member = {
  nodeId: 'n'.repeat(25), nodeName: 'node-1', role: 'worker', address: '192.168.56.11',
}
const term = { notBeforeMs: NOW_MS, notAfterMs: NOW_MS + 1000 }

const authorityKeys = makeKeyPair()
const nodeKeys = makeKeyPair()
const authority = await makeAuthority(CLUSTER, authorityKeys, NOW_MS)
const certificate = await certify(
  authority, authorityKeys.privateKey, member, nodeKeys.publicKey, NOW_MS)

test('an authority signs itself, and may only sign members', t => {
  const x509 = new X509Certificate(authority.octets)
  t.true(x509.ca && x509.verify(authorityKeys.publicKey))
  t.is(authority.clusterId, CLUSTER)
  t.is(Buffer.from(authority.digest).toString('hex'),
    createHash('sha256').update(x509.raw).digest('hex'))
  t.deepEqual(readAuthority(authority.octets)!.digest, digestOf(authority.octets))
  t.true(isPairOf(authorityKeys.privateKey, authority.publicKey))
  t.true(authority.notAfterMs > NOW_MS + 19 * 365 * 86_400_000)
})

test('what is certified comes back', t => {
  const read = readNodeCertificate(authority, certificate.octets)
  if (typeof read === 'string') return t.fail(read)
  const { nodeId, nodeName, role, address } = read
  t.deepEqual({ nodeId, nodeName, role, address }, member)
  t.is(read.clusterId, CLUSTER)
  t.is(read.notBeforeMs, NOW_MS - BACKDATE_MS)
  t.is(read.notAfterMs, NOW_MS + MEMBER_LIFE_MS)
  t.true(isPairOf(nodeKeys.privateKey, read.publicKey))
})

test('OpenSSL finds in it what TLS needs', t => {
  const x509 = new X509Certificate(certificate.octets)
  t.true(x509.checkIssued(authority.x509))
  t.false(x509.ca)
  t.is(x509.checkIP('192.168.56.11'), '192.168.56.11')
  t.is(x509.checkHost('node-1'), 'node-1')
  t.deepEqual(x509.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
  t.regex(x509.serialNumber, /^[4-7][0-9A-F]{31}$/)
})

test('each certificate has a serial number of its own', async t => {
  const again = await certify(
    authority, authorityKeys.privateKey, member, nodeKeys.publicKey, NOW_MS)
  t.not(new X509Certificate(again.octets).serialNumber,
    new X509Certificate(certificate.octets).serialNumber)
})

for (const nodeName of ['a', 'A_b.c-d', 'n'.repeat(63)]) {
  for (const role of ['worker', 'manager'] as const) {
    test(`the ${role} ${nodeName} is read as certified`, async t => {
      const asked = { ...member, nodeName, role, address: '255.255.255.255' }
      const made = await certify(
        authority, authorityKeys.privateKey, asked, nodeKeys.publicKey, NOW_MS)
      t.is(made.nodeName, nodeName)
      t.is(made.role, role)
      t.is(made.address, '255.255.255.255')
      t.true(made.octets.length < 500, `${made.octets.length} octets`)
    })
  }
}

test('nobody is certified for longer than the authority lasts', async t => {
  const lateMs = authority.notAfterMs - 1000
  const late = await certify(
    authority, authorityKeys.privateKey, member, nodeKeys.publicKey, lateMs)
  t.is(late.notAfterMs, authority.notAfterMs)
})

for (const bad of [{ nodeId: 'N'.repeat(25) }, { nodeName: 'a\nb' }, { nodeName: 'a, b' },
  { address: '::1' }, { role: 'king' as 'worker' }]) {
  test(`not certified: ${JSON.stringify(bad)}`, async t => {
    const asked = { ...member, ...bad }
    await t.throwsAsync(
      certify(authority, authorityKeys.privateKey, asked, nodeKeys.publicKey, NOW_MS),
      { message: /^assertion failed/ })
  })
}

const validities: [name: string, atMs: number, fault: CertificateFault | null][] = [
  ['at its first second', certificate.notBeforeMs, null],
  ['a minute early', certificate.notBeforeMs - CLOCK_TOLERANCE_MS, null],
  ['too early', certificate.notBeforeMs - CLOCK_TOLERANCE_MS - 1, 'early-certificate'],
  ['at its last second', certificate.notAfterMs, null],
  ['a minute late', certificate.notAfterMs + CLOCK_TOLERANCE_MS, null],
  ['too late', certificate.notAfterMs + CLOCK_TOLERANCE_MS + 1, 'expired-certificate'],
]
for (const [name, atMs, fault] of validities) {
  test(`valid ${name}: ${fault ?? 'yes'}`, t => t.is(validityFault(certificate, atMs), fault))
}

test('it is renewed after two thirds of its life', t => {
  t.is(renewalDueMs({ notBeforeMs: 1000, notAfterMs: 4000 }), 3000)
  const ageMs = renewalDueMs(certificate) - NOW_MS
  t.true(Math.abs(ageMs - MEMBER_LIFE_MS * 2 / 3) < BACKDATE_MS)
})

const otherKeys = makeKeyPair()
const impostor = await makeAuthority(CLUSTER, otherKeys, NOW_MS)
const write = (by: typeof otherKeys, cluster = CLUSTER, asked = member): Uint8Array =>
  writeMember(cluster, asked, nodeKeys.publicKey, by.privateKey, term)
const strangers: [name: string, octets: Uint8Array, fault: CertificateFault][] = [
  ['another authority of the same name', write(otherKeys), 'other-cluster'],
  ['another cluster', write(otherKeys, 'd'.repeat(25)), 'other-cluster'],
  ['a member that signs for itself', write(nodeKeys), 'other-cluster'],
  ['the other authority itself', impostor.octets, 'other-cluster'],
  ['the authority itself', authority.octets, 'damaged-certificate'],
  ['a role that is none', write(authorityKeys, CLUSTER, { ...member, role: 'king' as 'worker' }),
    'damaged-certificate'],
  ['a name that is none', write(authorityKeys, CLUSTER, { ...member, nodeName: 'a,b' }),
    'damaged-certificate'],
  ['an id that is none', write(authorityKeys, CLUSTER, { ...member, nodeId: 'short' }),
    'damaged-certificate'],
  ['another cluster by our authority', write(authorityKeys, 'd'.repeat(25)), 'other-cluster'],
  ['octets behind its end', Buffer.concat([certificate.octets, Buffer.of(0)]),
    'damaged-certificate'],
  ['PEM', Buffer.from(formatPem(certificate.octets)), 'damaged-certificate'],
  ['nothing', new Uint8Array(), 'damaged-certificate'],
  ['too much', new Uint8Array(CERTIFICATE_OCTETS_MAX + 1), 'damaged-certificate'],
]
for (const [name, octets, fault] of strangers) {
  test(`refused: ${name}`, t => t.is(readNodeCertificate(authority, octets), fault))
}

test('no authority is read from what is none', t => {
  t.is(readAuthority(certificate.octets), null)
  t.is(readAuthority(new Uint8Array(10)), null)
  const damaged = Uint8Array.from(authority.octets)
  damaged[damaged.length - 1]! ^= 1
  t.is(readAuthority(damaged), null, 'its signature is looked at, too')
})

const SEED = Number(process.env.TAPMESH_SEED ?? 4)
test(`mutated certificates are refused and never throw (seed ${SEED})`, t => {
  const random = makeRandom(SEED)
  for (let i = 0; i < 3000; i += 1) {
    const octets = Uint8Array.from(certificate.octets)
    for (let flips = 1 + pick(random, 3); flips > 0; flips -= 1) {
      octets[pick(random, octets.length)]! ^= 1 + pick(random, 255)
    }
    const cut = pick(random, 4) === 0 ? octets.subarray(0, pick(random, octets.length)) : octets
    if (Buffer.compare(cut, certificate.octets) === 0) continue
    t.is(typeof readNodeCertificate(authority, cut), 'string', Buffer.from(cut).toString('hex'))
  }
})

test('PEM and PKCS 8 come back', t => {
  t.deepEqual(tryPem(formatPem(certificate.octets)), certificate.octets)
  t.is(tryPem(''), null)
  t.is(tryPem(`x${formatPem(certificate.octets)}`), null)
  const pem = nodeKeys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const der = nodeKeys.privateKey.export({ type: 'pkcs8', format: 'der' })
  t.true(tryPrivateKey(pem)!.equals(nodeKeys.privateKey))
  t.true(tryPrivateKey(der)!.equals(nodeKeys.privateKey))
  t.is(tryPrivateKey(pem.slice(0, 80)), null)
  t.is(tryPrivateKey(der.subarray(1)), null)
  t.false(isPairOf(nodeKeys.privateKey, otherKeys.publicKey))
})
