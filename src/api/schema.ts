// Shapes of requests, shared by routes, client and command line; what is answered has the shapes of
// daemon/views.ts. Every body and query is checked against these schemas before anything acts on
// it, and unknown keys are refused.
import { constants } from 'node:os'
import { z } from 'zod'
import { UsageError } from '../base/errors.ts'
import { parseCidr, parseHostPort, parseIpv4 } from '../base/text.ts'
import { GRACE_MS_MAX } from './question.ts'

export const NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/
export const VNI_MAX = 16_777_215
/** Every IPv4 host takes in as much: RFC 791 section 3.2. */
export const MTU_MIN = 576
/** The largest IPv4 packet less 50 octets of headers: RFC 7348 section 5. */
export const MTU_MAX = 65_485
export const COMMAND_WORDS_MAX = 1024
/** MAX_ARG_STRLEN of the kernel: linux/binfmts.h. */
export const WORD_OCTETS_MAX = 131_072
export const ENV_ENTRIES_MAX = 1024
export const LABELS_MAX = 64
export const NETWORKS_PER_TASK_MAX = 8
export const GRACE_MS = 10_000
export const TAIL_LINES_MAX = 1_000_000
/** The UDP port of VXLAN: RFC 7348 section 5. */
const VXLAN_PORT = 4789

export const name = z.string().regex(NAME_PATTERN, 'a name is 1 to 63 of letters, digits, "_", '
  + '"." and "-", and begins with a letter or digit')
export const text = z.string().max(4096)
/** HOST_NAME_MAX of linux/limits.h is 64; a label of DNS has 63: RFC 1035 section 2.3.4. */
const hostname = z.string().max(64)
  .regex(/^(?!-)[a-zA-Z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-zA-Z0-9-]{1,63}(?<!-))*$/,
    'a host name is up to 64 of letters, digits, "-" and "."')
const path = text.startsWith('/', 'a path begins with "/"')
const word = z.string().max(WORD_OCTETS_MAX).refine(w => !w.includes('\0'), 'NUL is not allowed')
export const words = z.array(word).max(COMMAND_WORDS_MAX)
export const labels = z.record(text.min(1), text)
  .refine(l => Object.keys(l).length <= LABELS_MAX, `at most ${LABELS_MAX} labels`)
export const environment = z.array(word.regex(/^[^=\0]+=/, 'an environment entry is KEY=VALUE'))
  .max(ENV_ENTRIES_MAX)
const cidr = text.superRefine(refusedBy(parseCidr))
const ipv4 = text.superRefine(refusedBy(parseIpv4))
const hostPort = text.superRefine(refusedBy(value => parseHostPort(value, VXLAN_PORT)))
/** A yes or no in a query. */
export const flag = z.enum(['true', 'false', '1', '0'], { error: 'say true or false' })
  .transform(value => value === 'true' || value === '1')

export const networkCreate = z.strictObject({
  name,
  driver: z.literal('overlay', { error: 'the only driver is "overlay"' }).default('overlay'),
  subnet: cidr.optional(),
  gateway: ipv4.optional(),
  vni: whole(1, VNI_MAX).optional(),
  mtu: whole(MTU_MIN, MTU_MAX).optional(),
  labels: labels.default({}),
  /** Tasks of `tapmesh run` may join. */
  attachable: z.boolean().default(true),
  internal: z.boolean().default(false),
})
export type NetworkCreate = z.input<typeof networkCreate>

const task = text.min(1).max(128)
/** POST /v1/networks/:network/connect */
export const networkConnect = z.strictObject({ task, address: ipv4.optional() })
export type NetworkConnect = z.input<typeof networkConnect>

/** POST /v1/networks/:network/disconnect */
export const networkDisconnect = z.strictObject({ task })

/** POST /v1/networks/prune */
export const networkPrune = z.strictObject({
  untilMs: z.number().min(0).optional(),
  labels: z.array(text).max(LABELS_MAX).default([]),
  labelsNot: z.array(text).max(LABELS_MAX).default([]),
})
export type NetworkPrune = z.input<typeof networkPrune>

export const vtepAdd = z.strictObject({
  /** "192.168.56.12" or "192.168.56.12:4789" */
  address: hostPort,
  /** Only for this network; absent: for every network. */
  network: name.optional(),
  /** The VTEP finishes inner checksums for us; only one of our own that agreed. */
  remoteChecksum: z.boolean().optional(),
})
export type VtepAdd = z.input<typeof vtepAdd>

/** DELETE /v1/vteps/:address: its query, and the whole of it */
export const vtepOfNetwork = vtepAdd.pick({ network: true })
export const vtepRemove = vtepAdd.omit({ remoteChecksum: true })

export const taskRun = z.strictObject({
  name: name.optional(),
  networks: z.array(z.strictObject({ network: name, address: ipv4.optional() }))
    .min(1, 'a task needs at least one --network').max(NETWORKS_PER_TASK_MAX),
  /** Empty: a bare namespace. */
  command: words.refine(all => all[0] !== '', 'the command has no name').default([]),
  env: environment.default([]),
  workdir: text.startsWith('/', 'the working directory is an absolute path').optional(),
  user: text.regex(/^[^:\0]+(?::[^:\0]+)?$/, 'a user is NAME[:GROUP] or UID[:GID]').optional(),
  hostname: hostname.optional(),
  stopGraceMs: whole(0, GRACE_MS_MAX).default(GRACE_MS),
  labels: labels.default({}),
  runtime: z.enum(['process', 'crun'], { error: 'a runtime is "process" or "crun"' })
    .default('process'),
  rootfs: path.optional(),
  promiscuous: z.boolean().default(false),
  /** Remove the task when its process ends. */
  remove: z.boolean().default(false),
}).refine(task => (task.runtime === 'crun') === (task.rootfs !== undefined),
  'the runtime "crun" goes with a root file system: --runtime crun --rootfs FOLDER')
  .refine(task => task.runtime === 'process' || task.command.length > 0,
    'in a root file system there is a command to run: name it')
export type TaskRun = z.input<typeof taskRun>

export const taskStop = z.strictObject({
  /** Absent: the task's own. */
  graceMs: whole(0, GRACE_MS_MAX).optional(),
})

export const taskKill = z.strictObject({
  /** "SIGINT", "int" or "2" */
  signal: text.transform(signalOf).default('SIGKILL'),
})

/** DELETE /v1/tasks/:task */
export const taskRemove = z.strictObject({ force: flag.default(false) })

/** GET /v1/tasks/:task/logs */
export const taskLogs = z.strictObject({
  follow: flag.default(false),
  /** Only the last lines; absent: all. */
  tail: z.string().regex(/^\d{1,7}$/, 'tail is a number of lines').transform(Number)
    .pipe(z.int().max(TAIL_LINES_MAX)).optional(),
})

/** An address, a device, or host and port, as the daemon finds out. */
const place = text.min(1).max(255)
/** POST /v1/cluster/init */
export const clusterInit = z.strictObject({
  advertise: place.optional(),
  name: name.optional(),
  /** Gossip in the clear, to look at it. */
  insecure: z.boolean().default(false),
})
export type ClusterInit = z.input<typeof clusterInit>

/** POST /v1/cluster/join */
export const clusterJoin = z.strictObject({
  token: text.min(1),
  seeds: z.array(place).min(1, 'name at least one node of the cluster').max(16),
  advertise: place.optional(),
})
export type ClusterJoin = z.input<typeof clusterJoin>

/** POST /v1/cluster/leave */
export const clusterLeave = z.strictObject({ force: z.boolean().default(false) })

/** POST /v1/nodes/:node/update */
export const nodeUpdate = z.strictObject({
  availability: z.enum(['active', 'pause', 'drain'],
    { error: 'an availability is "active", "pause" or "drain"' }).optional(),
  labelsAdd: labels.optional(),
  labelsRemove: z.array(text).max(LABELS_MAX).optional(),
  role: z.enum(['worker', 'manager'], { error: 'a role is "worker" or "manager"' }).optional(),
})
export type NodeUpdate = z.input<typeof nodeUpdate>

/** DELETE /v1/nodes/:node */
export const nodeRemove = z.strictObject({ force: flag.default(false) })

/** A role in a path. */
export const roleName = z.strictObject({
  role: z.enum(['worker', 'manager'], { error: 'a role is "worker" or "manager"' }),
})

export const PING_COUNT_MAX = 100
/** GET /v1/nodes/:node/ping */
export const nodePing = z.strictObject({
  count: z.string().regex(/^\d{1,3}$/, 'count is a number').transform(Number)
    .pipe(whole(1, PING_COUNT_MAX)).default(5),
})

/** Routes that take no query. */
export const nothing = z.strictObject({})

export type ErrorView = {
  error: { code: string; message: string; facts: Record<string, unknown> }
}

export function whole(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, error).max(max, error)
}

/** Let one of the parsers of base/text.ts refuse a value in its own words. */
function refusedBy(parse: (value: string) => unknown) {
  return (value: string, context: z.RefinementCtx) => {
    try {
      parse(value)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      context.addIssue({ code: 'custom', message: error.message })
    }
  }
}

/** "int", "SIGINT" and "2" are all SIGINT. */
function signalOf(value: string, context: z.RefinementCtx): NodeJS.Signals {
  const wanted = value.toUpperCase()
  const known = Object.entries(constants.signals) as [NodeJS.Signals, number][]
  for (const [signal, number] of known) {
    if (wanted === signal || `SIG${wanted}` === signal || wanted === String(number)) return signal
  }
  context.addIssue({ code: 'custom', message: `"${value}" is not a signal such as TERM or SIGINT` })
  return z.NEVER
}
