// Which slots a service is to have, and which addresses belong to them. All of it follows from
// rows, so that every node finds the same.
import { meetsAll } from './constraints.ts'
import type { NodeFact, ServiceFact, TaskFact } from './facts.ts'
import { ENDED_STATES, type RolloutRow, type UpdatePolicy } from './rows.ts'

/**
 * "1" to "N", so that both sides of a split mean the same ones, and the highest number goes first.
 * Of a global service: every node that may have its task, also one that is not here just now.
 */
export function wantedSlots({ spec }: Pick<ServiceFact, 'spec'>,
  nodes: readonly NodeFact[]): string[] {
  if (spec.mode === 'replicated') {
    return Array.from({ length: spec.replicas ?? 0 }, (_, i) => String(i + 1))
  }
  return nodes.filter(node => node.availability !== 'drain'
    && meetsAll(spec.task.constraints, node)).map(node => node.id)
}

/**
 * How a slot is called in the key of a lease. Where an update starts the new task before it stops
 * the old one, both are in one slot, so the new one has the other side's address.
 */
export function leaseSlot(slot: string, side: number): string {
  return side === 0 ? slot : `${slot}+`
}

/**
 * The slots of a service that want an address, as leaseSlot() calls them: of each wanted slot the
 * side that its task has or had last, and while an update starts new tasks first the other one.
 * @param tasks all of this service, hidden ones among them
 */
export function leaseSlots(service: Pick<ServiceFact, 'spec' | 'generation'>,
  nodes: readonly NodeFact[], tasks: readonly TaskFact[], rollout: RolloutRow | undefined,
): string[] {
  const bySlot = Map.groupBy(tasks, task => task.slot)
  const slots = new Set([...wantedSlots(service, nodes), ...bySlot.keys()])
  const isWanted = new Set(wantedSlots(service, nodes))
  const wanted: string[] = []
  for (const slot of slots) {
    const all = bySlot.get(slot) ?? []
    const sides = new Set(all.filter(isLive).map(task => task.side))
    if (sides.size === 0 && isWanted.has(slot)) sides.add(lastSide(all))
    if (sides.size === 1 && replaceOrder(service, rollout, slot) === 'start-first') {
      sides.add(0).add(1)
    }
    for (const side of [...sides].sort()) wanted.push(leaseSlot(slot, side))
  }
  return wanted
}

/** What holds for the update or rollback that is under way; null when none is. */
export function policyOf({ spec, generation }: Pick<ServiceFact, 'spec' | 'generation'>,
  rollout: RolloutRow | undefined): UpdatePolicy | null {
  if (rollout?.generation !== generation) return null
  if (rollout.state === 'updating') return spec.update
  return rollout.state === 'rollback_started' ? spec.rollback : null
}

/**
 * Whether the task of this slot may be replaced now, and in which order; null: no. A rollout
 * that is over names the slots in which the new task fails and the old one runs on: it is tried
 * again there.
 */
export function replaceOrder({ spec, generation }: Pick<ServiceFact, 'spec' | 'generation'>,
  rollout: RolloutRow | undefined, slot: string): UpdatePolicy['order'] | null {
  if (rollout?.generation !== generation || !rollout.slots.includes(slot)) return null
  return rollout.state === 'updating' || rollout.state === 'completed' ? spec.update.order
    : spec.rollback.order
}

export function isLive(task: TaskFact): boolean {
  return !ENDED_STATES.includes(task.state)
}

/** Of the task that was claimed last. */
export function lastSide(tasks: readonly TaskFact[]): number {
  return tasks.reduce<TaskFact | null>((last, task) =>
    last === null || task.claimedAt > last.claimedAt ? task : last, null)?.side ?? 0
}
