// What a service is to be, from what was asked: names become ids, what is left open is chosen, and
// everything is checked before anything is written.
import { ConflictError, LimitError, NotFoundError, UsageError } from '../base/errors.ts'
import { findNamed } from '../base/ids.ts'
import { parseConstraint } from '../cluster/services/constraints.ts'
import {
  REPLICAS_MAX, SERVICE_NAME_MAX, serviceIdOf, serviceSpec, type ServiceSpec, type TaskTemplate,
} from '../cluster/services/rows.ts'
import { INGRESS_NETWORK } from '../cluster/subnets.ts'
import { planPorts } from './service-ports.ts'
import type { AttachmentInput, PortInput, ServiceChange, ServiceInput } from './service-views.ts'
import { networkIdOf } from './shared-rows.ts'

/** Of a task: the kernel's devices are eth0 to eth7. */
export const SERVICE_NETWORKS_MAX = 8
/** A label of a host name: RFC 1035 section 2.3.1, with "_" as Docker allows it. */
const SERVICE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?$/

export type PlanFacts = Readonly<{
  networks: readonly Readonly<{ id: string; name: string }>[]
  services: readonly Readonly<{ id: string; spec: ServiceSpec }>[]
  /** Ports of every node that belong to the cluster itself: "7946/tcp". */
  reserved: readonly string[]
}>

/** @throws TapmeshError that says what cannot be */
export function planService(name: string, input: ServiceInput, facts: PlanFacts): ServiceSpec {
  checkName(name)
  if (facts.services.some(({ spec }) => spec.name === name)) {
    throw new ConflictError(`there is a service "${name}" already; choose another --name, or `
      + `change it with: tapmesh service update ${name}`, { name })
  }
  const { command, env, workdir, user, hostname, runtime, rootfs, stopGraceMs, restart,
    constraints, name: _, networks, ports, ...rest } = input
  return checked({
    ...rest,
    name,
    replicas: input.mode === 'global' ? input.replicas : input.replicas ?? 1,
    ports,
    task: {
      command, env: uniqueEnv(env), workdir, user, hostname, runtime, rootfs, stopGraceMs, restart,
      constraints: [...new Set(constraints)], force: 0,
      networks: networks.map(one => attachmentOf(one, facts)),
    },
  }, facts)
}

/** @throws TapmeshError that says what cannot be changed so */
export function changeService(
  before: ServiceSpec, change: ServiceChange, facts: PlanFacts,
): ServiceSpec {
  if (change.replicas !== undefined && before.mode === 'global') {
    throw new UsageError(`service "${before.name}" is global: it has a task on each node, and no `
      + 'number of replicas', { name: before.name })
  }
  return checked({
    ...before,
    ...given(change, 'replicas', 'endpointMode', 'scheduler'),
    labels: { ...without(before.labels, change.labelsRemove), ...change.labelsAdd },
    ports: changedPorts(before, change),
    update: { ...before.update, ...change.update },
    rollback: { ...before.rollback, ...change.rollback },
    weights: { ...before.weights, ...change.weights },
    task: changedTemplate(before, change, facts),
  }, facts)
}

/** @throws TapmeshError when what stood there once is not possible any more */
export function restoreService(spec: ServiceSpec, facts: PlanFacts): ServiceSpec {
  for (const { id } of spec.task.networks) findNamed('network', facts.networks, id)
  return checked(spec, facts)
}

function changedTemplate({ name, task }: ServiceSpec, change: ServiceChange, facts: PlanFacts,
): TaskTemplate {
  const gone = new Set((change.networksRemove ?? []).map(which => {
    const { id } = findNamed('network', facts.networks, which)
    if (task.networks.some(one => one.id === id)) return id
    throw new ConflictError(`service "${name}" is not in network "${which}"`, { network: which })
  }))
  const removed = new Set(change.envRemove)
  const env = task.env.filter(entry => !removed.has(nameOf(entry)))
  const constraints = task.constraints
    .filter(one => change.constraintsRemove?.includes(one) !== true)
  return {
    ...task,
    ...given(change, 'command', 'workdir', 'user', 'hostname', 'runtime', 'rootfs', 'stopGraceMs'),
    env: uniqueEnv([...env, ...change.envAdd ?? []]),
    networks: [...task.networks.filter(({ id }) => !gone.has(id)),
      ...(change.networksAdd ?? []).map(one => attachmentOf(one, facts))],
    restart: { ...task.restart, ...change.restart },
    constraints: [...new Set([...constraints, ...change.constraintsAdd ?? []])],
    force: task.force + (change.force === true ? 1 : 0),
  }
}

/** One that is added takes the place of another of the same target. */
function changedPorts({ name, ports }: ServiceSpec, change: ServiceChange): PortInput[] {
  for (const { target, protocol } of change.portsRemove ?? []) {
    if (ports.some(one => one.target === target && one.protocol === protocol)) continue
    throw new ConflictError(`service "${name}" publishes no port that leads to `
      + `${target}/${protocol}`, { target, protocol })
  }
  const kept = ports.filter(port => change.portsRemove?.some(({ target, protocol }) =>
    target === port.target && protocol === port.protocol) !== true)
  const added = (change.portsAdd ?? []).filter(port => !kept.some(one =>
    one.published === port.published && one.protocol === port.protocol
      && one.target === port.target && one.mode === port.mode))
  return [...kept, ...added]
}

type Draft = Omit<ServiceSpec, 'ports'> & { ports: PortInput[] }

function checked(draft: Draft, facts: PlanFacts): ServiceSpec {
  const { name, mode, replicas, endpointMode, task } = draft
  if (mode === 'global' && replicas !== null) {
    throw new UsageError('--replicas is for --mode replicated: a global service has a task on each '
      + 'node')
  }
  if (replicas !== null && (replicas < 0 || replicas > REPLICAS_MAX)) {
    throw new LimitError(`a service has 0 to ${REPLICAS_MAX} replicas, not ${replicas}`,
      { replicas })
  }
  for (const constraint of task.constraints) checkConstraint(constraint)
  const networks = withIngress(task, draft.ports)
  checkNetworks(name, networks)
  if (endpointMode === 'dnsrr' && draft.ports.some(port => port.mode === 'ingress')) {
    throw new ConflictError('a port that every node publishes leads to the VIP, and with '
      + '--endpoint-mode dnsrr there is none; publish it as host,PORT:TARGET', { name })
  }
  if (task.runtime === 'crun' && task.rootfs === null) {
    throw new UsageError('--runtime crun needs --rootfs: the folder in which the command runs')
  }
  if (task.runtime === 'process' && task.rootfs !== null) {
    throw new UsageError('--rootfs is for --runtime crun: a plain process has the files of the '
      + 'host')
  }
  return serviceSpec.parse({ ...draft, task: { ...task, networks },
    ports: planPorts(serviceIdOf(name), name, draft.ports, facts) })
}

/** Who publishes a port is reached over the network of published ports, after its own. */
function withIngress({ networks }: TaskTemplate, ports: readonly PortInput[],
): TaskTemplate['networks'] {
  const id = networkIdOf(INGRESS_NETWORK)
  const own = networks.filter(one => one.id !== id)
  return ports.length === 0 ? own : [...own, { id, aliases: [] }]
}

function checkNetworks(name: string, networks: TaskTemplate['networks']): void {
  if (networks.length > SERVICE_NETWORKS_MAX) {
    throw new LimitError(`service "${name}" is in ${networks.length} networks; `
      + `${SERVICE_NETWORKS_MAX} are possible`, { name })
  }
  if (new Set(networks.map(({ id }) => id)).size < networks.length) {
    throw new UsageError(`a network is given twice for service "${name}"`, { name })
  }
}

/** The words are right; it is the thing to constrain by that nodes do not have. */
function checkConstraint(text: string): void {
  try {
    parseConstraint(text)
  } catch (error) {
    throw error instanceof UsageError ? new NotFoundError(error.message, error.facts) : error
  }
}

function checkName(name: string): void {
  if (name.length <= SERVICE_NAME_MAX && SERVICE_NAME.test(name)) return
  throw new UsageError(`"${name}" is no name of a service: it is 1 to ${SERVICE_NAME_MAX} letters, `
    + 'digits, "-" and "_", with a letter or digit first and last, for it is found by DNS',
  { name })
}

function attachmentOf({ network, aliases }: AttachmentInput, { networks }: PlanFacts) {
  const { id } = findNamed('network', networks, network)
  if (id === networkIdOf(INGRESS_NETWORK)) {
    throw new UsageError(`network "${network}" is that of published ports; a service comes into it `
      + 'with --publish', { network })
  }
  return { id, aliases }
}

/** Of two entries for a variable the later one counts. */
function uniqueEnv(entries: readonly string[]): string[] {
  return [...new Map(entries.map(entry => [nameOf(entry), entry])).values()]
}

function nameOf(entry: string): string {
  return entry.slice(0, entry.indexOf('='))
}

function without<T>(record: Readonly<Record<string, T>>, keys: readonly string[] = []) {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)))
}

/** Those of `keys` that `change` has. */
function given<K extends keyof ServiceChange>(change: ServiceChange, ...keys: K[]) {
  return Object.fromEntries(keys.filter(key => change[key] !== undefined)
    .map(key => [key, change[key]])) as { [P in K]?: NonNullable<ServiceChange[P]> }
}
