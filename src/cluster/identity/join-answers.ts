// What managers send, checked against what was asked: a member that lies gets an error, and not
// its way.
import { sign } from 'node:crypto'
import { tryBase36 } from './base36.ts'
import {
  isPairOf, readNodeCertificate, type KeyPair, type NodeCertificate,
} from './certificates.ts'
import type { Line } from './join-dial.ts'
import { JoinError } from './join-error.ts'
import { JOIN_PROTOCOL, proofOctets, type AnswerOf } from './join-messages.ts'
import { decodeRing, type KeyRing } from './keyring.ts'
import type { Member } from './member.ts'
import { SECRET_OCTETS, type JoinSecrets } from './token.ts'

/** The parts of a request that ask for a certificate: the key, and that we have it. */
export function keyRequest(
  keys: KeyPair, line: Pick<Line, 'exporter'>, version: string,
): Readonly<{ protocol: number; version: string; publicKey: string; proof: string }> {
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' })
  const proof = sign(null, proofOctets(line.exporter, publicKey), keys.privateKey)
  return {
    protocol: JOIN_PROTOCOL, version, publicKey: publicKey.toString('base64'),
    proof: proof.toString('base64'),
  }
}

/** @throws JoinError it is not the one that was asked for */
export function certificateIn(
  text: string, line: Line, keys: KeyPair, asked: Partial<Member>,
): NodeCertificate {
  const certificate = readNodeCertificate(line.authority, Buffer.from(text, 'base64'))
  if (typeof certificate === 'string') throw line.unclear()
  const names = Object.keys(asked) as (keyof Member)[]
  const isAsked = names.every(name => certificate[name] === asked[name])
  if (!isAsked || !isPairOf(keys.privateKey, certificate.publicKey)) throw line.unclear()
  return certificate
}

/** @throws JoinError */
export function ringIn(answer: Readonly<{ ring: string }>, line: Line): KeyRing {
  const ring = decodeRing(answer.ring)
  if (ring === null) throw line.unclear()
  return ring
}

/** @throws JoinError */
export function secretsIn(
  { secrets }: Pick<AnswerOf<'keys'>, 'secrets'>, line: Line,
): JoinSecrets | null {
  if (secrets === null) return null
  const worker = tryBase36(secrets.worker, SECRET_OCTETS)
  const manager = tryBase36(secrets.manager, SECRET_OCTETS)
  if (worker === null || manager === null) throw line.unclear()
  return { worker, manager }
}

export function refusalError({ reason, text, retryAfterMs }: AnswerOf<'refused'>): JoinError {
  return new JoinError(reason, text, { retryAfterMs })
}
