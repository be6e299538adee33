// What this node does for the services: it claims slots that fall to it, has tasks started when
// they have their addresses, stops those that are not wanted, and keeps a row of each. A machine
// without clock, chance and processes: step() takes what is known and answers what is to be done.
import type { Write } from '../tables/events.ts'
import { meetsAll } from './constraints.ts'
import { decide, type OrchestrationFacts, type Plans, type SlotPlan } from './decide.ts'
import type { NodeFact, ServiceFact, TaskFact } from './facts.ts'
import { OwnTask } from './own-task.ts'
import { HISTORY_TASKS } from './restarts.ts'
import { RolloutDriver } from './rollout.ts'
import {
  type LeaseRow, leaseKey, type ServiceRow, type ServiceTaskRow, TABLE_TASK, taskKey,
} from './rows.ts'
import { lastSide, leaseSlot, replaceOrder } from './slots.ts'
import { Vacancies } from './vacancies.ts'

/** Between a claim and the start: another claim that is under way is heard of within this time. */
export const SETTLE_MS = 100
/** An address that has not been given by then is told as missing. It is waited for all the same. */
export const LEASE_WAIT_MS = 5000
/** A node that has just started hears first what the others have; after this it goes on alone. */
export const START_PATIENCE_MS = 5000

export type ServiceFacts = OrchestrationFacts & Readonly<{
  /** Rows of services by id, and those from before the last update by previousKey(). */
  rows: ReadonlyMap<string, ServiceRow>
  /** By leaseKey(). */
  leases: ReadonlyMap<string, LeaseRow>
  networks: ReadonlyMap<string, Readonly<{ name: string }>>
  /** The tables have been found equal with those of another node, or there is no other. */
  isCaughtUp: boolean
}>

/** What became of local tasks. */
export type LocalEvent =
  | Readonly<{ type: 'running'; task: string; container: string }>
  /** It could not be started. @param isForGood not here, however often it is tried */
  | Readonly<{ type: 'refused'; task: string; error: string; isForGood: boolean }>
  | Readonly<{ type: 'ended'; task: string; exitCode: number | null }>

export type StartOrder = Readonly<{
  task: string
  service: ServiceFact
  slot: string
  node: NodeFact
  networks: readonly Readonly<{ network: string; address: string }>[]
}>

export type Orders = Readonly<{
  /** To be written before anything is started. */
  writes: readonly Write[]
  starts: readonly StartOrder[]
  /** TERM, and KILL after the task's own time. */
  stops: readonly string[]
  /** Ended tasks of which nothing needs to be kept any more. */
  forgets: readonly string[]
  /** When to step again although nothing has happened; Infinity: not at all. */
  wakeAtMs: number
}>

export type Now = Readonly<{ nowMs: number; wallMs: number }>

/** A row that this node wrote before it was restarted, and what is left of its task. */
export type RestoredTask = Readonly<{
  id: string
  row: ServiceTaskRow
  local: 'running' | 'ended' | 'none'
  /** Id of the local task. */
  container: string | null
  exitCode: number | null
}>

export type OrchestratorOptions = Readonly<{
  node: string
  /** 25 digits */
  makeId: () => string
  restored: readonly RestoredTask[]
}>

export class Orchestrator {
  readonly #node: string
  readonly #makeId: () => string
  readonly #beganMs: number
  readonly #own = new Map<string, OwnTask>()
  readonly #driver: RolloutDriver
  readonly #vacancies = new Vacancies()
  #isCaughtUp = false
  #now: Now
  #wakeAtMs = Infinity
  #writes: Write[] = []

  constructor(options: OrchestratorOptions, now: Now) {
    this.#node = options.node
    this.#makeId = options.makeId
    this.#beganMs = now.nowMs
    this.#now = now
    this.#driver = new RolloutDriver(options.node)
    for (const one of options.restored) this.#restore(one)
  }

  /** @param events in the order in which they happened */
  step(now: Now, facts: ServiceFacts, events: readonly LocalEvent[]): Orders {
    this.#now = now
    this.#wakeAtMs = Infinity
    this.#writes = []
    this.#isCaughtUp ||= facts.isCaughtUp
    for (const event of events) this.#hear(event)
    const plans = decide({ ...facts, tasks: this.#tasksNow(facts) })
    this.#vacancies.follow(now.nowMs, plans)
    const self = facts.nodes.find(node => node.id === this.#node)
    this.#judge(facts, plans, self)
    if (self !== undefined) this.#claim(facts, plans)
    const starts = self === undefined ? [] : this.#advance(facts, self)
    const stops = this.#stop()
    const forgets = this.#forget(plans)
    this.#writeOwn(facts)
    const driven = this.#driver.step(now, facts, plans)
    this.#wake(driven.wakeAtMs)
    return { writes: [...this.#writes, ...driven.writes], starts, stops, forgets,
      wakeAtMs: this.#wakeAtMs }
  }

  /** The claim begins anew: what others took while this node was away is theirs. */
  #restore({ id, row, local, container, exitCode }: RestoredTask): void {
    const { nowMs, wallMs } = this.#now
    const own = new OwnTask(id, row, nowMs)
    if (own.isLive && local === 'none' && row.container === null) return
    this.#own.set(id, own)
    if (!own.isLive) return
    own.isStarted = true
    own.row.createdAt = Math.max(wallMs, row.createdAt)
    own.row.container ??= container
    if (local === 'ended') return this.#hear({ type: 'ended', task: id, exitCode })
    if (local === 'none') {
      return own.enter('failed', wallMs, 'it was lost while its daemon was not running')
    }
    if (own.row.desired === 'shutdown') own.stopAtMs = nowMs
    else if (own.row.state !== 'running') own.enter('running', wallMs)
  }

  #hear(event: LocalEvent): void {
    const own = this.#own.get(event.task)
    if (own === undefined || !own.isLive) return
    const { nowMs, wallMs } = this.#now
    switch (event.type) {
      case 'running':
        own.row.container = event.container
        own.enter('running', wallMs)
        if (own.row.desired === 'running') return
        own.enter('draining', wallMs)
        own.stopAtMs = nowMs
        return
      case 'refused':
        if (own.row.desired === 'shutdown') return own.enter('shutdown', wallMs)
        return own.enter(event.isForGood ? 'rejected' : 'failed', wallMs, event.error)
      case 'ended':
        own.row.exitCode = event.exitCode
        if (own.row.desired === 'shutdown') return own.enter('shutdown', wallMs, own.row.error)
        if (event.exitCode === 0) return own.enter('complete', wallMs)
        return own.enter('failed', wallMs, `task: non-zero exit (${event.exitCode ?? 'killed'})`)
    }
  }

  /** Of this node's own tasks the machine knows best. */
  #tasksNow({ tasks }: ServiceFacts): TaskFact[] {
    return [...tasks.filter(task => task.node !== this.#node),
      ...[...this.#own.values()].map(own => own.factOf(this.#node))]
  }

  #judge(facts: ServiceFacts, plans: Plans, self: NodeFact | undefined): void {
    const bySlot = new Map([...plans].flatMap(([id, slots]) =>
      slots.map(plan => [`${id}/${plan.slot}`, plan] as const)))
    const { nowMs, wallMs } = this.#now
    for (const own of this.#own.values()) {
      if (!own.isLive || own.row.desired === 'shutdown') continue
      const plan = bySlot.get(`${own.row.service}/${own.row.slot}`)
      if (plan === undefined) {
        own.leave(nowMs, wallMs, 'its service is gone', 0)
        continue
      }
      const why = this.#whyNot(facts, plan, own, self)
      if (why !== null) own.leave(nowMs, wallMs, why)
    }
  }

  /** Why this task is not to run any more; empty when that needs no words, null when it is. */
  #whyNot(facts: ServiceFacts, plan: SlotPlan, own: OwnTask, self?: NodeFact): string | null {
    const { service, isWanted, losers } = plan
    if (!isWanted) return ''
    if (losers.some(task => task.id === own.id)) {
      return plan.holder!.generation > own.row.generation ? '' : 'another task has its slot'
    }
    if (self?.availability === 'drain') return ''
    if (self !== undefined && !meetsAll(service.spec.task.constraints, self)) {
      return 'the node does not meet the constraints any more'
    }
    const order = replaceOrder(service, facts.rollouts.get(service.id), plan.slot)
    return order === 'stop-first' && own.row.generation < service.generation ? '' : null
  }

  #claim({ nodes }: ServiceFacts, plans: Plans): void {
    const { nowMs, wallMs } = this.#now
    const isMajority = nodes.filter(node => node.isAlive).length * 2 > nodes.length
    const patientUntilMs = this.#isCaughtUp ? nowMs : this.#beganMs + START_PATIENCE_MS
    for (const plan of [...plans.values()].flat()) {
      if (plan.node !== this.#node || plan.delayMs === null) continue
      const atMs = Math.max(patientUntilMs, this.#vacancies.freeAtMs(plan))
      if (atMs > nowMs) {
        this.#wake(atMs)
        continue
      }
      const row = claimRow(plan, wallMs, isMajority)
      const id = this.#makeId()
      this.#own.set(id, new OwnTask(id, row, nowMs))
    }
  }

  #advance(facts: ServiceFacts, self: NodeFact): StartOrder[] {
    const { nowMs, wallMs } = this.#now
    const isAlone = facts.nodes.every(node => node.id === this.#node || !node.isAlive)
    const starts: StartOrder[] = []
    for (const own of this.#own.values()) {
      const { row } = own
      if (row.desired !== 'running' || own.isStarted) continue
      const settledMs = own.sinceMs + (isAlone ? 0 : SETTLE_MS)
      if (settledMs > nowMs) {
        this.#wake(settledMs)
        continue
      }
      if (row.state === 'assigned') own.enter('preparing', wallMs)
      const service = facts.services.find(one => one.id === row.service)
      if (service === undefined || row.state !== 'preparing') continue
      const networks = this.#addresses(facts, service, own)
      if (networks === null) continue
      own.isStarted = true
      own.enter('starting', wallMs)
      starts.push({ task: own.id, service, slot: row.slot, node: self, networks })
    }
    return starts
  }

  /** Null while one of them has not been given. */
  #addresses(facts: ServiceFacts, service: ServiceFact, own: OwnTask): StartOrder['networks']
    | null {
    const slot = leaseSlot(own.row.slot, own.row.side)
    const networks: { network: string; address: string }[] = []
    for (const { id: network } of service.spec.task.networks) {
      const known = facts.networks.get(network)
      const key = leaseKey(network, { kind: 'slot', service: service.id, slot })
      const address = facts.leases.get(key)?.address
      if (known !== undefined && address !== undefined) {
        networks.push({ network, address })
        continue
      }
      const lateMs = own.sinceMs + LEASE_WAIT_MS
      if (lateMs > this.#now.nowMs) this.#wake(lateMs)
      else {
        own.row.error = known === undefined ? `its network ${network} is gone`
          : `no address on the network ${known.name} has been given yet`
      }
      return null
    }
    return networks
  }

  #stop(): string[] {
    const stops: string[] = []
    for (const own of this.#own.values()) {
      if (!own.isLive || own.isStopped || own.stopAtMs === null) continue
      if (own.stopAtMs > this.#now.nowMs) {
        this.#wake(own.stopAtMs)
        continue
      }
      own.isStopped = true
      stops.push(own.id)
    }
    return stops
  }

  /** Of each slot that is wanted the last ended tasks are kept, of others none. */
  #forget(plans: Plans): string[] {
    const forgets: string[] = []
    const ended = [...this.#own.values()].filter(own => !own.isLive)
    for (const own of ended) {
      const plan = plans.get(own.row.service)?.find(one => one.slot === own.row.slot)
      const rank = plan?.isWanted !== true ? HISTORY_TASKS
        : plan.ended.findIndex(task => task.id === own.id)
      const isWithdrawn = own.row.state === 'shutdown' && !own.isStarted
      if (rank < HISTORY_TASKS && !isWithdrawn) continue
      this.#own.delete(own.id)
      forgets.push(own.id)
    }
    return forgets
  }

  #writeOwn({ tasks }: ServiceFacts): void {
    const there = new Set(tasks.filter(task => task.node === this.#node).map(task => task.id))
    for (const own of this.#own.values()) {
      const text = JSON.stringify(own.row)
      if (text !== own.written || !there.has(own.id)) this.#write(own.id, text)
      own.written = text
      there.delete(own.id)
    }
    for (const id of there) this.#write(id, null)
  }

  #write(id: string, text: string | null): void {
    this.#writes.push({ table: TABLE_TASK, key: taskKey(this.#node, id),
      value: text === null ? null : new TextEncoder().encode(text) })
  }

  #wake(atMs: number): void {
    this.#wakeAtMs = Math.min(this.#wakeAtMs, atMs)
  }
}

function claimRow(plan: SlotPlan, wallMs: number, isMajority: boolean): ServiceTaskRow {
  const { ended, holder, lost, service, slot } = plan
  const before = [...ended, ...lost, ...holder === null ? [] : [holder]]
  const last = ended[0]
  const isSame = last !== undefined && last.generation === service.generation
  const highest = Math.max(0, ...before.map(task => task.term))
  return {
    service: service.id, slot, generation: service.generation, desired: 'running',
    state: 'assigned', error: '', exitCode: null, container: null,
    // Later than all before it, also when this node's clock is behind.
    createdAt: Math.max(wallMs, ...before.map(task => task.createdAt + 1)), stateAt: wallMs,
    term: highest + (lost.length > 0 && isMajority ? 1 : 0),
    attempt: !isSame ? 0 : last.attempt + (last.state === 'shutdown' ? 0 : 1),
    side: holder === null ? lastSide(before) : 1 - holder.side,
  }
}
