// docs/openapi.json: networks, VTEPs, and what was learned.
import { z } from 'zod'
import type {
  LearnedView, NetworkServiceView, NetworkView, VtepView,
} from '../../daemon/views.ts'
import { endpointShape } from './endpoint.ts'
import { json, labelsShape, nothingAnswered, type Operations, shapeOf, time } from './operation.ts'
import { taskShape } from './tasks.ts'

export const networkShape = shapeOf<NetworkView>('Network')(z.strictObject({
  id: z.string().describe('25 digits of base 36; of a "bridge" 64 hex digits'),
  name: z.string(),
  driver: z.string().describe('"overlay"; or "bridge": the gateway network of the node, no VNI'),
  scope: z.string().describe('"swarm": of the cluster; "local": of this node alone'),
  createdAt: time,
  subnet: z.string().describe('"10.0.1.0/24"'),
  gateway: z.string(),
  vni: z.int(),
  mtu: z.int().describe('Of its tasks, octets'),
  labels: labelsShape,
  attachable: z.boolean().describe('Tasks of POST /v1/tasks may join, not only those of services'),
  internal: z.boolean().describe('Its tasks get no way out of the cluster'),
  ingress: z.boolean().describe('It is the one of published ports, which nobody made'),
  skipped: z.array(z.strictObject({ subnet: z.string(), reason: z.string() }))
    .describe('Subnets that were passed over when this one was chosen'),
  endpoints: z.array(endpointShape).describe('Those of this node'),
  peers: z.array(z.strictObject({
    node: z.string(), id: z.string(), address: z.string().describe('Of its VTEP'),
  })).describe('Nodes of the cluster that have endpoints in it'),
  vteps: z.array(z.string()),
  lacks: z.array(z.strictObject({
    holder: z.string().describe('"web.3", "a task of node2"'), reason: z.string(),
  })).optional().describe('Who is to have an address in it and has none; not in lists'),
}))

export const networkServiceShape = shapeOf<NetworkServiceView>('NetworkService')(z.strictObject({
  name: z.string().describe('Empty: tasks that belong to no service'),
  vip: z.string().nullable(),
  ports: z.array(z.strictObject({
    published: z.int(), target: z.int(), protocol: z.string(),
  })),
  tasks: z.array(z.strictObject({
    name: z.string(),
    endpoint: z.string().describe('NODE/PORT, the key of its row'),
    address: z.string(),
    host: z.string().describe('Underlay address of its node'),
  })).describe('Of all nodes'),
}))

export const vtepShape = shapeOf<VtepView>('Vtep')(z.strictObject({
  address: z.string(),
  port: z.int(),
  network: z.string().nullable().describe('null: for every network'),
  remoteChecksum: z.boolean().describe('It agreed to finish inner checksums'),
}))

export const learnedShape = shapeOf<LearnedView>('Learned')(z.strictObject({
  network: z.string(),
  mac: z.string(),
  via: z.string().describe('Address of the VTEP'),
  ageMs: z.number(),
}))

export const networkOperations: Operations = {
  'GET /v1/networks': { id: 'networks', summary: 'List networks',
    answer: json(z.array(networkShape)) },
  'POST /v1/networks': { id: 'createNetwork', summary: 'Make a network',
    description: 'Subnet, VNI and MTU are chosen when they are not named. In a cluster it is on '
      + 'all nodes, and only managers make one.',
    status: 201, answer: json(networkShape) },
  'POST /v1/networks/prune': { id: 'pruneNetworks', summary: 'Remove networks that nobody uses',
    description: 'Answers their names.', answer: json(z.array(z.string())) },
  'GET /v1/networks/:network': { id: 'network', summary: 'Show a network',
    answer: json(networkShape) },
  'DELETE /v1/networks/:network': { id: 'removeNetwork', summary: 'Remove a network',
    description: '409 names the tasks and services that use it.',
    status: 204, answer: nothingAnswered },
  'GET /v1/networks/:network/services': { id: 'networkServices',
    summary: 'List what is in a network: services, and tasks of all nodes',
    answer: json(z.array(networkServiceShape)) },
  'POST /v1/networks/:network/connect': { id: 'connectTask',
    summary: 'Give a task that lives an interface in one more network', answer: json(taskShape) },
  'POST /v1/networks/:network/disconnect': { id: 'disconnectTask',
    summary: 'Take the interface in this network away from a task', answer: json(taskShape) },
  'GET /v1/vteps': { id: 'vteps', summary: 'List VTEPs that were named by hand',
    description: 'Nodes of the cluster need not be named and are not among them.',
    answer: json(z.array(vtepShape)) },
  'POST /v1/vteps': { id: 'addVtep', summary: 'Name a remote VTEP',
    status: 201, answer: json(vtepShape) },
  'DELETE /v1/vteps/:address': { id: 'removeVtep', summary: 'Forget a remote VTEP',
    status: 204, answer: nothingAnswered },
  'GET /v1/fdb': { id: 'learned', summary: 'List MAC addresses that were learned, and where',
    answer: json(z.array(learnedShape)) },
}
