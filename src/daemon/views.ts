// What the daemon shows to people and programs, and what it can be asked to do. The API serves
// exactly these shapes; nothing here is a live object.
import type { ClusterControl, ClusterView } from './cluster-views.ts'
import type { DnsControl } from './dns-views.ts'
import type { LbControl } from './lb-views.ts'
import type { ServiceControl } from './service-views.ts'
import type { Attachment } from './lease-desk.ts'
import type { TaskRecord, TaskService } from './state.ts'
import type { PlugView, WayOutView } from './way-out-views.ts'

export type EndpointView = {
  task: string
  taskId: string
  network: string
  interface: string
  /** "10.0.1.8" */
  address: string
  prefix: number
  mac: string
  ipv6: string
  mtu: number
  promiscuous: boolean
}

export type NetworkView = {
  id: string
  name: string
  /** "overlay"; or "bridge": the gateway network of the node, which has no VNI */
  driver: string
  scope: string
  /** ISO 8601, UTC */
  createdAt: string
  subnet: string
  gateway: string
  vni: number
  mtu: number
  labels: Record<string, string>
  /** Tasks of `tapmesh run` may join, not only those of services. */
  attachable: boolean
  /** Its tasks get no way out of the cluster. */
  internal: boolean
  /** It is the one of published ports, which nobody made. */
  ingress: boolean
  /** Subnets that were passed over when this one was chosen, each with the reason. */
  skipped: { subnet: string; reason: string }[]
  endpoints: EndpointView[]
  /** Nodes of the cluster that have endpoints in it. */
  peers: { node: string; id: string; address: string }[]
  vteps: string[]
  /** Who is to have an address in it and has none, and why. Of one network, not in lists. */
  lacks?: { holder: string; reason: string }[]
}

export type VtepView = {
  address: string
  port: number
  network: string | null
  /** It agreed to finish inner checksums: remote checksum offload. */
  remoteChecksum: boolean
}

export type TaskState = 'created' | 'running' | 'stopping' | 'exited' | 'failed'

export type TaskView = {
  /** 64 hex digits */
  id: string
  name: string
  state: TaskState
  /** Why it failed, when it did. */
  error: string | null
  pid: number | null
  exitCode: number | null
  /** 12 hex digits, unless it was given another one */
  hostname: string
  /** Name as `ip netns` shows it. */
  netns: string
  /** Folder of the host that holds its log, the files of its own in /etc, and crun's state. */
  directory: string
  command: string[]
  /** "name[:group]" or "uid[:gid]"; null: root */
  user: string | null
  runtime: TaskRecord['runtime']
  rootfs: string | null
  stopGraceMs: number
  labels: Record<string, string>
  /** The service whose task it is; null: it was started by hand. */
  service: TaskService | null
  createdAt: string
  startedAt: string | null
  finishedAt: string | null
  promiscuous: boolean
  remove: boolean
  endpoints: EndpointView[]
  /** Its way out of the cluster; null: it has none. */
  wayOut: PlugView | null
}

export type StatusView = {
  node: string
  version: string
  pid: number
  /** ISO 8601, UTC */
  startedAt: string
  underlay: {
    device: string
    address: string
    port: number
    mtu: number
    udpChecksum: boolean
    sourcePorts: number[]
  }
  plane: {
    generation: number
    networks: number
    ports: number
    /** Packet workers, and the ports of which each of them reads a queue of its own. */
    workers: number
    multiQueuePorts: number
    learned: number
    /** Flows to virtual addresses. */
    flows: number
    /** What this kernel has and the configuration leaves on, see the setting of the same name. */
    features: Record<'tcpSegmentation' | 'udpSegmentation' | 'udpSegment' | 'udpGro'
      | 'multiQueue', boolean>
  }
  /** null: this node is in no cluster */
  cluster: ClusterView | null
  networks: NetworkView[]
  endpoints: EndpointView[]
  vteps: VtepView[]
  /** Tasks whose names are served, and the host's name servers, who are asked for the rest. */
  dns: { servers: number; upstreams: string[] }
  /** How tasks reach what is outside of the cluster. */
  wayOut: WayOutView
  /** Frames, octets and questions by name, for example `frames.tap_in`. */
  counters: Record<string, number>
  /** Dropped frames by reason, for example `unknown_vtep`. */
  drops: Record<string, number>
}

export type LearnedView = { network: string; mac: string; via: string; ageMs: number }

/** GET /v1/tasks/:task/wait */
export type WaitView = { exitCode: number | null; state: TaskState }

export type NetworkSpec = {
  name: string
  subnet?: string | undefined
  gateway?: string | undefined
  vni?: number | undefined
  mtu?: number | undefined
  labels: Record<string, string>
  attachable: boolean
  internal: boolean
}

/** What a network knows of a service; name "": tasks that belong to none. */
export type NetworkServiceView = {
  name: string
  vip: string | null
  ports: { published: number; target: number; protocol: string }[]
  /** Tasks of all nodes. `endpoint` is NODE/PORT, `host` the node's underlay address. */
  tasks: { name: string; endpoint: string; address: string; host: string }[]
}

export type ConnectSpec = { task: string; address?: string | undefined }
export type PruneSpec = {
  /** Only those created before, milliseconds since 1970. */
  untilMs?: number | undefined
  /** "KEY" or "KEY=VALUE": only those with all of these, and none of the others. */
  labels: string[]
  labelsNot: string[]
}

export type VtepSpec = {
  address: string
  network?: string | undefined
  remoteChecksum?: boolean | undefined
}

export type TaskSpec = {
  name?: string | undefined
  networks: Attachment[]
  command: string[]
  env: string[]
  workdir?: string | undefined
  /** "name[:group]" or "uid[:gid]", of the root file system that the command sees */
  user?: string | undefined
  /** Absent: the first 12 digits of the id. */
  hostname?: string | undefined
  /** From SIGTERM to SIGKILL. */
  stopGraceMs: number
  labels: Record<string, string>
  service?: TaskService | null | undefined
  /** "process": of the host; "crun": inside `rootfs`, by an OCI runtime. */
  runtime: TaskRecord['runtime']
  /** Absolute path of an unpacked root file system. */
  rootfs?: string | undefined
  promiscuous: boolean
  remove: boolean
}

/** Everything that can be asked of a daemon. Things go by name, id, or unambiguous id prefix. */
export interface Control {
  status(): Promise<StatusView>
  networks(): NetworkView[]
  network(which: string): NetworkView
  createNetwork(spec: NetworkSpec): Promise<NetworkView>
  /** @throws ConflictError that names who uses it */
  removeNetwork(which: string): Promise<void>
  networkServices(which: string): NetworkServiceView[]
  /** Give a task that lives an interface in one more network, or take it away. */
  connectTask(which: string, spec: ConnectSpec): Promise<TaskView>
  disconnectTask(which: string, task: string): Promise<TaskView>
  /** Removes networks that nobody uses, and answers their names. */
  pruneNetworks(spec: PruneSpec): Promise<string[]>
  vteps(): VtepView[]
  addVtep(spec: VtepSpec): Promise<VtepView>
  removeVtep(spec: VtepSpec): Promise<void>
  learned(): Promise<LearnedView[]>
  tasks(): TaskView[]
  task(which: string): TaskView
  runTask(spec: TaskSpec): Promise<TaskView>
  /** Send `signal` (for example "SIGINT") to the task's processes. */
  killTask(which: string, signal: NodeJS.Signals): Promise<void>
  /** TERM, then KILL after `graceMs`, or the task's own; answers when the processes are gone. */
  stopTask(which: string, graceMs: number | undefined): Promise<TaskView>
  /** @throws ConflictError when it runs and `force` is false */
  removeTask(which: string, force: boolean): Promise<void>
  /** Answers when the process has ended; rejects with the signal's reason when it aborts first. */
  waitTask(which: string, signal: AbortSignal): Promise<WaitView>
  /** The file that holds the task's output, oldest first; it only grows or is cut to zero. */
  taskLogPath(which: string): string
  readonly cluster: ClusterControl
  readonly services: ServiceControl
  readonly lb: LbControl
  readonly dns: DnsControl
}
