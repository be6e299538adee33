// For how long each slot has been without a task, by this node's own clock: what others write of
// their clocks is not used for waiting, because clocks jump.
import { compareAge } from './claims.ts'
import type { Plans, SlotPlan } from './decide.ts'

/**
 * A slot whose task went out of sight, with its node or while its daemon starts anew, is left alone
 * for so long: most often the task is there again.
 */
export const VANISHED_MS = 3000

type Seen = { holder: string | null; vanishedAtMs: number | null }

export class Vacancies {
  #nowMs = 0
  #slots = new Map<string, Seen>()
  /** When this node heard of the end of a task, by its id. */
  #ends = new Map<string, number>()

  follow(nowMs: number, plans: Plans): void {
    this.#nowMs = nowMs
    const slots = new Map<string, Seen>()
    const ends = new Map<string, number>()
    for (const plan of [...plans.values()].flat()) {
      const key = keyOf(plan)
      slots.set(key, this.#seen(plan, this.#slots.get(key)))
      const last = plan.ended[0]
      if (last !== undefined) ends.set(last.id, this.#ends.get(last.id) ?? nowMs)
    }
    this.#slots = slots
    this.#ends = ends
  }

  /** When a task may be started in a slot that nobody has; its delayMs must not be null. */
  freeAtMs(plan: SlotPlan): number {
    const vanishedAtMs = this.#slots.get(keyOf(plan))?.vanishedAtMs ?? null
    const last = plan.ended[0]
    return Math.max(
      vanishedAtMs === null ? this.#nowMs : vanishedAtMs + VANISHED_MS,
      last === undefined ? this.#nowMs : this.#ends.get(last.id)! + plan.delayMs!,
    )
  }

  #seen(plan: SlotPlan, before: Seen | undefined): Seen {
    if (plan.holder !== null) return { holder: plan.holder.id, vanishedAtMs: null }
    const hasEnded = plan.ended.some(task => task.id === before?.holder)
      || plan.leaving.some(task => task.id === before?.holder)
    const holder = hasEnded ? null : before?.holder ?? null
    const last = plan.ended[0]
    const isLost = plan.lost.some(task => last === undefined || compareAge(task, last) > 0)
    const isVanished = plan.isWanted && (holder !== null || isLost)
    return { holder, vanishedAtMs: isVanished ? before?.vanishedAtMs ?? this.#nowMs : null }
  }
}

function keyOf({ service, slot }: SlotPlan): string {
  return `${service.id}/${slot}`
}
