// What all parts of the daemon share: the remembered state, the descriptors that are held, and the
// way of both into the packet worker. One owner for each: only this file writes them out.
import { randomInt } from 'node:crypto'
import { systemClock } from '../base/clock.ts'
import { LimitError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { VNI_INGRESS } from '../cluster/subnets.ts'
import { openCgroupRoot } from '../kernel/cgroup.ts'
import type { Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import type { Tap } from '../kernel/tap-device.ts'
import type { UnderlaySockets } from '../kernel/underlay.ts'
import { buildImage, MEMBERS_MAX, PORTS_MAX } from '../path/image.ts'
import type { PortRow } from '../path/image-rows.ts'
import { Balancing } from './balancing.ts'
import { clusterDirectory } from './cluster-facts.ts'
import type { ClusterLink } from './cluster-link.ts'
import type { LeftOut } from './cluster-rows.ts'
import { compileRows, type HostEndpoint, networkIndexes } from './compile.ts'
import type { Config } from './config.ts'
import type { Datapath } from './datapath.ts'
import { DnsServers } from './dns-servers.ts'
import type { TapKind } from './endpoints.ts'
import { networkMtu } from './path-mtu.ts'
import { QueueDrops } from './queue-drops.ts'
import { ownRows } from './shared-endpoints.ts'
import {
  saveState, type EndpointRecord, type NetworkRecord, type State, type TaskRecord,
} from './state.ts'
import type { Tunnel } from './tunnel.ts'
import type { UnderlayAddress } from './underlay-address.ts'
import { WayOut } from './way-out.ts'

export class Core {
  config: Config
  readonly log: Log
  readonly state: State
  readonly tunnel: Tunnel
  readonly tapKind: TapKind
  /** TAPs that the workers hold, by port id: of each as many descriptors as there are workers. */
  readonly taps = new Map<number, Tap>()
  readonly queueDrops = new QueueDrops()
  /** Names for tasks. */
  readonly dns: DnsServers
  readonly balancing = new Balancing()
  /** The way to the host, while there are published ports; its TAP is one of `taps`. */
  host: HostEndpoint | null = null
  readonly wayOut: WayOut
  /** The cluster that this node is in. */
  link: ClusterLink | null = null
  /** Where control groups of tasks are made; null where the kernel or the host has none for us. */
  readonly #cgroups = openCgroupRoot('tapmesh.slice')
  /** Of the images' indexes: nobody outside knows which keys meet in one bucket. */
  readonly #seed = randomInt(0, 2 ** 31)
  #leftOut = ''
  #generation = 0

  /** @param host a netlink socket in the machine's own namespace */
  constructor(parts: Pick<Core, 'config' | 'log' | 'state' | 'tunnel' | 'tapKind'>,
    host: Rtnetlink) {
    this.config = parts.config
    this.log = parts.log
    this.state = parts.state
    this.tunnel = parts.tunnel
    this.tapKind = parts.tapKind
    this.dns = new DnsServers(this, systemClock, parts.log.child({ room: 'dns' }))
    this.wayOut = new WayOut(this, host, systemClock)
  }

  get underlay(): UnderlayAddress {
    return this.tunnel.underlay
  }

  get sockets(): UnderlaySockets {
    return this.tunnel.sockets
  }

  get datapath(): Datapath {
    return this.tunnel.datapath
  }

  get generation(): number {
    return this.#generation
  }

  /** Path of the task's control group. Ids are in no two hosts the same, names may be. */
  cgroupOf(task: Pick<TaskRecord, 'id'>): string | null {
    return this.#cgroups === null ? null : `${this.#cgroups}/${task.id}`
  }

  save(): void {
    saveState(this.config.paths.state, this.state)
  }

  /** Let the packet workers see what is true now. */
  publish(): void {
    const before = this.#generation
    this.link?.setEndpoints(ownRows(this))
    if (this.#generation !== before) return // who followed the new rows has published all of it
    this.#generation += 1
    const state = { ...this.state, networks: this.networksInUse() }
    const fds = new Map([...this.taps].map(([portId, tap]) => [portId, tap.fds[0]!]))
    const directory = this.link === null ? [] : clusterDirectory(this.link.records)
    const ingress = state.networks.find(({ vni }) => vni === VNI_INGRESS)
    const services = this.balancing.rows(directory, networkIndexes(state),
      this.link === null || ingress === undefined ? undefined
        : { network: ingress.id, node: this.link.nodeId })
    const rows = compileRows(state, fds, this.#generation, this.link?.imageRows(),
      { services, published: this.balancing.published, host: this.host })
    this.#tellLeftOut({ ...rows.leftOut, services: this.balancing.leftOut })
    const workers = Array.from({ length: this.datapath.workers }, (_, worker) => worker)
    this.datapath.publish(workers.map(worker => buildImage({ ...rows, seed: this.#seed,
      ports: rows.ports.map(port => ({ ...port, ...this.#heldBy(worker, port.id) })) })))
  }

  /** Each worker reads its own queue of a TAP; where there is one queue, one of them reads it. */
  #heldBy(worker: number, portId: number): Pick<PortRow, 'fd' | 'isRead'> {
    const { fds, isMultiQueue } = this.taps.get(portId)!
    const isRead = isMultiQueue || portId % this.datapath.workers === worker
    return { fd: fds[worker]!, isRead }
  }

  /** Once for each change: an image is built far more often. */
  #tellLeftOut(leftOut: LeftOut & { services: number }): void {
    const facts = JSON.stringify(leftOut)
    if (facts === this.#leftOut) return
    this.#leftOut = facts
    if (leftOut.members + leftOut.remotes + leftOut.damaged + leftOut.services > 0) {
      this.log.warn({ leftOut }, 'rows of the cluster do not fit into the tables')
    }
  }

  /** The network as its tasks have it: with the MTU that fits the underlay and its paths now. */
  inUse(network: NetworkRecord): NetworkRecord {
    return { ...network, mtu: networkMtu(network.mtu, this.underlay.mtu, this.state.pathMtu) }
  }

  networksInUse(): NetworkRecord[] {
    return this.state.networks.map(network => this.inUse(network))
  }

  /** Numbers for a new endpoint: a port id that was never used, and the lowest free slot. */
  nextPort(planned: readonly EndpointRecord[]): { portId: number; slot: number } {
    const endpoints = [...this.state.tasks.flatMap(task => task.endpoints), ...planned]
    const used = new Set(endpoints.map(endpoint => endpoint.slot))
    if (this.host !== null) used.add(this.host.slot)
    for (let slot = 0; slot < PORTS_MAX; slot++) {
      if (used.has(slot)) continue
      const portId = this.state.nextPortId
      this.state.nextPortId += 1
      return { portId, slot }
    }
    throw new LimitError(`this node has ${PORTS_MAX} endpoints, which is the most it can serve`)
  }

  /** @throws LimitError when the tables would be larger than the worker's */
  checkMembers(): void {
    const shared = this.state.vteps.filter(vtep => vtep.network === null).length
    const own = this.state.vteps.length - shared
    if (shared * this.state.networks.length + own <= MEMBERS_MAX) return
    throw new LimitError(`VTEPs times networks would be more than ${MEMBERS_MAX}; `
      + 'give VTEPs for single networks with --network')
  }
}
