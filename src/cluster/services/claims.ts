// Of the tasks of one slot: which one has it, which may be beside it, and which must stop. A task's
// row is its node's claim to the slot, and two nodes that claim at once must find the same answer.
import type { ServiceFact, TaskFact } from './facts.ts'
import type { RolloutRow, ServiceTaskRow } from './rows.ts'
import { isLive, lastSide, replaceOrder } from './slots.ts'
import { isCurrent, templateOf } from './templates.ts'

export type SlotState = Readonly<{
  slot: string
  /** The task that has the slot. */
  holder: TaskFact | null
  /** It starts before the holder stops, which is then of an older generation. */
  successor: TaskFact | null
  /** Others that are to run, but must not. */
  losers: readonly TaskFact[]
  /** They are told to stop and have not ended. */
  leaving: readonly TaskFact[]
  /** Live when their node was seen last, which is not here now. */
  lost: readonly TaskFact[]
  /** The newest first, also those of nodes that are not here. */
  ended: readonly TaskFact[]
}>

/** @param tasks all of this slot */
export function settleSlot(service: ServiceFact, rollout: RolloutRow | undefined, slot: string,
  tasks: readonly TaskFact[]): SlotState {
  const live = tasks.filter(task => isLive(task) && !task.isHidden)
  const claims = live.filter(task => task.desired === 'running')
    .sort((a, b) => compareClaims(a, b, service))
  const holder = claims[0] ?? null
  const mayBeTwo = holder !== null && !isCurrent(holder, service)
    && replaceOrder(service, rollout, slot) === 'start-first'
  const successor = mayBeTwo
    ? claims.find(task => isCurrent(task, service)) ?? null : null
  return {
    slot, holder, successor,
    losers: claims.filter(task => task !== holder && task !== successor),
    leaving: live.filter(task => task.desired !== 'running'),
    lost: tasks.filter(task => isLive(task) && task.isHidden),
    ended: tasks.filter(task => !isLive(task)).sort((a, b) => -compareAge(a, b)),
  }
}

/**
 * Who comes first has the slot. One that runs what is wanted now is not stopped for one that does
 * not. Then, what a majority has given away does not move back. Then, the earlier has it.
 */
function compareClaims(a: TaskFact, b: TaskFact, service: ServiceFact): number {
  return Number(runs(b, service)) - Number(runs(a, service)) || b.term - a.term
    || compareAge(a, b)
}

function runs(task: TaskFact, service: ServiceFact): boolean {
  return task.state === 'running' && isCurrent(task, service)
}

/** The claim of this node to a slot that has fallen to it. @param isMajority most nodes are here */
export function claimRow(service: ServiceFact, state: SlotState, wallMs: number,
  isMajority: boolean): ServiceTaskRow {
  const { ended, holder, lost, slot } = state
  const before = [...ended, ...lost, ...holder === null ? [] : [holder]]
  const last = ended[0]
  const isSame = last !== undefined && isCurrent(last, service)
  const highest = Math.max(0, ...before.map(task => task.term))
  // Later than all before it, also when this node's clock is behind.
  const claimedAt = Math.max(wallMs, ...before.map(task => task.claimedAt + 1))
  return {
    service: service.id, slot, generation: service.generation, desired: 'running',
    state: 'assigned', error: '', exitCode: null, container: null,
    createdAt: claimedAt, claimedAt, stateAt: wallMs,
    term: highest + (lost.length > 0 && isMajority ? 1 : 0),
    attempt: !isSame ? 0 : last.attempt + (last.state === 'shutdown' ? 0 : 1),
    template: templateOf(service), side: holder === null ? lastSide(before) : 1 - holder.side,
  }
}

/** By their claims, and where these are of one time by node and id, so that no two are alike. */
export function compareAge(a: TaskFact, b: TaskFact): number {
  return a.claimedAt - b.claimedAt || compareText(a.node, b.node) || compareText(a.id, b.id)
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
