// A world of nodes with tables and nothing else, in virtual time: a network that loses, doubles,
// delays and cuts by a seed, disks that survive or do not, clocks that are wrong, and a membership
// that learns of everything a little later. The same seed gives the same run.
import { makeRandom, pick, type Random32 } from '../../base/prng.ts'
import { TABLES_MESSAGE } from './codec.ts'
import type { Change, Peer, Persist, ReplicaMeta, StoredRow, TableSpec, TablesEffect, TablesEvent }
  from './events.ts'
import { VirtualTime } from '../virtual-time.ts'
import { rowId } from './replica.ts'
import type { Row } from './rows.ts'
import { Tables } from './tables.ts'

export const SPECS = 'specs'
export const ENDPOINTS = 'endpoints'
export const TABLE_SPECS: readonly TableSpec[] = [
  { name: SPECS, owned: false }, { name: ENDPOINTS, owned: true },
]
/** 2026-01-01, so that wall clocks look like wall clocks. */
export const WALL_START_MS = 1_767_225_600_000
const INBOX_MAX = 1000
const HEADER_OF_UDP = 60

export type NetworkSpec = Readonly<{
  /** of 1000 datagrams */
  lossPerMille: number
  dupPerMille: number
  /** late by up to 50 ms, so that others overtake them */
  latePerMille: number
  delayMinMs: number
  delaySpreadMs: number
  /** how late the membership learns that a node has come or gone */
  comeMs: number
  goneMs: number
}>

export const QUIET_NETWORK: NetworkSpec = {
  lossPerMille: 0, dupPerMille: 0, latePerMille: 0, delayMinMs: 0.2, delaySpreadMs: 0.8,
  comeMs: 200, goneMs: 3000,
}

type Disk = { meta: ReplicaMeta | null; rows: Map<string, StoredRow> }

export class SimNode {
  readonly index: number
  readonly name: string
  readonly id: string
  disk: Disk = { meta: null, rows: new Map() }
  tables: Tables | null = null
  epoch = 0
  /** its wall clock is ahead by so much */
  aheadMs = 0
  isPaused = false
  inbox: (() => void)[] = []
  peers = new Map<string, Peer>()
  /** number of this life; what was meant for an earlier one is dropped */
  life = 0
  /** what the node's daemon wants to have in its rows */
  endpoints = new Map<string, Uint8Array>()
  wakeMs = Infinity

  constructor(index: number) {
    this.index = index
    this.name = `node${index}`
    this.id = `id${index.toString(36).padStart(4, '0')}`
  }
}

export type Watch = (node: SimNode, changes: readonly Change[]) => void

export class World {
  readonly random: Random32
  readonly nodes: SimNode[]
  network: NetworkSpec
  /** Everything that was ever written, by stamp: nothing else may turn up anywhere. */
  readonly written = new Map<string, Row>()
  onChange: Watch = () => {}
  onMessage: (octets: number) => void = () => {}
  /** A message that is not for the tables. */
  onWord: (to: SimNode, from: SimNode, octets: Uint8Array) => void = () => {}
  readonly #time = new VirtualTime()
  readonly #cuts = new Set<number>()
  readonly #tables: readonly TableSpec[]

  constructor(seed: number, count: number, network: NetworkSpec = QUIET_NETWORK,
    tables: readonly TableSpec[] = TABLE_SPECS) {
    this.#tables = tables
    this.random = makeRandom(seed)
    this.network = network
    this.nodes = Array.from({ length: count }, (_, i) => new SimNode(i))
  }

  get nowMs(): number {
    return this.#time.nowMs()
  }

  wallMs(node: SimNode): number {
    return WALL_START_MS + this.nowMs + node.aheadMs
  }

  at(atMs: number, run: () => void): void {
    this.#time.at(atMs, run)
  }

  /** Let the world go on until `untilMs`. */
  run(untilMs: number): void {
    this.#time.run(untilMs)
  }

  runFor(ms: number): void {
    this.run(this.nowMs + ms)
  }

  /** All clocks go on at once, as if nobody had been given any time to run. */
  leap(ms: number): void {
    this.#time.leap(ms)
  }

  start(...nodes: SimNode[]): void {
    for (const node of nodes) this.#boot(node)
    this.#reachabilityChanged()
  }

  #boot(node: SimNode): void {
    node.life += 1
    node.isPaused = false
    node.inbox = []
    const seconds = Math.floor(this.wallMs(node) / 1000)
    node.epoch = Math.max((node.disk.meta?.epoch ?? 0) + 1, seconds)
    const { meta, rows } = node.disk
    node.tables = new Tables({
      name: node.name, node: node.id, epoch: node.epoch, tables: this.#tables,
      random: makeRandom(this.random()), wallMs: () => this.wallMs(node),
      ...(meta === null ? {} : { restored: { meta, rows: [...rows.values()] } }),
    }, this.nowMs)
    this.step(node, { type: 'start' })
    const writes = [...node.endpoints].map(([key, value]) => ({ table: ENDPOINTS, key, value }))
    this.step(node, { type: 'write', writes })
  }

  /** As kill -9 does. */
  kill(node: SimNode): void {
    node.tables = null
    node.life += 1
    node.wakeMs = Infinity
    this.#reachabilityChanged()
  }

  pause(node: SimNode): void {
    node.isPaused = true
  }

  resume(node: SimNode): void {
    node.isPaused = false
    const { inbox, life } = node
    node.inbox = []
    for (const run of inbox) if (node.life === life) run()
    this.#wake(node)
  }

  /** Nothing goes from any of `from` to any of `to` any more. */
  cut(from: readonly SimNode[], to: readonly SimNode[]): void {
    for (const a of from) for (const b of to) if (a !== b) this.#cuts.add(this.#link(a, b))
    this.#reachabilityChanged()
  }

  heal(): void {
    this.#cuts.clear()
    this.#reachabilityChanged()
  }

  step(node: SimNode, event: TablesEvent): void {
    if (node.tables === null) return
    this.#obey(node, node.tables.step(this.nowMs, event))
    this.#wake(node)
  }

  send(from: SimNode, to: SimNode, octets: Uint8Array, isReliable: boolean): void {
    this.onMessage(octets.length + HEADER_OF_UDP)
    const { dupPerMille, latePerMille, lossPerMille } = this.network
    if (this.#isCut(from, to)) return
    if (!isReliable && pick(this.random, 1000) < lossPerMille) return
    const copies = !isReliable && pick(this.random, 1000) < dupPerMille ? 2 : 1
    for (let i = 0; i < copies; i += 1) {
      const lateMs = pick(this.random, 1000) < latePerMille ? pick(this.random, 50) : 0
      const delayMs = this.delayMs() * (isReliable ? 3 : 1) + lateMs
      this.at(this.nowMs + delayMs, () => this.#deliver(from, to, octets))
    }
  }

  delayMs(): number {
    const { delayMinMs, delaySpreadMs } = this.network
    return delayMinMs + delaySpreadMs * pick(this.random, 1000) / 1000
  }

  get isCut(): boolean {
    return this.#cuts.size > 0
  }

  running(): SimNode[] {
    return this.nodes.filter(node => node.tables !== null)
  }

  #deliver(from: SimNode, to: SimNode, octets: Uint8Array): void {
    if (to.tables === null || this.#isCut(from, to)) return
    const run = (): void => octets[0] === TABLES_MESSAGE
      ? this.step(to, { type: 'message', from: from.name, octets })
      : this.onWord(to, from, octets)
    if (!to.isPaused) run()
    else if (to.inbox.length < INBOX_MAX) to.inbox.push(run)
  }

  #obey(node: SimNode, effects: readonly TablesEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'persist') this.#persist(node, effect.change)
      else if (effect.type === 'send') {
        const to = this.nodes[Number(effect.to.slice(4))]!
        this.send(node, to, effect.octets, effect.reliable)
      } else if (effect.type === 'changed') {
        for (const { new: row } of effect.changes) this.#note(node, row)
        this.onChange(node, effect.changes)
      } else if (effect.type === 'epoch') {
        node.epoch = effect.epoch
        this.#reachabilityChanged()
      }
    }
  }

  #note(node: SimNode, row: Row | null): void {
    if (row === null || row.stamp.node !== node.id || row.stamp.epoch !== node.epoch) return
    const { ms, counter, epoch } = row.stamp
    const stamp = `${ms}/${counter}/${node.id}/${epoch}`
    const before = this.written.get(stamp)
    const isSame = before === undefined || (before.table === row.table && before.key === row.key)
    if (!isSame) throw new Error(`stamp ${stamp} was used twice: ${before.key} and ${row.key}`)
    this.written.set(stamp, row)
  }

  #persist(node: SimNode, { meta, removed, rows }: Persist): void {
    for (const stored of rows) node.disk.rows.set(rowId(stored.row.table, stored.row.key), stored)
    for (const { table, key } of removed) node.disk.rows.delete(rowId(table, key))
    const before = node.disk.meta
    const isBack = before !== null && (meta.hlcMs - before.hlcMs || meta.hlcCounter
      - before.hlcCounter) < 0
    if (isBack) throw new Error(`the hybrid clock of ${node.name} ran backwards`)
    node.disk.meta = meta
  }

  #wake(node: SimNode): void {
    const { life, tables } = node
    if (tables === null) return
    const wakeMs = Math.max(tables.nextMs(), this.nowMs)
    if (wakeMs >= node.wakeMs && node.wakeMs > this.nowMs) return
    node.wakeMs = wakeMs
    this.at(wakeMs, () => {
      if (node.life !== life || node.wakeMs !== wakeMs) return
      node.wakeMs = Infinity
      if (!node.isPaused) this.step(node, { type: 'tick' })
    })
  }

  #link(from: SimNode, to: SimNode): number {
    return from.index * this.nodes.length + to.index
  }

  #isCut(from: SimNode, to: SimNode): boolean {
    return this.#cuts.has(this.#link(from, to))
  }

  /** Each node learns of it by itself: of who has come soon, of who is gone later. */
  #reachabilityChanged(): void {
    const { comeMs, goneMs } = this.network
    for (const node of this.nodes) {
      for (const delayMs of [comeMs, goneMs]) {
        const lateMs = delayMs * (500 + pick(this.random, 500)) / 1000
        this.at(this.nowMs + lateMs, () => this.#learn(node, delayMs === goneMs))
      }
    }
  }

  #learn(node: SimNode, isGoneToo: boolean): void {
    if (node.tables === null) return
    const peers = new Map<string, Peer>()
    for (const other of this.nodes) {
      if (other === node) continue
      const before = node.peers.get(other.name)
      const isUp = other.tables !== null && !this.#isCut(node, other) && !this.#isCut(other, node)
      if (!isUp && before === undefined) continue
      const isAlive = isUp || (!isGoneToo && before?.state === 'alive')
      const state = isAlive ? 'alive' : 'failed'
      const epoch = isUp ? other.epoch : before?.epoch ?? 0
      const isSame = before?.state === state && before.epoch === epoch
      const peer = isSame ? before : { name: other.name, node: other.id, epoch, state } as const
      peers.set(other.name, peer)
    }
    node.peers = peers
    const run = (): void => this.step(node, { type: 'peers', peers: [...node.peers.values()] })
    if (node.isPaused) node.inbox.push(run)
    else run()
  }
}
