// Services as people and programs of this node ask for them. A service is nothing but its row: what
// is written here all nodes read, and the tasks follow from it.
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../base/clock.ts'
import { ConflictError, LimitError } from '../base/errors.ts'
import { findNamed } from '../base/ids.ts'
import {
  type PublishedPort, previousKey, serviceIdOf, type ServiceRow, TABLE_ROLLOUT, TABLE_SERVICE,
  taskName,
} from '../cluster/services/rows.ts'
import { firstVersion, nextVersion } from '../cluster/services/versions.ts'
import type { Write } from '../cluster/tables/events.ts'
import { VALUE_OCTETS_MAX } from '../cluster/tables/rows.ts'
import { networkFacts } from './cluster-facts.ts'
import { type ClusterLink, notInCluster } from './cluster-link.ts'
import type { Core } from './core.ts'
import { checkElsewhere } from './host-ports.ts'
import type { IngressPorts } from './ingress-ports.ts'
import { type LogReader, serviceLogs } from './service-logs.ts'
import { makeServiceName } from './service-names.ts'
import { changeService, type PlanFacts, planService, restoreService } from './service-plan.ts'
import {
  awayNodes, awayTasks, type NamedService, namedServices, serviceTaskViews, serviceViews,
} from './service-show.ts'
import type {
  ServiceChange, ServiceChanged, ServiceControl, ServiceInput, ServiceLogLine, ServiceLogsSpec,
  ServiceTaskView, ServiceView,
} from './service-views.ts'
import { encodeRow } from './shared-rows.ts'

type Parts = Readonly<{
  core: Pick<Core, 'config' | 'link' | 'log'>
  clock: Clock
  version: string
  /** Of tasks of this node. */
  readLog: LogReader['readLog']
  /** The network of published ports is there when this settles. */
  makeIngress: () => Promise<void>
  /** Ports of this host. */
  hostPorts: Pick<IngressPorts, 'check'>
  /** Open connections through this node to a task of this name. */
  flowsTo: (task: string) => number
}>

export class Services implements ServiceControl {
  readonly #parts: Parts
  readonly #core: Parts['core']
  readonly #clock: Clock

  constructor(parts: Parts) {
    this.#parts = parts
    this.#core = parts.core
    this.#clock = parts.clock
  }

  list(): ServiceView[] {
    const { records } = this.#needed()
    return serviceViews(records, namedServices(records))
  }

  get(which: string): ServiceView {
    return serviceViews(this.#needed().records, [this.#find(which)])[0]!
  }

  tasks(which: string): ServiceTaskView[] {
    const service = this.#find(which)
    return serviceTaskViews(this.#needed().records, service).map(task => task.state === 'draining'
      ? { ...task, flows: this.#parts.flowsTo(taskName(service.name, task.slot, task.id)) } : task)
  }

  async create(input: ServiceInput): Promise<ServiceChanged> {
    const link = this.#managing('create services')
    const name = input.name
      ?? makeServiceName(new Set(this.#facts(link).services.map(one => one.spec.name)))
    await this.#preparePorts(planService(name, input, this.#facts(link)).ports)
    const spec = planService(name, input, this.#facts(link))
    const id = serviceIdOf(name)
    // A service of this name that went during a split may have left these behind.
    link.write([serviceWrite(id, name, firstVersion(spec, this.#clock.wallMs())),
      { table: TABLE_SERVICE, key: previousKey(id), value: null },
      { table: TABLE_ROLLOUT, key: id, value: null }])
    this.#core.log.info({ service: name, id }, 'service created')
    const pending = spec.mode === 'replicated' ? [] : awayNodes(link.records, spec)
      .map(node => `${node} is down: its task of ${name} starts when it is back`)
    return { service: this.get(id), pending }
  }

  async update(which: string, change: ServiceChange): Promise<ServiceChanged> {
    const link = this.#managing('change services')
    const service = this.#find(which)
    const { ports } = changeService(service.spec, change, this.#facts(link))
    await this.#preparePorts(ports.filter(port => !service.spec.ports.some(before =>
      before.published === port.published && before.protocol === port.protocol)))
    const spec = changeService(service.spec, change, this.#facts(link))
    if (!isDeepStrictEqual(spec, service.spec)) {
      const next = nextVersion(service, spec, this.#clock.wallMs())
      link.write(versionWrites(service, next))
      this.#tell(service, next, 'service updated')
    }
    return { service: this.get(service.id), pending: pendingOf(link, service) }
  }

  async rollback(which: string): Promise<ServiceChanged> {
    const link = this.#managing('roll services back')
    const service = this.#find(which)
    const previous = link.records.services.get(previousKey(service.id))
    if (previous === undefined) {
      throw new ConflictError(`service "${service.name}" does not have a previous spec: it was not `
        + 'updated yet', { service: service.name })
    }
    const wallMs = this.#clock.wallMs()
    const next = nextVersion(service, restoreService(previous.spec, this.#facts(link)), wallMs)
    link.write([...versionWrites(service, next), rollbackWrite(service, next, wallMs)])
    this.#tell(service, next, 'service rolled back')
    return { service: this.get(service.id), pending: pendingOf(link, service) }
  }

  async remove(which: string): Promise<{ pending: string[] }> {
    const link = this.#managing('remove services')
    const service = this.#find(which)
    const pending = pendingOf(link, service)
    const { id, name } = service
    link.write([{ table: TABLE_SERVICE, key: id, value: null },
      { table: TABLE_SERVICE, key: previousKey(id), value: null },
      { table: TABLE_ROLLOUT, key: id, value: null }])
    this.#core.log.info({ service: name, id }, 'service removed')
    return { pending }
  }

  logs(which: string, spec: ServiceLogsSpec, signal: AbortSignal): AsyncIterable<ServiceLogLine> {
    const link = this.#managing('read the output of services')
    const { clock, readLog, version } = this.#parts
    return serviceLogs({ link, readLog, clock, version, spec, signal }, this.#tasksFor(which))
  }

  /** What `which` has at the time of the call, oldest first: a service, or one task of any. */
  #tasksFor(which: string): () => ServiceTaskView[] | null {
    const { records } = this.#needed()
    const services = namedServices(records)
    const ofService = (id: string): ServiceTaskView[] | null => {
      const service = namedServices(records).find(one => one.id === id)
      return service === undefined ? null : serviceTaskViews(records, service).reverse()
    }
    const tasks = services.flatMap(service => serviceTaskViews(records, service))
      .filter(({ id }) => id !== '' && id.startsWith(which))
    if (tasks.length === 1) {
      const { id, service } = tasks[0]!
      return () => ofService(service)?.filter(task => task.id === id) ?? null
    }
    const { id } = findNamed('service or task', services, which)
    return () => ofService(id)
  }

  /** @throws ConflictError when a program of this node has one of them */
  async #preparePorts(added: readonly PublishedPort[]): Promise<void> {
    if (added.length === 0) return
    const { config } = this.#core
    const { nodeId, records } = this.#needed()
    for (const port of added) {
      if (port.mode === 'host') continue
      this.#parts.hostPorts.check(port, config.node.name)
      checkElsewhere(records, nodeId, port)
    }
    await this.#parts.makeIngress()
  }

  #facts({ records }: ClusterLink): PlanFacts {
    const { mesh, underlay } = this.#core.config
    const reserved = [`${mesh.port}/tcp`, `${mesh.port}/udp`, `${underlay.port}/udp`]
    return { networks: networkFacts(records), services: namedServices(records), reserved }
  }

  #needed(): ClusterLink {
    if (this.#core.link === null) throw notInCluster()
    return this.#core.link
  }

  #managing(what: string): ClusterLink {
    const link = this.#needed()
    link.checkManager(what)
    return link
  }

  #find(which: string): NamedService {
    return findNamed('service', namedServices(this.#needed().records), which)
  }

  #tell({ id, name }: NamedService, { version, generation }: ServiceRow, what: string): void {
    this.#core.log.info({ service: name, id, version, generation }, what)
  }
}

function pendingOf({ records }: ClusterLink, { id, name }: NamedService): string[] {
  return awayTasks(records, id).map(({ node, slots }) => `${node} is down: what it has of ${name} `
    + `(${slots.map(slot => `${name}.${slot}`).join(', ')}) follows when it is back`)
}

function versionWrites({ id, name, ...before }: NamedService, next: ServiceRow): Write[] {
  return [serviceWrite(id, name, next), serviceWrite(previousKey(id), name, before)]
}

/** A rollback that was asked for is told as one; how far it has come is written by its driver. */
function rollbackWrite({ id }: NamedService, { generation }: ServiceRow, wallMs: number): Write {
  return { table: TABLE_ROLLOUT, key: id, value: encodeRow({
    generation, state: 'rollback_started', slots: [], startedAt: wallMs, finishedAt: null,
    message: 'manually requested rollback',
  }) }
}

/** @throws LimitError when the row would be too long */
function serviceWrite(key: string, name: string, row: ServiceRow): Write {
  const value = encodeRow(row)
  if (value.length > VALUE_OCTETS_MAX) {
    throw new LimitError(`service "${name}" takes ${value.length} octets, and ${VALUE_OCTETS_MAX} `
      + 'fit; shorten its command, environment or labels', { service: name })
  }
  return { table: TABLE_SERVICE, key, value }
}
