// What the daemon's own tables (networks, tasks) need of the cluster: its rows, and a way to write
// those that are this node's to write.
import type { ClusterRecords } from './cluster-records.ts'
import type { ClusterRows } from './cluster-rows.ts'
import type { EndpointRow, NetworkRow } from './shared-rows.ts'

export interface ClusterLink {
  readonly nodeId: string
  readonly records: ClusterRecords
  /** A member is missing: it may live on, and decide things on its side of a split. */
  readonly isSplit: boolean
  /** @throws ConflictError on a worker: only managers change what all nodes act on */
  putNetwork(id: string, row: NetworkRow): void
  /** @throws ConflictError on a worker */
  removeNetwork(id: string): void
  /** This node's endpoints as they are to stand in the tables; the same again changes nothing. */
  setEndpoints(rows: ReadonlyMap<number, EndpointRow>): void
  /** What the packet path is told of the other nodes. */
  imageRows(): ClusterRows
}
