// What stands in the tables that all nodes share: one shape per table, as JSON, so that people can
// read it (`tapmesh cluster tables`). What does not have its shape is not used.
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { parseCidr, tryIpv4 } from '../base/text.ts'
import { SERVICE_TABLES, TASK_NAME_MAX } from '../cluster/services/rows.ts'
import { REASON_LETTERS_MAX, SUBNETS_TOLD_MAX } from '../cluster/subnets.ts'
import type { TableSpec } from '../cluster/tables/events.ts'

export const TABLE_NODE = 'node'
export const TABLE_NETWORK = 'network'
export const TABLE_ENDPOINT = 'endpoint'
/** What the machine of a node uses itself, and no network may. */
export const TABLE_SUBNETS = 'subnets'
/** Ports that programs of a node's machine have: they cannot be published. */
export const TABLE_PORTS = 'ports'
/** What all nodes must agree on and only managers may change: the key ring, who was shut out. */
export const TABLE_CLUSTER = 'cluster'

/** Rows of TABLE_CLUSTER: which key ring is in use, which join secrets are in force, who is out. */
export const KEY_RING = 'keyring'
export const KEY_SECRETS = 'secrets'
export const removedKey = (nodeId: string): string => `removed/${nodeId}`

/** Of owned tables each node writes its own rows, which are hidden while it is not there. */
export const SHARED_TABLES: readonly TableSpec[] = [
  { name: TABLE_NODE, owned: true },
  { name: TABLE_NETWORK, owned: false },
  { name: TABLE_ENDPOINT, owned: true },
  { name: TABLE_SUBNETS, owned: true },
  { name: TABLE_PORTS, owned: true },
  { name: TABLE_CLUSTER, owned: false },
  ...SERVICE_TABLES,
]

const name = z.string().min(1).max(63)
const ipv4 = z.string().refine(text => tryIpv4(text) >= 0, 'not an IPv4 address')
const port = z.int().min(1).max(65_535)

/** Key "NODE/self": written by the node itself. */
export const nodeRow = z.object({
  name,
  role: z.enum(['manager', 'worker']),
  version: z.string().max(64),
  /** Its VTEP. */
  address: ipv4,
  port,
  /** Where its gossip arrives. */
  meshPort: port,
  joinedAt: z.string().max(32),
  /** It finishes inner checksums for us: remote checksum offload. */
  remoteChecksum: z.boolean(),
  labels: z.record(z.string(), z.string()),
})

/** Key: the network's id. Written by managers, signed. */
export const networkRow = z.object({
  name,
  subnet: z.string().max(18),
  gateway: ipv4,
  vni: z.int().min(1).max(0xffffff),
  /** null: as much as the paths between the nodes carry. */
  mtu: z.int().min(576).max(65_485).nullable(),
  labels: z.record(z.string(), z.string()),
  /** Tasks of `tapmesh run` may join, not only those of services. */
  attachable: z.boolean().default(true),
  /** Its tasks get no way out of the cluster. */
  internal: z.boolean().default(false),
  createdAt: z.string().max(32),
})

/** Key "NODE/PORT", written by the node that has the endpoint. */
export const endpointRow = z.object({
  network: z.string().max(25),
  address: ipv4,
  mac: z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
  task: z.string().min(1).max(TASK_NAME_MAX),
  taskId: z.string().max(64),
  interface: z.string().max(15),
  /** Machines with addresses of their own may live behind it. */
  promiscuous: z.boolean(),
})

/** Key "NODE/self". */
export const subnetsRow = z.object({
  subnets: z.array(z.object({
    cidr: z.string().refine(isCidr, 'not a subnet'),
    reason: z.string().max(REASON_LETTERS_MAX),
  })).max(SUBNETS_TOLD_MAX),
})

/** Ports of its own that a node tells to the others: as many as its row holds. */
export const PORTS_TOLD_MAX = 48
export const PROGRAM_LETTERS_MAX = 32

/** Key "NODE/self". */
export const portsRow = z.object({
  ports: z.array(z.object({
    protocol: z.enum(['tcp', 'udp']), port, program: z.string().max(PROGRAM_LETTERS_MAX),
  })).max(PORTS_TOLD_MAX),
})

/** Which join secrets are in force; managers give them to each other. */
export const secretsRow = z.object({ digest: z.string().regex(/^[0-9a-f]{64}$/) })
/** A node that a manager has taken out, `at` milliseconds since 1970. */
export const removedRow = z.object({ id: z.string().max(25), name, at: z.number().min(0) })

export type NodeRow = z.output<typeof nodeRow>
export type NetworkRow = z.output<typeof networkRow>
export type SubnetsRow = z.output<typeof subnetsRow>
export type PortsRow = z.output<typeof portsRow>
export type EndpointRow = z.output<typeof endpointRow>

export const nodeKey = (nodeId: string): string => `${nodeId}/self`
export const endpointKey = (nodeId: string, portId: number): string => `${nodeId}/${portId}`
/** Whose row it is: what stands before the slash. */
export const ownerOf = (key: string): string => key.slice(0, Math.max(0, key.indexOf('/')))

/**
 * Two managers on both sides of a split that create "the same" network get the same id, so the
 * two become one when the split heals.
 */
export function networkIdOf(networkName: string): string {
  const digest = createHash('sha256').update(`network ${networkName}`).digest('hex')
  return BigInt(`0x${digest}`).toString(36).padStart(50, '0').slice(-25)
}

export function encodeRow(value: Readonly<Record<string, unknown>>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

/** The value of a row, or null when it is not what this table holds. */
export function decodeRow<S extends z.ZodType>(schema: S, octets: Uint8Array): z.output<S> | null {
  try {
    const parsed = schema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true })
      .decode(octets)))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

function isCidr(text: string): boolean {
  try {
    parseCidr(text)
    return true
  } catch {
    return false
  }
}
