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
  subnet: cidr.optional().describe('"10.0.7.0/24"; absent: the next one that is free'),
  gateway: ipv4.optional().describe('Absent: the first address of the subnet'),
  vni: whole(1, VNI_MAX).optional().describe('Absent: the next one from 4097'),
  mtu: whole(MTU_MIN, MTU_MAX).optional().describe('Absent: what the paths between nodes take'),
  labels: labels.default({}),
  attachable: z.boolean().default(true).describe('Tasks of POST /v1/tasks may join'),
  internal: z.boolean().default(false).describe('Its tasks get no way out of the cluster'),
})
export type NetworkCreate = z.input<typeof networkCreate>

const task = text.min(1).max(128)
/** POST /v1/networks/:network/connect */
export const networkConnect = z.strictObject({
  task, address: ipv4.optional().describe('Absent: the next one that is free'),
})
export type NetworkConnect = z.input<typeof networkConnect>

/** POST /v1/networks/:network/disconnect */
export const networkDisconnect = z.strictObject({ task })

/** POST /v1/networks/prune */
export const networkPrune = z.strictObject({
  untilMs: z.number().min(0).optional()
    .describe('Only those that were made before, milliseconds since 1970'),
  labels: z.array(text).max(LABELS_MAX).default([])
    .describe('"KEY" or "KEY=VALUE": only those with all of these'),
  labelsNot: z.array(text).max(LABELS_MAX).default([]).describe('Only those with none of these'),
})
export type NetworkPrune = z.input<typeof networkPrune>

export const vtepAdd = z.strictObject({
  address: hostPort.describe('"192.168.56.12" or "192.168.56.12:4789"'),
  network: name.optional().describe('Only for this network; absent: for every network'),
  remoteChecksum: z.boolean().optional()
    .describe('The VTEP finishes inner checksums for us; only one of our own that agreed'),
})
export type VtepAdd = z.input<typeof vtepAdd>

/** DELETE /v1/vteps/:address: its query, and the whole of it */
export const vtepOfNetwork = vtepAdd.pick({ network: true })
export const vtepRemove = vtepAdd.omit({ remoteChecksum: true })

export const taskRun = z.strictObject({
  name: name.optional(),
  networks: z.array(z.strictObject({ network: name, address: ipv4.optional() }))
    .min(1, 'a task needs at least one --network').max(NETWORKS_PER_TASK_MAX),
  command: words.refine(all => all[0] !== '', 'the command has no name').default([])
    .describe('The program and its arguments; empty: a bare namespace'),
  env: environment.default([]).describe('"KEY=VALUE" each'),
  workdir: text.startsWith('/', 'the working directory is an absolute path').optional(),
  user: text.regex(/^[^:\0]+(?::[^:\0]+)?$/, 'a user is NAME[:GROUP] or UID[:GID]').optional()
    .describe('"NAME", "NAME:GROUP" or numbers; absent: root'),
  hostname: hostname.optional().describe('Absent: the first 12 digits of its id'),
  stopGraceMs: whole(0, GRACE_MS_MAX).default(GRACE_MS).describe('From SIGTERM to SIGKILL'),
  labels: labels.default({}),
  runtime: z.enum(['process', 'crun'], { error: 'a runtime is "process" or "crun"' })
    .default('process'),
  rootfs: path.optional().describe('Folder of an unpacked root file system; goes with "crun"'),
  promiscuous: z.boolean().default(false).describe('It may send from any address'),
  remove: z.boolean().default(false).describe('Remove the task when its process ends'),
}).refine(task => (task.runtime === 'crun') === (task.rootfs !== undefined),
  'the runtime "crun" goes with a root file system: --runtime crun --rootfs FOLDER')
  .refine(task => task.runtime === 'process' || task.command.length > 0,
    'in a root file system there is a command to run: name it')
export type TaskRun = z.input<typeof taskRun>

export const taskStop = z.strictObject({
  graceMs: whole(0, GRACE_MS_MAX).optional()
    .describe("From SIGTERM to SIGKILL; absent: the task's own"),
})

export const taskKill = z.strictObject({
  signal: text.transform(signalOf).default('SIGKILL').describe('"SIGINT", "int" or "2"'),
})

/** DELETE /v1/tasks/:task */
export const taskRemove = z.strictObject({
  force: flag.default(false).describe('Also one that runs'),
})

/** GET /v1/tasks/:task/logs */
export const taskLogs = z.strictObject({
  follow: flag.default(false).describe('Go on until its process has ended'),
  tail: z.string().regex(/^\d{1,7}$/, 'tail is a number of lines').transform(Number)
    .pipe(z.int().max(TAIL_LINES_MAX)).optional().describe('Only the last lines; absent: all'),
})

/** As the daemon finds out. */
const place = text.min(1).max(255)
const advertise = place.optional()
  .describe('Address or device at which the others reach this node; absent: the underlay')
/** POST /v1/cluster/init */
export const clusterInit = z.strictObject({
  advertise,
  name: name.optional().describe('Of the cluster'),
  insecure: z.boolean().default(false).describe('Gossip in the clear, to look at it'),
})
export type ClusterInit = z.input<typeof clusterInit>

/** POST /v1/cluster/join */
export const clusterJoin = z.strictObject({
  token: text.min(1),
  seeds: z.array(place).min(1, 'name at least one node of the cluster').max(16)
    .describe('Nodes to call, "192.168.56.11" or "192.168.56.11:7946" each'),
  advertise,
})
export type ClusterJoin = z.input<typeof clusterJoin>

/** POST /v1/cluster/leave */
export const clusterLeave = z.strictObject({
  force: z.boolean().default(false).describe('Also as the last manager'),
})

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
export const nodeRemove = z.strictObject({
  force: flag.default(false).describe('Also one that is alive'),
})

/** A role in a path. */
export const roleName = z.strictObject({
  role: z.enum(['worker', 'manager'], { error: 'a role is "worker" or "manager"' }),
})

export const PING_COUNT_MAX = 100
/** GET /v1/nodes/:node/ping */
export const nodePing = z.strictObject({
  count: z.string().regex(/^\d{1,3}$/, 'count is a number').transform(Number)
    .pipe(whole(1, PING_COUNT_MAX)).default(5).describe('Echoes, 1 to 100; 5 by default'),
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
