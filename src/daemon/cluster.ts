// The cluster as people and programs of this node see it: begin one, join one, leave it, look
// into it. One membership at a time; between two of them there is none, and then what it takes
// (certificates, gossip, store) is not loaded either.
import { existsSync } from 'node:fs'
import { ConflictError, UsageError } from '../base/errors.ts'
import { findNamed } from '../base/ids.ts'
import type { Identity } from '../cluster/identity/identity.ts'
import type { MeshAddress } from '../cluster/mesh-address.ts'
import type { ClusterHost } from './cluster-host.ts'
import { notInCluster } from './cluster-link.ts'
import { clusterView, tableRows, tableSums } from './cluster-inspect.ts'
import type { ClusterLife } from './cluster-life.ts'
import { checkLeave, letGo, removeStore } from './cluster-leave.ts'
import { nodeTasks, removeNode, updateNode } from './cluster-nodes.ts'
import { nodeViews, peerViews } from './cluster-show.ts'
import type {
  ClusterChangeView, ClusterControl, ClusterView, InitSpec, JoinSpec, NodeChange, NodeRole,
  NodeView, PeerView,
  PingView, TableRowView, TokenView,
} from './cluster-views.ts'
import { Watchers } from './cluster-watch.ts'
import { Exclusive } from './exclusive.ts'
import { setPathMtu } from './path-mtu.ts'
import type { ServiceTaskView } from './service-views.ts'

const CLUSTER_NAME = 'tapmesh'
/** The others hear the goodbye within this time, or find out by themselves. */
const LEAVE_TIMEOUT_MS = 2000
const JOIN_TIMEOUT_MS = 15_000
export class Cluster implements ClusterControl {
  readonly #host: ClusterHost
  readonly #turns = new Exclusive()
  readonly #watchers: Watchers
  #life: ClusterLife | null = null

  constructor(host: Omit<ClusterHost, 'tell'>) {
    this.#watchers = new Watchers(host.clock)
    this.#host = { ...host, tell: event => this.#watchers.tell(event) }
  }

  /**
   * Go on where this node was when it stopped.
   * @throws ConfigError when its identity or its store is damaged
   */
  async start(): Promise<void> {
    if (!existsSync(`${this.#stateDirectory}/identity`)) {
      await letGo(this.#host)
      return this.#forgetPaths()
    }
    const { loadIdentity } = await import('../cluster/identity/files.ts')
    const identity = loadIdentity(this.#stateDirectory)
    if (identity !== null) await this.#begin(identity, [])
  }

  async stop(): Promise<void> {
    const life = this.#life
    this.#life = null
    this.#host.core.link = null
    await life?.close()
  }

  view(): ClusterView | null {
    return this.#life === null ? null : clusterView(this.#life)
  }

  init(spec: InitSpec): Promise<{ cluster: ClusterView; worker: TokenView }> {
    return this.#turns.run(async () => {
      this.#checkAlone()
      const { clock, core } = this.#host
      const { createCluster } = await import('../cluster/identity/identity.ts')
      const identity = await createCluster({
        clusterName: spec.name ?? CLUSTER_NAME, insecure: spec.insecure,
        nodeName: core.config.node.name, address: await this.#advertised(spec.advertise),
      }, clock.wallMs())
      const life = await this.#become(identity, [])
      return { cluster: clusterView(life), worker: life.trust.token('worker') }
    })
  }

  join(spec: JoinSpec): Promise<ClusterView> {
    return this.#turns.run(async () => {
      this.#checkAlone()
      const address = await this.#advertised(spec.advertise)
      const { joinCluster } = await import('./cluster-join.ts')
      const { identity, seeds } = await joinCluster(this.#host, spec, address)
      const life = await this.#become(identity, seeds)
      try {
        await life.node.joined(JOIN_TIMEOUT_MS)
      } catch (error) {
        await this.#end()
        const { port } = this.#host.core.config.mesh
        throw new ConflictError('the cluster admitted this node, but its gossip on UDP and TCP '
          + `port ${port} does not get through: ${(error as Error).message}`)
      }
      return clusterView(life)
    })
  }

  leave(force: boolean): Promise<void> {
    return this.#turns.run(async () => {
      const life = this.#needed()
      if (!force) checkLeave(life, this.nodes(), this.#host.core.state)
      await letGo(this.#host)
      this.#host.core.link = null // our rows go with the goodbye, and are not written again
      await life.node.leave(LEAVE_TIMEOUT_MS)
      await this.#end()
    })
  }

  token(role: NodeRole): TokenView {
    return this.#needed().trust.token(role)
  }

  async rotateToken(role: NodeRole): Promise<TokenView> {
    return this.#needed().trust.rotateToken(role)
  }

  async rotateKeys(): Promise<ClusterView> {
    const life = this.#needed()
    life.trust.rotateKeys()
    return clusterView(life)
  }

  nodes(): NodeView[] {
    const life = this.#needed()
    const { epoch } = life.node
    return nodeViews({ records: life.records, nodeId: life.nodeId, epoch,
      members: life.node.members() })
  }

  node(which: string): NodeView {
    const nodes = this.nodes()
    if (which === 'self') return nodes.find(node => node.self)!
    return findNamed('node', nodes, which)
  }

  async updateNode(which: string, change: NodeChange): Promise<NodeView> {
    const { id } = this.node(which)
    updateNode(this.#needed(), this.node(id), change)
    return this.node(id)
  }

  nodeTasks(which: string): ServiceTaskView[] {
    return nodeTasks(this.#needed(), this.node(which))
  }

  async removeNode(which: string, force: boolean): Promise<void> {
    await removeNode(this.#needed(), this.node(which), force)
  }

  peers(): PeerView[] {
    return peerViews(this.#needed().members())
  }

  tables(): ReturnType<ClusterControl['tables']> {
    return tableSums(this.#needed())
  }

  table(name: string): TableRowView[] {
    return tableRows(this.#needed(), name)
  }

  watch(signal: AbortSignal): AsyncIterable<ClusterChangeView> {
    this.#needed()
    return this.#watchers.watch(signal)
  }

  ping(which: string, count: number, signal: AbortSignal): Promise<PingView> {
    const life = this.#needed()
    const node = this.node(which)
    if (node.self) throw new UsageError(`"${which}" is this node itself; name another one`)
    return life.paths.ping(node, count, signal)
  }

  get #stateDirectory(): string {
    return this.#host.core.config.paths.state
  }

  #needed(): ClusterLife {
    if (this.#life !== null) return this.#life
    throw notInCluster()
  }

  #checkAlone(): void {
    if (this.#life === null) return
    throw new ConflictError(`this node is in the cluster "${this.#life.identity.cluster.name}" `
      + 'already; leave it first with: tapmesh leave')
  }

  /** @param wanted an address or a device of this machine */
  async #advertised(wanted: string | undefined): Promise<string> {
    const { advertise, changes, core } = this.#host
    if (wanted !== undefined) await changes.run(() => advertise(wanted))
    return core.underlay.address
  }

  /** On disk first: a daemon that dies at any later line is a member at its next start. */
  async #become(identity: Identity, seeds: readonly MeshAddress[]): Promise<ClusterLife> {
    const { createIdentity } = await import('../cluster/identity/files.ts')
    removeStore(this.#stateDirectory)
    createIdentity(this.#stateDirectory, identity)
    try {
      return await this.#begin(identity, seeds)
    } catch (error) {
      await this.#end()
      throw error
    }
  }

  async #begin(identity: Identity, seeds: readonly MeshAddress[]): Promise<ClusterLife> {
    const { ClusterLife } = await import('./cluster-life.ts')
    const life = new ClusterLife(this.#host, identity, by => this.#shutOut(by))
    this.#life = life
    this.#host.core.link = life
    try {
      await life.open(seeds)
    } catch (error) {
      await this.stop()
      throw error
    }
    const { cluster, certificate } = identity
    this.#host.log.info({ cluster: cluster.name, id: cluster.id, role: certificate.role },
      'in a cluster')
    return life
  }

  /** Be in no cluster any more. Its networks that tasks still have become this node's own. */
  async #end(): Promise<void> {
    const { removeIdentity } = await import('../cluster/identity/files.ts')
    await letGo(this.#host)
    await this.stop()
    removeIdentity(this.#stateDirectory)
    removeStore(this.#stateDirectory)
    this.#host.shared.release()
    await this.#forgetPaths()
    this.#host.log.info('in no cluster')
  }

  /** Nobody measures the paths to the other nodes any more. */
  #forgetPaths(): Promise<void> {
    return this.#host.changes.run(() => setPathMtu(this.#host.core, null))
  }

  #shutOut(by: string): void {
    this.#host.log.error({ by }, 'a manager has removed this node; it leaves the cluster')
    void this.#turns.run(() => this.#end())
      .catch(error => this.#host.log.error({ err: error }, 'leaving the cluster failed'))
  }
}
