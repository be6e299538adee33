// Join tokens: what a machine must show to become a member, and by which it knows the cluster.
// TMTKN-1-<SHA-256 of the authority's certificate>-<secret>, both as digits of base 36. There is
// one secret for each role. A token is a secret: no error and no log repeats any of it.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { UsageError } from '../../base/errors.ts'
import { base36Digits, formatBase36, tryBase36 } from './base36.ts'
import { ROLES, type Role } from './member.ts'

export const TOKEN_PREFIX = 'TMTKN'
export const TOKEN_VERSION = '1'
export const SECRET_OCTETS = 16
const DIGEST_OCTETS = 32
const DIGEST_DIGITS = base36Digits(DIGEST_OCTETS)
const SECRET_DIGITS = base36Digits(SECRET_OCTETS)
const TOKEN_LENGTH = `${TOKEN_PREFIX}-${TOKEN_VERSION}--`.length + DIGEST_DIGITS + SECRET_DIGITS

export type JoinToken = Readonly<{ authorityDigest: Uint8Array; secret: Uint8Array }>
/** What managers keep: the secret of each role. */
export type JoinSecrets = Readonly<Record<Role, Uint8Array>>

export function makeJoinSecrets(): JoinSecrets {
  return { worker: randomBytes(SECRET_OCTETS), manager: randomBytes(SECRET_OCTETS) }
}

/** A new secret for `role`: its old token is worth nothing from now on. */
export function rotateSecret(secrets: JoinSecrets, role: Role): JoinSecrets {
  return { ...secrets, [role]: randomBytes(SECRET_OCTETS) }
}

export function formatToken({ authorityDigest, secret }: JoinToken): string {
  const parts = [formatBase36(authorityDigest), formatBase36(secret)]
  return [TOKEN_PREFIX, TOKEN_VERSION, ...parts].join('-')
}

/** @throws UsageError that says what is wrong with it, and repeats nothing of it */
export function parseToken(text: string): JoinToken {
  const trimmed = text.trim()
  const [prefix, version, digest = '', secret = '', ...more] = trimmed.split('-')
  if (prefix === 'SWMTKN') {
    throw refusal('is one of Docker Swarm; get one with tapmesh join-token worker')
  }
  if (prefix !== TOKEN_PREFIX) throw refusal(`does not begin with ${TOKEN_PREFIX}-`)
  if (version !== undefined && version !== TOKEN_VERSION && /^\d+$/.test(version)) {
    throw refusal(`is of version ${version.slice(0, 4)}, and this tapmesh knows only version `
      + `${TOKEN_VERSION}; run the same version everywhere`)
  }
  if (version !== TOKEN_VERSION) throw refusal('does not name its version')
  if (trimmed.length < TOKEN_LENGTH) {
    throw refusal(`is cut off: it has ${trimmed.length} of ${TOKEN_LENGTH} characters`)
  }
  if (more.length > 0 || digest.length !== DIGEST_DIGITS || secret.length !== SECRET_DIGITS) {
    throw refusal(`has parts of the wrong length: ${TOKEN_LENGTH} characters are right, `
      + `this has ${trimmed.length}`)
  }
  const authorityDigest = tryBase36(digest, DIGEST_OCTETS)
  const secretOctets = tryBase36(secret, SECRET_OCTETS)
  if (authorityDigest === null || secretOctets === null) {
    throw refusal('has characters that no token has: after its prefix there are only digits and '
      + 'small letters')
  }
  return { authorityDigest, secret: secretOctets }
}

/**
 * Which role `secret` gives, or null. It takes the same time whichever it is, and however much of
 * it is right.
 */
export function roleOfSecret(secrets: JoinSecrets, secret: Uint8Array): Role | null {
  if (secret.length !== SECRET_OCTETS) return null
  let found: Role | null = null
  for (const role of ROLES) {
    if (timingSafeEqual(secrets[role], secret)) found = role
  }
  return found
}

/** What all may know of the secrets: SHA-256, as hex digits. They are too long to be guessed. */
export function digestOfSecrets(secrets: JoinSecrets): string {
  const hash = createHash('sha256')
  for (const role of ROLES) hash.update(secrets[role])
  return hash.digest('hex')
}

function refusal(why: string): UsageError {
  return new UsageError(`the join token ${why}; copy the whole line that tapmesh join-token prints`)
}
