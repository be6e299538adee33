// From what the daemon knows to the rows of a table image. The only place that knows both.
import { linkLocalWords, parseIpv4, parseMac } from '../base/text.ts'
import { MEMBERS_MAX } from '../path/image.ts'
import type { ImageRows, MemberRow, PortRow, ServiceRow } from '../path/image-rows.ts'
import { FDB_NETWORK_MAX } from '../path/learned.ts'
import { clusterImageRows, type ClusterRows, type LeftOut } from './cluster-rows.ts'
import type { State, TaskRecord, EndpointRecord, VtepRecord, NetworkRecord } from './state.ts'

export type CompiledRows = ImageRows & { leftOut: LeftOut }

const NO_CLUSTER: ClusterRows = { networks: new Set(), members: [], endpoints: [] }

/** Networks by id, as rows of a table image name them. */
export function networkIndexes(state: State): Map<string, number> {
  return new Map(state.networks.map((network, n) => [network.id, n]))
}

/**
 * @param fds       descriptors of the TAPs that are held, by port id; other endpoints are left out
 * @param cluster   what the other nodes have told; the networks that it names are strict
 * @param services  what is balanced
 */
export function compileRows(state: State, fds: ReadonlyMap<number, number>, generation: number,
  cluster: ClusterRows = NO_CLUSTER, services: readonly ServiceRow[] = []): CompiledRows {
  const indexes = networkIndexes(state)
  const ports = state.tasks.flatMap(task => task.endpoints.flatMap(endpoint => {
    const fd = fds.get(endpoint.portId)
    const network = indexes.get(endpoint.network)
    return fd === undefined || network === undefined ? []
      : [portRow(task, endpoint, fd, network)]
  }))
  const portCounts = new Map<number, number>()
  for (const { network } of ports) portCounts.set(network, (portCounts.get(network) ?? 0) + 1)
  const named = namedMembers(state, cluster)
  const { members, remotes, leftOut } = clusterImageRows(cluster, indexes,
    MEMBERS_MAX - named.length)
  return {
    generation,
    ports,
    networks: state.networks.map((network, n) => ({
      vni: network.vni,
      mtu: network.mtu,
      learnedMax: FDB_NETWORK_MAX - (portCounts.get(n) ?? 0),
      strict: cluster.networks.has(network.id),
      gateway: parseIpv4(network.gateway),
    })),
    members: [...named, ...members],
    remotes,
    services,
    leftOut,
  }
}

function portRow(task: TaskRecord, endpoint: EndpointRecord, fd: number, network: number): PortRow {
  const [macHigh, macLow] = parseMac(endpoint.mac)
  return {
    id: endpoint.portId,
    slot: endpoint.slot,
    fd,
    network,
    macHigh,
    macLow,
    address: parseIpv4(endpoint.address),
    linkLocal: linkLocalWords(endpoint.mac),
    promiscuous: task.promiscuous,
  }
}

/** In a network of the cluster, a node is what the cluster says, also when it was named by hand. */
function namedMembers(state: State, cluster: ClusterRows): MemberRow[] {
  const nodes = new Set(cluster.members.map(member => member.address))
  const strangers = state.vteps.filter(vtep => !nodes.has(vtep.address))
  return state.networks.flatMap((network, n) =>
    memberRows(cluster.networks.has(network.id) ? strangers : state.vteps, network, n))
}

/** The VTEPs that serve this network; one named for it alone goes before one named for all. */
export function memberRows(vteps: VtepRecord[], network: NetworkRecord, n: number): MemberRow[] {
  const own = vteps.filter(vtep => vtep.network === network.id)
  const shared = vteps.filter(vtep => vtep.network === null
    && !own.some(other => other.address === vtep.address))
  return [...own, ...shared].map(vtep => ({
    network: n,
    address: parseIpv4(vtep.address),
    port: vtep.port,
    remoteChecksum: vtep.remoteChecksum,
    // A foreign VTEP tells nobody what is behind it.
    promiscuous: true,
  }))
}
