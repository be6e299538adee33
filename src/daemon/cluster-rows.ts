// What the cluster's tables say of other nodes, as rows of a table image.
import { tryIpv4, tryMac } from '../base/text.ts'
import { MEMBERS_MAX, REMOTES_MAX } from '../path/image.ts'
import type { MemberRow, RemoteRow } from '../path/image-rows.ts'

/**
 * An endpoint of another node. One that has not changed is best handed over as the same object:
 * what was read of it is remembered.
 */
export type RemoteEndpoint = Readonly<{
  /** Id of its network. */
  network: string
  /** "02:42:0a:00:01:08" */
  mac: string
  /** "10.0.1.8" */
  address: string
  /** Underlay address of its node. */
  vtep: string
  promiscuous: boolean
}>

/** Another node that takes part. */
export type ClusterMember = Readonly<{
  /** Its underlay address. */
  address: string
  port: number
  /** It finishes inner checksums for us, and we agreed on that. */
  remoteChecksum: boolean
}>

/** Rows of nodes that are gone, and this node's own, are left out by who hands this over. */
export type ClusterRows = Readonly<{
  /** Ids of the networks that belong to the cluster. */
  networks: ReadonlySet<string>
  members: readonly ClusterMember[]
  /** Of two that claim one MAC or address, the first one has it. */
  endpoints: readonly RemoteEndpoint[]
}>

/** Rows that did not get into the image: more than it holds, or not to be understood. */
export type LeftOut = { members: number; remotes: number; damaged: number }

export type ClusterImageRows = { members: MemberRow[]; remotes: RemoteRow[]; leftOut: LeftOut }

type Numbers = Pick<RemoteRow, 'macHigh' | 'macLow' | 'address' | 'member'>

const NO_MAC = -1
const ADDRESSES = 2 ** 32
/** A MAC of several stations, in the upper 16 bits of it. */
const GROUP = 0x0100
const read = new WeakMap<RemoteEndpoint, Numbers>()

/**
 * @param indexes     of the networks of this node, by id; endpoints of others are nothing to it
 * @param membersMax  members that there is still room for
 */
export function clusterImageRows(cluster: ClusterRows, indexes: ReadonlyMap<string, number>,
  membersMax = MEMBERS_MAX): ClusterImageRows {
  const nodes = new Map(cluster.members.map(member => [member.address, member]))
  const leftOut = { members: 0, remotes: 0, damaged: 0 }
  const members = new Map<number, MemberRow>()
  const remotes: RemoteRow[] = []
  for (const endpoint of cluster.endpoints) {
    const network = cluster.networks.has(endpoint.network) ? indexes.get(endpoint.network)
      : undefined
    if (network === undefined) continue
    const numbers = numbersOf(endpoint)
    if (numbers.macHigh === NO_MAC) {
      leftOut.damaged += 1
      continue
    }
    if (remotes.length < REMOTES_MAX) remotes.push({ network, ...numbers })
    else leftOut.remotes += 1
    noteMember(members, nodes.get(endpoint.vtep), network, numbers.member, endpoint.promiscuous)
  }
  const all = [...members.values()]
  leftOut.members = Math.max(0, all.length - membersMax)
  return { members: all.slice(0, membersMax), remotes, leftOut }
}

/** A node is a VTEP of the networks that it has endpoints in: frames for all go to no other. */
function noteMember(members: Map<number, MemberRow>, node: ClusterMember | undefined,
  network: number, address: number, promiscuous: boolean): void {
  if (node === undefined) return
  const key = network * ADDRESSES + address
  const known = members.get(key)
  if (known === undefined) {
    members.set(key, { network, address, port: node.port, remoteChecksum: node.remoteChecksum,
      promiscuous, marksPartial: true })
  } else if (promiscuous) known.promiscuous = true
}

/** Its words as numbers; macHigh is NO_MAC when one of them cannot be understood. */
function numbersOf(endpoint: RemoteEndpoint): Numbers {
  const known = read.get(endpoint)
  if (known !== undefined) return known
  const mac = tryMac(endpoint.mac)
  const address = tryIpv4(endpoint.address)
  const member = tryIpv4(endpoint.vtep)
  const isRight = mac !== undefined && (mac[0] & GROUP) === 0 && address >= 0 && member >= 0
  const numbers = { macHigh: isRight ? mac[0] : NO_MAC, macLow: mac?.[1] ?? 0, address, member }
  read.set(endpoint, numbers)
  return numbers
}
