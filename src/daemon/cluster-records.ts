// What the shared tables say, understood: nodes, networks and endpoints by their keys. It follows
// every change of a row and is never written to by anything else.
import {
  type LeaseRow, leaseRow, type NodeSpecRow, nodeSpecRow, type RequestRow, requestRow,
  type RolloutRow, rolloutRow, type ServiceRow, serviceRow, type ServiceTaskRow, TABLE_LEASE,
  TABLE_NODE_SPEC, TABLE_REQUEST, TABLE_ROLLOUT, TABLE_SERVICE, TABLE_TASK, taskRow,
} from '../cluster/services/rows.ts'
import type { Change } from '../cluster/tables/events.ts'
import {
  decodeRow, type EndpointRow, endpointRow, type NetworkRow, networkRow, type NodeRow, nodeRow,
  ownerOf, portsRow, type PortsRow, subnetsRow, type SubnetsRow, TABLE_ENDPOINT, TABLE_NETWORK,
  TABLE_NODE, TABLE_PORTS, TABLE_SUBNETS,
} from './shared-rows.ts'

/** A row as it is taken up: null when it was deleted. */
export type TableRow = Readonly<{
  table: string
  key: string
  value: Uint8Array | null
  /** Its node is not there: kept, but without effect. */
  hidden: boolean
  /** Greater means written later; equal stamps are of the same writing. */
  stamp: bigint
  /** Id of the node that wrote it. */
  writer: string
}>

/** Bits of the counter in a stamp: see cluster/tables/rows.ts. */
const COUNTER_BITS = 16n

export function recordOf(
  { table, key, new: row, isShown }: Pick<Change, 'table' | 'key' | 'new' | 'isShown'>,
): TableRow {
  if (row === null) return { table, key, value: null, hidden: true, stamp: 0n, writer: '' }
  const { counter, ms, node } = row.stamp
  const stamp = BigInt(ms) << COUNTER_BITS | BigInt(counter)
  return { table, key, value: row.value, hidden: !isShown, stamp, writer: node }
}

export type Known<T> = T & Readonly<{ key: string; hidden: boolean; stamp: bigint; writer: string }>

export class ClusterRecords {
  /** By node id. */
  readonly nodes = new Map<string, Known<NodeRow>>()
  /** By network id. */
  readonly networks = new Map<string, Known<NetworkRow>>()
  /** By node id. */
  readonly subnets = new Map<string, Known<SubnetsRow>>()
  /** By node id. */
  readonly ports = new Map<string, Known<PortsRow>>()
  /** By "NODE/PORT". */
  readonly endpoints = new Map<string, Known<EndpointRow>>()
  /** By service id, and by previousKey() of it. */
  readonly services = new Map<string, Known<ServiceRow>>()
  /** By service id. */
  readonly rollouts = new Map<string, Known<RolloutRow>>()
  /** By node id. */
  readonly nodeSpecs = new Map<string, Known<NodeSpecRow>>()
  /** By leaseKey(). */
  readonly leases = new Map<string, Known<LeaseRow>>()
  /** By taskKey(). */
  readonly tasks = new Map<string, Known<ServiceTaskRow>>()
  /** By "NODE/REQUEST". */
  readonly requests = new Map<string, Known<RequestRow>>()
  /** Rows that do not have the shape of their table. */
  misshapen = 0
  /** Another one with each change that is taken up: what was made out of them is old then. */
  revision = 0

  /** Take up a change; answers whether anything that the daemon acts on is different now. */
  apply(row: TableRow): boolean {
    this.revision += 1
    switch (row.table) {
      case TABLE_NODE: return this.#put(this.nodes, ownerOf(row.key), row, nodeRow)
      case TABLE_NETWORK: return this.#put(this.networks, row.key, row, networkRow)
      case TABLE_SUBNETS:
        return this.#put(this.subnets, ownerOf(row.key), row, subnetsRow)
      case TABLE_PORTS: return this.#put(this.ports, ownerOf(row.key), row, portsRow)
      case TABLE_ENDPOINT: return this.#put(this.endpoints, row.key, row, endpointRow)
      case TABLE_SERVICE: return this.#put(this.services, row.key, row, serviceRow)
      case TABLE_ROLLOUT: return this.#put(this.rollouts, row.key, row, rolloutRow)
      case TABLE_NODE_SPEC: return this.#put(this.nodeSpecs, row.key, row, nodeSpecRow)
      case TABLE_LEASE: return this.#put(this.leases, row.key, row, leaseRow)
      case TABLE_TASK: return this.#put(this.tasks, row.key, row, taskRow)
      case TABLE_REQUEST: return this.#put(this.requests, row.key, row, requestRow)
      default: return false
    }
  }

  /** The endpoints of a network that are there now. */
  endpointsOf(networkId: string): Known<EndpointRow>[] {
    return [...this.endpoints.values()].filter(one => one.network === networkId && !one.hidden)
  }

  #put<T>(map: Map<string, Known<T>>, key: string, row: TableRow,
    schema: Parameters<typeof decodeRow>[0]): boolean {
    const value = row.value === null ? null : decodeRow(schema, row.value) as T | null
    if (value === null) {
      if (row.value !== null) this.misshapen += 1
      return map.delete(key)
    }
    const { hidden, stamp, writer } = row
    map.set(key, { ...value, key: row.key, hidden, stamp, writer })
    return true
  }
}

/** The row that was written first has the address. */
export function byStamp(a: Known<EndpointRow>, b: Known<EndpointRow>): number {
  return a.stamp < b.stamp ? -1 : a.stamp > b.stamp ? 1 : ownerOf(a.key) < ownerOf(b.key) ? -1 : 1
}
