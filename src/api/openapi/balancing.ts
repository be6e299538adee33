// docs/openapi.json: load balancing on this node.
import { z } from 'zod'
import type {
  BackendView, BalancedView, FlowsView, FlowView, LbRuleView,
} from '../../daemon/lb-views.ts'
import { count, json, type Operations, shapeOf } from './operation.ts'

export const backendShape = shapeOf<BackendView>('Backend')(z.strictObject({
  task: z.string().describe('"web.1.<25 digits>"'),
  node: z.string(),
  address: z.string(),
  weight: z.number().describe('0: it keeps what it has, and takes nothing new'),
  active: count.describe('Open connections from this node'),
  inactive: count.describe('All other flows from this node'),
}))

export const balancedShape = shapeOf<BalancedView>('Balanced')(z.strictObject({
  mark: z.int().describe('256 is the first: what a rule sets, and what names the service'),
  service: z.string(),
  network: z.string(),
  vip: z.string().describe('Empty: only ports of mode "host" lead to it'),
  scheduler: z.enum(['rr', 'wrr', 'lc', 'sh', 'maglev']),
  backends: z.array(backendShape),
}))

export const ruleShape = shapeOf<LbRuleView>('LbRule')(z.strictObject({
  kind: z.enum(['vip', 'published']).describe('"published": ports of the host lead to it'),
  network: z.string(),
  address: z.string(),
  protocols: z.string().describe('"tcp,udp", or one of them'),
  ports: z.string().describe('"all", or a published one: "8080"'),
  mark: z.int(),
  service: z.string(),
}))

export const flowShape = shapeOf<FlowView>('Flow')(z.strictObject({
  protocol: z.enum(['tcp', 'udp']),
  service: z.string(),
  network: z.string(),
  mark: z.int(),
  client: z.string().describe('Address and port: "10.0.1.2:5000"'),
  vip: z.string(),
  backend: z.string(),
  state: z.enum(['opening', 'established', 'closing', 'closed', 'datagrams']),
  idleMs: z.number(),
}))

export const flowsShape = shapeOf<FlowsView>('Flows')(z.strictObject({
  flows: z.array(flowShape),
  used: count.describe('Flows in the tables of this node'),
  capacity: count.describe('How many there may be'),
}))

export const balancingOperations: Operations = {
  'GET /v1/lb/services': { id: 'balanced', summary: 'List services that this node balances',
    answer: json(z.array(balancedShape)) },
  'GET /v1/lb/rules': { id: 'lbRules', summary: 'List which address leads to which service',
    answer: json(z.array(ruleShape)) },
  'GET /v1/lb/flows': { id: 'flows', summary: 'List connections through virtual addresses',
    description: 'Those that begin on this node.', answer: json(flowsShape) },
}
