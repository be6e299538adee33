// What members ask managers for: a new certificate before theirs ends, and the keys of the mesh
// when a notice says that there are newer ones, or when the mesh has become silent because they
// missed some. Both ends show certificates.
import type { Clock } from '../../base/clock.ts'
import type { MeshAddress } from '../mesh-address.ts'
import { makeKeyPair, type NodeCertificate } from './certificates.ts'
import type { Identity } from './identity.ts'
import { certificateIn, keyRequest, refusalError, ringIn, secretsIn } from './join-answers.ts'
import { dial, type Line } from './join-dial.ts'
import { JoinError, reasonText } from './join-error.ts'
import { JOIN_PROTOCOL } from './join-messages.ts'
import { formatTarget } from './join-target.ts'
import type { KeyRing } from './keyring.ts'
import type { JoinSecrets } from './token.ts'

export type MemberCall = Readonly<{
  identity: Identity
  /** Tried one after the other until one answers. */
  managers: readonly MeshAddress[]
  isRemoved: (nodeId: string) => boolean
  version: string
  clock: Clock
  timeoutMs?: number
  signal?: AbortSignal
}>

export type SharedKeys = Readonly<{
  ring: KeyRing
  /** Null on a worker. */
  secrets: JoinSecrets | null
  /** Name of the manager that gave them. */
  from: string
}>

export type Renewed = SharedKeys & Readonly<Pick<Identity, 'certificate' | 'privateKey'>>

/**
 * A certificate with a new key and another 90 days.
 * @param own where this node is now: address, IPv4, and port of its mesh
 * @throws JoinError no manager gives one, and why not
 */
export function renewCertificate(
  call: MemberCall, own: Readonly<{ address: string; port: number }>,
): Promise<Renewed> {
  const { nodeId, nodeName, role } = call.identity.certificate
  const { address, port } = own
  return callManagers(call, async line => {
    const keys = makeKeyPair()
    const answer = await line.ask(
      { type: 'renew', ...keyRequest(keys, line, call.version), address, port })
    if (answer.type === 'refused') throw refusalError(answer)
    if (answer.type !== 'renewed') throw line.unclear()
    const asked = { nodeId, nodeName, role, address }
    const certificate: NodeCertificate = certificateIn(answer.certificate, line, keys, asked)
    return {
      certificate, privateKey: keys.privateKey, ring: ringIn(answer, line),
      secrets: secretsIn(answer, line), from: line.peer.nodeName,
    }
  })
}

/**
 * The keys of the mesh as a manager has them; the caller adopts them.
 * @param areEnough false: the next manager is asked, too, because this one has older keys
 * @throws JoinError no manager gives enough, and why not
 */
export function fetchKeys(
  call: MemberCall, areEnough: (keys: SharedKeys) => boolean = () => true,
): Promise<SharedKeys> {
  return callManagers(call, async line => {
    const answer = await line.ask(
      { type: 'keys', protocol: JOIN_PROTOCOL, version: call.version })
    if (answer.type === 'refused') throw refusalError(answer)
    if (answer.type !== 'keys') throw line.unclear()
    const from = line.peer.nodeName
    const keys = { ring: ringIn(answer, line), secrets: secretsIn(answer, line), from }
    if (areEnough(keys)) return keys
    throw new JoinError('no-manager', `${from} has no newer keys itself, so far`)
  })
}

async function callManagers<T>(
  call: MemberCall, talk: (line: Line) => Promise<T>,
): Promise<T> {
  const { identity, managers, isRemoved, clock, timeoutMs, signal } = call
  const authorityDigest = identity.authority.digest
  const failures: string[] = []
  for (const target of managers) {
    const options = { target, authorityDigest, own: identity, clock, timeoutMs, signal }
    try {
      return await dial(options, line => {
        const { nodeName, nodeId, role } = line.peer
        if (nodeId === identity.certificate.nodeId) {
          throw new JoinError('no-manager', `${formatTarget(target)} is this node itself`)
        }
        if (role === 'manager' && !isRemoved(nodeId)) return talk(line)
        const why = role === 'manager' ? 'was removed from the cluster' : 'is a worker'
        throw new JoinError('no-manager', `${nodeName} (${formatTarget(target)}) ${why}`)
      })
    } catch (error) {
      const isOnly = managers.length === 1
      if (isOnly || signal?.aborted === true || !(error instanceof JoinError)) throw error
      failures.push(reasonText(error))
    }
  }
  const why = failures.length === 0 ? 'no manager is known' : failures.join('; ')
  throw new JoinError('no-manager', `no manager of the cluster helps: ${why}`)
}
