// What the daemon shows of its cluster, and what it can be asked to do with it. As in views.ts,
// nothing here is a live object.

import type { ServiceTaskView } from './service-views.ts'

export type NodeRole = 'manager' | 'worker'

export type ClusterView = {
  /** 25 digits of base 36, the label of every gossip packet. */
  id: string
  name: string
  nodeId: string
  nodeName: string
  role: NodeRole
  /** Gossip goes in the clear, for people who want to look at it. */
  insecure: boolean
  /** Where this node's gossip arrives: "192.168.56.11:7946". */
  address: string
  members: number
  /** How often the key ring was rotated, and when last (ISO 8601); null when insecure. */
  keys: { generation: number; rotatedAt: string } | null
  certificate: { expiresAt: string; fingerprint: string }
  /** Counters of the mesh by name: packets, drops by reason, queues, table rows. */
  counters: Record<string, number>
}

export type NodeView = {
  id: string
  name: string
  self: boolean
  role: NodeRole
  status: 'Ready' | 'Down'
  /** What managers said of it: whether it gets tasks of services, keeps them, or loses them. */
  availability: 'Active' | 'Pause' | 'Drain'
  /** "Leader" is the manager to which derived work falls: nobody was elected. */
  managerStatus: 'Leader' | 'Reachable' | 'Unreachable' | ''
  version: string
  /** The underlay address of its VTEP. */
  address: string
  /** Where its gossip arrives. */
  mesh: string
  joinedAt: string
  /** Unix seconds of its last start: tells one life of a node from the next. */
  epoch: number
  labels: Record<string, string>
}

/** What is absent stays. */
export type NodeChange = {
  availability?: 'active' | 'pause' | 'drain' | undefined
  labelsAdd?: Record<string, string> | undefined
  labelsRemove?: string[] | undefined
  role?: NodeRole | undefined
}

export type PeerView = {
  name: string
  id: string | null
  mesh: string
  state: 'alive' | 'suspect' | 'dead' | 'left'
  /** Why it is in this state, for people; empty when there is nothing to say. */
  reason: string
  /** It was not heard for a moment: the load balancer avoids it, nothing else changes. */
  doubtful: boolean
  /** Round trip of the mesh's own probes. */
  rttMs: number | null
  /** Whether its tables had the same digest as ours when they were last compared. */
  tables: 'equal' | 'differ' | 'unknown'
  lastSeenMsAgo: number | null
  pathMtuOctets: number | null
}

export type TokenView = { role: NodeRole; token: string; command: string }

export type TableRowView = {
  table: string
  key: string
  /** The value as it was written; null for a row that was deleted. */
  value: unknown
  deleted: boolean
  /** Deleted, or of a node that is not there: kept, but without effect. */
  hidden: boolean
  /** Name of the node that wrote it, or its id when it is not known. */
  node: string
  /** ISO 8601, from the hybrid clock's stamp. */
  writtenAt: string
  stamp: string
}

export type ClusterChangeView = {
  at: string
  what: 'member' | 'row'
  /** For a member: its new state; for a row: "set", "delete", "hide" or "show". */
  change: string
  name: string
  detail: unknown
}

export type PingView = {
  node: string
  underlay: PingLine | null
  mesh: PingLine | null
  pathMtuOctets: number | null
  /** What could not be measured, and why. */
  notes: string[]
}
export type PingLine = {
  sent: number
  received: number
  minMs: number
  avgMs: number
  maxMs: number
}

export type InitSpec = {
  /** An address or a device of this machine; absent: the underlay's. */
  advertise?: string | undefined
  name?: string | undefined
  insecure: boolean
}
export type JoinSpec = { token: string; seeds: string[]; advertise?: string | undefined }

/** Everything that can be asked about the cluster. Nodes go by name, id, or id prefix. */
export interface ClusterControl {
  /** null: this node is in no cluster */
  view(): ClusterView | null
  /** @throws ConflictError when this node is in a cluster already */
  init(spec: InitSpec): Promise<{ cluster: ClusterView; worker: TokenView }>
  /** @throws ConflictError in a cluster already, or what the others refuse */
  join(spec: JoinSpec): Promise<ClusterView>
  /** @throws ConflictError when the last manager leaves without `force` */
  leave(force: boolean): Promise<void>
  /** @throws ConflictError on a worker */
  token(role: NodeRole): TokenView
  rotateToken(role: NodeRole): Promise<TokenView>
  rotateKeys(): Promise<ClusterView>
  nodes(): NodeView[]
  node(which: string): NodeView
  /** @throws ConflictError on a worker, or for another role: that stands in its certificate */
  updateNode(which: string, change: NodeChange): Promise<NodeView>
  /** The tasks of services on a node. */
  nodeTasks(which: string): ServiceTaskView[]
  /** @throws ConflictError for a node that is alive, unless `force` is true */
  removeNode(which: string, force: boolean): Promise<void>
  peers(): PeerView[]
  tables(): { table: string; rows: number; hidden: number; digest: string }[]
  table(name: string): TableRowView[]
  /** Changes from now on, until the signal fires. */
  watch(signal: AbortSignal): AsyncIterable<ClusterChangeView>
  ping(which: string, count: number, signal: AbortSignal): Promise<PingView>
}
