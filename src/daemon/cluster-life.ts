// One membership of this node in a cluster, from its start to its end: rows of the tables become
// networks, addresses and table images here, and what this node has becomes rows there.
import { ConflictError } from '../base/errors.ts'
import type { Identity } from '../cluster/identity/identity.ts'
import type { MeshAddress } from '../cluster/mesh-address.ts'
import { makeDrainCounters } from '../cluster/services/drains.ts'
import type { ServiceTaskRow } from '../cluster/services/rows.ts'
import type { Change, Write } from '../cluster/tables/events.ts'
import { tasksOf } from './cluster-facts.ts'
import type { ClusterHost } from './cluster-host.ts'
import type { ClusterLink } from './cluster-link.ts'
import { ClusterNode } from './cluster-node.ts'
import { ClusterPaths } from './cluster-paths.ts'
import { byStamp, type Known, ClusterRecords, recordOf } from './cluster-records.ts'
import type { ClusterRows, RemoteEndpoint } from './cluster-rows.ts'
import type { SeenMember } from './cluster-show.ts'
import { ClusterTrust } from './cluster-trust.ts'
import { Pace } from './pace.ts'
import { proofOf, rowFault } from './row-proof.ts'
import { endpointWrites } from './shared-endpoints.ts'
import {
  encodeRow, type EndpointRow, nodeKey, type NodeRow, ownerOf, SHARED_TABLES, TABLE_NETWORK,
  TABLE_NODE,
} from './shared-rows.ts'
import { openStore, type Store } from './store.ts'

export class ClusterLife implements ClusterLink {
  readonly records = new ClusterRecords()
  readonly trust: ClusterTrust
  readonly node: ClusterNode
  readonly paths: ClusterPaths
  readonly restoredTasks: ReadonlyMap<string, ServiceTaskRow>
  readonly drainCounters = makeDrainCounters()
  readonly #host: ClusterHost
  readonly #store: Store
  /** As the packet path wants them; the same object as long as the row is the same. */
  readonly #remotes = new WeakMap<Known<EndpointRow>, RemoteEndpoint>()
  readonly #pace: Pace
  /** Changes that the packet path does not have yet. */
  readonly #untold: Change[] = []
  #isFirst = false

  constructor(host: ClusterHost, identity: Identity, onRemoved: (by: string) => void) {
    const { core, clock, log } = host
    this.#host = host
    this.#pace = new Pace(clock, () => this.#follow())
    this.#store = openStore(`${core.config.paths.state}/cluster.db`, clock.wallMs())
    this.trust = new ClusterTrust(host, identity, this)
    this.node = new ClusterNode({
      nodeId: identity.certificate.nodeId, name: identity.certificate.nodeName,
      label: identity.cluster.id, keys: this.trust.meshKeys(), address: addressOf(host, identity),
      store: this.#store, clock, log: log.child({ room: 'cluster' }),
      check: row => rowFault(this.trust.held, row), prove: row => proofOf(this.identity, row),
      onTls: socket => this.trust.accept(socket),
      onRows: changes => this.#changed(changes),
      onMembers: left => this.#membersChanged(left),
      onRemoved, onDrain: (from, octets) => host.onDrain(this, from, octets),
      onEvent: (what, name, detail) => host.tell({ what, name, detail }),
    })
    this.paths = new ClusterPaths(host, this.node)
    const { tables } = this.node
    for (const { name } of SHARED_TABLES) {
      for (const { row, isShown } of tables.allRows(name)) {
        const change = { table: name, key: row.key, new: row, isShown }
        this.records.apply(recordOf(change))
        this.trust.follow(change)
      }
    }
    this.restoredTasks = tasksOf(this.records, this.nodeId)
  }

  get identity(): Identity {
    return this.trust.identity
  }

  get nodeId(): string {
    return this.identity.certificate.nodeId
  }

  /** Where this node's gossip arrives. */
  get address(): MeshAddress {
    return addressOf(this.#host, this.identity)
  }

  /** Managers that are here, this node perhaps among them. @param all also those that are not */
  managers(all = false): { id: string; address: MeshAddress }[] {
    return [...this.records.nodes]
      .filter(([, node]) => node.role === 'manager' && (all || !node.hidden))
      .map(([id, node]) => ({ id, address: { host: node.address, port: node.meshPort } }))
  }

  /** Where gossip of this node and of the others that are here arrives. */
  places(): MeshAddress[] {
    return [...this.records.nodes.values()].filter(node => !node.hidden)
      .map(node => ({ host: node.address, port: node.meshPort }))
  }

  members(): SeenMember[] {
    return this.node.members()
      .map(member => ({ ...member, pathMtuOctets: this.paths.mtuTo(member.name) }))
  }

  get isManager(): boolean {
    return this.identity.certificate.role === 'manager'
  }

  get isSplit(): boolean {
    return this.node.members().some(member => member.state === 'dead' && member.id !== null)
  }

  get isCaughtUp(): boolean {
    return this.#isFirst || this.node.tables.peers().some(peer => peer.isEqual === true)
  }

  get isFollowed(): boolean {
    return !this.#pace.isAwaited
  }

  /** @throws ConflictError when the address cannot be had */
  async open(seeds: readonly MeshAddress[]): Promise<void> {
    this.#isFirst = seeds.length + this.#knownPlaces().length === 0
    await this.node.open([...seeds, ...this.#knownPlaces()])
    this.node.write([{ table: TABLE_NODE, key: nodeKey(this.nodeId),
      value: encodeRow(this.#ownNode()) }])
    this.trust.begin()
    this.paths.start()
    this.#pace.ask()
  }

  write(writes: readonly Write[]): void {
    this.node.write([...writes])
  }

  send(to: string, octets: Uint8Array): void {
    this.node.send(this.records.nodes.get(to)?.name ?? '', octets)
  }

  /** @throws ConflictError on a worker */
  checkManager(what: string): void {
    if (this.isManager) return
    const managers = [...this.records.nodes.values()]
      .filter(node => node.role === 'manager' && !node.hidden).map(node => node.name)
    throw new ConflictError(`this node is a worker, and only managers ${what}; `
      + `run it on a manager${managers.length > 0 ? `: ${managers.join(', ')}` : ''}`)
  }

  setEndpoints(rows: ReadonlyMap<number, EndpointRow>): void {
    this.node.write(endpointWrites(this.node.tables, this.records, this.nodeId, rows))
  }

  /** What the packet path is told of the other nodes. */
  imageRows(): ClusterRows {
    const networks = this.#host.core.state.networks.filter(({ scope }) => scope === 'swarm')
    const nodes = new Map([...this.records.nodes]
      .filter(([id, node]) => id !== this.nodeId && !node.hidden))
    const endpoints: RemoteEndpoint[] = []
    const rows = [...this.records.endpoints.values()].filter(row => !row.hidden)
    for (const row of rows.sort(byStamp)) {
      const node = nodes.get(ownerOf(row.key))
      if (node !== undefined) endpoints.push(this.#remoteOf(row, node))
    }
    return {
      networks: new Set(networks.map(network => network.id)),
      members: [...nodes.values()].map(({ address, port, remoteChecksum }) =>
        ({ address, port, remoteChecksum: remoteChecksum && this.#finishesChecksums() })),
      endpoints,
    }
  }

  async close(): Promise<void> {
    this.#pace.close()
    this.trust.close()
    this.paths.close()
    await this.node.close()
    this.#store.close()
  }

  #remoteOf(row: Known<EndpointRow>, node: Known<NodeRow>): RemoteEndpoint {
    const known = this.#remotes.get(row)
    if (known !== undefined && known.vtep === node.address) return known
    const { network, mac, address, promiscuous } = row
    const remote = { network, mac, address, vtep: node.address, promiscuous }
    this.#remotes.set(row, remote)
    return remote
  }

  /** Remote checksum offload is agreed on when both sides say so. */
  #finishesChecksums(): boolean {
    const { plane, underlay } = this.#host.core.config
    return plane.remoteChecksum && underlay.udpChecksum
  }

  #ownNode(): NodeRow {
    const { core, clock, version } = this.#host
    const { nodeName, role } = this.identity.certificate
    const before = this.records.nodes.get(this.nodeId)
    return {
      name: nodeName, role, version, address: core.underlay.address,
      port: core.config.underlay.port, meshPort: core.config.mesh.port,
      joinedAt: before?.joinedAt ?? new Date(clock.wallMs()).toISOString(),
      remoteChecksum: this.#finishesChecksums(), labels: before?.labels ?? {},
    }
  }

  /** Where the others were when they were seen last. */
  #knownPlaces(): MeshAddress[] {
    return [...this.records.nodes].filter(([id]) => id !== this.nodeId)
      .map(([, node]) => ({ host: node.address, port: node.meshPort }))
  }

  #changed(changes: readonly Change[]): void {
    let acts = false
    for (const change of changes) {
      acts = this.records.apply(recordOf(change)) || acts
      this.trust.follow(change)
    }
    this.#untold.push(...changes)
    // Who creates a network is shown it in the same breath.
    if (changes.some(({ table }) => table === TABLE_NETWORK)) this.#host.shared.follow(this)
    if (acts) this.#pace.ask()
    if (this.#pace.isAwaited) return
    this.#untold.splice(0).forEach(change => this.#tell(change))
  }

  #tell({ table, key, old, new: row, wasShown, isShown }: Change): void {
    const change = row === null || row.value === null ? 'delete'
      : old !== row || wasShown === isShown ? 'set' : isShown ? 'show' : 'hide'
    const detail = row === null ? null : { writtenAt: new Date(row.stamp.ms).toISOString() }
    this.#host.tell({ what: change, name: `${table}/${key}`, detail })
  }

  /** Make everything here what the rows say now. */
  #follow(): void {
    const { core, followers, shared } = this.#host
    shared.follow(this)
    core.publish()
    for (const follow of followers) follow(this)
    this.#untold.splice(0).forEach(change => this.#tell(change)) // the packet path has them, too
  }

  #membersChanged(left: string | null): void {
    if (left !== null) this.trust.desk.freeName(left)
    this.paths.follow(this.node.members())
    setImmediate(() => this.#pace.ask())
  }
}

function addressOf({ core }: ClusterHost, identity: Identity): MeshAddress {
  return { host: identity.certificate.address, port: core.config.mesh.port }
}
