// One network in the words of Docker's `network inspect`.
import type { NetworkServiceView, NetworkView } from '../client.ts'

/** Of a node's id in the name of a peer. */
const PEER_ID_DIGITS = 12

/** What Docker says of docker_gwbridge, and here holds without a bridge. */
const GATEWAY_OPTIONS = {
  'com.docker.network.bridge.enable_icc': 'false',
  'com.docker.network.bridge.enable_ip_masquerade': 'true',
  'com.docker.network.bridge.name': 'tapmesh_gw',
}

/**
 * A network as `docker network inspect` shows it, and our own Vni, Mtu, Skipped and Lacks.
 * Containers are tasks of this node.
 */
export function networkInspection(network: NetworkView): Record<string, unknown> {
  const { name, id, createdAt, scope, driver, subnet, gateway, vni, mtu, labels } = network
  return {
    Name: name, Id: id, Created: createdAt, Scope: scope, Driver: driver, EnableIPv6: false,
    IPAM: { Driver: 'default', Options: null, Config: [{ Subnet: subnet, Gateway: gateway }] },
    Internal: network.internal, Attachable: network.attachable, Ingress: network.ingress,
    Containers: Object.fromEntries(network.endpoints.map(endpoint => [endpoint.taskId, {
      Name: endpoint.task, MacAddress: endpoint.mac,
      IPv4Address: `${endpoint.address}/${endpoint.prefix}`, IPv6Address: '',
    }])),
    Options: driver === 'bridge' ? GATEWAY_OPTIONS
      : { 'com.docker.network.driver.overlay.vxlanid_list': String(vni) },
    Labels: labels,
    Peers: peersOf(network),
    ...driver === 'bridge' ? {} : { Vni: vni }, Mtu: mtu,
    Skipped: network.skipped.map(skip => ({ Subnet: skip.subnet, Reason: skip.reason })),
    Lacks: (network.lacks ?? []).map(lack => ({ Name: lack.holder, Reason: lack.reason })),
  }
}

/** What -v adds: services with their tasks on all nodes; "" has tasks that belong to none. */
export function servicesInspection(services: readonly NetworkServiceView[]): object {
  return Object.fromEntries(services.map(({ name, vip, ports, tasks }) => [name, {
    VIP: vip ?? '',
    Ports: ports.map(({ published, target, protocol }) =>
      `Target: ${target}, Publish: ${published}${protocol === 'tcp' ? '' : `/${protocol}`}`),
    Tasks: tasks.map(task => ({
      Name: task.name, EndpointID: task.endpoint, EndpointIP: task.address,
      Info: { 'Host IP': task.host },
    })),
  }]))
}

/** Nodes of the cluster with tasks in it, and the VTEPs that were named by hand. */
function peersOf({ peers, vteps }: NetworkView): { Name: string; IP: string }[] {
  return [
    ...peers.map(({ node, id, address }) =>
      ({ Name: `${node}-${id.slice(0, PEER_ID_DIGITS)}`, IP: address })),
    ...vteps.map(vtep => ({ Name: vtep, IP: vtep.replace(/:\d+$/, '') })),
  ]
}
