// Nodes that give addresses to each other, by a seed: rows travel with delays, halves lose sight of
// each other, managers stop and come back. Tables and mesh are here as simple as can be: the last
// writer wins, and who cannot be reached is failed after some seconds.
import { makeRandom, pick, type Random32 } from '../../base/prng.ts'
import { parseCidr } from '../../base/text.ts'
import type { NodeFact } from './facts.ts'
import { allocatorOf, missingManagers, shareOf } from './lease-share.ts'
import type { Lease } from './lease-space.ts'
import { type Wanting, wantsByNetwork } from './lease-wants.ts'
import { isHeld, leaseStep } from './leases.ts'
import type { LeaseRow } from './rows.ts'

export const NETWORK = 'net'
const TICK_MS = 200
const COMPARE_MS = 600
const FAILED_AFTER_MS = 2000
const BACK_AFTER_MS = 500
const WALL_START_MS = 1_700_000_000_000

type Value = Readonly<{ lease?: LeaseRow; replicas?: number; node?: string; createdAt?: number }>
type Row = Readonly<{ key: string; value: Value | null; stamp: bigint; writer: string }>
type Packet = Readonly<{ to: SimulatedNode; row: Row; atMs: number }>

export type WorldOptions = Readonly<{
  seed: number; managers: number; workers: number; subnet: string; restMs: number
  delayMaxMs?: number
}>

class SimulatedNode {
  readonly id: string
  readonly role: 'manager' | 'worker'
  readonly rows = new Map<string, Row>()
  /** When each other node was reachable, or not reachable, for the last time. */
  readonly changedMs = new Map<string, number>()
  readonly failed = new Set<string>()
  side = 0
  isRunning = true
  unwanted: ReadonlyMap<string, number> = new Map()
  lacks: ReadonlyMap<string, string> = new Map()
  clock = 0n
  isChanged = true
  nextMs = Infinity

  constructor(id: string, role: 'manager' | 'worker') {
    this.id = id
    this.role = role
  }

  get leases(): Lease[] {
    return [...this.rows.values()].flatMap(({ key, stamp, value, writer }) =>
      value?.lease === undefined ? [] : [{ ...value.lease, key, stamp, writer }])
  }
}

export class LeaseWorld {
  readonly nodes: SimulatedNode[]
  readonly random: Random32
  /** What every move of a holder was: its key. */
  readonly moves: string[] = []
  /** Address and time of each giving, oldest first. */
  readonly given: { key: string; address: string; atMs: number; by: string }[] = []
  nowMs = WALL_START_MS
  #packets: Packet[] = []
  #serial = 0
  readonly #options: WorldOptions

  constructor(options: WorldOptions) {
    this.#options = options
    this.random = makeRandom(options.seed)
    this.nodes = Array.from({ length: options.managers + options.workers }, (_, i) =>
      new SimulatedNode(`n${i}`, i < options.managers ? 'manager' : 'worker'))
  }

  pick(below: number): number {
    return pick(this.random, below)
  }

  node(n: number): SimulatedNode {
    return this.nodes[n]!
  }

  /** A task of a node's own wants an address; answers the request's id. */
  ask(node: SimulatedNode): string {
    const id = `r${String(this.#serial++).padStart(5, '0')}`
    this.write(node, `request/${node.id}/${id}`, { node: node.id, createdAt: this.nowMs })
    return id
  }

  end(node: SimulatedNode, request: string): void {
    this.write(node, `request/${node.id}/${request}`, null)
  }

  service(by: SimulatedNode, id: string, replicas: number | null): void {
    const createdAt = by.rows.get(`service/${id}`)?.value?.createdAt ?? this.nowMs
    this.write(by, `service/${id}`, replicas === null ? null : { replicas, createdAt })
  }

  /** Addresses that `node` knows, by the key of their holder. */
  heldBy(node: SimulatedNode): Map<string, string> {
    return new Map(node.leases.filter(isHeld).map(lease => [lease.key, lease.address]))
  }

  run(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs;) this.#tick()
  }

  /** All is well for long enough that everything has settled. */
  settle(): void {
    for (const node of this.nodes) {
      node.side = 0
      node.isRunning = true
    }
    this.run(FAILED_AFTER_MS + 4000)
  }

  write(node: SimulatedNode, key: string, value: Value | null): void {
    const now = BigInt(this.nowMs) << 16n
    node.clock = node.clock >= now ? node.clock + 1n : now
    const row = { key, value, stamp: node.clock, writer: node.id }
    node.rows.set(key, row)
    node.isChanged = true
    const delayMaxMs = this.#options.delayMaxMs ?? 300
    for (const to of this.nodes) {
      if (to !== node) this.#packets.push({ to, row, atMs: this.nowMs + this.pick(delayMaxMs + 1) })
    }
  }

  #tick(): void {
    this.nowMs += TICK_MS
    const due = this.#packets
    this.#packets = []
    for (const packet of due) {
      const { atMs, row, to } = packet
      if (atMs > this.nowMs) {
        this.#packets.push(packet)
        continue
      }
      const from = this.nodes.find(node => node.id === row.writer)!
      if (this.#reaches(from, to)) merge(to, row)
    }
    if (this.nowMs % COMPARE_MS === 0) this.#compare()
    for (const node of this.nodes) {
      if (!node.isRunning) continue
      this.#watch(node)
      const isDue = node.isChanged || node.nextMs <= this.nowMs
      if (node.role === 'manager' && isDue) this.#step(node)
    }
  }

  /** As digests do it: everybody finds out what another one has that he lacks. */
  #compare(): void {
    for (const a of this.nodes) {
      const b = this.node(this.pick(this.nodes.length))
      if (a === b || !this.#reaches(a, b)) continue
      for (const row of a.rows.values()) merge(b, row)
      for (const row of b.rows.values()) merge(a, row)
    }
  }

  #reaches(a: SimulatedNode, b: SimulatedNode): boolean {
    return a.isRunning && b.isRunning && a.side === b.side
  }

  #watch(node: SimulatedNode): void {
    for (const other of this.nodes) {
      if (other === node) continue
      const isFailed = node.failed.has(other.id)
      if (this.#reaches(node, other) !== isFailed) {
        node.changedMs.delete(other.id)
        continue
      }
      const sinceMs = node.changedMs.get(other.id) ?? this.nowMs
      node.changedMs.set(other.id, sinceMs)
      if (this.nowMs - sinceMs < (isFailed ? BACK_AFTER_MS : FAILED_AFTER_MS)) continue
      node.changedMs.delete(other.id)
      node.isChanged = true
      if (isFailed) node.failed.delete(other.id)
      else node.failed.add(other.id)
    }
  }

  #step(node: SimulatedNode): void {
    node.isChanged = false
    node.nextMs = Infinity
    const facts = this.nodes.map((other): NodeFact => ({ id: other.id, name: other.id,
      role: other.role, isAlive: !node.failed.has(other.id), availability: 'active', labels: {} }))
    if (allocatorOf(NETWORK, facts) !== node.id) return
    const { restMs, subnet } = this.#options
    const cidr = parseCidr(subnet)
    const managers = facts.filter(({ role }) => role === 'manager').map(({ id }) => id)
    const leases = node.leases
    const step = leaseStep({
      network: { subnet, gateway: subnet.replace(/0\/\d+$/, '1') },
      wants: wantsByNetwork(wantingOf(node)).get(NETWORK) ?? [], leases, inUse: [],
      share: missingManagers(facts).length === 0 ? null
        : shareOf(NETWORK, cidr, managers, node.id),
    }, node.unwanted, this.nowMs, restMs)
    node.unwanted = step.unwanted
    node.lacks = step.lacks
    node.nextMs = step.nextMs
    for (const { key, value } of step.writes) {
      this.write(node, key, value === null ? null : { lease: value })
      if (value !== null && !value.freed) {
        this.given.push({ key, address: value.address, atMs: this.nowMs, by: node.id })
      }
    }
    this.moves.push(...step.moved.map(({ key }) => key))
  }
}

function merge(node: SimulatedNode, row: Row): void {
  const known = node.rows.get(row.key)
  const isNewer = known === undefined || known.stamp < row.stamp
    || (known.stamp === row.stamp && known.writer < row.writer)
  if (!isNewer) return
  node.rows.set(row.key, row)
  node.isChanged = true
  if (row.stamp > node.clock) node.clock = row.stamp
}

function wantingOf({ failed, rows }: SimulatedNode): Wanting {
  const all = [...rows.values()].flatMap(({ key, value }) =>
    value === null ? [] : [{ words: key.split('/'), value }])
  return {
    services: all.filter(({ words }) => words[0] === 'service').map(({ value, words }) => ({
      id: words[1]!, createdAt: value.createdAt!, networks: [NETWORK], hasVip: true,
      slots: Array.from({ length: value.replicas! }, (_, i) => String(i + 1)),
    })),
    requests: all.filter(({ words }) => words[0] === 'request').map(({ value, words }) => ({
      node: words[1]!, request: words[2]!, network: NETWORK, wanted: null,
      createdAt: value.createdAt!, isAway: failed.has(words[1]!),
    })),
    nodes: [], nodeNetworks: new Set(),
  }
}
