// Start, reload and stop of a daemon: puts all rooms together and owns what is open.
import { accessSync, constants, readFileSync } from 'node:fs'
import { systemClock } from '../base/clock.ts'
import { AbsentError, ConfigError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { closeDescriptor } from '../kernel/descriptor.ts'
import { makeDirectory } from '../kernel/directory.ts'
import { type OnLack, probeSteering, probeTap } from '../kernel/features.ts'
import { openRtnetlink, type Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import { primeThreadPool } from '../kernel/netns.ts'
import { makeSteering } from '../path/steering.ts'
import { advertise } from './advertise.ts'
import { Attachments } from './attachments.ts'
import { Cluster } from './cluster.ts'
import { type Config, needsRestart } from './config.ts'
import { makeControl } from './control.ts'
import { Core } from './core.ts'
import type { TapKind } from './endpoints.ts'
import { Exclusive } from './exclusive.ts'
import { HostPorts } from './host-ports.ts'
import { HostSubnets } from './host-subnets.ts'
import { Ingress } from './ingress.ts'
import { flowsTo } from './lb.ts'
import { Leases } from './leases.ts'
import { Networks } from './networks.ts'
import type { OnPortDead } from './packet-worker.ts'
import { Reconciler, takeUp } from './reconcile.ts'
import { ServiceAgent } from './service-agent.ts'
import { makeLogReader } from './service-logs.ts'
import { Services } from './services.ts'
import { SharedNetworks } from './shared-networks.ts'
import { loadState } from './state.ts'
import { Tasks } from './tasks.ts'
import { Tunnel, type TunnelSpec } from './tunnel.ts'
import { findUnderlay, type UnderlayAddress } from './underlay-address.ts'
import type { Control } from './views.ts'
import { Vteps } from './vteps.ts'

const MANIFEST = new URL('../../package.json', import.meta.url)

export type Daemon = Readonly<{
  control: Control
  /** Use what of the new configuration can change while running; the rest is logged. */
  reload(config: Config): void
  /** Rejects when the daemon cannot go on. */
  failed: Promise<never>
  /** Settles when all packet workers have answered; rejects when one does not in time. */
  alive(): Promise<void>
  /** Tasks and their devices stay as they are; a later daemon takes them up. */
  stop(): Promise<void>
}>

export async function startDaemon(config: Config, log: Log): Promise<Daemon> {
  checkMachine()
  await primeThreadPool()
  const host = openRtnetlink()
  try {
    return await startWith(config, log, host)
  } catch (error) {
    host.close()
    throw error
  }
}

async function startWith(config: Config, log: Log, host: Rtnetlink): Promise<Daemon> {
  const state = loadState(config.paths.state)
  const underlay = await findUnderlay(host, config.underlay, state.advertise)
  // ---- above this line nothing on the machine has been changed ----
  makeDirectories(config)
  const tapKind = probeTapKind(config, log)
  const changes = new Exclusive()
  let reconciler: Reconciler | undefined
  let ingress: Ingress | undefined
  let core: Core | undefined
  const onPortDead: OnPortDead = ({ worker, portId, fd, errno }) => {
    // Of several workers each tells of the same device; it may have been made anew since.
    if (core?.taps.get(portId)?.fds[worker] !== fd) return
    log.warn({ portId, errno }, 'the device of an endpoint is gone')
    core.taps.delete(portId)
    core.publish() // the workers close it
    reconciler?.soon()
    ingress?.look()
  }
  const tunnel = await openTunnel({ config, tapKind, onPortDead }, underlay, log)
  core = new Core({ config, log, state, tunnel, tapKind }, host)
  const networks = new Networks(core, host, systemClock)
  const tasks = new Tasks(core, networks, changes, systemClock)
  core.publish()
  await takeUpAll(core, tasks, changes)
  const version = readVersion()
  const leases = new Leases(core, networks, changes, systemClock)
  ingress = new Ingress({ core, host, changes, log })
  const { cluster, agent } = makeCluster({ core, networks, tasks, changes, leases, host, ingress,
    version })
  await stoppingOn(cluster.start(), tunnel)
  reconciler = new Reconciler(core, tasks, changes)
  reconciler.start()
  ingress.start()
  log.info({ underlay: underlay.address, device: underlay.device, port: config.underlay.port },
    'daemon ready')
  const control = makeControl({
    core, cluster, desk: leases.desk, networks, tasks, changes, version, startedAt: wallNow(),
    vteps: new Vteps(core), services: makeServices({ core, ingress, networks, tasks, version }),
    attachments: new Attachments(core, networks, tasks),
  })
  return {
    control,
    failed: tunnel.failed,
    alive: () => tunnel.datapath.alive(),
    reload: fresh => reload(core, fresh),
    stop: async () => {
      reconciler.stop()
      agent.stop()
      leases.close()
      await ingress.stop()
      await cluster.stop()
      await changes.close(() => tunnel.stop())
      await core.wayOut.end()
      core.dns.close()
      if (tapKind.steering >= 0) closeDescriptor(tapKind.steering)
      host.close()
    },
  }
}

/** New tasks wait until the way out stands, the daemon does not. */
async function takeUpAll(core: Core, tasks: Tasks, changes: Exclusive): Promise<void> {
  await changes.run(() => takeUp(core, tasks))
  changes.run(() => core.wayOut.look())
    .catch(err => core.log.error({ err }, 'the way out of tasks is not made yet'))
}

function makeServices({ core, ingress, networks, tasks, version }:
Pick<ClusterParts, 'core' | 'ingress' | 'networks' | 'tasks' | 'version'>): Services {
  return new Services({ core, clock: systemClock, version, readLog: makeLogReader(tasks),
    makeIngress: () => networks.makeIngress(), hostPorts: ingress.ports,
    flowsTo: task => flowsTo(core, task) })
}

function wallNow(): string {
  return new Date(systemClock.wallMs()).toISOString()
}

type ClusterParts = Readonly<{
  core: Core
  networks: Networks
  tasks: Tasks
  changes: Exclusive
  leases: Leases
  host: Rtnetlink
  ingress: Ingress
  version: string
}>

/** The cluster, and who follows its rows. */
function makeCluster({ changes, core, host, ingress, leases, networks, tasks, version }:
ClusterParts): { cluster: Cluster; agent: ServiceAgent } {
  const { log } = core
  const subnets = new HostSubnets(core, host)
  const ports = new HostPorts(core)
  const agent = new ServiceAgent({ core, tasks, changes, clock: systemClock, log })
  const cluster = new Cluster({
    core, networks, changes, shared: new SharedNetworks(core, networks), clock: systemClock, log,
    version, followers: [() => leases.follow(), link => agent.follow(link),
      link => subnets.follow(link), link => ports.follow(link),
      () => ingress.follow()],
    onDrain: (link, from, octets) => agent.hear(link, from, octets),
    leavers: [() => agent.leave(), () => ingress.leave()],
    advertise: wanted => advertise(core, tasks, host, wanted),
    readLog: makeLogReader(tasks),
  })
  return { cluster, agent }
}

/** What this kernel's TAPs have of what is configured. */
function probeTapKind({ plane, underlay }: Config, log: Log): TapKind {
  const { tcpSegmentation, udpSegmentation, multiQueue, workers } = plane
  const onLack: OnLack = (feature, error) => log.info({ feature, err: error },
    'the kernel refuses what plane asks for: frames take the slower way')
  const steer = () => probeSteering(makeSteering(workers, underlay.sourcePorts), onLack)
  return {
    offload: probeTap({ tcp: tcpSegmentation, udp: udpSegmentation }, onLack),
    steering: multiQueue ? steer() : -1,
    count: workers,
  }
}

async function openTunnel(spec: TunnelSpec, underlay: UnderlayAddress, log: Log): Promise<Tunnel> {
  const tunnel = await Tunnel.open(spec, underlay)
  const { nice } = tunnel.datapath
  const wanted = spec.config.plane.nice
  if (nice !== wanted) {
    log.warn({ nice, wanted },
      'packet workers have another priority than plane.nice: is CAP_SYS_NICE missing?')
  }
  return tunnel
}

/** Without its cluster, where it is in one, the daemon does not start. */
async function stoppingOn(starting: Promise<void>, tunnel: Tunnel): Promise<void> {
  try {
    await starting
  } catch (error) {
    await tunnel.stop()
    throw error
  }
}

function reload(core: Core, fresh: Config): void {
  const waiting = needsRestart(core.config, fresh)
  if (waiting.length > 0) {
    core.log.warn({ settings: waiting.join(' ') }, 'settings wait for a restart')
  }
  core.log.level = fresh.log.level
  core.config = { ...core.config, log: fresh.log, tasks: fresh.tasks }
  core.log.info('configuration reloaded')
}

function makeDirectories({ paths }: Config): void {
  for (const [setting, mode] of [['state', 0o700], ['run', 0o755]] as const) {
    try {
      makeDirectory(paths[setting], mode)
    } catch (error) {
      throw new ConfigError(`paths.${setting} ${paths[setting]} cannot be used: ${
        (error as Error).message}`, { path: paths[setting] }, error)
    }
  }
}

function checkMachine(): void {
  if (process.getuid?.() !== 0) {
    throw new AbsentError('the daemon needs root, for namespaces and TAP devices; run it with sudo')
  }
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
  } catch (error) {
    throw new AbsentError('/dev/net/tun is missing or closed to us; '
      + 'load the driver with: modprobe tun', {}, error)
  }
}

function readVersion(): string {
  return (JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string }).version
}
