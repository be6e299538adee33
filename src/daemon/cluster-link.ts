// What the daemon's own tables (networks, tasks) need of the cluster: its rows, and a way to write
// those that are this node's to write.
import { ConflictError } from '../base/errors.ts'
import type { DrainCounters } from '../cluster/services/drains.ts'
import type { ServiceTaskRow } from '../cluster/services/rows.ts'
import type { Identity } from '../cluster/identity/identity.ts'
import type { Write } from '../cluster/tables/events.ts'
import type { ClusterRecords } from './cluster-records.ts'
import type { ClusterRows } from './cluster-rows.ts'
import type { EndpointRow } from './shared-rows.ts'

export interface ClusterLink {
  readonly nodeId: string
  /** By which other nodes know this one, and it them. */
  readonly identity: Identity
  readonly records: ClusterRecords
  /** It may write signed rows. */
  readonly isManager: boolean
  /** A member is missing: it may live on, and decide things on its side of a split. */
  readonly isSplit: boolean
  /** The tables were found equal with those of another node, or this one begins the cluster. */
  readonly isCaughtUp: boolean
  /** The packet path was given all that the rows say. */
  readonly isFollowed: boolean
  /** Rows of tasks of services that this node wrote before it was stopped, by task id. */
  readonly restoredTasks: ReadonlyMap<string, ServiceTaskRow>
  /** What was said about tasks that are about to stop. */
  readonly drainCounters: DrainCounters
  /** Rows that are this node's to write, all at once. Signed tables: see checkManager(). */
  write(writes: readonly Write[]): void
  /** A message that fits into a datagram, to the node of this id. It may be lost. */
  send(to: string, octets: Uint8Array): void
  /** @throws ConflictError on a worker; @param what what only managers do: "create networks" */
  checkManager(what: string): void
  /** This node's endpoints as they are to stand in the tables; the same again changes nothing. */
  setEndpoints(rows: ReadonlyMap<number, EndpointRow>): void
  /** What the packet path is told of the other nodes. */
  imageRows(): ClusterRows
}

export function notInCluster(): ConflictError {
  return new ConflictError('this node is in no cluster; begin one with: tapmesh init, '
    + 'or join one with: tapmesh join')
}
