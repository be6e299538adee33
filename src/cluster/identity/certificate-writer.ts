// Certificates as they are made: RFC 5280 section 4.1 through the schemas of a library, signed
// with Ed25519 (RFC 8410). Loading the library takes more memory than everything else of this
// folder together, so only ca.ts imports this file, and only when it signs.
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier, AttributeTypeAndValue, AttributeValue, BasicConstraints, Certificate,
  ExtendedKeyUsage, Extension, Extensions, GeneralName, KeyUsage, KeyUsageFlags, Name,
  RelativeDistinguishedName, SubjectAlternativeName, SubjectPublicKeyInfo, TBSCertificate, Validity,
  Version, id_ce_basicConstraints, id_ce_extKeyUsage, id_ce_keyUsage, id_ce_subjectAltName,
  id_kp_clientAuth, id_kp_serverAuth,
} from '@peculiar/asn1-x509'
import { randomBytes, sign, type KeyObject } from 'node:crypto'
import { AUTHORITY_NAME, ROLE_PREFIX } from './certificates.ts'
import type { Member } from './member.ts'

/** RFC 8410 section 3. */
const ED25519 = '1.3.101.112'
/** RFC 4519 sections 2.19, 2.20, 2.3. */
const ORGANIZATION = '2.5.4.10'
const ORGANIZATIONAL_UNIT = '2.5.4.11'
const COMMON_NAME = '2.5.4.3'
const SERIAL_OCTETS = 16

export type Term = Readonly<{ notBeforeMs: number; notAfterMs: number }>

/** The authority's own certificate, DER. */
export function writeAuthority(
  clusterId: string, publicKey: KeyObject, privateKey: KeyObject, term: Term,
): Uint8Array {
  const name = authorityName(clusterId)
  const extensions = [
    extension(id_ce_basicConstraints, true,
      new BasicConstraints({ cA: true, pathLenConstraint: 0 })),
    extension(id_ce_keyUsage, true,
      new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)),
  ]
  return write({ issuer: name, subject: name, publicKey, extensions, term }, privateKey)
}

/** The certificate of a member, DER. */
export function writeMember(
  clusterId: string, member: Member, publicKey: KeyObject, authorityKey: KeyObject, term: Term,
): Uint8Array {
  const subject = nameOf(
    [ORGANIZATION, clusterId],
    [ORGANIZATIONAL_UNIT, ROLE_PREFIX + member.role],
    [COMMON_NAME, member.nodeId],
  )
  const extensions = [
    extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.digitalSignature)),
    extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([id_kp_serverAuth, id_kp_clientAuth])),
    extension(id_ce_subjectAltName, false, new SubjectAlternativeName([
      new GeneralName({ dNSName: member.nodeName }),
      new GeneralName({ iPAddress: member.address }),
    ])),
  ]
  const issuer = authorityName(clusterId)
  return write({ issuer, subject, publicKey, extensions, term }, authorityKey)
}

type Content = Readonly<{
  issuer: Name
  subject: Name
  publicKey: KeyObject
  extensions: Extension[]
  term: Term
}>

function write(content: Content, signingKey: KeyObject): Uint8Array {
  const spki = content.publicKey.export({ type: 'spki', format: 'der' })
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: new AlgorithmIdentifier({ algorithm: ED25519 }),
    issuer: content.issuer,
    validity: new Validity({
      notBefore: new Date(content.term.notBeforeMs),
      notAfter: new Date(content.term.notAfterMs),
    }),
    subject: content.subject,
    subjectPublicKeyInfo: AsnConvert.parse(spki, SubjectPublicKeyInfo),
    extensions: new Extensions(content.extensions),
  })
  const signed = new Uint8Array(AsnConvert.serialize(tbsCertificate))
  return new Uint8Array(AsnConvert.serialize(new Certificate({
    tbsCertificate,
    signatureAlgorithm: new AlgorithmIdentifier({ algorithm: ED25519 }),
    signatureValue: bufferOf(sign(null, signed, signingKey)),
  })))
}

function authorityName(clusterId: string): Name {
  return nameOf([ORGANIZATION, clusterId], [COMMON_NAME, AUTHORITY_NAME])
}

function nameOf(...parts: [type: string, text: string][]): Name {
  return new Name(parts.map(([type, text]) => {
    const value = new AttributeValue({ utf8String: text })
    return new RelativeDistinguishedName([new AttributeTypeAndValue({ type, value })])
  }))
}

function extension(extnID: string, critical: boolean, value: object): Extension {
  const extnValue = new OctetString(AsnConvert.serialize(value))
  return new Extension({ extnID, critical, extnValue })
}

/** Positive, without a leading zero octet, and never the same twice: RFC 5280 section 4.1.2.2. */
function serialNumber(): ArrayBuffer {
  const octets = randomBytes(SERIAL_OCTETS)
  octets[0] = (octets[0]! & 0x7f) | 0x40
  return bufferOf(octets)
}

/** The library wants whole buffers; Node's may be a part of its pool. */
function bufferOf(octets: Uint8Array): ArrayBuffer {
  return Uint8Array.from(octets).buffer
}
