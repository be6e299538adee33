// One history of a cluster with services, made from a seed: commands, nodes that die and come
// back, splits, clocks that jump, tasks that end; and what must be true when all is well again.
import { pick } from '../../base/prng.ts'
import { QUIET_NETWORK, World } from '../tables/simulation.test-kit.ts'
import { decide, type SlotPlan } from './decide.ts'
import type { ServiceFact } from './facts.ts'
import { HISTORY_TASKS } from './restarts.ts'
import {
  leaseKey, previousKey, type ServiceRow, type ServiceSpec, SERVICE_TABLES, TABLE_NODE_SPEC,
  TABLE_ROLLOUT, TABLE_SERVICE,
} from './rows.ts'
import {
  BAD_COMMAND, type LocalTask, NETWORK, rowWrite, ServiceHost,
} from './service-host.test-kit.ts'
import { specOf } from './services.test-kit.ts'
import { isLive, leaseSlot } from './slots.ts'
import { firstVersion, nextVersion } from './versions.ts'

const NAMES = ['web', 'db', 'util', 'api']
const SIZES = [3, 3, 3, 4, 5, 6, 8]
/** Now and then, because they take long. */
const LARGE_SIZES = [20, 40, 100]
export const LARGE_ONE_IN = 1000
const MANAGERS = 3
/** In a larger cluster more tasks are updated at a time: else SETTLE_MS is not enough for all. */
const NODES_OF_AN_UPDATE = 8
const LOOK_MS = 500
/**
 * A slot may have two tasks for so long while all is well: until the members and rows of a split
 * are known everywhere, one of the tasks serves its connections to the end, and is stopped.
 */
const TWICE_MAX_MS = 8000
/** Restarts, updates of a few tasks, and what a failure takes until it is noticed. */
const SETTLE_MS = 90_000
/** All is well when nothing is amiss, and nothing has been written for so long. */
const QUIET_MS = 5000
/** A node that has just started may have forgotten what it said. */
const BOOT_MS = 20_000
/** One history of so many is watched for all of SETTLE_MS, also when all is well before. */
const WATCHED_ONE_IN = 16
const JUMP_MS = 3_600_000
/** A clock that is wrong by more makes others wait for what is written by it. */
const CLOCK_FAULT_MS = 30_000

export type HistoryResult = Readonly<{ fault: string | null; nodes: number; story: string[] }>

export function runServiceHistory(seed: number): HistoryResult {
  const history = new ServiceHistory(seed)
  try {
    history.run()
    return { fault: null, nodes: history.nodes, story: history.story }
  } catch (error) {
    return { fault: (error as Error).message, nodes: history.nodes, story: history.story }
  }
}

class ServiceHistory {
  readonly story: string[] = []
  readonly #world: World
  readonly #hosts: ServiceHost[] = []
  /** Since when a slot has two tasks, all being well. */
  readonly #twice = new Map<string, number>()
  readonly #isWatched: boolean
  #hasBadClock = false

  constructor(seed: number) {
    this.#isWatched = seed % WATCHED_ONE_IN === 0
    const count = seed % LARGE_ONE_IN === 0 ? LARGE_SIZES[seed / LARGE_ONE_IN % 3]!
      : SIZES[seed % SIZES.length]!
    this.#world = new World(seed, count, { ...QUIET_NETWORK, lossPerMille: seed % 3 * 20 },
      SERVICE_TABLES)
    for (const node of this.#world.nodes) {
      const host = new ServiceHost(this.#world, node, this.#hosts, node.index < MANAGERS)
      host.onStop = (id, isUnheard) => this.#checkStop(host, id, isUnheard)
      this.#hosts.push(host)
    }
    this.#world.onChange = (node, changes) => this.#hosts[node.index]!.changed(changes)
    this.#world.onWord = (to, from, octets) => this.#hosts[to.index]!.hear(from, octets)
  }

  get nodes(): number {
    return this.#hosts.length
  }

  run(): void {
    for (const host of this.#hosts) host.boot()
    this.#runFor(3000)
    const steps = 6 + this.#chance(12)
    for (let i = 0; i < steps; i++) {
      this.#act()
      this.#runFor([5, 100, 1500, 6000, 20_000][this.#chance(5)]!)
    }
    this.#mend()
    this.#settle()
  }

  #chance(below: number): number {
    return pick(this.#world.random, below)
  }

  #tell(what: string): void {
    this.story.push(`${(this.#world.nowMs / 1000).toFixed(3)} ${what}`)
  }

  #runFor(ms: number): void {
    const endMs = this.#world.nowMs + ms
    while (this.#world.nowMs < endMs) {
      this.#world.run(Math.min(endMs, this.#world.nowMs + LOOK_MS))
      this.#lookForTwice()
    }
  }

  /** What is written by a clock of the future is not heard until its time has come. */
  get #isWell(): boolean {
    return !this.#world.isCut && !this.#hasBadClock
      && this.#world.nodes.every(node => node.tables !== null && !node.isPaused)
  }

  #lookForTwice(): void {
    if (!this.#isWell) return this.#twice.clear()
    const slots = Map.groupBy(this.#running(), task => `${task.service}.${task.slot}`)
    for (const [slot, tasks] of slots) {
      if (tasks.length < 2) slots.delete(slot)
      else if (!this.#twice.has(slot)) this.#twice.set(slot, this.#world.nowMs)
    }
    for (const [slot, sinceMs] of this.#twice) {
      if (!slots.has(slot)) this.#twice.delete(slot)
      else if (this.#world.nowMs - sinceMs > TWICE_MAX_MS) {
        throw new Error(`${slot} has had two tasks for ${this.#world.nowMs - sinceMs} ms: ${
          slots.get(slot)!.map(task => `${task.id} generation ${task.generation}`).join(', ')}`)
      }
    }
  }

  /** Nobody who is there leads anything to a task that is stopped, unless that was said. */
  #checkStop(host: ServiceHost, id: string, isUnheard: boolean): void {
    const { facts, node } = host
    const row = facts.tasks.find(task => task.id === id)
    const isDrained = row?.state === 'draining'
      && facts.services.some(service => service.id === row.service)
    if (!isDrained || isUnheard) return
    const alive = new Set(facts.nodes.filter(one => one.isAlive).map(one => one.id))
    const unaware = this.#hosts.find(other => other !== host && alive.has(other.node.id)
      && other.node.tables !== null && this.#world.nowMs - other.bootedMs > BOOT_MS
      && other.facts.tasks.some(task => task.id === id && task.state === 'running'))
    if (unaware === undefined) return
    throw new Error(`${node.name} stops ${id}, and ${unaware.node.name} does not know of it`)
  }

  #running(): LocalTask[] {
    return this.#hosts.flatMap(host => [...host.local.values()])
      .filter(task => task.state === 'running')
  }

  #up(isManager = false): ServiceHost | undefined {
    const up = this.#hosts.filter(({ node, ...host }) => node.tables !== null && !node.isPaused
      && (!isManager || host.isManager))
    return up[this.#chance(Math.max(1, up.length))]
  }

  #act(): void {
    const dice = this.#chance(100)
    if (dice < 30) this.#create()
    else if (dice < 42) this.#change()
    else if (dice < 47) this.#remove()
    else if (dice < 57) this.#endTask()
    else if (dice < 66) this.#availability()
    else if (dice < 82) this.#restart()
    else if (dice < 92) this.#split()
    else if (dice < 96) this.#pause()
    else this.#jumpClock()
  }

  #create(): void {
    const host = this.#up(true)
    if (host === undefined) return
    const name = NAMES[this.#chance(NAMES.length)]!
    if (host.rows<ServiceRow>(TABLE_SERVICE).has(name)) return this.#change()
    const isGlobal = this.#chance(4) === 0
    const spec = this.#spec(name, isGlobal ? null : this.#chance(2 + this.nodes * 2))
    this.#tell(`${host.node.name} creates ${name} with ${spec.replicas ?? 'a task per node'}, ${
      spec.update.order}, ${spec.task.constraints.join()}`)
    host.write(rowWrite(TABLE_SERVICE, name, firstVersion(spec, this.#world.wallMs(host.node))),
      rowWrite(TABLE_SERVICE, previousKey(name), null), rowWrite(TABLE_ROLLOUT, name, null))
  }

  #spec(name: string, replicas: number | null): ServiceSpec {
    const { update } = specOf(name, 1)
    const parallelism = this.#chance(3) * Math.ceil(this.nodes / NODES_OF_AN_UPDATE)
    const policy = { ...update, parallelism, delayMs: this.#chance(2) * 500,
      order: (['stop-first', 'start-first'] as const)[this.#chance(2)]!, monitorMs: 2000,
      failureAction: (['pause', 'continue', 'rollback'] as const)[this.#chance(3)]! }
    return specOf(name, replicas, {
      networks: this.#chance(3) === 0 ? [] : [{ id: NETWORK, aliases: [] }],
      constraints: this.#chance(4) === 0 ? ['node.labels.zone==b'] : [],
      restart: { condition: 'any', delayMs: 1000, maxAttempts: null },
    }, { update: policy, rollback: policy })
  }

  /** Another number of tasks, or another command, which none can start now and then. */
  #change(): void {
    const host = this.#up(true)
    const services = [...host?.rows<ServiceRow>(TABLE_SERVICE) ?? []]
      .filter(([key]) => !key.includes('/'))
    const [name, before] = services[this.#chance(Math.max(1, services.length))] ?? []
    if (host === undefined || name === undefined || before === undefined) return
    const isScaled = before.spec.replicas !== null && this.#chance(2) === 0
    const isBad = this.#chance(6) === 0
    const command = [isBad ? BAD_COMMAND : 'sleep', String(this.#world.random())]
    const spec = isScaled ? { ...before.spec, replicas: this.#chance(2 + this.nodes * 2) }
      : { ...before.spec, task: { ...before.spec.task, command } }
    const next = nextVersion(before, spec, this.#world.wallMs(host.node))
    this.#tell(`${host.node.name} ${isScaled ? `scales ${name} to ${spec.replicas}`
      : `updates ${name} to ${command[0]}, generation ${next.generation}`}`)
    host.write(rowWrite(TABLE_SERVICE, name, next),
      rowWrite(TABLE_SERVICE, previousKey(name), before))
  }

  #remove(): void {
    const host = this.#up(true)
    const name = NAMES[this.#chance(NAMES.length)]!
    if (host === undefined) return
    this.#tell(`${host.node.name} removes ${name}`)
    host.write(rowWrite(TABLE_SERVICE, name, null),
      rowWrite(TABLE_SERVICE, previousKey(name), null), rowWrite(TABLE_ROLLOUT, name, null))
  }

  #endTask(): void {
    const host = this.#up()
    const task = [...host?.local.values() ?? []].find(one => one.state === 'running')
    if (host === undefined || task === undefined) return
    const exitCode = this.#chance(2)
    this.#tell(`${task.service}.${task.slot} on ${host.node.name} ends with ${exitCode}`)
    host.end(task, exitCode)
  }

  #availability(): void {
    const host = this.#up(true)
    const target = this.#hosts[this.#chance(this.nodes)]!
    const availability = (['active', 'pause', 'drain', 'active'] as const)[this.#chance(4)]!
    if (host === undefined) return
    this.#tell(`${host.node.name} sets ${target.node.name} to ${availability}`)
    host.write(rowWrite(TABLE_NODE_SPEC, target.node.id, { availability, labels: {} }))
  }

  #restart(): void {
    const host = this.#hosts[this.#chance(this.nodes)]!
    if (host.node.tables !== null) {
      const isPowerLost = this.#chance(2) === 0
      this.#tell(`${host.node.name} ${isPowerLost ? 'loses power' : 'has its daemon killed'}`)
      host.kill(isPowerLost)
      this.#runFor([1000, 1000, 5000, 20_000][this.#chance(4)]!)
    }
    if (this.#chance(5) === 0) return
    this.#tell(`${host.node.name} starts`)
    host.boot()
  }

  #split(): void {
    const side = this.#world.nodes.filter(() => this.#chance(2) === 0)
    const rest = this.#world.nodes.filter(node => !side.includes(node))
    this.#tell(`split ${side.map(node => node.name).join(' ')} from the rest`)
    this.#world.cut(side, rest)
    this.#world.cut(rest, side)
    for (let i = this.#chance(3); i > 0; i--) {
      this.#change()
      this.#runFor(2000)
    }
    this.#runFor([1000, 8000, 30_000][this.#chance(3)]!)
    this.#tell('heal')
    this.#world.heal()
  }

  #pause(): void {
    const host = this.#up()
    if (host === undefined) return
    this.#tell(`${host.node.name} stands still`)
    this.#world.pause(host.node)
    this.#runFor(this.#chance(12_000))
    this.#world.resume(host.node)
  }

  #jumpClock(): void {
    const host = this.#up()
    if (host === undefined) return
    const byMs = [JUMP_MS, -JUMP_MS, 20_000, -20_000][this.#chance(4)]!
    this.#tell(`the clock of ${host.node.name} jumps by ${byMs / 1000} s`)
    host.node.aheadMs = Math.min(Math.max(host.node.aheadMs + byMs, -JUMP_MS), JUMP_MS)
    this.#hasBadClock ||= Math.abs(host.node.aheadMs) > CLOCK_FAULT_MS
  }

  #mend(): void {
    this.#tell('everything is mended')
    for (const { node } of this.#hosts) {
      if (Math.abs(node.aheadMs) > CLOCK_FAULT_MS) node.aheadMs = 0
    }
    this.#world.heal()
    for (const host of this.#hosts) {
      if (host.node.isPaused) this.#world.resume(host.node)
      if (host.node.tables === null) host.boot()
    }
    if (!this.#hasBadClock) return
    // What was written in the future is taken when its time has come.
    this.#runFor(QUIET_MS)
    this.#world.leap(JUMP_MS + 120_000)
    this.#hasBadClock = false
  }

  #settle(): void {
    const endMs = this.#world.nowMs + SETTLE_MS
    let fault: string | null = 'it was not looked at'
    while (this.#world.nowMs < endMs && (fault !== null || this.#isWatched)) {
      const before = this.#accepted
      this.#runFor(QUIET_MS)
      fault = this.#faultNow() ?? (this.#accepted === before || this.#isTrying ? null
        : 'rows are still written after all is well')
    }
    if (fault !== null) throw new Error(fault)
  }

  get #accepted(): number {
    return this.#hosts.reduce((sum, { node }) => sum + node.tables!.counters.accepted, 0)
  }

  /** What no node can start is tried for ever. */
  get #isTrying(): boolean {
    return this.#hosts[0]!.facts.services
      .some(({ spec }) => spec.task.command[0] === BAD_COMMAND)
  }

  #faultNow(): string | null {
    try {
      this.#check()
      return null
    } catch (error) {
      return (error as Error).message
    }
  }

  #check(): void {
    const [first] = this.#hosts
    for (const { name } of SERVICE_TABLES) {
      const odd = this.#hosts.find(({ node }) =>
        node.tables!.digest(name) !== first!.node.tables!.digest(name))
      if (odd !== undefined) {
        throw new Error(`table ${name} differs on ${first!.node.name} and ${odd.node.name}`)
      }
    }
    const { facts } = first!
    const running = this.#running()
    const known = new Set(facts.services.map(service => service.id))
    const stray = running.find(task => !known.has(task.service))
    if (stray !== undefined) throw new Error(`${stray.service}.${stray.slot} runs and is no more`)
    const plans = decide(facts)
    for (const service of facts.services) {
      const own = running.filter(task => task.service === service.id)
      const { state } = facts.rollouts.get(service.id) ?? {}
      // Where a slot waits for a node that may take the new task, others wait for that slot.
      const hasPlace = plans.get(service.id)!.every(plan => plan.reason === '')
      for (const plan of plans.get(service.id)!) this.#checkSlot(service, plan, own, !hasPlace)
      if (hasPlace && (state === 'updating' || state === 'rollback_started')) {
        const waits = plans.get(service.id)!.map(plan => `${plan.slot} ${plan.holder?.state}`)
        throw new Error(`the rollout of ${service.id} is ${state} still: ${waits.join(', ')}`)
      }
    }
    const addresses = [...facts.leases.values()].map(lease => lease.address)
    if (new Set(addresses).size !== addresses.length) throw new Error('an address is given twice')
  }

  #checkSlot(service: ServiceFact, plan: SlotPlan, running: readonly LocalTask[],
    isHeldUp: boolean): void {
    const { slot, isWanted, holder } = plan
    const what = `${service.id}.${slot}`
    const here = running.filter(task => task.slot === slot)
    if (plan.ended.length > HISTORY_TASKS) throw new Error(`${what} keeps ${plan.ended.length}`)
    if (!isWanted) {
      if (here.length > 0) throw new Error(`${what} runs and is not wanted`)
      return
    }
    const { facts } = this.#hosts[0]!
    const canStart = service.spec.task.command[0] !== BAD_COMMAND
    const rollout = facts.rollouts.get(service.id)
    const isPaused = rollout?.state === 'paused' || rollout?.state === 'rollback_paused'
    const hasPlace = plan.reason === ''
    if (here.length > 1) throw new Error(`${what} runs ${here.length} times`)
    if (here.length === 0) {
      if (canStart && hasPlace) throw new Error(`${what} does not run, it is ${holder?.state}`)
      return
    }
    const [task] = here
    if (holder?.id !== task!.id || holder.state !== 'running' || !isLive(holder)) {
      throw new Error(`${what} runs as ${task!.id}, and its row says otherwise`)
    }
    const isKept = service.spec.mode === 'global'
      && facts.nodes.find(node => node.id === slot)?.availability !== 'active'
    if (!isHeldUp && !isPaused && !isKept && canStart && holder.generation !== service.generation) {
      throw new Error(`${what} is of generation ${holder.generation}, not ${service.generation}; `
        + `the rollout: ${JSON.stringify(rollout)}`)
    }
    const key = leaseKey(NETWORK, { kind: 'slot', service: service.id,
      slot: leaseSlot(slot, holder.side) })
    if (service.spec.task.networks.length > 0 && !facts.leases.has(key)) {
      throw new Error(`${what} runs without an address`)
    }
  }
}
