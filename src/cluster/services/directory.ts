// Who is to be found where: the services and tasks of each network with their names and addresses,
// computed from the rows of this moment and never stored. Names (DNS) and load balancing read it.
import type { EndpointFact, NetworkFact, ServiceFact, TaskFact } from './facts.ts'
import { type PublishedPort, taskName } from './rows.ts'

export type DirectoryTask = Readonly<{
  /** "web.1.<25 digits>", or the name that `tapmesh run` gave */
  name: string
  /** 12 hex digits */
  hostname: string
  /** id of its node */
  node: string
  slot: string
  address: string
  mac: string
  /** Takes new connections; a task that is about to stop has only those that it has. */
  isTaking: boolean
}>

export type DirectoryService = Readonly<{
  id: string
  name: string
  /** Other names of it in this network. */
  aliases: readonly string[]
  endpointMode: 'vip' | 'dnsrr'
  /** null: it has none, or not yet */
  vip: string | null
  scheduler: ServiceFact['spec']['scheduler']
  weights: ServiceFact['spec']['weights']
  /** What leads to its tasks from outside. */
  ports: readonly PublishedPort[]
  /** In service, by slot and then by id: those that run or are about to stop. */
  tasks: readonly DirectoryTask[]
}>

export type DirectoryNetwork = Readonly<{
  id: string
  name: string
  services: readonly DirectoryService[]
  /** Those of services and those of `tapmesh run`. */
  tasks: readonly DirectoryTask[]
}>

export type DirectoryFacts = Readonly<{
  networks: readonly NetworkFact[]
  services: readonly ServiceFact[]
  tasks: readonly TaskFact[]
  endpoints: readonly EndpointFact[]
}>

const HOSTNAME_DIGITS = 12
const STATES_IN_SERVICE = ['running', 'draining']

/** Rows of nodes that are not here must have been left out. */
export function directoryOf(facts: DirectoryFacts): DirectoryNetwork[] {
  const byContainer = new Map(facts.tasks.filter(task => task.container !== null)
    .map(task => [task.container!, task]))
  const services = new Map(facts.services.map(service => [service.id, service]))
  const byNetwork = Map.groupBy(facts.endpoints, endpoint => endpoint.network)
  return facts.networks.map(network => {
    const found = (byNetwork.get(network.id) ?? [])
      .flatMap(endpoint => taskAt(endpoint, byContainer, services))
    const ofService = Map.groupBy(found, one => one.service)
    return {
      id: network.id,
      name: network.name,
      tasks: found.map(({ task }) => task),
      services: facts.services.flatMap(service =>
        serviceIn(network.id, service, ofService.get(service.id) ?? [])),
    }
  })
}

type Found = { service: string | null; id: string; task: DirectoryTask }

function taskAt(endpoint: EndpointFact, byContainer: ReadonlyMap<string, TaskFact>,
  services: ReadonlyMap<string, ServiceFact>): Found[] {
  const row = byContainer.get(endpoint.taskId)
  const service = row === undefined ? undefined : services.get(row.service)
  const isOurs = row === undefined || (service !== undefined && row.node === endpoint.node)
  if (!isOurs || (row !== undefined && !STATES_IN_SERVICE.includes(row.state))) return []
  const task = {
    name: row === undefined ? endpoint.task : taskName(service!.spec.name, row.slot, row.id),
    hostname: endpoint.taskId.slice(0, HOSTNAME_DIGITS),
    node: endpoint.node,
    slot: row?.slot ?? '',
    address: endpoint.address,
    mac: endpoint.mac,
    isTaking: row === undefined || row.state === 'running',
  }
  return [{ service: row?.service ?? null, id: row?.id ?? endpoint.taskId, task }]
}

/** @param found its tasks there */
function serviceIn(network: string, { id, spec, vips }: ServiceFact, found: readonly Found[],
): DirectoryService[] {
  const attachment = spec.task.networks.find(one => one.id === network)
  if (attachment === undefined) return []
  const { name, endpointMode, ports, scheduler, weights } = spec
  const tasks = found.toSorted(bySlot).map(({ task }) => task)
  const vip = endpointMode === 'vip' ? vips.get(network) ?? null : null
  return [{ id, name, aliases: attachment.aliases, endpointMode, vip, scheduler, weights, ports,
    tasks }]
}

function bySlot(a: Found, b: Found): number {
  return Number(a.task.slot) - Number(b.task.slot) || compare(a.task.slot, b.task.slot)
    || compare(a.id, b.id)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
