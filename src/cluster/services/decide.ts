// What is to become of every slot of every service, as the rows are now: who has it, or on which
// node its next task is to be started, or why on none. It is asked by each node, and by whoever
// shows services; all of them get the same answer from the same rows.
import { compareText, settleSlot, type SlotState } from './claims.ts'
import type { NodeFact, ServiceFact, TaskFact } from './facts.ts'
import { Placement } from './placement.ts'
import { restartAfter } from './restarts.ts'
import type { RolloutRow } from './rows.ts'
import { replaceOrder, wantedSlots } from './slots.ts'
import { isCurrent } from './templates.ts'

export type OrchestrationFacts = Readonly<{
  nodes: readonly NodeFact[]
  services: readonly ServiceFact[]
  /** By service id. */
  rollouts: ReadonlyMap<string, RolloutRow>
  /** Also those of nodes that are not here, and of services that are no more. */
  tasks: readonly TaskFact[]
}>

export type SlotPlan = SlotState & Readonly<{
  service: ServiceFact
  /** Not so after the service was made smaller: what runs in it is to stop. */
  isWanted: boolean
  /** Another task is to be started in it, if there is a node for it and `delayMs` says when. */
  isVacant: boolean
  /** The node that is to start a task in it; null: none is needed, or none fits. */
  node: string | null
  /** After the last task's end so long is waited; null: there will be no other. */
  delayMs: number | null
  /** Why a slot that nobody has is not given to a node, or gets no other task; else empty. */
  reason: string
}>

/** By service id, then slots in order. */
export type Plans = ReadonlyMap<string, readonly SlotPlan[]>

export type PlanOf = (task: Pick<TaskFact, 'service' | 'slot'>) => SlotPlan | undefined

/** The plan of the slot that a task is in. */
export function slotIndex(plans: Plans): PlanOf {
  const bySlot = new Map([...plans].map(([id, slots]) =>
    [id, new Map(slots.map(plan => [plan.slot, plan]))]))
  return ({ service, slot }) => bySlot.get(service)?.get(slot)
}

export function decide(facts: OrchestrationFacts): Plans {
  return new Decider().decide(facts)
}

/** What was found of a service before, and what it was found by. */
type Found = Readonly<{
  spec: ServiceFact['spec']
  generation: number
  rollout: RolloutRow | undefined
  /** By slot, in their order. */
  slots: ReadonlyMap<string, Readonly<{ tasks: readonly TaskFact[]; state: SlotState }>>
}>

const NO_TASKS: readonly TaskFact[] = []

/**
 * decide(), for who asks after each change. Few slots differ then from what they were: of the
 * others, with the same objects as facts, the state is not found anew.
 */
export class Decider {
  #found = new Map<string, Found>()

  decide(facts: OrchestrationFacts): Plans {
    const before = this.#found
    this.#found = new Map()
    const placement = new Placement(facts.nodes, facts.tasks, facts.services)
    const alive = new Set(facts.nodes.filter(node => node.isAlive).map(node => node.id))
    const byService = Map.groupBy(facts.tasks, task => task.service)
    const services = [...facts.services].sort((a, b) => compareText(a.id, b.id))
    return new Map(services.map(service => {
      const rollout = facts.rollouts.get(service.id)
      const wanted = new Set(wantedSlots(service, facts.nodes)
        .filter(slot => service.spec.mode === 'replicated' || alive.has(slot)))
      const found = find(service, rollout, wanted, byService.get(service.id) ?? NO_TASKS,
        before.get(service.id))
      this.#found.set(service.id, found)
      return [service.id, [...found.slots.values()].map(({ state }) => {
        const isWanted = wanted.has(state.slot)
        const next = isWanted ? nextTask(placement, service, rollout, state) : NOTHING
        return { ...state, ...next, service, isWanted }
      })]
    }))
  }
}

function find(service: ServiceFact, rollout: RolloutRow | undefined, wanted: ReadonlySet<string>,
  tasks: readonly TaskFact[], before: Found | undefined): Found {
  const { generation, spec } = service
  const bySlot = Map.groupBy(tasks, task => task.slot)
  const names = new Set([...wanted, ...bySlot.keys()])
  const known = before?.slots ?? new Map<string, never>()
  const isOrdered = known.size === names.size && [...known.keys()].every(slot => names.has(slot))
  const mayKeep = before?.spec === spec && before.generation === generation
    && before.rollout === rollout
  const slots = isOrdered ? known.keys() : [...names].sort(compareSlots)
  return { spec, generation, rollout, slots: new Map([...slots].map(slot => {
    const own = bySlot.get(slot) ?? NO_TASKS
    const last = mayKeep ? known.get(slot) : undefined
    return [slot, last !== undefined && isSame(last.tasks, own) ? last
      : { tasks: own, state: settleSlot(service, rollout, slot, own) }]
  })) }
}

function isSame(a: readonly TaskFact[], b: readonly TaskFact[]): boolean {
  return a.length === b.length && a.every((task, n) => task === b[n])
}

type NextTask = Pick<SlotPlan, 'isVacant' | 'node' | 'delayMs' | 'reason'>

const NOTHING: NextTask = { isVacant: false, node: null, delayMs: 0, reason: '' }

function nextTask(placement: Placement, service: ServiceFact, rollout: RolloutRow | undefined,
  state: SlotState): NextTask {
  if (!isVacant(service, rollout, state)) return NOTHING
  const { delayMs, reason } = restartAfter(service, state.ended[0])
  if (delayMs === null) return { isVacant: true, node: null, delayMs, reason }
  return { ...placement.choose(service, state.slot), isVacant: true, delayMs }
}

function isVacant(service: ServiceFact, rollout: RolloutRow | undefined,
  { holder, leaving, slot, successor }: SlotState): boolean {
  if (holder === null) return leaving.length === 0
  return successor === null && leaving.length === 0 && !isCurrent(holder, service)
    && replaceOrder(service, rollout, slot) === 'start-first'
}

/** "2" before "10", and names after numbers. */
export function compareSlots(a: string, b: string): number {
  const [x, y] = [Number(a), Number(b)]
  return x - y || Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || compareText(a, b)
}
