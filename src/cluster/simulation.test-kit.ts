// A cluster in virtual time: members of the mesh, with all that is theirs but the sockets, on a
// network that is not there. The same seed gives the same run, so a test that fails prints its seed
// and can be had again.
import { makeRandom, pick, type Random32 } from '../base/prng.ts'
import { Mesh } from './mesh.ts'
import { formatMeshAddress, type MeshAddress } from './mesh-address.ts'
import { MeshDriver, type Alarm } from './mesh-driver.ts'
import type { MeshEvent, MeshNews } from './mesh-events.ts'
import type { MeshOptions } from './mesh-options.ts'
import { isGone } from './swim/members.ts'
import { GOOD_CONDITIONS, MemoryNetwork, MemoryTransport, type NetworkConditions }
  from './transport.memory.ts'
import { KEEP_ALIVE_TIMINGS } from './tunnel-peer.ts'
import { VirtualTime } from './virtual-time.ts'

/** When the first member is started; later boots are this much later. */
const FIRST_EPOCH = 1_790_000_000
const BOOT_SECONDS = 100

/** For runs in which keep-alives would be most of the work and are not what is looked at. */
export const NO_KEEP_ALIVES = Object.freeze({
  ...KEEP_ALIVE_TIMINGS, intervalMs: 1e9, doubtfulAfterMs: 2e9,
})

/** Timers are not finer than this. */
const TIMER_STEP_MS = 0.01

export type News = Readonly<{ atMs: number; news: MeshNews }>

/** An alarm that does not ring while its process stands still. */
class VirtualAlarm implements Alarm {
  readonly #time: VirtualTime
  readonly #isPaused: () => boolean
  #callOff: () => void = () => {}
  #missed: (() => void) | undefined

  constructor(time: VirtualTime, isPaused: () => boolean) {
    this.#time = time
    this.#isPaused = isPaused
  }

  set(inMs: number, ring: () => void): void {
    this.clear()
    // Never at once: sums of times are rounded, and a timer that rings too early rings for ever.
    const atMs = this.#time.nowMs() + Math.max(TIMER_STEP_MS, inMs)
    this.#callOff = this.#time.at(atMs, () => {
      if (this.#isPaused()) this.#missed = ring
      else ring()
    })
  }

  clear(): void {
    this.#callOff()
    this.#missed = undefined
  }

  /** Timers come before sockets in Node's event loop. */
  resume(): void {
    const ring = this.#missed
    this.#missed = undefined
    ring?.()
  }
}

export class SimulatedNode {
  readonly name: string
  readonly address: MeshAddress
  readonly mesh: Mesh
  readonly driver: MeshDriver
  readonly transport: MemoryTransport
  readonly news: News[] = []
  readonly #alarm: VirtualAlarm
  isRunning = true

  constructor(network: MemoryNetwork, options: MeshOptions,
    onNews: (node: SimulatedNode, news: MeshNews) => void) {
    this.name = options.name
    this.address = options.address
    this.transport = new MemoryTransport(network, options.address)
    this.#alarm = new VirtualAlarm(network.time, () => this.transport.isPaused)
    this.mesh = new Mesh(options)
    this.driver = new MeshDriver({
      mesh: this.mesh, transport: this.transport, clock: network.time, alarm: this.#alarm,
      onNews: news => {
        this.news.push({ atMs: network.time.nowMs(), news })
        onNews(this, news)
      },
    })
    this.transport.start(this.driver.handlers)
    this.driver.handle({ type: 'tick' })
  }

  handle(event: MeshEvent): void {
    this.driver.handle(event)
  }

  /** As by kill -9. */
  crash(): void {
    this.isRunning = false
    this.transport.stop()
    void this.driver.close()
  }

  pause(): void {
    this.transport.pause()
  }

  resume(): void {
    this.transport.resume(() => this.#alarm.resume())
  }

  state(name: string): string | undefined {
    return this.mesh.swim.member(name)?.state
  }

  /** Names and addresses of those that are not gone. */
  view(): string[] {
    return this.mesh.swim.members().filter(member => !isGone(member))
      .map(({ address, name }) => `${name} ${formatMeshAddress(address)}`).sort()
  }

  changes(change: string, name?: string): News[] {
    return this.news.filter(({ news }) => news.type === 'member' && news.change === change
      && (name === undefined || news.member.name === name))
  }
}

export type ClusterOptions = Readonly<{
  seed: number
  conditions?: Partial<NetworkConditions>
  mesh?: Partial<MeshOptions>
  onNews?: (node: SimulatedNode, news: MeshNews) => void
}>

export class SimulatedCluster {
  readonly time = new VirtualTime()
  readonly network: MemoryNetwork
  readonly random: Random32
  readonly nodes: SimulatedNode[] = []
  readonly #options: ClusterOptions
  #epoch = FIRST_EPOCH

  constructor(options: ClusterOptions) {
    this.#options = options
    this.random = makeRandom(options.seed)
    this.network = new MemoryNetwork(this.time, makeRandom(options.seed ^ 0x5bd1e995),
      { ...GOOD_CONDITIONS, ...options.conditions })
  }

  get running(): SimulatedNode[] {
    return this.nodes.filter(({ isRunning }) => isRunning)
  }

  /** A member that knows nobody. Its host is its number in the cluster when it is not given. */
  add(name: string, host = this.nodes.length + 1, more: Partial<MeshOptions> = {}): SimulatedNode {
    this.#epoch += BOOT_SECONDS
    const random = makeRandom(this.random())
    const node = new SimulatedNode(this.network, {
      nowMs: this.time.nowMs(), random, randomOctets: length => new Uint8Array(length), name,
      address: { host: `10.0.${host >> 8}.${host & 255}`, port: 7946 }, epoch: this.#epoch,
      meta: new TextEncoder().encode(`${name} ${this.#epoch}`), label: '',
      keys: { primary: null, all: [] }, bootOf: bootOfMeta, ...this.#options.mesh, ...more,
    }, this.#options.onNews ?? (() => {}))
    this.nodes.push(node)
    return node
  }

  /** `count` members, named n1 and so on, that have found each other. */
  grow(count: number): SimulatedNode[] {
    for (let i = 0; i < count; i += 1) {
      const node = this.add(`n${this.nodes.length + 1}`)
      const first = this.nodes[0]!
      if (node !== first) node.handle({ type: 'join', seeds: [first.address] })
      this.time.run(this.time.nowMs() + 20)
    }
    if (!this.converges(10_000)) throw new Error('a quiet cluster does not find itself')
    return this.nodes
  }

  run(forMs: number): void {
    this.time.run(this.time.nowMs() + forMs)
  }

  /** Does everybody see exactly those that run, soon enough? */
  converges(withinMs: number, nodes = this.running): boolean {
    const wanted = nodes.map(({ address, name }) => `${name} ${formatMeshAddress(address)}`)
      .sort().join()
    return this.time.runUntil(() => nodes.every(node => node.view().join() === wanted), withinMs)
  }

  pick(): SimulatedNode {
    return this.running[pick(this.random, this.running.length)]!
  }

  /** Who was said to have failed, by whom, though it was running all the time. */
  deaths(): string[] {
    return this.nodes.flatMap(node => node.changes('failed')
      .map(({ atMs, news }) => news.type === 'member'
        ? `${node.name} says ${news.member.name} failed at ${Math.round(atMs)} ms: ${news.reason}`
        : ''))
  }
}

/** Metadata of the members here end with the second of their boot. */
function bootOfMeta(meta: Uint8Array, incarnation: number): number {
  const boot = Number(new TextDecoder().decode(meta).split(' ').at(-1))
  return Number.isInteger(boot) ? boot : incarnation
}
