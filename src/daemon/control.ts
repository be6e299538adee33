// The daemon as people and programs see it: every change goes through one queue, every answer is a
// copy.
import { systemClock } from '../base/clock.ts'
import { DROP_NAMES } from '../path/counter-names.ts'
import { DROP_TAP_QUEUE_FULL } from '../path/counters.ts'
import { flowsInUse } from '../path/flow-rows.ts'
import { FROM_UNDERLAY } from '../path/learned.ts'
import { formatIpv4, formatMac } from '../base/text.ts'
import type { Attachments } from './attachments.ts'
import type { ClusterControl } from './cluster-views.ts'
import type { Core } from './core.ts'
import { makeDnsControl } from './dns-control.ts'
import { netnsOf } from './endpoints.ts'
import type { Exclusive } from './exclusive.ts'
import { makeLb } from './lb.ts'
import type { LeaseDesk } from './lease-desk.ts'
import { pruneNetworks } from './network-prune.ts'
import { networkServices } from './network-users.ts'
import { networkLacks } from './network-lacks.ts'
import type { Networks } from './networks.ts'
import type { ServiceControl } from './service-views.ts'
import type { Tasks } from './tasks.ts'
import { endpointView } from './task-view.ts'
import type { Control, EndpointView, LearnedView, StatusView, WaitView } from './views.ts'
import type { Vteps } from './vteps.ts'
import { gatewayNetwork, gatewayNetworks, wayOutView } from './way-out-show.ts'

export type ControlParts = {
  core: Core
  cluster: ClusterControl
  services: ServiceControl
  networks: Networks
  vteps: Vteps
  tasks: Tasks
  attachments: Attachments
  changes: Exclusive
  desk: LeaseDesk
  version: string
  startedAt: string
}

export function makeControl(parts: ControlParts): Control {
  const { attachments, changes, cluster, core, desk, networks, services, tasks, vteps } = parts
  return {
    status: () => statusOf(parts),
    networks: () => [...networks.list(), ...gatewayNetworks(core)],
    network: which => {
      const gateway = gatewayNetwork(core, which)
      if (gateway !== undefined) return gateway
      const network = networks.find(which)
      return { ...networks.view(network), lacks: networkLacks(core, network, systemClock) }
    },
    createNetwork: spec => changes.run(() => networks.create(spec)),
    removeNetwork: which => changes.run(() => networks.remove(which)),
    networkServices: which => gatewayNetwork(core, which) === undefined
      ? networkServices(core, networks.find(which)) : [],
    connectTask: (which, { address, task }) => desk.with([{ network: which, address }], ([given]) =>
      changes.run(() => attachments.connect(which, task, given!))),
    disconnectTask: (which, task) => changes.run(() => attachments.disconnect(which, task)),
    pruneNetworks: spec => changes.run(() => pruneNetworks(core, networks, spec)),
    vteps: () => vteps.list(),
    addVtep: spec => changes.run(() => vteps.add(spec)),
    removeVtep: spec => changes.run(() => vteps.remove(spec)),
    learned: () => learnedOf(core),
    tasks: () => tasks.list(),
    task: which => tasks.view(which),
    runTask: async spec => {
      for (const { network } of spec.networks) attachments.checkAttachable(network)
      return desk.with(spec.networks, given =>
        changes.run(() => tasks.run({ ...spec, networks: given })))
    },
    killTask: async (which, signal) => tasks.signal(which, signal),
    stopTask: (which, graceMs) => tasks.stop(which, graceMs),
    // Both may have to wait for a process to end, and that end takes its turn in the queue: so they
    // must not, until it has come.
    removeTask: (which, force) => tasks.remove(which, force),
    waitTask: (which, signal) => waitFor(tasks, which, signal),
    taskLogPath: which => tasks.logPathOf(which),
    cluster,
    services,
    lb: makeLb(core),
    dns: makeDnsControl(core, tasks),
  }
}

async function statusOf(parts: ControlParts): Promise<StatusView> {
  const { core, networks, vteps } = parts
  const { config, datapath, underlay } = core
  const counters = datapath.counts()
  return {
    node: config.node.name,
    version: parts.version,
    pid: process.pid,
    startedAt: parts.startedAt,
    underlay: {
      device: underlay.device,
      address: underlay.address,
      port: config.underlay.port,
      mtu: underlay.mtu,
      udpChecksum: config.underlay.udpChecksum,
      sourcePorts: core.sockets.ports,
    },
    plane: {
      generation: core.generation,
      networks: core.state.networks.length,
      ports: core.taps.size,
      workers: datapath.workers,
      multiQueuePorts: [...core.taps.values()].filter(tap => tap.isMultiQueue).length,
      learned: datapath.learnedCount(),
      flows: flowsInUse(datapath.flows).used,
      features: {
        tcpSegmentation: core.tapKind.offload.tcp,
        udpSegmentation: core.tapKind.offload.udp,
        udpSegment: core.sockets.segmentMax > 0,
        udpGro: core.sockets.gro,
        multiQueue: core.tapKind.steering >= 0,
      },
    },
    cluster: parts.cluster.view(),
    networks: networks.list(),
    endpoints: endpointsOf(core),
    vteps: vteps.list(),
    counters: { ...counters, ...core.dns.counts() },
    dns: core.dns.view(),
    wayOut: wayOutView(core),
    drops: { ...datapath.drops(), [DROP_NAMES[DROP_TAP_QUEUE_FULL]]: queueDropsOf(core) },
  }
}

/** The devices are asked at this moment, so that what is shown is true. */
function queueDropsOf(core: Core): number {
  for (const task of core.state.tasks) {
    if (task.endpoints.length > 0) core.queueDrops.look(netnsOf(task), task.endpoints)
  }
  return core.queueDrops.total
}

function endpointsOf(core: Core): EndpointView[] {
  return core.state.tasks.flatMap(task => task.endpoints.flatMap(endpoint => {
    const network = core.networksInUse().find(one => one.id === endpoint.network)
    return network === undefined ? [] : [endpointView(task, endpoint, network)]
  }))
}

async function learnedOf(core: Core): Promise<LearnedView[]> {
  const rows = await core.datapath.learned()
  const names = new Map(core.state.networks.map(network => [network.vni, network.name]))
  const owners = new Map(core.state.tasks.flatMap(task =>
    task.endpoints.map(endpoint => [endpoint.slot, task.name] as const)))
  return rows.map(row => ({
    network: names.get(row.vni) ?? `vni ${row.vni}`,
    mac: formatMac(row.macHigh, row.macLow),
    via: row.port === FROM_UNDERLAY ? formatIpv4(row.address)
      : owners.get(row.port) ?? 'a local port',
    ageMs: row.ageMs,
  }))
}

async function waitFor(tasks: Tasks, which: string, signal: AbortSignal): Promise<WaitView> {
  const { id } = tasks.find(which)
  const aborted = Promise.withResolvers<never>()
  const stop = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    const ended = await Promise.race([tasks.ended(id), aborted.promise])
    return { exitCode: ended.exitCode, state: ended.state }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
