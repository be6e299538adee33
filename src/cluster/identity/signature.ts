// Who may write which row. Rows of specs carry a proof: the writer's certificate and its signature
// over everything else in the row. So a worker, stolen or not, changes no spec, and a row may pass
// through any hands. Rows of an owner need none: they are bound to it by their key.
import { sign, verify } from 'node:crypto'
import { signedOctets } from '../tables/row-codec.ts'
import { NO_OCTETS, type Row } from '../tables/rows.ts'
import {
  CERTIFICATE_OCTETS_MAX, ED25519_SIGNATURE_OCTETS, readNodeCertificate, validityFault,
  type AuthorityCertificate, type CertificateFault, type NodeCertificate,
} from './certificates.ts'
import type { Identity } from './identity.ts'

export type UnprovenRow = Omit<Row, 'proof'>

export type RowFault =
  | CertificateFault
  | 'no-proof' | 'damaged-proof' | 'wrong-signature' | 'wrong-signer' | 'not-a-manager'
  | 'removed-member' | 'wrong-owner'

/** What rows are held to. Certificates that were verified are kept: that is half of the work. */
export type Trust = Readonly<{
  authority: AuthorityCertificate
  /** When `nodeId` was removed, in milliseconds since 1970; null: it was not. */
  removedAtMs: (nodeId: string) => number | null
  verified: Map<string, NodeCertificate>
}>

export const VERIFIED_CERTIFICATES_MAX = 256
const PROOF_VERSION = 1
const PROOF_HEADER_OCTETS = 3

export function makeTrust(
  authority: AuthorityCertificate, removedAtMs: (nodeId: string) => number | null,
): Trust {
  return { authority, removedAtMs, verified: new Map() }
}

/**
 * The proof of a row that this node writes: one octet of version, two for the certificate's
 * length, the certificate, 64 octets of signature; 549 at most.
 */
export function signRow(
  { certificate, privateKey }: Pick<Identity, 'certificate' | 'privateKey'>, row: UnprovenRow,
): Uint8Array {
  const header = Buffer.alloc(PROOF_HEADER_OCTETS)
  header.writeUInt8(PROOF_VERSION)
  header.writeUInt16BE(certificate.octets.length, 1)
  const signature = sign(null, signedOctets({ ...row, proof: NO_OCTETS }), privateKey)
  return Buffer.concat([header, certificate.octets, signature])
}

/**
 * Whether a manager wrote this row. Its certificate must have been valid when the row was stamped,
 * not now: specs outlive certificates.
 * @returns null, or why not
 */
export function verifyRow(trust: Trust, row: Row): RowFault | null {
  return proofFault(trust, row, false)
}

/**
 * Whether the owner of this row wrote it, who stands before the slash of its key; or a manager in
 * its place, with a proof, for an owner that is gone.
 * @param needsProof whether the owner has to prove it, too. Where it does not, a member that lies
 *   can write in the name of another; a proof that is there is verified in any case.
 * @returns null, or why not
 */
export function checkOwner(trust: Trust, row: Row, needsProof = false): RowFault | null {
  const slash = row.key.indexOf('/')
  const owner = slash < 0 ? row.key : row.key.slice(0, slash)
  const isOwn = owner === row.stamp.node
  if (needsProof || row.proof.length > 0) return proofFault(trust, row, isOwn)
  if (!isOwn) return 'wrong-owner'
  return isRemoved(trust, owner, row.stamp.ms) ? 'removed-member' : null
}

function proofFault(trust: Trust, row: Row, mayBeWorker: boolean): RowFault | null {
  const proof = splitProof(row.proof)
  if (typeof proof === 'string') return proof
  const signer = verifiedCertificate(trust, proof.certificate)
  if (typeof signer === 'string') return signer
  if (signer.role !== 'manager' && !mayBeWorker) return 'not-a-manager'
  if (signer.nodeId !== row.stamp.node) return 'wrong-signer'
  const fault = validityFault(signer, row.stamp.ms)
  if (fault !== null) return fault
  if (isRemoved(trust, signer.nodeId, row.stamp.ms)) return 'removed-member'
  const isSigned = verify(null, signedOctets(row), signer.publicKey, proof.signature)
  return isSigned ? null : 'wrong-signature'
}

function isRemoved(trust: Trust, nodeId: string, atMs: number): boolean {
  const removedAtMs = trust.removedAtMs(nodeId)
  return removedAtMs !== null && atMs >= removedAtMs
}

function splitProof(
  proof: Uint8Array,
): { certificate: Uint8Array; signature: Uint8Array } | 'no-proof' | 'damaged-proof' {
  if (proof.length === 0) return 'no-proof'
  if (proof.length < PROOF_HEADER_OCTETS || proof[0] !== PROOF_VERSION) return 'damaged-proof'
  const lengthOctets = proof[1]! * 256 + proof[2]!
  const end = PROOF_HEADER_OCTETS + lengthOctets
  const isWhole = proof.length === end + ED25519_SIGNATURE_OCTETS
  if (!isWhole || lengthOctets > CERTIFICATE_OCTETS_MAX) return 'damaged-proof'
  return { certificate: proof.subarray(PROOF_HEADER_OCTETS, end), signature: proof.subarray(end) }
}

function verifiedCertificate(
  trust: Trust, octets: Uint8Array,
): NodeCertificate | CertificateFault {
  const { verified } = trust
  const name = Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1')
  const known = verified.get(name)
  const certificate = known ?? readNodeCertificate(trust.authority, octets)
  if (typeof certificate === 'string') return certificate
  // The one that was not used for longest stands first.
  verified.delete(name)
  verified.set(name, certificate)
  if (verified.size > VERIFIED_CERTIFICATES_MAX) {
    for (const oldest of verified.keys()) {
      verified.delete(oldest)
      break
    }
  }
  return certificate
}
