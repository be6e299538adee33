// Who uses a network, on this node and on all others: what `network rm` and `prune` ask before they
// remove one, and what `network inspect` shows.
import { clusterDirectory } from './cluster-facts.ts'
import type { ClusterLink } from './cluster-link.ts'
import { ConflictError } from '../base/errors.ts'
import type { Core } from './core.ts'
import { ownerOf } from './shared-rows.ts'
import type { NetworkRecord } from './state.ts'
import type { NetworkServiceView, NetworkView } from './views.ts'

const NAMES_SHOWN_MAX = 5

/** The nodes with endpoints in a network. */
export function peersOf(cluster: ClusterLink, networkId: string): NetworkView['peers'] {
  const owners = new Set(cluster.records.endpointsOf(networkId).map(({ key }) => ownerOf(key)))
  return [...owners].flatMap(id => {
    const node = cluster.records.nodes.get(id)
    return node === undefined ? [] : [{ node: node.name, id, address: node.address }]
  })
}

/** Who uses a network, on all nodes: services, and tasks that belong to none. */
export function usersOf({ state, link: cluster }: Core, network: NetworkRecord): string[] {
  const here = state.tasks.filter(task => task.endpoints.some(e => e.network === network.id))
  if (cluster === null || network.scope === 'local') return here.map(task => task.name)
  const { nodes, services, tasks } = cluster.records
  const users = [...services].filter(([key, { spec }]) =>
    !key.includes('/') && spec.task.networks.some(({ id }) => id === network.id))
  const ofServices = new Set([...tasks.values()].map(({ container }) => container))
  const elsewhere = cluster.records.endpointsOf(network.id)
    .filter(({ key, taskId }) => ownerOf(key) !== cluster.nodeId && !ofServices.has(taskId))
  return [
    ...users.map(([, { spec }]) => `service ${spec.name}`),
    ...here.filter(task => !ofServices.has(task.id)).map(task => task.name),
    ...elsewhere.map(({ key, task }) =>
      `${task} on ${nodes.get(ownerOf(key))?.name ?? 'another node'}`),
  ]
}

/** @throws ConflictError that names who uses the network */
export function checkUnused(core: Core, network: NetworkRecord): void {
  const users = usersOf(core, network)
  if (users.length === 0) return
  const more = users.length - NAMES_SHOWN_MAX
  const names = users.slice(0, NAMES_SHOWN_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '')
  const isService = users[0]!.startsWith('service ')
  throw new ConflictError(`network "${network.name}" is used by ${names}; remove them first with: `
    + `tapmesh ${isService ? 'service rm' : 'rm'}`, { network: network.name })
}

/** Services and tasks of a network on all nodes, those that belong to no service at the end. */
export function networkServices(core: Core, network: NetworkRecord): NetworkServiceView[] {
  const { link: cluster, underlay } = core
  if (cluster === null || network.scope === 'local') {
    const tasks = core.state.tasks.flatMap(task => task.endpoints
      .filter(endpoint => endpoint.network === network.id)
      .map(({ address, portId }) =>
        ({ name: task.name, endpoint: String(portId), address, host: underlay.address })))
    return tasks.length === 0 ? [] : [{ name: '', vip: null, ports: [], tasks }]
  }
  const { records } = cluster
  const found = clusterDirectory(records).find(({ id }) => id === network.id)
  if (found === undefined) return []
  const keys = new Map(records.endpointsOf(network.id)
    .map(({ key, address }) => [`${ownerOf(key)} ${address}`, key]))
  const viewOf = ({ name, node, address }: typeof found.tasks[number]) => ({
    name, address, endpoint: keys.get(`${node} ${address}`) ?? '',
    host: records.nodes.get(node)?.address ?? '',
  })
  const others = found.tasks.filter(task => task.slot === '')
  return [
    ...found.services.map(({ id, name, vip, tasks }) => ({
      name, vip, tasks: tasks.map(viewOf),
      ports: (records.services.get(id)?.spec.ports ?? [])
        .map(({ published, target, protocol }) => ({ published, target, protocol })),
    })),
    ...others.length === 0 ? [] : [{ name: '', vip: null, ports: [], tasks: others.map(viewOf) }],
  ]
}
