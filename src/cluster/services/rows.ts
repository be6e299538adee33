// What the shared tables hold of services: what is wanted (a service, what a manager says of a
// node), what addresses are given for it, how far an update has come, and which tasks there are.
// The first four are signed by managers; of the others each node writes its own.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { tryIpv4 } from '../../base/text.ts'
import type { TableSpec } from '../tables/events.ts'

export const TABLE_SERVICE = 'service'
export const TABLE_ROLLOUT = 'rollout'
export const TABLE_NODE_SPEC = 'node-spec'
export const TABLE_LEASE = 'lease'
export const TABLE_TASK = 'task'
export const TABLE_REQUEST = 'request'

/** Rows of these only managers write, and every node checks that. */
export const SIGNED_SERVICE_TABLES = [TABLE_SERVICE, TABLE_ROLLOUT, TABLE_NODE_SPEC, TABLE_LEASE]

export const SERVICE_TABLES: readonly TableSpec[] = [
  ...SIGNED_SERVICE_TABLES.map(name => ({ name, owned: false })),
  { name: TABLE_TASK, owned: true },
  { name: TABLE_REQUEST, owned: true },
]

/** Tasks of one service that may be wanted. */
export const REPLICAS_MAX = 1024
export const SERVICE_NAME_MAX = 63
/** "web.1.<25 digits>", and of a global service "web.<id of the node>.<25 digits>". */
export const TASK_NAME_MAX = SERVICE_NAME_MAX + 1 + 25 + 1 + 25

const id = z.string().min(1).max(25)
const text = z.string().max(4096)
const ms = z.number().min(0)
const ipv4 = z.string().refine(value => tryIpv4(value) >= 0, 'not an IPv4 address')
const port = z.int().min(1).max(65_535)
const labels = z.record(z.string(), z.string())

export const publishedPort = z.object({
  protocol: z.enum(['tcp', 'udp']),
  /** On every node (ingress), or where a task runs (host). */
  mode: z.enum(['ingress', 'host']),
  published: port,
  target: port,
  /** Whether the task sees the client's own address, or that of the node that was asked. */
  source: z.enum(['node', 'preserve']).default('node'),
})

export const updatePolicy = z.object({
  /** Tasks that are replaced at one time; 0: all. */
  parallelism: z.int().min(0).max(REPLICAS_MAX),
  delayMs: ms,
  order: z.enum(['stop-first', 'start-first']),
  failureAction: z.enum(['pause', 'continue', 'rollback']),
  /** A new task that fails within this time counts as a failed update. */
  monitorMs: ms,
})

/** What each task of a service is started with. A change of it replaces the tasks. */
export const taskTemplate = z.object({
  command: z.array(text).min(1),
  env: z.array(text),
  workdir: text.nullable(),
  user: text.nullable(),
  /** May hold {{.Task.Slot}}, {{.Node.Hostname}} and the like; null: the first 12 digits. */
  hostname: text.nullable(),
  /** "process": a process of the host; "crun": inside `rootfs` by an OCI runtime. */
  runtime: z.enum(['process', 'crun']).default('process'),
  rootfs: text.nullable(),
  networks: z.array(z.object({ id, aliases: z.array(z.string().max(63)) })).max(8),
  stopGraceMs: ms,
  restart: z.object({
    condition: z.enum(['any', 'on-failure', 'none']),
    delayMs: ms,
    /** null: as often as it takes */
    maxAttempts: z.int().min(0).nullable(),
  }),
  /** "node.hostname==node1", "node.labels.zone!=b", … */
  constraints: z.array(text),
  /** Raised by `service update --force`. */
  force: z.int().min(0),
})

export const serviceSpec = z.object({
  name: z.string().min(1).max(SERVICE_NAME_MAX),
  labels,
  mode: z.enum(['replicated', 'global']),
  /** null for a global service */
  replicas: z.int().min(0).max(REPLICAS_MAX).nullable(),
  task: taskTemplate,
  endpointMode: z.enum(['vip', 'dnsrr']),
  ports: z.array(publishedPort),
  update: updatePolicy,
  rollback: updatePolicy,
  scheduler: z.enum(['rr', 'wrr', 'lc', 'sh', 'maglev']).default('rr'),
  /** Weights of slots that are not 1, for wrr. */
  weights: z.record(z.string(), z.int().min(0).max(65_535)).default({}),
})

/** Key: the service's id; the spec from before the last update stands at "ID/previous". */
export const serviceRow = z.object({
  spec: serviceSpec,
  /** Counts every change of the spec. */
  version: z.int().min(1),
  /** Counts changes of the task template: a task of another generation is to be replaced. */
  generation: z.int().min(1),
  createdAt: ms,
  updatedAt: ms,
})

/** Key: the service's id. How far an update has come; the tasks of `slots` may be replaced. */
export const rolloutRow = z.object({
  generation: z.int().min(1),
  state: z.enum(['updating', 'paused', 'completed', 'rollback_started', 'rollback_paused',
    'rollback_completed']),
  slots: z.array(z.string().max(25)),
  startedAt: ms,
  finishedAt: ms.nullable(),
  message: text,
})

/** Key: the node's id. What managers say about a node. */
export const nodeSpecRow = z.object({
  availability: z.enum(['active', 'pause', 'drain']),
  labels,
})

/** Key: leaseKey(). The address stays with its holder until it is freed: see leases.ts. */
export const leaseRow = z.object({
  address: ipv4,
  /** Counts what the network has given in order; 0: it was named, and the order did not move. */
  turn: z.int().min(0).default(0),
  /** Given while a manager was missing, and so from this half's share of the subnet. */
  apart: z.boolean().default(false),
  /** Nobody holds it any more. It rests from the row's stamp on, and then the row goes. */
  freed: z.boolean().default(false),
})

/** Key "NODE/REQUEST": a node wants an address for a task of its own. */
export const requestRow = z.object({ network: id, wanted: ipv4.nullable() })

export const TASK_STATES = ['assigned', 'preparing', 'starting', 'running', 'draining', 'complete',
  'shutdown', 'failed', 'rejected'] as const
export type ServiceTaskState = typeof TASK_STATES[number]
/** A task in one of these has ended and does not begin again. */
export const ENDED_STATES: readonly ServiceTaskState[] =
  ['complete', 'shutdown', 'failed', 'rejected']

/** Key "NODE/TASK", TASK being 25 digits. Of two tasks for a slot see claims.ts. */
export const taskRow = z.object({
  service: id,
  /** "1", "2", …; of a global service the node's id */
  slot: z.string().min(1).max(25),
  generation: z.int().min(1),
  desired: z.enum(['running', 'shutdown']),
  state: z.enum(TASK_STATES),
  /** Why it failed or was refused; empty when there is nothing to say. */
  error: text,
  exitCode: z.int().nullable(),
  /** Id of the local task that runs it, 64 hex digits; null before there is one. */
  container: z.string().max(64).nullable(),
  createdAt: ms,
  /** When its node claimed the slot for it last: when it was created, or taken up again. */
  claimedAt: ms.default(0),
  /** When it came into `state`. */
  stateAt: ms,
  /** How often a majority has given the slot away because its node was gone: the higher has it. */
  term: z.int().min(0).default(0),
  /** Tasks of this slot and generation that had ended by themselves before this one. */
  attempt: z.int().min(0).default(0),
  /** templateOf() of what it was started with. */
  template: z.string().max(16).default(''),
  /** Which of the two addresses of its slot it has: see leaseSlot(). */
  side: z.int().min(0).max(1).default(0),
})

export type PublishedPort = z.output<typeof publishedPort>
export type UpdatePolicy = z.output<typeof updatePolicy>
export type TaskTemplate = z.output<typeof taskTemplate>
export type ServiceSpec = z.output<typeof serviceSpec>
export type ServiceRow = z.output<typeof serviceRow>
export type RolloutRow = z.output<typeof rolloutRow>
export type NodeSpecRow = z.output<typeof nodeSpecRow>
export type LeaseRow = z.output<typeof leaseRow>
export type RequestRow = z.output<typeof requestRow>
export type ServiceTaskRow = z.output<typeof taskRow>

/** Who may hold an address of a network: a service, one of its slots, a node's own request. */
export type Holder =
  | Readonly<{ kind: 'vip'; service: string }>
  | Readonly<{ kind: 'slot'; service: string; slot: string }>
  | Readonly<{ kind: 'ask'; node: string; request: string }>
  /** A node's address on the ingress network. */
  | Readonly<{ kind: 'node'; node: string }>

export function leaseKey(network: string, holder: Holder): string {
  switch (holder.kind) {
    case 'vip': return `${network}/vip/${holder.service}`
    case 'slot': return `${network}/slot/${holder.service}/${holder.slot}`
    case 'ask': return `${network}/ask/${holder.node}/${holder.request}`
    case 'node': return `${network}/node/${holder.node}`
  }
}

/** The network and the holder of a lease, or null when the key is not one of leaseKey(). */
export function parseLeaseKey(key: string): { network: string; holder: Holder } | null {
  const [network = '', kind, first = '', second = '', ...rest] = key.split('/')
  if (network === '' || first === '' || rest.length > 0) return null
  if (kind === 'vip' && second === '') return { network, holder: { kind, service: first } }
  if (kind === 'node' && second === '') return { network, holder: { kind, node: first } }
  if (second === '') return null
  if (kind === 'slot') return { network, holder: { kind, service: first, slot: second } }
  if (kind === 'ask') return { network, holder: { kind, node: first, request: second } }
  return null
}

/** Two managers on both sides of a split that create "the same" service get the same id. */
export function serviceIdOf(name: string): string {
  const digest = createHash('sha256').update(`service ${name}`).digest('hex')
  return BigInt(`0x${digest}`).toString(36).padStart(50, '0').slice(-25)
}

export const previousKey = (serviceId: string): string => `${serviceId}/previous`
export const taskKey = (nodeId: string, taskId: string): string => `${nodeId}/${taskId}`

/** "web.1.<25 digits>": how a task of a service is called everywhere. */
export function taskName(service: string, slot: string, taskId: string): string {
  return `${service}.${slot}.${taskId}`
}
