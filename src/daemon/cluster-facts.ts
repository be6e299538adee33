// The cluster's records as the machines of cluster/services/ take them.
import { type DirectoryNetwork, directoryOf } from '../cluster/services/directory.ts'
import type {
  EndpointFact, NetworkFact, NodeFact, ServiceFact, TaskFact,
} from '../cluster/services/facts.ts'
import { isHeld } from '../cluster/services/leases.ts'
import type { ServiceFacts } from '../cluster/services/orders.ts'
import {
  leaseKey, type LeaseRow, type NodeSpecRow, type ServiceRow, type ServiceTaskRow,
} from '../cluster/services/rows.ts'
import type { ClusterLink } from './cluster-link.ts'
import type { ClusterRecords, Known } from './cluster-records.ts'
import { ownerOf } from './shared-rows.ts'

const ACTIVE: NodeSpecRow = { availability: 'active', labels: {} }

/** All nodes that are known, those that are not here among them. */
export function nodeFacts(records: ClusterRecords): NodeFact[] {
  return [...records.nodes].map(([id, node]) => {
    const spec = records.nodeSpecs.get(id) ?? ACTIVE
    return {
      id, name: node.name, role: node.role, isAlive: !node.hidden,
      availability: spec.availability, labels: { ...node.labels, ...spec.labels },
    }
  })
}

export function networkFacts(records: ClusterRecords): NetworkFact[] {
  return [...records.networks].map(([id, { name }]) => ({ id, name }))
}

export function serviceFacts(records: ClusterRecords): ServiceFact[] {
  return [...records.services].filter(([key]) => !key.includes('/'))
    .map(([id, row]) => serviceFact(records, id, row))
}

function serviceFact(records: ClusterRecords, id: string, row: Known<ServiceRow>): ServiceFact {
  const { spec, version, generation } = row
  const vips = new Map<string, string>()
  for (const { id: network } of spec.task.networks) {
    const lease = records.leases.get(leaseKey(network, { kind: 'vip', service: id }))
    if (isHeld(lease)) vips.set(network, lease.address)
  }
  return { id, spec, version, generation, vips }
}

/** Rows of the tasks of one node, by task id. */
export function tasksOf(records: ClusterRecords, nodeId: string): Map<string, ServiceTaskRow> {
  return new Map(taskFacts(records).filter(task => task.node === nodeId)
    .map(({ id, node: _, isHidden: __, ...row }) => [id, row]))
}

/** The leases that their holders may use, by leaseKey(). */
export function heldLeases(records: ClusterRecords): Map<string, Known<LeaseRow>> {
  return new Map([...records.leases].filter(([, lease]) => isHeld(lease)))
}

/** Tasks of all nodes, those of nodes that are not here among them. */
export const taskFacts = onceARevision((records): readonly TaskFact[] =>
  [...records.tasks.values()].map(taskFact))

const taskFact = onceARow(
  ({ key, hidden, stamp: _, writer: __, ...row }: Known<ServiceTaskRow>): TaskFact => ({
    ...row, id: key.slice(key.indexOf('/') + 1), node: ownerOf(key), isHidden: hidden,
  }))

/** Endpoints of nodes that are here. */
export function endpointFacts(records: ClusterRecords): EndpointFact[] {
  return [...records.endpoints.values()].filter(row => !row.hidden)
    .map(({ key, network, address, mac, task, taskId }) =>
      ({ node: ownerOf(key), network, address, mac, task, taskId }))
}

/** All that the orchestrator goes by, but for the packet path. */
export function serviceFactsOf(
  { records, isCaughtUp }: ClusterLink): Omit<ServiceFacts, 'isFollowed'> {
  return {
    nodes: nodeFacts(records), services: serviceFacts(records), tasks: taskFacts(records),
    rollouts: plainRows(records.rollouts), rows: plainRows(records.services),
    leases: heldLeases(records), networks: records.networks, isCaughtUp,
  }
}

/** The rows alone, as they are written again with a change: without when, and by whom. */
function plainRows<T extends object>(rows: ReadonlyMap<string, Known<T>>): Map<string, T> {
  return new Map([...rows].map(([key, row]) => [key, plainRow(row) as T]))
}

const plainRow = onceARow(
  ({ key: _, hidden: __, stamp: ___, writer: ____, ...row }: Known<object>): object => row)

/** Who is to be found where at this moment. */
export const clusterDirectory = onceARevision((records): readonly DirectoryNetwork[] =>
  directoryOf({
    networks: networkFacts(records), services: serviceFacts(records),
    tasks: taskFacts(records).filter(task => !task.isHidden), endpoints: endpointFacts(records),
  }))

/** With many tasks it takes milliseconds, and several ask for the same after each change. */
function onceARevision<T>(make: (records: ClusterRecords) => T): (records: ClusterRecords) => T {
  const known = new WeakMap<ClusterRecords, Readonly<{ revision: number; made: T }>>()
  return records => {
    const last = known.get(records)
    if (last !== undefined && last.revision === records.revision) return last.made
    const made = make(records)
    known.set(records, { revision: records.revision, made })
    return made
  }
}

/** A row that did not change gives the same object again: who compares it need not look into it. */
function onceARow<R extends object, T>(make: (row: R) => T): (row: R) => T {
  const known = new WeakMap<R, T>()
  return row => {
    const last = known.get(row)
    if (last !== undefined) return last
    const made = make(row)
    known.set(row, made)
    return made
  }
}
