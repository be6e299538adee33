// Shapes of requests that concern services. As in schema.ts everything is checked and unknown keys
// are refused; what a name stands for, and whether a port is free, the daemon finds out.
import { z } from 'zod'
import { DURATION_MS_MAX, GRACE_MS_MAX } from './question.ts'
import {
  environment, flag, labels, name, TAIL_LINES_MAX, text, whole, words,
} from './schema.ts'

const ATTEMPTS_MAX = 1_000_000

const ms = whole(0, DURATION_MS_MAX)
const graceMs = whole(0, GRACE_MS_MAX)
const port = whole(1, 65_535)
const which = z.string().min(1).max(63)
const command = words.min(1, 'a service needs a command').refine(all => all[0] !== '',
  'the command has no name')
const folder = text.startsWith('/', 'the working directory is an absolute path')
const attachment = z.strictObject({ network: which, aliases: z.array(name).default([]) })
const mode = z.enum(['replicated', 'global'],
  { error: 'it is "replicated" or "global"' })
const endpointMode = z.enum(['vip', 'dnsrr'], { error: 'it is "vip" or "dnsrr"' })
const runtime = z.enum(['process', 'crun'], { error: 'it is "process" or "crun"' })
const scheduler = z.enum(['rr', 'wrr', 'lc', 'sh', 'maglev'],
  { error: 'it is "rr", "wrr", "lc", "sh" or "maglev"' })
const protocol = z.enum(['tcp', 'udp'], { error: 'it is "tcp" or "udp"' })
/** How many there may be the daemon says, so that a number of any kind is told alike. */
const replicas = z.int({ error: 'replicas are a whole number' })
const weights = z.record(z.string().regex(/^\d{1,4}$/, 'a slot is a number'), whole(0, 65_535))

const publish = z.strictObject({
  protocol: protocol.default('tcp'),
  mode: z.enum(['ingress', 'host'], { error: 'it is "ingress" or "host"' })
    .default('ingress'),
  published: port.optional().describe('Absent: one from 30000 to 32767 is chosen'),
  target: port,
  source: z.enum(['node', 'preserve']).optional(),
})

const restart = z.strictObject({
  condition: z.enum(['any', 'on-failure', 'none'],
    { error: 'it is "any", "on-failure" or "none"' }).default('any'),
  delayMs: ms.default(5000),
  maxAttempts: whole(0, ATTEMPTS_MAX).nullable().default(null)
    .describe('null: as often as it takes'),
})

const policy = z.strictObject({
  parallelism: whole(0, 1024).default(1).describe('Tasks that are replaced at one time; 0: all'),
  delayMs: ms.default(0),
  order: z.enum(['stop-first', 'start-first'],
    { error: 'it is "stop-first" or "start-first"' }).default('stop-first'),
  failureAction: z.enum(['pause', 'continue', 'rollback'],
    { error: 'it is "pause", "continue" or "rollback"' }).default('pause'),
  monitorMs: ms.default(5000)
    .describe('A new task that fails within this time counts as a failed update'),
})

/** What fails on the way back is not taken back again. */
const backPolicy = policy.extend({
  failureAction: z.enum(['pause', 'continue'], { error: 'it is "pause" or "continue"' })
    .default('pause'),
})

/** POST /v1/services */
export const serviceCreate = z.strictObject({
  name: z.string().optional().describe('Absent: one is made up'),
  labels: labels.default({}),
  mode: mode.default('replicated'),
  replicas: replicas.nullable().default(null).describe('null: 1; a global service has no number'),
  command,
  env: environment.default([]),
  workdir: folder.nullable().default(null),
  user: text.min(1).nullable().default(null),
  hostname: text.min(1).nullable().default(null),
  runtime: runtime.default('process'),
  rootfs: folder.nullable().default(null),
  networks: z.array(attachment).default([]),
  stopGraceMs: graceMs.default(10_000),
  restart: restart.prefault({}),
  constraints: z.array(text).default([]).describe('"node.hostname==node1" and the like'),
  endpointMode: endpointMode.default('vip'),
  ports: z.array(publish).default([]),
  update: policy.prefault({}),
  rollback: backPolicy.prefault({}),
  scheduler: scheduler.default('rr'),
  weights: weights.default({}).describe('By slot, for "wrr"; 1 is that of every slot without one'),
})
export type ServiceCreate = z.input<typeof serviceCreate>

const bare = <S extends z.ZodRawShape>(schema: z.ZodObject<S>) =>
  z.strictObject(Object.fromEntries(Object.entries(schema.shape).map(([key, one]) => [key,
    (one instanceof z.ZodDefault ? one.unwrap() as z.ZodType : one as z.ZodType).optional()])))

/** POST /v1/services/:service/update: what is absent stays as it is. */
export const serviceUpdate = z.strictObject({
  replicas: replicas.optional(),
  command: command.optional(),
  workdir: folder.nullable().optional(),
  user: text.min(1).nullable().optional(),
  hostname: text.min(1).nullable().optional(),
  runtime: runtime.optional(),
  rootfs: folder.nullable().optional(),
  stopGraceMs: graceMs.optional(),
  endpointMode: endpointMode.optional(),
  scheduler: scheduler.optional(),
  weights: weights.optional(),
  restart: bare(restart).optional(),
  update: bare(policy).optional(),
  rollback: bare(backPolicy).optional(),
  envAdd: environment.optional(),
  envRemove: z.array(text).optional().describe('Names of variables'),
  labelsAdd: labels.optional(),
  labelsRemove: z.array(text).optional(),
  constraintsAdd: z.array(text).optional(),
  constraintsRemove: z.array(text).optional(),
  networksAdd: z.array(attachment).optional(),
  networksRemove: z.array(which).optional(),
  portsAdd: z.array(publish).optional(),
  portsRemove: z.array(z.strictObject({ target: port, protocol: protocol.default('tcp') }))
    .optional().describe('By target port'),
  force: z.boolean().optional().describe('Replace the tasks although nothing of them changed'),
})
export type ServiceUpdate = z.input<typeof serviceUpdate>

/** GET /v1/services/:service/logs */
export const serviceLogs = z.strictObject({
  follow: flag.default(false).describe('Go on until you hang up'),
  tail: z.string().regex(/^\d{1,7}$/, 'tail is a number of lines').transform(Number)
    .pipe(z.int().max(TAIL_LINES_MAX)).optional()
    .describe('Only the last lines of each task; absent: all'),
})
