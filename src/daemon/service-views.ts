// What the daemon shows of services, and what it can be asked to do with them. As in views.ts,
// nothing here is a live object.
import type {
  PublishedPort, RolloutRow, ServiceSpec, ServiceTaskState, TaskTemplate, UpdatePolicy,
} from '../cluster/services/rows.ts'

export type { PublishedPort, ServiceSpec, ServiceTaskState, UpdatePolicy }

export type ServiceView = {
  /** 25 digits of base 36, which follow from the name */
  id: string
  name: string
  /** Counts every change of it. */
  version: number
  /** Counts changes that replace its tasks. */
  generation: number
  /** ISO 8601, UTC */
  createdAt: string
  updatedAt: string
  spec: ServiceSpec
  /** The spec from before the last update: what `rollback` goes back to. */
  previous: ServiceSpec | null
  /** Its networks by id and name, in the order of its tasks' interfaces. */
  networks: { id: string; name: string }[]
  /** Its addresses: "10.0.1.2/24", by network id. */
  vips: { network: string; address: string }[]
  /** Tasks that run, of those that are wanted; and those that have done their work. */
  running: number
  wanted: number
  completed: number
  update: ServiceUpdateView | null
}

export type ServiceUpdateView = {
  /** The one that tasks are brought to; of another than the service's it is an earlier update. */
  generation: number
  state: RolloutRow['state']
  startedAt: string
  finishedAt: string | null
  message: string
}

export type ServiceTaskView = {
  /** 25 digits; empty for a slot that waits for a node or an address */
  id: string
  service: string
  /** "1", "2", …; of a global service the node's id */
  slot: string
  /** "web.1", of a global service "web.<node id>" */
  name: string
  /** Id and name of its node; null: none yet */
  node: { id: string; name: string } | null
  generation: number
  /** What it is started with, as far as that is still known: the program and its arguments. */
  command: string[]
  desired: 'running' | 'shutdown'
  state: ServiceTaskState | 'pending'
  /** Why it failed, was refused or waits; empty when there is nothing to say. */
  error: string
  exitCode: number | null
  /** Id of the local task on its node, 64 hex digits. */
  container: string | null
  createdAt: string
  /** When it came into `state`. */
  stateAt: string
  /** Ports of its node that lead to it alone. */
  ports: PublishedPort[]
  /** Its node is not here; the state is the last that was heard. */
  isAway: boolean
  /** Of a task that is about to stop: open connections that it has through this node; else null. */
  flows: number | null
}

export type PortInput = Omit<PublishedPort, 'published' | 'source'> & {
  /** Absent: one is chosen. */
  published?: number | undefined
  source?: PublishedPort['source'] | undefined
}

/** A network by name, id or id prefix. */
export type AttachmentInput = { network: string; aliases: string[] }

/** Of the template what is taken as it stands, without names that must be looked up. */
type PlainTemplate = Omit<TaskTemplate, 'networks' | 'force'>

export type ServiceInput = PlainTemplate & Omit<ServiceSpec, 'name' | 'task' | 'ports'> & {
  /** Absent: one is made up. */
  name?: string | undefined
  networks: AttachmentInput[]
  ports: PortInput[]
}

/** What is to be different; what is absent stays. */
export type ServiceChange = Partial<Pick<PlainTemplate,
  'command' | 'workdir' | 'user' | 'hostname' | 'runtime' | 'rootfs' | 'stopGraceMs'>
  & Pick<ServiceSpec, 'replicas' | 'endpointMode' | 'scheduler'>> & {
  restart?: Partial<TaskTemplate['restart']>
  update?: Partial<UpdatePolicy>
  rollback?: Partial<UpdatePolicy>
  envAdd?: string[]
  /** Names of variables. */
  envRemove?: string[]
  labelsAdd?: Record<string, string>
  labelsRemove?: string[]
  constraintsAdd?: string[]
  constraintsRemove?: string[]
  networksAdd?: AttachmentInput[]
  networksRemove?: string[]
  portsAdd?: PortInput[]
  /** By target port. */
  portsRemove?: { target: number; protocol: 'tcp' | 'udp' }[]
  /** By slot; a weight of 1 is that of every slot without one. */
  weights?: Record<string, number>
  /** Replace the tasks although nothing of them has changed. */
  force?: boolean
}

/** `pending`: what must wait for nodes that are down, one sentence each. */
export type ServiceChanged = { service: ServiceView; pending: string[] }

export type ServiceLogsSpec = {
  follow: boolean
  /** Only the last lines of each task; undefined: all */
  tail: number | undefined
}

/** A line of a task's output; or, with `note`, why output is missing. */
export type ServiceLogLine =
  | { task: string; name: string; node: string; line: string }
  | { note: string }

/** Everything that can be asked about services. They go by name, id, or id prefix. */
export interface ServiceControl {
  list(): ServiceView[]
  get(which: string): ServiceView
  /** By slot, the newest of each first. */
  tasks(which: string): ServiceTaskView[]
  /** @throws ConflictError when name or port are taken, on a worker, or outside a cluster */
  create(input: ServiceInput): Promise<ServiceChanged>
  update(which: string, change: ServiceChange): Promise<ServiceChanged>
  /** Go back to the spec from before the last update. @throws ConflictError when there is none */
  rollback(which: string): Promise<ServiceChanged>
  /** @returns what must wait for nodes that are down */
  remove(which: string): Promise<{ pending: string[] }>
  /** Of the tasks of a service, or of one task by its id, until the signal fires or all is said. */
  logs(which: string, spec: ServiceLogsSpec, signal: AbortSignal): AsyncIterable<ServiceLogLine>
}
