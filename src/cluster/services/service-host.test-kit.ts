// A node of a simulated cluster that runs services: tables, the orchestrator, and processes that
// are not there. What the daemon does in service-agent.ts is done here in virtual time.
import { makeRandom, pick, type Random32 } from '../../base/prng.ts'
import type { Change, Write } from '../tables/events.ts'
import type { SimNode, World } from '../tables/simulation.test-kit.ts'
import { makeDrainCounters } from './drains.ts'
import type { NodeFact, ServiceFact, TaskFact } from './facts.ts'
import { allocate } from './service-leases.test-kit.ts'
import { Orchestrator } from './orchestrator.ts'
import type { LocalEvent, Orders, RestoredTask, ServiceFacts, StartOrder } from './orders.ts'
import {
  type LeaseRow, type NodeSpecRow, type RolloutRow, type ServiceRow, SERVICE_TABLES,
  type ServiceTaskRow, TABLE_LEASE, TABLE_NODE_SPEC, TABLE_ROLLOUT, TABLE_SERVICE, TABLE_TASK,
} from './rows.ts'

export const NETWORK = 'net'
const NETWORKS = new Map([[NETWORK, { name: NETWORK }]])
/** A command that no node can start. */
export const BAD_COMMAND = 'bad'
const GATHER_MS = 25
const START_MIN_MS = 20
const START_SPREAD_MS = 300
const STOP_MAX_MS = 800

export type LocalTask = {
  id: string
  service: string
  slot: string
  generation: number
  address: string | null
  state: 'starting' | 'running' | 'ended'
}

type Shown<T> = Readonly<{ value: T; isShown: boolean }>

const decoded = new WeakMap<Uint8Array, unknown>()
const taskFacts = new WeakMap<Shown<unknown>, TaskFact>()

export function decode<T>(octets: Uint8Array): T {
  let value = decoded.get(octets)
  if (value === undefined) {
    value = JSON.parse(new TextDecoder().decode(octets))
    decoded.set(octets, value)
  }
  return value as T
}

export function rowWrite(table: string, key: string, value: object | null): Write {
  return { table, key,
    value: value === null ? null : new TextEncoder().encode(JSON.stringify(value)) }
}

/** The same object as long as the row is the same, as the daemon does it. */
function taskFactOf(key: string, row: Shown<unknown>): TaskFact {
  const known = taskFacts.get(row)
  if (known !== undefined) return known
  const [node = '', id = ''] = key.split('/')
  const fact = { ...row.value as ServiceTaskRow, id, node, isHidden: !row.isShown }
  taskFacts.set(row, fact)
  return fact
}

export class ServiceHost {
  readonly node: SimNode
  readonly isManager: boolean
  /** Processes that outlive their daemon. */
  readonly local = new Map<string, LocalTask>()
  /** Called before a task is stopped. @param isUnheard not all nodes have said that they know */
  onStop: (id: string, isUnheard: boolean) => void = () => {}
  bootedMs = 0
  /** Of all its lives together. */
  readonly drainCounters = makeDrainCounters()
  readonly #world: World
  readonly #hosts: readonly ServiceHost[]
  readonly #random: Random32
  readonly #tables = new Map<string, Map<string, Shown<unknown>>>()
  readonly #facts = new Map<string, Readonly<{ table: string; made: unknown }>>()
  #machine: Orchestrator | null = null
  #events: LocalEvent[] = []
  #wakeMs = Infinity
  #life = 0

  constructor(world: World, node: SimNode, hosts: readonly ServiceHost[], isManager: boolean) {
    this.node = node
    this.isManager = isManager
    this.#world = world
    this.#hosts = hosts
    this.#random = makeRandom(world.random())
  }

  boot(): void {
    const { node } = this
    const restored = [...node.disk.rows.values()].map(({ row }) => row)
      .filter(row => row.table === TABLE_TASK && row.value !== null
        && row.key.startsWith(`${node.id}/`))
      .map(row => this.#restored(row.key.slice(node.id.length + 1), decode(row.value!)))
    for (const [id, task] of this.local) {
      const isKnown = restored.some(one => one.id === id)
      if (task.state === 'starting' || !isKnown) this.local.delete(id)
    }
    this.#life += 1
    this.bootedMs = this.#world.nowMs
    this.#events = []
    this.#wakeMs = Infinity
    this.#machine = new Orchestrator({ node: node.id, makeId: () => this.#makeId(), restored,
      drainCounters: this.drainCounters }, this.#now())
    this.#world.start(node)
    this.#facts.clear()
    for (const { name } of SERVICE_TABLES) {
      this.#tables.set(name, new Map([...node.tables!.allRows(name)]
        .filter(({ row }) => row.value !== null)
        .map(({ row, isShown }) => [row.key, { value: decode(row.value!), isShown }])))
    }
    this.#wake(this.#world.nowMs + GATHER_MS)
  }

  /** As kill -9 does. @param isPowerLost its tasks are gone, too */
  kill(isPowerLost: boolean): void {
    this.#machine = null
    this.#life += 1
    if (isPowerLost) this.local.clear()
    this.#world.kill(this.node)
  }

  changed(changes: readonly Change[]): void {
    for (const { table, key, new: row, isShown } of changes) {
      this.#outdated(table)
      if (row === null || row.value === null) this.#tables.get(table)?.delete(key)
      else this.#tables.get(table)?.set(key, { value: decode(row.value), isShown })
    }
    this.#wake(this.#world.nowMs + GATHER_MS)
  }

  /** A message about tasks that are about to stop. */
  hear(from: SimNode, octets: Uint8Array): void {
    if (this.#machine?.hear(this.#world.nowMs, from.id, octets) === true) {
      this.#wake(this.#world.nowMs)
    }
  }

  write(...writes: Write[]): void {
    if (writes.length > 0) this.#world.step(this.node, { type: 'write', writes })
  }

  /** The process of a task ends by itself. */
  end(task: LocalTask, exitCode: number): void {
    if (task.state !== 'running') return
    task.state = 'ended'
    this.#tell({ type: 'ended', task: task.id, exitCode })
  }

  get facts(): ServiceFacts {
    const services = this.#made('services', TABLE_SERVICE, rows => [...rows]
      .filter(([key]) => !key.includes('/'))
      .map(([id, { value }]): ServiceFact => {
        const { spec, version, generation } = value as ServiceRow
        return { id, spec, version, generation, vips: new Map() }
      }))
    const tasks = this.#made('tasks', TABLE_TASK, rows => [...rows]
      .map(([key, row]) => taskFactOf(key, row)))
    return {
      nodes: this.#nodes(), services, tasks, rows: this.rows<ServiceRow>(TABLE_SERVICE),
      rollouts: this.rows<RolloutRow>(TABLE_ROLLOUT), leases: this.rows<LeaseRow>(TABLE_LEASE),
      networks: NETWORKS, isCaughtUp: this.node.tables!.peers().some(peer => peer.isEqual),
      isFollowed: true,
    }
  }

  rows<T>(table: string): ReadonlyMap<string, T> {
    return this.#made(table, table, rows =>
      new Map([...rows].map(([key, { value }]) => [key, value as T])))
  }

  /** Made from a table, and kept until that changes. */
  #made<T>(what: string, table: string, make: (rows: Map<string, Shown<unknown>>) => T): T {
    const known = this.#facts.get(what)
    if (known !== undefined) return known.made as T
    const made = make(this.#tables.get(table)!)
    this.#facts.set(what, { table, made })
    return made
  }

  #outdated(table: string): void {
    for (const [what, fact] of this.#facts) if (fact.table === table) this.#facts.delete(what)
  }

  #nodes(): NodeFact[] {
    const specs = this.rows<NodeSpecRow>(TABLE_NODE_SPEC)
    return this.#hosts.map(({ node, isManager }) => ({
      id: node.id, name: node.name, role: isManager ? 'manager' : 'worker',
      isAlive: node === this.node || this.node.peers.get(node.name)?.state === 'alive',
      availability: specs.get(node.id)?.availability ?? 'active',
      labels: { zone: node.index % 2 === 0 ? 'a' : 'b' },
    }))
  }

  #restored(id: string, row: ServiceTaskRow): RestoredTask {
    const task = this.local.get(id)
    const local = task === undefined || task.state === 'starting' ? 'none' : task.state
    return { id, row, local, container: local === 'none' ? null : id, exitCode: 0 }
  }

  #now(): { nowMs: number; wallMs: number } {
    return { nowMs: this.#world.nowMs, wallMs: this.#world.wallMs(this.node) }
  }

  #wake(atMs: number): void {
    if (atMs >= this.#wakeMs) return
    this.#wakeMs = atMs
    const life = this.#life
    this.#world.at(atMs, () => {
      if (this.#life !== life || this.#wakeMs !== atMs) return
      this.#wakeMs = Infinity
      if (this.node.isPaused) this.#wake(this.#world.nowMs + 100)
      else this.#step()
    })
  }

  #step(): void {
    const events = this.#events
    this.#events = []
    const { facts } = this
    const orders = this.#machine!.step(this.#now(), facts, events)
    this.write(...orders.writes)
    this.#obey(orders)
    if (this.isManager) this.write(...allocate(this.node.id, facts))
    this.#wake(Math.max(orders.wakeAtMs, this.#world.nowMs + 0.01))
  }

  #obey({ words, starts, stops, unheard, forgets }: Orders): void {
    for (const { to, octets } of words) {
      const other = this.#hosts.find(({ node }) => node.id === to)
      if (other !== undefined) this.#world.send(this.node, other.node, octets, false)
    }
    for (const order of starts) this.#start(order)
    for (const id of stops) {
      this.onStop(id, unheard.has(id))
      const task = this.local.get(id)
      this.#later(pick(this.#random, STOP_MAX_MS), () => {
        if (task === undefined) return this.#tell({ type: 'ended', task: id, exitCode: null })
        this.end(task, 143)
      }, true)
    }
    for (const id of forgets) this.local.delete(id)
  }

  #start({ task: id, service, slot, networks }: StartOrder): void {
    const task: LocalTask = { id, service: service.id, slot, generation: service.generation,
      address: networks[0]?.address ?? null, state: 'starting' }
    this.local.set(id, task)
    this.#later(START_MIN_MS + pick(this.#random, START_SPREAD_MS), () => {
      if (service.spec.task.command[0] === BAD_COMMAND) {
        this.local.delete(id)
        return this.#tell({ type: 'refused', task: id, error: 'no such program', isForGood: true })
      }
      task.state = 'running'
      this.#tell({ type: 'running', task: id, container: id })
    }, false)
  }

  #tell(event: LocalEvent): void {
    if (this.#machine === null) return
    this.#events.push(event)
    this.#wake(this.#world.nowMs + GATHER_MS)
  }

  /** @param isSure also when the daemon dies meanwhile: the signal is on its way */
  #later(inMs: number, run: () => void, isSure: boolean): void {
    const life = this.#life
    this.#world.at(this.#world.nowMs + inMs, () => {
      if (isSure || this.#life === life) run()
    })
  }

  #makeId(): string {
    return `${this.#random().toString(36)}${this.#random().toString(36)}`.padStart(25, '0')
      .slice(-25)
  }
}
