// A new certificate before the old one ends.
import { certify } from '../cluster/identity/ca.ts'
import {
  makeKeyPair, type NodeCertificate, renewalDueMs,
} from '../cluster/identity/certificates.ts'
import type { Identity } from '../cluster/identity/identity.ts'
import { type MemberCall, renewCertificate } from '../cluster/identity/member-client.ts'
import type { MeshAddress } from '../cluster/mesh-address.ts'
import type { ClusterHost } from './cluster-host.ts'

/**
 * A worker asks managers. A manager has the key that certifies, and may be the only one.
 * @param own where this node's mesh is now
 * @throws JoinError no manager gives one, and why not
 */
export async function renewIdentity(
  call: MemberCall, own: MeshAddress,
): Promise<Pick<Identity, 'certificate' | 'privateKey'>> {
  const { authority, authorityKey, certificate: before } = call.identity
  if (authorityKey === null) {
    const { certificate, privateKey } = await renewCertificate(call,
      { address: own.host, port: own.port })
    return { certificate, privateKey }
  }
  const { publicKey, privateKey } = makeKeyPair()
  const { nodeId, nodeName, role, address } = before
  const certificate = await certify(authority, authorityKey, { nodeId, nodeName, role, address },
    publicKey, call.clock.wallMs())
  return { certificate, privateKey }
}

/** Keys and certificates are asked for again by themselves, so most failures are no news. */
export class RenewalFailures {
  readonly #host: Pick<ClusterHost, 'clock' | 'log'>
  #told = ''

  constructor(host: Pick<ClusterHost, 'clock' | 'log'>) {
    this.#host = host
  }

  /** Once for each reason, when the certificate is due: its end would shut this node out. */
  tell(error: Error, certificate: NodeCertificate): void {
    const { clock, log } = this.#host
    if (clock.wallMs() < renewalDueMs(certificate) || error.message === this.#told) {
      log.debug({ err: error }, 'keys are fetched later')
      return
    }
    this.#told = error.message
    log.warn({ err: error, until: new Date(certificate.notAfterMs).toISOString() },
      'the certificate of this node is not renewed')
  }
}
