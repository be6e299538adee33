// All that makes a node a member: what it shows, what it keeps to itself, and what it knows of the
// cluster. A value; files.ts keeps it, join-client.ts gets it, createCluster makes the first.
import { randomBytes, type KeyObject } from 'node:crypto'
import { UsageError } from '../../base/errors.ts'
import { makeObjectId } from '../../base/ids.ts'
import { certify, makeAuthority } from './ca.ts'
import { makeKeyPair, type AuthorityCertificate, type NodeCertificate } from './certificates.ts'
import { CURRENT_KEYS, KEY_OCTETS, makeRing, type KeyRing } from './keyring.ts'
import { isMember, NODE_NAME, type Member } from './member.ts'
import { formatToken, makeJoinSecrets, type JoinSecrets } from './token.ts'
import type { Role } from './member.ts'

export type ClusterFacts = Readonly<{
  /** 25 digits of base 36; also the mesh's label. */
  id: string
  /** For people. */
  name: string
  /** The mesh is not sealed, for looking at it in a lab. */
  insecure: boolean
}>

export type Identity = Readonly<{
  cluster: ClusterFacts
  authority: AuthorityCertificate
  certificate: NodeCertificate
  privateKey: KeyObject
  ring: KeyRing
  /** Only managers have these two. */
  authorityKey: KeyObject | null
  secrets: JoinSecrets | null
}>

/**
 * A new cluster, with this node as its first manager.
 * @throws UsageError a name or the address cannot be used
 */
export async function createCluster(
  facts: Readonly<{ clusterName: string; insecure: boolean; nodeName: string; address: string }>,
  nowMs: number,
): Promise<Identity> {
  const { clusterName, insecure, nodeName, address } = facts
  checkName('cluster', clusterName)
  const member: Member = { nodeId: makeObjectId(), nodeName, role: 'manager', address }
  checkMember(member)
  const cluster = { id: makeObjectId(), name: clusterName, insecure }
  const authorityKeys = makeKeyPair()
  const nodeKeys = makeKeyPair()
  const authority = await makeAuthority(cluster.id, authorityKeys, nowMs)
  const { publicKey, privateKey } = nodeKeys
  return {
    cluster,
    authority,
    certificate: await certify(authority, authorityKeys.privateKey, member, publicKey, nowMs),
    privateKey,
    ring: makeRing(makeGossipKeys(), nowMs),
    authorityKey: authorityKeys.privateKey,
    secrets: makeJoinSecrets(),
  }
}

/** As many keys as a new ring needs. */
export function makeGossipKeys(): Uint8Array[] {
  return Array.from({ length: CURRENT_KEYS }, makeGossipKey)
}

export function makeGossipKey(): Uint8Array {
  return randomBytes(KEY_OCTETS)
}

/** The token by which machines join as `role`, or null on a worker, which knows none. */
export function joinToken({ authority, secrets }: Identity, role: Role): string | null {
  if (secrets === null) return null
  return formatToken({ authorityDigest: authority.digest, secret: secrets[role] })
}

/** @throws UsageError */
export function checkMember(member: Member): void {
  checkName('node', member.nodeName)
  if (!isMember(member)) {
    throw new UsageError(`"${member.address}" cannot be the address of a node: it takes an IPv4 `
      + 'address such as 192.168.56.11', { address: member.address })
  }
}

function checkName(kind: string, name: string): void {
  if (NODE_NAME.test(name)) return
  throw new UsageError(`"${name}" cannot be the name of a ${kind}: a letter or digit, then up to `
    + '62 letters, digits, "_", "." and "-"', { name })
}
