// What a daemon must remember: networks, VTEPs and tasks, in one JSON file that is replaced whole.
// Everything in the kernel is made from it, so it is written before the kernel is touched.
import {
  closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync,
} from 'node:fs'
import { z } from 'zod'
import { ConfigError } from '../base/errors.ts'
import { makeDirectory } from '../kernel/directory.ts'

const FORMAT = 1
const STATE_OCTETS_MAX = 64 << 20

const network = z.object({
  id: z.string(),
  name: z.string(),
  /** "swarm": it follows the cluster's tables; "local": it is this node's own. */
  scope: z.enum(['local', 'swarm']).default('local'),
  createdAt: z.string(),
  subnet: z.string(),
  gateway: z.string(),
  vni: z.int(),
  mtu: z.int(),
  labels: z.record(z.string(), z.string()),
  /** Tasks of `tapmesh run` may join, not only those of services. */
  attachable: z.boolean().default(true),
  /** Its tasks get no way out of the cluster. */
  internal: z.boolean().default(false),
  skipped: z.array(z.object({ subnet: z.string(), reason: z.string() })),
  /** Address that was given last, for serial allocation; null before the first. */
  lastGiven: z.number().nullable(),
})

const vtep = z.object({
  address: z.string(),
  port: z.int(),
  /** Id of the only network that it serves, or null for every one. */
  network: z.string().nullable(),
  /** It finishes inner checksums for us. */
  remoteChecksum: z.boolean().default(false),
})

const endpoint = z.object({
  /** Never used twice: tells a new port from an old one in the same slot. */
  portId: z.int(),
  slot: z.int(),
  network: z.string(),
  interface: z.string(),
  address: z.string(),
  mac: z.string(),
  /** Key of the lease that its address comes from; null in a network of this node alone. */
  lease: z.string().nullable().default(null),
})

/** The end of a task in the gateway network. */
const plug = z.object({
  interface: z.string(),
  address: z.string(),
  mac: z.string(),
  /** The host's end of it. */
  device: z.string(),
})

const wayOut = z.object({
  /** 64 hex digits */
  id: z.string(),
  createdAt: z.string(),
  subnet: z.string(),
  lastGiven: z.number().nullable(),
  /** Something of it may be in the kernel. */
  isStanding: z.boolean(),
  /** Devices that pass on packets because we told them to, which is to end with the way out. */
  opened: z.array(z.string()),
})

const taskService = z.object({
  /** 25 digits each */
  service: z.string(),
  slot: z.string(),
  taskId: z.string(),
})

const task = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(['created', 'running', 'stopping', 'exited', 'failed']),
  /** False while its kernel objects are being made: a start then finds them half-made. */
  complete: z.boolean(),
  error: z.string().nullable(),
  /** Process of the shim, leader of the task's process group, and its start time in clock ticks. */
  pid: z.int().nullable(),
  pidStart: z.string().nullable(),
  exitCode: z.int().nullable(),
  command: z.array(z.string()),
  env: z.array(z.string()),
  workdir: z.string().nullable(),
  /** "name[:group]" or "uid[:gid]"; null: root */
  user: z.string().nullable().default(null),
  /** null: the first digits of the id */
  hostname: z.string().nullable().default(null),
  /** From SIGTERM to SIGKILL, when `stop` names no other time. */
  stopGraceMs: z.int().default(10_000),
  labels: z.record(z.string(), z.string()).default({}),
  /** The service whose task it is; null: it was started by hand. */
  service: taskService.nullable().default(null),
  /** "process": of the host; "crun": inside `rootfs`. */
  runtime: z.enum(['process', 'crun']).default('process'),
  rootfs: z.string().nullable().default(null),
  promiscuous: z.boolean(),
  remove: z.boolean(),
  createdAt: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  endpoints: z.array(endpoint),
  /** null: it has no way out of the cluster */
  wayOut: plug.nullable().default(null),
})

const file = z.object({
  format: z.literal(FORMAT),
  nextPortId: z.int(),
  /** Smallest path MTU of all members, octets, as it was measured last; null: not known. */
  pathMtu: z.int().nullable().default(null),
  /** Underlay address that `init` or `join` was told; null: as the configuration says. */
  advertise: z.string().nullable().default(null),
  networks: z.array(network),
  vteps: z.array(vtep),
  tasks: z.array(task),
  /** The gateway network; null: no task had one yet. */
  wayOut: wayOut.nullable().default(null),
})

export type NetworkRecord = z.output<typeof network>
export type VtepRecord = z.output<typeof vtep>
export type EndpointRecord = z.output<typeof endpoint>
export type PlugRecord = z.output<typeof plug>
export type WayOutRecord = z.output<typeof wayOut>
export type TaskService = z.output<typeof taskService>
export type TaskRecord = z.output<typeof task>
export type State = z.output<typeof file>

export function emptyState(): State {
  return {
    format: FORMAT, nextPortId: 1, pathMtu: null, advertise: null, networks: [], vteps: [],
    tasks: [], wayOut: null,
  }
}

/**
 * The state in `directory`, empty when there is none yet.
 * @throws ConfigError when the file cannot be understood: it is left as it is, for a person to see
 */
export function loadState(directory: string): State {
  const path = `${directory}/state.json`
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return emptyState()
    throw new ConfigError(`cannot read the state file ${path}: ${String(error)}`, { path }, error)
  }
  const hint = 'move it away to start empty'
  if (text.length > STATE_OCTETS_MAX) {
    throw new ConfigError(`${path} is too large; ${hint}`, { path })
  }
  try {
    return file.parse(JSON.parse(text))
  } catch (error) {
    const what = error instanceof z.ZodError
      ? error.issues.slice(0, 3).map(i => `${i.path.join('.')}: ${i.message}`).join('; ')
      : String(error)
    throw new ConfigError(`${path} is damaged (${what}); ${hint}`, { path }, error)
  }
}

/** Replace the state file: whole and on disk when this returns, or the old one is still there. */
export function saveState(directory: string, state: State): void {
  makeDirectory(directory, 0o700)
  const path = `${directory}/state.json`
  const fd = openSync(`${path}.new`, 'w', 0o600)
  try {
    writeSync(fd, JSON.stringify(state, null, 1))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(`${path}.new`, path)
}
