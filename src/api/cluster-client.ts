// The part of the client that speaks of the cluster: nodes, peers, tokens, tables.
import type {
  ClusterChangeView, ClusterView, NodeRole, NodeView, PeerView, PingView, TableRowView, TokenView,
} from '../daemon/cluster-views.ts'
import type { ServiceTaskView } from '../daemon/service-views.ts'
import { type Ask, part, query } from './question.ts'
import type { ClusterInit, ClusterJoin, NodeUpdate } from './schema.ts'

/** A join waits for another machine, and perhaps for a node of the same name to be gone. */
export const JOIN_TIMEOUT_MS = 90_000
/** Longest line of a stream of changes. */
const LINE_LENGTH_MAX = 1 << 20

export type TableView = { table: string; rows: number; hidden: number; digest: string }

/** Ways to ask the daemon, as client.ts has them. */
export type Asking = {
  ask<T>(question: Ask): Promise<T>
  get<T>(path: string): Promise<T>
  post<T>(path: string, body: unknown): Promise<T>
  remove(path: string): Promise<void>
  stream(path: string, signal?: AbortSignal): AsyncIterable<Uint8Array>
  timeoutMs: number
}

export function makeClusterClient({ ask, get, post, remove, stream, timeoutMs }: Asking) {
  return {
    /** null: this node is in no cluster. */
    cluster: () => get<ClusterView | null>('/v1/cluster'),
    initCluster: (body: ClusterInit) =>
      post<{ cluster: ClusterView; worker: TokenView }>('/v1/cluster/init', body),
    joinCluster: (body: ClusterJoin) => ask<ClusterView>({
      method: 'POST', path: '/v1/cluster/join', body, timeoutMs: JOIN_TIMEOUT_MS,
    }),
    leaveCluster: (force = false) => post<void>('/v1/cluster/leave', { force }),
    joinToken: (role: NodeRole) => get<TokenView>(`/v1/cluster/tokens/${part(role)}`),
    rotateJoinToken: (role: NodeRole) =>
      post<TokenView>(`/v1/cluster/tokens/${part(role)}/rotate`, {}),
    rotateKeys: () => post<ClusterView>('/v1/cluster/keys/rotate', {}),
    nodes: () => get<NodeView[]>('/v1/nodes'),
    node: (which: string) => get<NodeView>(`/v1/nodes/${part(which)}`),
    updateNode: (which: string, body: NodeUpdate) =>
      post<NodeView>(`/v1/nodes/${part(which)}/update`, body),
    nodeTasks: (which: string) => get<ServiceTaskView[]>(`/v1/nodes/${part(which)}/tasks`),
    removeNode: (which: string, force = false) =>
      remove(`/v1/nodes/${part(which)}${query({ force: force || undefined })}`),
    pingNode: (which: string, count: number) => ask<PingView>({
      method: 'GET', path: `/v1/nodes/${part(which)}/ping${query({ count })}`,
      timeoutMs: timeoutMs + count * 1000,
    }),
    peers: () => get<PeerView[]>('/v1/peers'),
    tables: () => get<TableView[]>('/v1/cluster/tables'),
    table: (name: string) => get<TableRowView[]>(`/v1/cluster/tables/${part(name)}`),
    /** Changes from now on, until the signal fires or the daemon stops. */
    watchCluster: (signal?: AbortSignal) =>
      linesOf<ClusterChangeView>(stream('/v1/cluster/watch', signal)),
  }
}

/** One JSON value a line. */
export async function* linesOf<T>(octets: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const part of octets) {
    const lines = (rest + decoder.decode(part, { stream: true })).split('\n')
    rest = (lines.pop() ?? '').slice(0, LINE_LENGTH_MAX)
    for (const line of lines) yield JSON.parse(line) as T
  }
}
