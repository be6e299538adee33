// docs/openapi.json: the cluster, its nodes, and what they know together.
import { z } from 'zod'
import type {
  ClusterChangeView, ClusterView, NodeView, PeerView, PingLine, PingView, TableRowView, TokenView,
} from '../../daemon/cluster-views.ts'
import type { TableView } from '../cluster-client.ts'
import {
  count, counters, json, labelsShape, lines, nothingAnswered, type Operations, shapeOf, time,
} from './operation.ts'
import { serviceTaskShape } from './services.ts'

const role = z.enum(['manager', 'worker'])

export const clusterShape = shapeOf<ClusterView>('Cluster')(z.strictObject({
  id: z.string().describe('25 digits of base 36'),
  name: z.string(),
  nodeId: z.string().describe('Of this node'),
  nodeName: z.string(),
  role: role.describe('Of this node'),
  insecure: z.boolean().describe('Gossip goes in the clear'),
  address: z.string().describe('Where gossip of this node arrives: "192.168.56.11:7946"'),
  members: count.describe('Nodes that are here, this one included'),
  keys: z.strictObject({ generation: count, rotatedAt: time }).nullable()
    .describe('How often the key ring was rotated, and when last; null when insecure'),
  certificate: z.strictObject({ expiresAt: time, fingerprint: z.string() }),
  counters: counters.describe('Of the mesh, by name'),
}))

export const tokenShape = shapeOf<TokenView>('Token')(z.strictObject({
  role,
  token: z.string(),
  command: z.string().describe('What another node is to say'),
}))

export const nodeShape = shapeOf<NodeView>('Node')(z.strictObject({
  id: z.string(),
  name: z.string(),
  self: z.boolean(),
  role,
  status: z.enum(['Ready', 'Down']),
  availability: z.enum(['Active', 'Pause', 'Drain'])
    .describe('Whether it gets tasks of services, keeps them, or loses them'),
  managerStatus: z.enum(['Leader', 'Reachable', 'Unreachable', ''])
    .describe('"Leader": the manager to which derived work falls; nobody was elected'),
  version: z.string(),
  address: z.string().describe('Underlay address of its VTEP'),
  mesh: z.string().describe('Where its gossip arrives'),
  joinedAt: time,
  epoch: count.describe('Unix seconds of its last start'),
  labels: labelsShape,
}))

export const peerShape = shapeOf<PeerView>('Peer')(z.strictObject({
  name: z.string(),
  id: z.string().nullable(),
  mesh: z.string(),
  state: z.enum(['alive', 'suspect', 'dead', 'left']),
  reason: z.string().describe('Why it is in this state; empty: nothing to say'),
  doubtful: z.boolean().describe('It was not heard for a moment'),
  rttMs: z.number().nullable(),
  tables: z.enum(['equal', 'differ', 'unknown'])
    .describe('Whether its tables had the digest of ours when they were last compared'),
  lastSeenMsAgo: z.number().nullable(),
  pathMtuOctets: z.int().nullable(),
}))

export const tableShape = shapeOf<TableView>('Table')(z.strictObject({
  table: z.string(), rows: count, hidden: count, digest: z.string(),
}))

export const rowShape = shapeOf<TableRowView>('TableRow')(z.strictObject({
  table: z.string(),
  key: z.string(),
  value: z.unknown().describe('As it was written; null for a row that was deleted'),
  deleted: z.boolean(),
  hidden: z.boolean().describe('Deleted, or of a node that is not there: without effect'),
  node: z.string().describe('Name of the node that wrote it, or its id'),
  writtenAt: time,
  stamp: z.string(),
}))

export const changeShape = shapeOf<ClusterChangeView>('ClusterChange')(z.strictObject({
  at: time,
  what: z.enum(['member', 'row']),
  change: z.string()
    .describe('Of a member its new state; of a row "set", "delete", "hide" or "show"'),
  name: z.string(),
  detail: z.unknown(),
}))

export const pingLineShape = shapeOf<PingLine>('PingLine')(z.strictObject({
  sent: count, received: count, minMs: z.number(), avgMs: z.number(), maxMs: z.number(),
}))

export const pingShape = shapeOf<PingView>('Ping')(z.strictObject({
  node: z.string(),
  underlay: pingLineShape.nullable(),
  mesh: pingLineShape.nullable(),
  pathMtuOctets: z.int().nullable(),
  notes: z.array(z.string()).describe('What could not be measured, and why'),
}))

export const clusterOperations: Operations = {
  'GET /v1/cluster': { id: 'cluster', summary: 'Show the cluster of this node',
    description: 'null: it is in none.', answer: json(clusterShape.nullable()) },
  'POST /v1/cluster/init': { id: 'initCluster',
    summary: 'Begin a cluster with this node as its first manager', status: 201,
    answer: json(z.strictObject({ cluster: clusterShape, worker: tokenShape })) },
  'POST /v1/cluster/join': { id: 'joinCluster', summary: 'Join a cluster',
    description: 'Answers when everything is on disk. It waits up to 20 seconds for a node of '
      + 'the same name to be gone.',
    status: 201, answer: json(clusterShape) },
  'POST /v1/cluster/leave': { id: 'leaveCluster', summary: 'Leave the cluster',
    description: 'The last manager leaves only with `force`.',
    status: 204, answer: nothingAnswered },
  'GET /v1/cluster/tokens/:role': { id: 'joinToken', summary: 'Show the token for more nodes',
    description: 'Managers only.', answer: json(tokenShape) },
  'POST /v1/cluster/tokens/:role/rotate': { id: 'rotateJoinToken',
    summary: 'Replace a token; the old one admits nobody any more', answer: json(tokenShape) },
  'POST /v1/cluster/keys/rotate': { id: 'rotateKeys', summary: 'Replace the gossip keys',
    description: '409 within 30 seconds after the last time.', answer: json(clusterShape) },
  'GET /v1/cluster/tables': { id: 'tables', summary: 'List the tables that all nodes share',
    answer: json(z.array(tableShape)) },
  'GET /v1/cluster/tables/:table': { id: 'table', summary: 'Show the rows of a table',
    answer: json(z.array(rowShape)) },
  'GET /v1/cluster/watch': { id: 'watchCluster',
    summary: 'Follow changes of members and rows, from now on',
    description: 'Ends when you hang up, when the daemon stops, or when you are 4,096 changes '
      + 'behind.',
    answer: lines(changeShape) },
  'GET /v1/nodes': { id: 'nodes', summary: 'List nodes', answer: json(z.array(nodeShape)) },
  'GET /v1/nodes/:node': { id: 'node', summary: 'Show a node', answer: json(nodeShape) },
  'DELETE /v1/nodes/:node': { id: 'removeNode', summary: 'Forget a node',
    description: '409 for one that is alive, unless `force` is true: then it is shut out.',
    status: 204, answer: nothingAnswered },
  'GET /v1/nodes/:node/tasks': { id: 'nodeTasks', summary: 'List tasks of services on a node',
    answer: json(z.array(serviceTaskShape)) },
  'POST /v1/nodes/:node/update': { id: 'updateNode', summary: 'Change what managers say of a node',
    description: 'What is absent stays as it is. A node keeps the role with which it joined: for '
      + 'another one 409.',
    answer: json(nodeShape) },
  'GET /v1/nodes/:node/ping': { id: 'pingNode', summary: 'Measure the way to another node',
    description: 'Takes about a second for each echo.', answer: json(pingShape) },
  'GET /v1/peers': { id: 'peers', summary: 'List the members of the mesh as this node sees them',
    answer: json(z.array(peerShape)) },
}
