// The cluster's certificate authority: one Ed25519 key, which managers hold. It certifies members
// and nothing else. Signing is asynchronous only because the library is loaded on first use.
import { type KeyObject } from 'node:crypto'
import { assert } from '../../base/assert.ts'
import {
  readAuthority, readNodeCertificate, type AuthorityCertificate, type NodeCertificate,
} from './certificates.ts'
import { isMember, OBJECT_ID, type Member } from './member.ts'

const DAY_MS = 86_400_000
export const AUTHORITY_LIFE_MS = 20 * 365 * DAY_MS
export const MEMBER_LIFE_MS = 90 * DAY_MS
/** A certificate begins a little before it is made, for members whose clocks are behind. */
export const BACKDATE_MS = 3_600_000

export async function makeAuthority(
  clusterId: string, keys: Readonly<{ publicKey: KeyObject; privateKey: KeyObject }>, nowMs: number,
): Promise<AuthorityCertificate> {
  assert(OBJECT_ID.test(clusterId), 'a cluster id has 25 digits of base 36')
  const { writeAuthority } = await import('./certificate-writer.ts')
  const term = termOf(nowMs, AUTHORITY_LIFE_MS)
  const octets = writeAuthority(clusterId, keys.publicKey, keys.privateKey, term)
  const authority = readAuthority(octets)
  assert(authority !== null, 'an authority that was made can be read')
  return authority
}

/**
 * Certify that the holder of `publicKey` is `member`, for 90 days or as long as the authority
 * lasts.
 * @param authorityKey the private key that belongs to `authority`
 */
export async function certify(
  authority: AuthorityCertificate, authorityKey: KeyObject, member: Member, publicKey: KeyObject,
  nowMs: number,
): Promise<NodeCertificate> {
  assert(isMember(member), 'what is certified has been checked')
  const { writeMember } = await import('./certificate-writer.ts')
  const { notBeforeMs, notAfterMs } = termOf(nowMs, MEMBER_LIFE_MS)
  const term = { notBeforeMs, notAfterMs: Math.min(notAfterMs, authority.notAfterMs) }
  const octets = writeMember(authority.clusterId, member, publicKey, authorityKey, term)
  const certificate = readNodeCertificate(authority, octets)
  assert(typeof certificate !== 'string', 'a certificate that was made can be read')
  return certificate
}

/** Certificates count in whole seconds. */
function termOf(nowMs: number, lifeMs: number): { notBeforeMs: number; notAfterMs: number } {
  const nowSecondsMs = Math.floor(nowMs / 1000) * 1000
  return { notBeforeMs: nowSecondsMs - BACKDATE_MS, notAfterMs: nowSecondsMs + lifeMs }
}
