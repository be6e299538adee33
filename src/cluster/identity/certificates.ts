// Certificates as they are read: the cluster's own authority, and its members. OpenSSL inside of
// Node reads X.509 and checks signatures; here stands what a certificate of ours must look like
// (RFC 5280, Ed25519 by RFC 8410). A certificate that was read has been verified.
import {
  createHash, createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { isMember, OBJECT_ID, ROLES, type Member } from './member.ts'

/** Ours have less than 600; more is not looked at. */
export const CERTIFICATE_OCTETS_MAX = 2048
/** Clocks of two members may differ by this much. */
export const CLOCK_TOLERANCE_MS = 60_000
export const ED25519_SIGNATURE_OCTETS = 64
export const AUTHORITY_NAME = 'tapmesh CA'
export const ROLE_PREFIX = 'tapmesh-'

type Validity = Readonly<{ notBeforeMs: number; notAfterMs: number }>

export type AuthorityCertificate = Validity & Readonly<{
  /** DER, as signed. */
  octets: Uint8Array
  clusterId: string
  publicKey: KeyObject
  /** SHA-256 of the octets: what a join token pins. */
  digest: Uint8Array
  x509: X509Certificate
}>

export type NodeCertificate = Member & Validity & Readonly<{
  /** DER, as signed. */
  octets: Uint8Array
  clusterId: string
  publicKey: KeyObject
}>

export type CertificateFault =
  | 'damaged-certificate' | 'other-cluster' | 'expired-certificate' | 'early-certificate'

export type KeyPair = Readonly<{ publicKey: KeyObject; privateKey: KeyObject }>

export function makeKeyPair(): KeyPair {
  return generateKeyPairSync('ed25519')
}

/** The certificate of a cluster's authority, or null when `octets` are none. */
export function readAuthority(octets: Uint8Array): AuthorityCertificate | null {
  const x509 = tryX509(octets)
  const subject = /^O=([^\n]*)\nCN=([^\n]*)$/.exec(x509?.subject ?? '')
  const clusterId = subject?.[1] ?? ''
  if (x509 === null || !OBJECT_ID.test(clusterId) || subject?.[2] !== AUTHORITY_NAME) return null
  if (!x509.ca || !isIssuedBy(x509, x509, x509.publicKey)) return null
  return {
    ...validityOf(x509), octets: Uint8Array.from(octets), clusterId, publicKey: x509.publicKey,
    digest: digestOf(octets), x509,
  }
}

/**
 * The member that `octets` speak of. Its time of validity is not looked at: see validityFault.
 * @returns what is wrong instead, when it is no certificate of this authority
 */
export function readNodeCertificate(
  authority: AuthorityCertificate, octets: Uint8Array,
): NodeCertificate | CertificateFault {
  const x509 = tryX509(octets)
  if (x509 === null) return 'damaged-certificate'
  if (!isIssuedBy(x509, authority.x509, authority.publicKey)) return 'other-cluster'
  const subject = /^O=([^\n]*)\nOU=([^\n]*)\nCN=([^\n]*)$/.exec(x509.subject)
  const names = /^DNS:([^,]*), IP Address:([^,]*)$/.exec(x509.subjectAltName ?? '')
  if (subject === null || names === null || x509.ca) return 'damaged-certificate'
  const [, clusterId = '', unit = '', nodeId = ''] = subject
  const [, nodeName = '', address = ''] = names
  const role = ROLES.find(each => unit === ROLE_PREFIX + each)
  if (role === undefined || clusterId !== authority.clusterId) return 'damaged-certificate'
  const member = { nodeId, nodeName, role, address }
  if (!isMember(member)) return 'damaged-certificate'
  return {
    ...member, ...validityOf(x509), octets: Uint8Array.from(octets), clusterId,
    publicKey: x509.publicKey,
  }
}

/** Null while `certificate` is valid at `atMs` (since 1970), give or take the clocks' tolerance. */
export function validityFault(certificate: Validity, atMs: number): CertificateFault | null {
  if (atMs < certificate.notBeforeMs - CLOCK_TOLERANCE_MS) return 'early-certificate'
  return atMs > certificate.notAfterMs + CLOCK_TOLERANCE_MS ? 'expired-certificate' : null
}

/** When to ask for a new one: after two thirds of its life. */
export function renewalDueMs({ notBeforeMs, notAfterMs }: Validity): number {
  return notBeforeMs + Math.floor(((notAfterMs - notBeforeMs) * 2) / 3)
}

export function digestOf(octets: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(octets).digest())
}

/** RFC 7468, for files and for TLS. */
export function formatPem(octets: Uint8Array): string {
  const lines = Buffer.from(octets).toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

/** The octets of the one certificate in `text`, or null. */
export function tryPem(text: string): Uint8Array | null {
  const body = /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)-----END CERTIFICATE-----\n?$/
    .exec(text)?.[1]
  return body === undefined ? null : Uint8Array.from(Buffer.from(body, 'base64'))
}

/** An Ed25519 private key from PKCS 8, PEM or DER, or null. */
export function tryPrivateKey(encoded: string | Uint8Array): KeyObject | null {
  try {
    const key = typeof encoded === 'string' ? createPrivateKey(encoded)
      : createPrivateKey({ key: Buffer.from(encoded), format: 'der', type: 'pkcs8' })
    return key.asymmetricKeyType === 'ed25519' ? key : null
  } catch {
    return null
  }
}

export function isPairOf(privateKey: KeyObject, publicKey: KeyObject): boolean {
  return createPublicKey(privateKey).equals(publicKey)
}

/** Node would also take PEM, and octets behind the end: then two encodings would be one. */
function tryX509(octets: Uint8Array): X509Certificate | null {
  if (octets.length > CERTIFICATE_OCTETS_MAX) return null
  try {
    const x509 = new X509Certificate(octets)
    const isWhole = x509.raw.equals(octets)
    return isWhole && x509.publicKey.asymmetricKeyType === 'ed25519' ? x509 : null
  } catch {
    return null
  }
}

function isIssuedBy(x509: X509Certificate, issuer: X509Certificate, key: KeyObject): boolean {
  try {
    return x509.checkIssued(issuer) && x509.verify(key)
  } catch {
    return false
  }
}

function validityOf(x509: X509Certificate): Validity {
  return { notBeforeMs: x509.validFromDate.getTime(), notAfterMs: x509.validToDate.getTime() }
}
