// Whole nodes in virtual time: the mesh of simulation.test-kit.ts with tables on top, put together
// as the daemon does it. Who is alive is here what the membership has found out.
import { makeRandom } from '../base/prng.ts'
import type { MeshNews } from './mesh-events.ts'
import { NO_KEEP_ALIVES, SimulatedCluster, type SimulatedNode } from './simulation.test-kit.ts'
import { TABLES_MESSAGE } from './tables/codec.ts'
import type { Peer, Persist, ReplicaMeta, StoredRow, TablesEvent, Write } from './tables/events.ts'
import { rowId } from './tables/replica.ts'
import { TABLE_SPECS, WALL_START_MS } from './tables/simulation.test-kit.ts'
import { Tables } from './tables/tables.ts'

const NAMES = [...TABLE_SPECS.map(({ name }) => name), 'epochs']

/** What a node has on its disk. */
class Disk {
  meta: ReplicaMeta | null = null
  readonly rows = new Map<string, StoredRow>()

  save({ meta, removed, rows }: Persist): void {
    for (const stored of rows) this.rows.set(rowId(stored.row.table, stored.row.key), stored)
    for (const { key, table } of removed) this.rows.delete(rowId(table, key))
    this.meta = meta
  }
}

class WholeNode {
  readonly node: SimulatedNode
  readonly tables: Tables
  readonly disk: Disk
  readonly #cluster: SimulatedCluster
  readonly #waiting: TablesEvent[] = []
  #isBusy = false
  #callOff: () => void = () => {}

  constructor(cluster: SimulatedCluster, node: SimulatedNode, disk: Disk) {
    this.#cluster = cluster
    this.node = node
    this.disk = disk
    const { meta, rows } = disk
    const { time } = cluster
    this.tables = new Tables({
      name: node.name, node: node.name, epoch: peerOf(node.mesh.swim.self).epoch,
      tables: TABLE_SPECS, random: makeRandom(cluster.random()),
      wallMs: () => WALL_START_MS + time.nowMs(),
      ...meta === null ? {} : { restored: { meta, rows: [...rows.values()] } },
    }, time.nowMs())
    this.step({ type: 'start' })
    this.heard({ type: 'joined' } as MeshNews)
  }

  heard(news: MeshNews): void {
    if (news.type === 'user' && news.octets[0] === TABLES_MESSAGE) {
      this.step({ type: 'message', from: news.from, octets: news.octets })
    } else if (news.type === 'member' || news.type === 'joined') {
      const others = this.node.mesh.swim.members().filter(({ name }) => name !== this.node.name)
      this.step({ type: 'peers', peers: others.map(peerOf) })
    }
  }

  write(...writes: Write[]): void {
    this.step({ type: 'write', writes })
  }

  step(event: TablesEvent): void {
    this.#waiting.push(event)
    if (this.#isBusy) return
    this.#isBusy = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#do(next)
    }
    this.#isBusy = false
    const { time } = this.#cluster
    this.#callOff()
    this.#callOff = time.at(Math.max(this.tables.nextMs(), time.nowMs() + 0.01), () => {
      if (this.node.isRunning) this.step({ type: 'tick' })
    })
  }

  #do(event: TablesEvent): void {
    for (const effect of this.tables.step(this.#cluster.time.nowMs(), event)) {
      if (effect.type === 'persist') this.disk.save(effect.change)
      if (effect.type !== 'send') continue
      const { octets, reliable, to } = effect
      this.node.handle({ type: 'send', to, octets, reliable })
    }
  }
}

/** Metadata of the members there are their name and the second of their boot. */
function peerOf({ meta, name, state }: { meta: Uint8Array; name: string; state: string }): Peer {
  const epoch = Number(new TextDecoder().decode(meta).split(' ').at(-1))
  return {
    name, node: name, epoch,
    state: state === 'left' ? 'left' : state === 'dead' ? 'failed' : 'alive',
  }
}

export class WholeCluster {
  readonly cluster: SimulatedCluster
  readonly nodes = new Map<string, WholeNode>()

  constructor(seed: number, count: number, loss = 0) {
    this.cluster = new SimulatedCluster({
      seed, conditions: { loss, duplication: loss / 2, reordering: loss },
      mesh: { keepAliveTimings: NO_KEEP_ALIVES },
      onNews: (node, news) => {
        const whole = this.nodes.get(node.name)
        if (whole?.node === node) whole.heard(news)
      },
    })
    for (const node of this.cluster.grow(count)) this.#give(node, new Disk())
    if (!this.isEqualWithin(10_000)) throw new Error('the tables of a quiet cluster differ')
  }

  /** After kill -9, with what was on its disk, or with nothing. */
  restart(name: string, downMs: number, hasDisk: boolean): WholeNode {
    const before = this.nodes.get(name)!
    before.node.crash()
    this.cluster.run(downMs)
    const host = Number(before.node.address.host.split('.')[3])
    const node = this.cluster.add(name, host)
    const whole = this.#give(node, hasDisk ? before.disk : new Disk())
    const seeds = this.cluster.running.filter(other => other !== node)
    node.handle({ type: 'join', seeds: seeds.map(({ address }) => address) })
    return whole
  }

  /** The first so many are cut off from the others. */
  cutOff(count: number): void {
    const addresses = this.cluster.nodes.filter(node => node.isRunning).map(node => node.address)
    this.cluster.network.partition([addresses.slice(0, count), addresses.slice(count)])
  }

  isEqualWithin(withinMs: number): boolean {
    return this.cluster.time.runUntil(() => this.isEqual(), withinMs)
  }

  isEqual(): boolean {
    const digests = [...this.nodes.values()].map(({ tables }) =>
      NAMES.map(name => tables.digest(name)).join())
    return new Set(digests).size === 1
  }

  #give(node: SimulatedNode, disk: Disk): WholeNode {
    const whole = new WholeNode(this.cluster, node, disk)
    this.nodes.set(node.name, whole)
    return whole
  }
}
