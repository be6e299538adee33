// From what the daemon knows to the rows of a table image. The only place that knows both.
import { linkLocalWords, parseIpv4, parseMac } from '../base/text.ts'
import { MEMBERS_MAX } from '../path/image.ts'
import type {
  ImageRows, MemberRow, PortRow, PublishedRow, ServiceRow,
} from '../path/image-rows.ts'
import { FDB_NETWORK_MAX } from '../path/learned.ts'
import { clusterImageRows, type ClusterRows, type LeftOut } from './cluster-rows.ts'
import { VNI_INGRESS } from '../cluster/subnets.ts'
import type { State, EndpointRecord, VtepRecord, NetworkRecord } from './state.ts'

export type CompiledRows = ImageRows & { leftOut: LeftOut }

const NO_CLUSTER: ClusterRows = { networks: new Set(), members: [], endpoints: [] }

/** This node in the network of published ports: the way to its host. */
export type HostEndpoint = Pick<EndpointRecord, 'portId' | 'slot' | 'network' | 'address' | 'mac'>

export type BalancedRows = Readonly<{
  services: readonly ServiceRow[]
  published: readonly PublishedRow[]
  /** null while nothing is published. */
  host: HostEndpoint | null
}>

const NOTHING: BalancedRows = { services: [], published: [], host: null }

/** Networks by id, as rows of a table image name them. */
export function networkIndexes(state: State): Map<string, number> {
  return new Map(state.networks.map((network, n) => [network.id, n]))
}

/**
 * @param fds       descriptors of the TAPs that are held, by port id; other endpoints are left out
 * @param cluster   what the other nodes have told; the networks that it names are strict
 * @param balanced  services, and how the host leads to them
 */
export function compileRows(state: State, fds: ReadonlyMap<number, number>, generation: number,
  cluster: ClusterRows = NO_CLUSTER, balanced = NOTHING): CompiledRows {
  const { host, published, services } = balanced
  const indexes = networkIndexes(state)
  const ingress = state.networks.findIndex(({ vni }) => vni === VNI_INGRESS)
  const portOf = (endpoint: HostEndpoint, promiscuous: boolean, isHost = false): PortRow[] => {
    const fd = fds.get(endpoint.portId)
    const network = indexes.get(endpoint.network)
    if (fd === undefined || network === undefined) return []
    const role = isHost ? 'host' : network === ingress ? 'published' : undefined
    return [portRow({ ...endpoint, promiscuous, fd, network, role })]
  }
  const ports = [
    ...state.tasks.flatMap(task => task.endpoints.flatMap(endpoint =>
      portOf(endpoint, task.promiscuous))),
    ...host === null ? [] : portOf(host, false, true),
  ]
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
      isIngress: n === ingress,
    })),
    members: [...named, ...members],
    remotes,
    services,
    published: [...published],
    leftOut,
  }
}

function portRow({ fd, network, promiscuous, role, ...endpoint }: Omit<HostEndpoint, 'network'>
  & Pick<PortRow, 'fd' | 'network' | 'promiscuous'> & { role: PortRow['role'] }): PortRow {
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
    promiscuous,
    ...role === undefined ? {} : { role },
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
