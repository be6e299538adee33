// The configuration file: YAML, checked whole, every fault reported at once with its path.
import { readFileSync } from 'node:fs'
import { availableParallelism, hostname } from 'node:os'
import { parse as parseYaml, YAMLError } from 'yaml'
import { z } from 'zod'
import { ConfigError } from '../base/errors.ts'
import { LOG_FORMATS, LOG_LEVELS } from '../base/log.ts'
import { tryIpv4 } from '../base/text.ts'
import { SENDERS_MAX } from '../kernel/underlay.ts'
import { FLOWS_DEFAULT, FLOWS_MAX } from '../path/flow-memory.ts'
import { REST_MS } from '../cluster/ipam.ts'
import { WORKERS_MAX } from '../path/steering.ts'
import { isWayOutSubnet, WAY_OUT_PREFIX_MAX } from './way-out-subnet.ts'

export const DEFAULT_CONFIG_PATH = '/etc/tapmesh/tapmesh.yaml'

/**
 * Long enough to span a round trip between two hosts of one room, short enough to cost an idle
 * machine nothing. With one core the endpoint needs it more.
 */
const SPIN_MICROS = availableParallelism() > 1 ? 50 : 0

/**
 * The kernel's own network code comes before every process, so a path in a process is to come
 * before those that wait for it. More than this takes too much from whoever reads what has arrived:
 * docs/decisions/0026.
 */
const NICE = -7

/** Frames of one port share system calls and trains: docs/decisions/0027. */
const SOURCE_PORTS_PER_WORKER = 4
const SOURCE_PORTS = [1, 2, 4, 8, 16]

const path = z.string().startsWith('/', 'a path begins with "/"').max(4096)
const address = z.string().refine(text => tryIpv4(text) >= 0, 'not an IPv4 address')

const file = z.strictObject({
  node: z.strictObject({
    name: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/, 'not a node name').optional(),
  }).default({}),
  underlay: z.strictObject({
    /** Of these one is enough; with neither it is the device of the default route. */
    address: address.optional(),
    device: z.string().min(1).max(15).optional(),
    port: z.int().min(1).max(65_535).default(4789),
    ttl: z.int().min(1).max(255).default(64),
    /** Outer UDP checksum: real, or zero as RFC 7348 allows. */
    udpChecksum: z.boolean().default(true),
    /** Outer DSCP: zero, or that of the inner packet. ECN is always carried (RFC 6040). */
    dscp: z.enum(['zero', 'inherit']).default('inherit'),
    /** Outer source ports of this node, among which flows are spread; absent: four a worker. */
    sourcePorts: z.literal(SOURCE_PORTS, `not one of ${SOURCE_PORTS.join(', ')}`).optional(),
  }).default({ port: 4789, ttl: 64, udpChecksum: true, dscp: 'inherit' }),
  mesh: z.strictObject({
    /** Gossip, and joining: UDP and TCP. */
    port: z.int().min(1).max(65_535).default(7946),
  }).default({ port: 7946 }),
  /** Features of the packet path. What the kernel lacks is off whatever stands here. */
  plane: z.strictObject({
    /** Endpoints hand over TCP, and UDP, in super-frames of up to 64 KiB, and get them so. */
    tcpSegmentation: z.boolean().default(true),
    udpSegmentation: z.boolean().default(true),
    /** Datagrams of the tunnel are sent, and received, in trains. */
    udpSegment: z.boolean().default(true),
    udpGro: z.boolean().default(true),
    /** Nodes that all say so leave inner checksums to each other: remote checksum offload. */
    remoteChecksum: z.boolean().default(false),
    /** Packet workers: threads that carry frames, each flow by one of them. */
    workers: z.int().min(1).max(WORKERS_MAX).default(1),
    /** Several workers share each endpoint; else each endpoint is read by one of them. */
    multiQueue: z.boolean().default(true),
    /** Flows to virtual addresses that are known at one time, 64 octets each. */
    flows: z.int().min(1024).max(FLOWS_MAX).default(FLOWS_DEFAULT),
    /** Microseconds that an idle packet worker keeps looking before it sleeps. */
    spinMicros: z.int().min(0).max(1000).default(SPIN_MICROS),
    /** Nice value of packet workers: below zero they come before the tasks they serve. */
    nice: z.int().min(-20).max(19).default(NICE),
    /** Acknowledgments and FINs without data go with the segment next to them. */
    foldSegments: z.boolean().default(true),
  }).default({
    tcpSegmentation: true, udpSegmentation: true, udpSegment: true, udpGro: true,
    remoteChecksum: false, workers: 1, multiQueue: true, flows: FLOWS_DEFAULT,
    spinMicros: SPIN_MICROS, nice: NICE, foldSegments: true,
  }),
  paths: z.strictObject({
    run: path.default('/run/tapmesh'),
    state: path.default('/var/lib/tapmesh'),
  }).default({ run: '/run/tapmesh', state: '/var/lib/tapmesh' }),
  log: z.strictObject({
    level: z.enum(LOG_LEVELS).default('info'),
    format: z.enum(LOG_FORMATS).default('auto'),
  }).default({ level: 'info', format: 'auto' }),
  addresses: z.strictObject({
    /** A freed address is not given again for so long. Set it alike on all managers. */
    restSeconds: z.number().min(1).max(86_400).default(REST_MS / 1000),
  }).default({ restSeconds: REST_MS / 1000 }),
  /** How tasks reach what is outside of the cluster: a network between each and its host. */
  wayOut: z.strictObject({
    enabled: z.boolean().default(true),
    /** Absent: the first of 172.18.0.0/16, 172.19.0.0/16, … that this machine does not use. */
    subnet: z.string().refine(isWayOutSubnet,
      `not a subnet such as 172.20.0.0/16, from /8 to /${WAY_OUT_PREFIX_MAX}`).optional(),
  }).default({ enabled: true }),
  tasks: z.strictObject({
    /** A task's log is cut when it is longer; the last part is kept beside it. */
    logOctetsMax: z.int().min(65_536).max(2 ** 40).default(10_485_760),
  }).default({ logOctetsMax: 10_485_760 }),
})

type File = z.output<typeof file>

export type Config = Readonly<{
  node: { name: string }
  underlay: File['underlay'] & { sourcePorts: number }
  mesh: File['mesh']
  plane: File['plane']
  paths: { run: string; state: string; socket: string; pidFile: string }
  log: File['log']
  addresses: File['addresses']
  wayOut: File['wayOut']
  tasks: File['tasks']
}>

/**
 * @param configPath absent: DEFAULT_CONFIG_PATH if there is such a file, else the defaults
 * @throws ConfigError that names the file and every fault in it
 */
export function loadConfig(configPath?: string): Config {
  const where = configPath ?? DEFAULT_CONFIG_PATH
  let text = ''
  try {
    text = readFileSync(where, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    if (configPath !== undefined || code !== 'ENOENT') {
      throw new ConfigError(`cannot read the config file ${where}: ${code}`, { path: where }, error)
    }
  }
  return parseConfig(text, where)
}

/** @param where the file's name, for faults */
export function parseConfig(text: string, where: string): Config {
  const result = file.safeParse(readYaml(text, where) ?? {})
  if (!result.success) {
    const faults = result.error.issues.map(issue => faultText(issue))
    throw new ConfigError(`${where}: ${faults.join('; ')}`, { path: where, faults: faults.length })
  }
  const { node, underlay, mesh, plane, paths, log, addresses, wayOut, tasks } = result.data
  return {
    node: { name: node.name ?? hostname() },
    underlay: { ...underlay, sourcePorts: sourcePortsOf(result.data, where) },
    mesh,
    plane,
    paths: { ...paths, socket: `${paths.run}/tapmesh.sock`, pidFile: `${paths.run}/tapmesh.pid` },
    log,
    addresses,
    wayOut,
    tasks,
  }
}

/** @throws ConfigError when there are fewer than workers: each needs one of its own */
function sourcePortsOf({ underlay, plane: { workers } }: File, where: string): number {
  const enough = SOURCE_PORTS.find(ports => ports >= SOURCE_PORTS_PER_WORKER * workers)
  const { sourcePorts = enough ?? SENDERS_MAX } = underlay
  if (sourcePorts >= workers) return sourcePorts
  throw new ConfigError(`${where}: underlay.sourcePorts: ${sourcePorts} are too few for `
    + `plane.workers: ${workers}; each needs one`, { path: where, faults: 1 })
}

/** What of a changed configuration only a restart brings: the paths of the values, dotted. */
export function needsRestart(before: Config, after: Config): string[] {
  const parts = ['node', 'underlay', 'mesh', 'plane', 'paths', 'addresses', 'wayOut'] as const
  return parts.flatMap(part => {
    const old = before[part] as Record<string, unknown>
    const now = after[part] as Record<string, unknown>
    const keys = new Set([...Object.keys(old), ...Object.keys(now)])
    return [...keys].filter(key => old[key] !== now[key]).map(key => `${part}.${key}`)
  })
}

function readYaml(text: string, where: string): unknown {
  try {
    return parseYaml(text, { maxAliasCount: 0 })
  } catch (error) {
    const line = error instanceof YAMLError ? error.message.split('\n')[0] : String(error)
    throw new ConfigError(`${where}: not YAML: ${line}`, { path: where }, error)
  }
}

function faultText(issue: z.core.$ZodIssue): string {
  const at = issue.path.map(String).join('.')
  return at === '' ? issue.message : `${at}: ${issue.message}`
}
