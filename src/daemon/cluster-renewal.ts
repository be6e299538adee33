// A new certificate before the old one ends.
import { certify } from '../cluster/identity/ca.ts'
import { makeKeyPair } from '../cluster/identity/certificates.ts'
import type { Identity } from '../cluster/identity/identity.ts'
import { type MemberCall, renewCertificate } from '../cluster/identity/member-client.ts'
import type { MeshAddress } from '../cluster/mesh-address.ts'

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
