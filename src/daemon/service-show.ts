// How services and their tasks are shown: rows of the tables, joined at this moment.
import { parseCidr } from '../base/text.ts'
import { meetsAll } from '../cluster/services/constraints.ts'
import { decide, type Plans, type SlotPlan } from '../cluster/services/decide.ts'
import type { NodeFact, TaskFact } from '../cluster/services/facts.ts'
import {
  leaseKey, previousKey, type RolloutRow, type ServiceRow, type ServiceSpec,
} from '../cluster/services/rows.ts'
import { isLive } from '../cluster/services/slots.ts'
import { VNI_INGRESS } from '../cluster/subnets.ts'
import { nodeFacts, serviceFacts, taskFacts } from './cluster-facts.ts'
import type { ClusterRecords } from './cluster-records.ts'
import type { ServiceTaskView, ServiceUpdateView, ServiceView } from './service-views.ts'

/** A service with the id that its row stands under. */
export type NamedService = ServiceRow & Readonly<{ id: string; name: string }>

/** All services by name, without their previous specs. */
export function namedServices(records: ClusterRecords): NamedService[] {
  return [...records.services].filter(([key]) => !key.includes('/'))
    .map(([id, { spec, version, generation, createdAt, updatedAt }]) =>
      ({ id, name: spec.name, spec, version, generation, createdAt, updatedAt }))
    .sort((a, b) => compare(a.name, b.name))
}

export function serviceViews(records: ClusterRecords, services: readonly NamedService[],
): ServiceView[] {
  const plans = plansOf(records)
  return services.map(service => serviceView(records, service, plans.get(service.id) ?? []))
}

function serviceView(records: ClusterRecords, service: NamedService, plans: readonly SlotPlan[],
): ServiceView {
  const { id, name, spec, version, generation } = service
  const rollout = records.rollouts.get(id)
  const tasks = tasksOf(records, id).filter(task => !task.isHidden)
  const completed = new Set(tasks.filter(task => task.state === 'complete').map(one => one.slot))
  return {
    id, name, version, generation, spec,
    createdAt: moment(service.createdAt),
    updatedAt: moment(service.updatedAt),
    previous: records.services.get(previousKey(id))?.spec ?? null,
    networks: spec.task.networks.filter(one => !isIngress(records, one.id)).map(({ id: network }) =>
      ({ id: network, name: records.networks.get(network)?.name ?? network })),
    vips: vipsOf(records, id),
    running: tasks.filter(task => task.state === 'running' && task.desired === 'running').length,
    wanted: plans.filter(plan => plan.isWanted).length,
    completed: completed.size,
    update: rollout === undefined ? null : updateView(rollout),
  }
}

/** Its tasks by slot, the newest of each first; a slot without a task waits. */
export function serviceTaskViews(records: ClusterRecords, service: NamedService,
): ServiceTaskView[] {
  const nodes = nodeFacts(records)
  const shown = tasksOf(records, service.id).map(task => taskView(service, task, nodes, records))
  const waiting = (plansOf(records).get(service.id) ?? [])
    .filter(plan => plan.isVacant && plan.delayMs !== null)
    .map(plan => waitingView(service, plan))
  return [...shown, ...waiting].sort(bySlotAndAge)
}

/** What all nodes find out from the rows as they are now. */
function plansOf(records: ClusterRecords): Plans {
  return decide({ nodes: nodeFacts(records), services: serviceFacts(records),
    tasks: taskFacts(records), rollouts: records.rollouts })
}

/** Nodes that are down and have tasks of the service that would have to change. */
export function awayTasks(records: ClusterRecords, serviceId: string): { node: string
  slots: string[] }[] {
  const tasks = tasksOf(records, serviceId).filter(task => task.isHidden && isLive(task))
  return [...Map.groupBy(tasks, task => task.node)].map(([node, own]) => ({
    node: records.nodes.get(node)?.name ?? node, slots: own.map(({ slot }) => slot).sort(),
  }))
}

/** Nodes that a global service is for, and that are down. */
export function awayNodes(records: ClusterRecords, spec: ServiceSpec): string[] {
  return nodeFacts(records).filter(node => !node.isAlive && node.availability === 'active'
    && meetsAll(spec.task.constraints, node)).map(({ name }) => name).sort()
}

function tasksOf(records: ClusterRecords, serviceId: string): TaskFact[] {
  return taskFacts(records).filter(task => task.service === serviceId)
}

function taskView(service: NamedService, task: TaskFact, nodes: readonly NodeFact[],
  records: ClusterRecords): ServiceTaskView {
  const { id, slot, generation, state, error, exitCode, container, isHidden } = task
  const node = nodes.find(one => one.id === task.node)
  return {
    id, slot, generation, state, error, exitCode, container,
    service: service.id,
    name: `${service.name}.${slot}`,
    node: { id: task.node, name: node?.name ?? task.node },
    command: commandOf(service, generation, records),
    // What a node that is down should do has been given to another one, and what has ended is over.
    desired: isHidden || !isLive(task) ? 'shutdown' : task.desired,
    createdAt: moment(task.createdAt),
    stateAt: moment(task.stateAt),
    ports: isLive(task) && !isHidden ? service.spec.ports.filter(port => port.mode === 'host') : [],
    isAway: isHidden,
    flows: null,
  }
}

function waitingView(service: NamedService, plan: SlotPlan): ServiceTaskView {
  const { id, name, spec, generation, updatedAt } = service
  const since = moment(Math.max(updatedAt, ...plan.ended.map(task => task.stateAt)))
  return {
    id: '', service: id, slot: plan.slot, name: `${name}.${plan.slot}`, node: null, generation,
    command: spec.task.command, desired: 'running', state: 'pending',
    error: plan.reason,
    exitCode: null, container: null, createdAt: since, stateAt: since, ports: [], isAway: false,
    flows: null,
  }
}

/** Of the generation that the task is of; of one that is forgotten, what stands now. */
function commandOf({ id, spec, generation }: NamedService, of: number,
  records: ClusterRecords): string[] {
  const previous = records.services.get(previousKey(id))
  const row = of !== generation && previous?.generation === of ? previous : { spec }
  return row.spec.task.command
}

/** It comes with published ports: nobody has named it. */
function isIngress({ networks }: ClusterRecords, id: string): boolean {
  return networks.get(id)?.vni === VNI_INGRESS
}

/** Also the one on the ingress network. */
function vipsOf(records: ClusterRecords, service: string): ServiceView['vips'] {
  return [...records.networks].flatMap(([network, { subnet }]) => {
    const lease = records.leases.get(leaseKey(network, { kind: 'vip', service }))
    if (lease === undefined) return []
    return [{ network, address: `${lease.address}/${parseCidr(subnet).prefix}` }]
  })
}

function updateView(rollout: RolloutRow): ServiceUpdateView {
  const { generation, state, startedAt, finishedAt, message } = rollout
  return { generation, state, message, startedAt: moment(startedAt),
    finishedAt: finishedAt === null ? null : moment(finishedAt) }
}

function moment(wallMs: number): string {
  return new Date(wallMs).toISOString()
}

function bySlotAndAge(a: ServiceTaskView, b: ServiceTaskView): number {
  return Number(a.slot) - Number(b.slot) || compare(a.slot, b.slot)
    || Number(b.state === 'pending') - Number(a.state === 'pending')
    || compare(b.createdAt, a.createdAt) || compare(b.id, a.id)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
