// What this node does for the services: it claims slots that fall to it, has tasks started when
// they have their addresses, stops those that are not wanted, and keeps a row of each. A machine
// without clock, chance and processes: step() takes what is known and answers what is to be done.
import { claimRow } from './claims.ts'
import { meetsAll } from './constraints.ts'
import { Decider, type PlanOf, type Plans, type SlotPlan, slotIndex } from './decide.ts'
import { type DrainCounters, Drains } from './drains.ts'
import type { NodeFact, ServiceFact } from './facts.ts'
import type {
  LocalEvent, Now, Orders, RestoredTask, ServiceFacts, StartOrder,
} from './orders.ts'
import type { OwnTask } from './own-task.ts'
import { OwnTasks } from './own-tasks.ts'
import { RolloutDriver } from './rollout.ts'
import { isHeld } from './leases.ts'
import { leaseKey } from './rows.ts'
import { leaseSlot, replaceOrder } from './slots.ts'
import { isCurrent } from './templates.ts'
import { Vacancies } from './vacancies.ts'

/** Between a claim and the start: another claim that is under way is heard of within this time. */
export const SETTLE_MS = 100
/** An address that has not been given by then is told as missing. It is waited for all the same. */
export const LEASE_WAIT_MS = 5000
/** A node that has just started hears first what the others have; after this it goes on alone. */
export const START_PATIENCE_MS = 5000
/** How often it looks whether it has heard that. */
const CAUGHT_UP_LOOK_MS = 100

export type OrchestratorOptions = Readonly<{
  node: string
  /** 25 digits */
  makeId: () => string
  restored: readonly RestoredTask[]
  drainCounters: DrainCounters
}>

export class Orchestrator {
  readonly #node: string
  readonly #makeId: () => string
  readonly #beganMs: number
  readonly #own: OwnTasks
  readonly #drains: Drains
  readonly #decider = new Decider()
  readonly #driver: RolloutDriver
  readonly #vacancies = new Vacancies()
  #isCaughtUp = false
  #now: Now
  #wakeAtMs = Infinity

  constructor(options: OrchestratorOptions, now: Now) {
    this.#node = options.node
    this.#makeId = options.makeId
    this.#beganMs = now.nowMs
    this.#now = now
    this.#driver = new RolloutDriver(options.node)
    this.#own = new OwnTasks(options.node, options.restored, now)
    this.#drains = new Drains(options.node, this.#own, options.drainCounters)
  }

  /**
   * Another node has said something about tasks that are about to stop. Answers whether to step.
   * @param from its id; null when nobody is known where the message came from
   */
  hear(nowMs: number, from: string | null, octets: Uint8Array): boolean {
    return this.#drains.hear(nowMs, from, octets)
  }

  /** @param events in the order in which they happened */
  step(now: Now, facts: ServiceFacts, events: readonly LocalEvent[]): Orders {
    this.#now = now
    this.#wakeAtMs = Infinity
    this.#isCaughtUp ||= facts.isCaughtUp
    for (const event of events) this.#own.hear(event, now)
    const others = facts.tasks.filter(task => task.node !== this.#node)
    // Of its own tasks the machine knows more than their rows say.
    const plans = this.#decider.decide({ ...facts, tasks: [...others, ...this.#own.facts()] })
    const planOf = slotIndex(plans)
    this.#vacancies.follow(now.nowMs, plans)
    const self = facts.nodes.find(node => node.id === this.#node)
    this.#judge(facts, planOf, self)
    if (self !== undefined) this.#claim(facts, plans)
    const starts = self === undefined ? [] : this.#advance(facts, self)
    const stops = this.#drains.takeStops(facts, now.nowMs, atMs => this.#wake(atMs))
    const words = this.#drains.takeWords(facts, now.nowMs, atMs => this.#wake(atMs))
    const forgets = this.#own.takeForgotten(planOf)
    const driven = this.#driver.step(now, facts, plans)
    this.#wake(driven.wakeAtMs)
    return {
      writes: [...this.#own.writes(facts.tasks), ...driven.writes], words, starts,
      stops: [...stops.keys()],
      unheard: new Map([...stops].filter(([, nodes]) => nodes.length > 0)), forgets,
      wakeAtMs: this.#wakeAtMs,
    }
  }

  /** What was written last may have got nowhere. */
  doubt(): void {
    for (const own of this.#own) own.written = ''
  }

  #judge(facts: ServiceFacts, planOf: PlanOf, self: NodeFact | undefined): void {
    const { nowMs, wallMs } = this.#now
    for (const own of this.#own) {
      if (!own.isLive || own.row.desired === 'shutdown') continue
      const plan = planOf(own.row)
      if (plan === undefined) {
        own.leave(nowMs, wallMs, 'its service is gone', true)
        continue
      }
      // An update that was rolled back before it reached this task is none for it.
      if (isCurrent(own.row, plan.service)) own.row.generation = plan.service.generation
      const why = this.#whyNot(facts, plan, own, self)
      if (why !== null) own.leave(nowMs, wallMs, why)
    }
  }

  /** Why this task is not to run any more; empty when that needs no words, null when it is. */
  #whyNot(facts: ServiceFacts, plan: SlotPlan, own: OwnTask, self?: NodeFact): string | null {
    const { service, isWanted, losers } = plan
    if (!isWanted) return ''
    if (losers.some(task => task.id === own.id)) {
      return isCurrent(own.row, service) ? 'another task has its slot' : ''
    }
    if (self?.availability === 'drain') return ''
    if (self !== undefined && !meetsAll(service.spec.task.constraints, self)) {
      return 'the node does not meet the constraints any more'
    }
    const order = replaceOrder(service, facts.rollouts.get(service.id), plan.slot)
    return order === 'stop-first' && !isCurrent(own.row, service) ? '' : null
  }

  #claim({ nodes }: ServiceFacts, plans: Plans): void {
    const { nowMs, wallMs } = this.#now
    const isMajority = nodes.filter(node => node.isAlive).length * 2 > nodes.length
    const patientUntilMs = this.#isCaughtUp ? nowMs : this.#beganMs + START_PATIENCE_MS
    for (const plan of [...plans.values()].flat()) {
      if (plan.node !== this.#node || plan.delayMs === null) continue
      const atMs = Math.max(patientUntilMs, this.#vacancies.freeAtMs(plan))
      if (atMs > nowMs) {
        this.#wake(this.#isCaughtUp ? atMs : Math.min(atMs, nowMs + CAUGHT_UP_LOOK_MS))
        continue
      }
      const row = claimRow(plan.service, plan, wallMs, isMajority)
      const id = this.#makeId()
      this.#own.add(id, row, nowMs)
    }
  }

  #advance(facts: ServiceFacts, self: NodeFact): StartOrder[] {
    const { nowMs, wallMs } = this.#now
    const isAlone = facts.nodes.every(node => node.id === this.#node || !node.isAlive)
    const starts: StartOrder[] = []
    for (const own of this.#own) {
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
  #addresses(facts: ServiceFacts, service: ServiceFact, own: OwnTask,
  ): StartOrder['networks'] | null {
    const slot = leaseSlot(own.row.slot, own.row.side)
    const networks: { network: string; address: string }[] = []
    for (const { id: network } of service.spec.task.networks) {
      const known = facts.networks.get(network)
      const key = leaseKey(network, { kind: 'slot', service: service.id, slot })
      const lease = facts.leases.get(key)
      const address = isHeld(lease) ? lease.address : undefined
      if (known !== undefined && address !== undefined) {
        networks.push({ network, address })
        continue
      }
      const lateMs = own.sinceMs + LEASE_WAIT_MS
      if (lateMs > this.#now.nowMs) this.#wake(lateMs)
      else {
        own.row.error = known === undefined ? `its network ${network} is gone`
          : facts.lackOf?.(network, key)
            ?? `no address on the network ${known.name} has been given yet`
      }
      return null
    }
    return networks
  }

  #wake(atMs: number): void {
    this.#wakeAtMs = Math.min(this.#wakeAtMs, atMs)
  }
}
