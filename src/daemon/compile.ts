// From what the daemon knows to the rows of a table image. The only place that knows both.
import type { ImageRows, MemberRow, PortRow } from '../path/image-rows.ts'
import { FDB_NETWORK_MAX } from '../path/learned.ts'
import { linkLocalWords, parseIpv4, parseMac } from '../base/text.ts'
import type { State, TaskRecord, EndpointRecord, VtepRecord, NetworkRecord } from './state.ts'

/** @param fds descriptors of the TAPs that are held, by port id; other endpoints are left out */
export function compileRows(state: State, fds: ReadonlyMap<number, number>,
  generation: number): ImageRows {
  const indexes = new Map(state.networks.map((network, n) => [network.id, n]))
  const ports = state.tasks.flatMap(task => task.endpoints.flatMap(endpoint => {
    const fd = fds.get(endpoint.portId)
    const network = indexes.get(endpoint.network)
    return fd === undefined || network === undefined ? []
      : [portRow(task, endpoint, fd, network)]
  }))
  return {
    generation,
    ports,
    networks: state.networks.map((network, n) => ({
      vni: network.vni,
      mtu: network.mtu,
      learnedMax: FDB_NETWORK_MAX - ports.filter(port => port.network === n).length,
    })),
    members: state.networks.flatMap((network, n) => memberRows(state.vteps, network, n)),
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
  }))
}
