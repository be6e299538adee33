// A daemon for tests of the API: keeps everything in memory, runs nothing, and has the same words
// of refusal for the cases that the tests need.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { ConflictError, NotFoundError, UsageError } from '../base/errors.ts'
import type {
  Control, NetworkSpec, NetworkView, TaskView, VtepView, WaitView,
} from '../daemon/views.ts'
import { makeClient, type Client } from './client.ts'
import { makeFakeCluster } from './cluster.test-kit.ts'
import { fakeDns } from './dns.test-kit.ts'
import { makeFakeLb } from './lb.test-kit.ts'
import { startServer } from './server.ts'
import { type FakeServices, makeFakeServices } from './service.test-kit.ts'

export type Fake = {
  control: Control
  networks: NetworkView[]
  vteps: VtepView[]
  tasks: TaskView[]
  services: FakeServices
  /** What was asked, in words. */
  asked: string[]
  /** The process of `task` ends. */
  end(task: string, exitCode: number): void
  logPath: string
}
export type Served = Fake & {
  folder: string
  socketPath: string
  client: Client
  /** What the server logged, one JSON line each. */
  logged: string[]
  close(): Promise<void>
}

/** A fake daemon behind a real socket in a folder of its own. */
export async function serveFake(): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), 'tapmesh-api-'))
  const socketPath = join(folder, 'run', 'tapmesh.sock')
  const fake = makeFake(join(folder, 'task.log'))
  const logged: string[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) })
  const server = await startServer({ socketPath, control: fake.control, log })
  const close = async () => {
    await server.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { ...fake, folder, socketPath, client: makeClient({ socketPath }), logged, close }
}

/** Waits until `holds` says so, and throws when that takes longer than `deadlineMs`. */
export async function until(
  holds: () => boolean, what: string, deadlineMs = 60_000,
): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`waited ${deadlineMs} ms in vain for: ${what}`)
    await delay(5)
  }
}

export function makeFake(logPath: string): Fake {
  const networks: NetworkView[] = []
  const vteps: VtepView[] = []
  const tasks: TaskView[] = []
  const asked: string[] = []
  const waiting = new Map<string, ((view: WaitView) => void)[]>()
  const end = (which: string, exitCode: number) => {
    const task = find(tasks, which, 'task')
    const finishedAt = new Date().toISOString()
    Object.assign(task, { state: 'exited', exitCode, pid: null, finishedAt })
    for (const tell of waiting.get(task.id) ?? []) tell({ exitCode, state: 'exited' })
    waiting.delete(task.id)
  }
  const services = makeFakeServices(asked)
  const fake = { networks, vteps, tasks, services, asked, end, logPath }
  const cluster = makeFakeCluster(asked)
  const { status, ...control } = networkControl(fake)
  return { ...fake, control: {
    ...control, ...attachmentControl(fake), ...taskControl(fake, waiting), cluster,
    status: async () => ({ ...await status(), cluster: cluster.view() }),
    services: services.control, lb: makeFakeLb(asked), dns: fakeDns,
  } }
}

type Memory = Omit<Fake, 'control'>
type AttachmentPart = 'networkServices' | 'connectTask' | 'disconnectTask' | 'pruneNetworks'
type TaskPart = 'cluster' | 'dns' | 'services' | 'lb' | 'tasks' | 'task' | 'runTask' | 'killTask'
  | 'stopTask' | 'removeTask' | 'waitTask' | 'taskLogPath'

function find<T extends { id: string; name: string }>(all: T[], which: string, kind: string): T {
  const found = all.find(({ id, name }) => name === which || id.startsWith(which))
  if (found === undefined) throw new NotFoundError(`no ${kind} named ${which}`, { [kind]: which })
  return found
}

function networkControl(
  { networks, vteps, tasks, asked }: Memory,
): Omit<Control, TaskPart | AttachmentPart> {
  return {
    status: async () => ({
      node: 'node1', version: '0.1.0', pid: process.pid, startedAt: new Date().toISOString(),
      underlay: {
        device: 'eth1', address: '192.168.56.11', port: 4789, mtu: 1500, udpChecksum: true,
        sourcePorts: [49152, 65535],
      },
      plane: {
        generation: 3, networks: networks.length, ports: tasks.length, workers: 1,
        multiQueuePorts: 0, learned: 1, flows: 0,
        features: {
          tcpSegmentation: true, udpSegmentation: true, udpSegment: true, udpGro: false,
          multiQueue: true,
        },
      },
      cluster: null, networks, endpoints: tasks.flatMap(task => task.endpoints), vteps,
      counters: { 'frames.tap_in': 12, 'frames.tap_out': 0 },
      drops: { unknown_vtep: 7, bad_vni: 0 }, dns: { servers: 1, upstreams: ['192.0.2.53'] },
      wayOut: { state: 'open', reason: null, subnet: '172.18.0.0/16', gateway: '172.18.0.1',
        device: 'tapmesh_gw', tasks: 1, opened: ['eth0'] },
    }),
    networks: () => networks,
    network: which => find(networks, which, 'network'),
    createNetwork: async spec => {
      asked.push(`create ${JSON.stringify(spec)}`)
      if (spec.name === 'broken') throw new TypeError('secret inner state')
      if (networks.some(({ name }) => name === spec.name)) {
        throw new ConflictError(`network ${spec.name} exists already`, { network: spec.name })
      }
      const view = networkView(spec)
      networks.push(view)
      return view
    },
    removeNetwork: async which => {
      networks.splice(networks.indexOf(find(networks, which, 'network')), 1)
    },
    vteps: () => vteps,
    addVtep: async ({ address, network, remoteChecksum = false }) => {
      const [host = '', port = '4789'] = address.split(':')
      const view = { address: host, port: Number(port), network: network ?? null, remoteChecksum }
      vteps.push(view)
      return view
    },
    removeVtep: async ({ address, network }) => {
      asked.push(`remove vtep ${address} ${network ?? '*'}`)
      const at = vteps.findIndex(vtep => vtep.address === address.split(':')[0])
      if (at < 0) throw new NotFoundError(`no VTEP ${address}`)
      vteps.splice(at, 1)
    },
    learned: async () => [
      { network: 'mynet', mac: '02:42:0a:00:01:09', via: '192.168.56.12', ageMs: 4200 },
    ],
  }
}

function networkView(spec: NetworkSpec): NetworkView {
  return {
    id: 'a1b2c3d4e5f6', driver: 'overlay', scope: 'swarm',
    createdAt: '2026-01-02T03:04:05.000Z', subnet: spec.subnet ?? '10.0.1.0/24',
    gateway: spec.gateway ?? '10.0.1.1',
    vni: spec.vni ?? 4097, mtu: spec.mtu ?? 1450, name: spec.name, labels: spec.labels,
    attachable: spec.attachable, internal: spec.internal, ingress: false,
    skipped: [{ subnet: '10.0.2.0/24', reason: 'route of eth0' }], endpoints: [],
    peers: [], vteps: ['192.168.56.12'], lacks: [{ holder: 'web.3', reason: 'no address is free' }],
  }
}

function attachmentControl({ networks, tasks, asked }: Memory): Pick<Control, AttachmentPart> {
  return {
    networkServices: which => [{
      name: 'web', vip: '10.0.1.2', ports: [{ published: 8080, target: 80, protocol: 'tcp' }],
      tasks: [{ name: `web.1.x in ${find(networks, which, 'network').name}`, endpoint: 'n1/1',
        address: '10.0.1.3', host: '192.168.56.11' }],
    }],
    connectTask: async (which, spec) => {
      asked.push(`connect ${which} ${JSON.stringify(spec)}`)
      find(networks, which, 'network')
      return find(tasks, spec.task, 'task')
    },
    disconnectTask: async (which, task) => {
      asked.push(`disconnect ${which} ${task}`)
      return find(tasks, task, 'task')
    },
    pruneNetworks: async spec => {
      asked.push(`prune ${JSON.stringify(spec)}`)
      return networks.map(({ name }) => name)
    },
  }
}

function taskControl(
  { tasks, asked, end, logPath, networks }: Memory, waiting: Map<string, ((v: WaitView) => void)[]>,
): Pick<Control, Exclude<TaskPart, 'cluster' | 'dns' | 'services' | 'lb'>> {
  return {
    tasks: () => tasks,
    task: which => find(tasks, which, 'task'),
    runTask: async spec => {
      asked.push(`run ${JSON.stringify(spec)}`)
      for (const { network } of spec.networks) find(networks, network, 'network')
      const id = String(tasks.length + 1).padStart(2, '0').repeat(32)
      const bare = spec.command.length === 0
      const { labels, remove, runtime, stopGraceMs } = spec
      const task = taskView(id, spec.name ?? `task-${id.slice(0, 4)}`, spec.command)
      tasks.push({
        ...task, pid: bare ? null : process.pid, labels, remove, runtime, stopGraceMs,
        user: spec.user ?? null, rootfs: spec.rootfs ?? null,
        hostname: spec.hostname ?? task.hostname,
      })
      return task
    },
    killTask: async (which, signal) => {
      asked.push(`kill ${which} ${signal}`)
      const { id } = find(tasks, which, 'task')
      if (signal === 'SIGKILL' || signal === 'SIGTERM') end(id, 143)
    },
    stopTask: async (which, graceMs) => {
      asked.push(`stop ${which} ${graceMs}`)
      end(which, 143)
      return find(tasks, which, 'task')
    },
    removeTask: async (which, force) => {
      const task = find(tasks, which, 'task')
      if (task.state === 'running' && !force) {
        throw new ConflictError(`task ${task.name} runs; stop it first or use --force`)
      }
      tasks.splice(tasks.indexOf(task), 1)
    },
    waitTask: async (which, signal) => {
      asked.push(`wait ${which}`)
      const { id, state, exitCode } = find(tasks, which, 'task')
      if (state === 'exited') return { exitCode, state }
      return new Promise((resolve, reject) => {
        waiting.set(id, [...waiting.get(id) ?? [], resolve])
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
    },
    taskLogPath: which => {
      if (which === '') throw new UsageError('which task?')
      find(tasks, which, 'task')
      return logPath
    },
  }
}

function taskView(id: string, name: string, command: string[]): TaskView {
  return {
    id, name, command, state: 'running', error: null, pid: null, exitCode: null,
    hostname: id.slice(0, 12), netns: `tm-${id.slice(0, 12)}`, createdAt: new Date().toISOString(),
    directory: `/var/lib/tapmesh/tasks/${id}`, user: null, runtime: 'process', rootfs: null,
    stopGraceMs: 10_000, labels: {}, service: null,
    startedAt: new Date().toISOString(), finishedAt: null, promiscuous: false, remove: false,
    endpoints: [{
      task: name, taskId: id, network: 'mynet', interface: 'eth0', address: '10.0.1.2', prefix: 24,
      mac: '02:42:0a:00:01:02', ipv6: 'fe80::42:aff:fe00:102', mtu: 1450, promiscuous: false,
    }],
    wayOut: null,
  }
}
