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

export function decide(facts: OrchestrationFacts): Plans {
  const placement = new Placement(facts.nodes, facts.tasks, facts.services)
  const alive = new Set(facts.nodes.filter(node => node.isAlive).map(node => node.id))
  const byService = Map.groupBy(facts.tasks, task => task.service)
  const services = [...facts.services].sort((a, b) => compareText(a.id, b.id))
  return new Map(services.map(service => {
    const rollout = facts.rollouts.get(service.id)
    const wanted = new Set(wantedSlots(service, facts.nodes)
      .filter(slot => service.spec.mode === 'replicated' || alive.has(slot)))
    const bySlot = Map.groupBy(byService.get(service.id) ?? [], task => task.slot)
    const slots = [...new Set([...wanted, ...bySlot.keys()])].sort(compareSlots)
    return [service.id, slots.map(slot => {
      const state = settleSlot(service, rollout, slot, bySlot.get(slot) ?? [])
      const isWanted = wanted.has(slot)
      const next = isWanted ? nextTask(placement, service, rollout, state) : NOTHING
      return { ...state, ...next, service, isWanted }
    })]
  }))
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
