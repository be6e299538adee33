// Updates and rollbacks, some slots at a time. Of all managers that are here one drives those of a
// service: it writes which slots are to be replaced now, and everybody else does it.
import { plural } from '../../base/text.ts'
import { rendezvousFirst } from '../derived.ts'
import type { Write } from '../tables/events.ts'
import type { Plans, SlotPlan } from './decide.ts'
import type { ServiceFact, TaskFact } from './facts.ts'
import type { Now, ServiceFacts } from './orders.ts'
import {
  previousKey, type RolloutRow, type ServiceRow, TABLE_ROLLOUT, TABLE_SERVICE, type UpdatePolicy,
} from './rows.ts'
import { policyOf } from './slots.ts'
import { isCurrent } from './templates.ts'

/**
 * A rollout of a generation that the service has not: its row most often is on its way. After this
 * it is taken for what is left of a change that another one has overtaken, on two sides of a split.
 */
const AHEAD_WAIT_MS = 2000

/** What is known of a rollout besides its row; forgotten when another node drives it. */
type Drive = {
  generation: number
  state: RolloutRow['state']
  /** When the last slot was done, or the rollout begun. */
  doneAtMs: number
  /** When tasks were first seen running, by id. */
  runningMs: Map<string, number>
}

type Step = Readonly<{ now: Now; facts: ServiceFacts; service: ServiceFact; row: RolloutRow
  slots: readonly SlotPlan[]; policy: UpdatePolicy; drive: Drive }>

export class RolloutDriver {
  readonly #node: string
  #drives = new Map<string, Drive>()
  /** Since when the row of a rollout has been newer than its service. */
  readonly #aheadMs = new Map<string, number>()
  #writes: Write[] = []
  #wakeAtMs = Infinity

  constructor(node: string) {
    this.#node = node
  }

  step(now: Now, facts: ServiceFacts, plans: Plans): { writes: Write[]; wakeAtMs: number } {
    this.#writes = []
    this.#wakeAtMs = Infinity
    const managers = facts.nodes.filter(node => node.isAlive && node.role === 'manager')
      .map(node => node.id)
    const before = this.#drives
    this.#drives = new Map()
    for (const service of managers.includes(this.#node) ? facts.services : []) {
      const row = facts.rollouts.get(service.id)
      if (rendezvousFirst(service.id, managers) !== this.#node) continue
      const slots = plans.get(service.id)!
        .filter(plan => plan.isWanted && mayBeReplaced(plan, facts))
      if (row?.generation !== service.generation) {
        this.#begin(now, service, row, slots)
        continue
      }
      const policy = policyOf(service, row)
      if (policy === null) {
        this.#reopen(now, service, row, slots)
        continue
      }
      const drive = sameDrive(before.get(service.id), row) ?? {
        generation: row.generation, state: row.state, doneAtMs: now.nowMs, runningMs: new Map(),
      }
      this.#drives.set(service.id, drive)
      this.#drive({ now, facts, service, row, slots, policy, drive })
    }
    return { writes: this.#writes, wakeAtMs: this.#wakeAtMs }
  }

  #drive(step: Step): void {
    const { now, service, row, slots, policy, drive } = step
    const failed = failedTask(step)
    if (failed !== undefined && policy.failureAction !== 'continue') {
      return this.#fail(step, failed)
    }
    const named = new Set(row.slots)
    const inWork = slots.filter(plan => named.has(plan.slot) && !isDone(plan, service))
    if (inWork.length < named.size) drive.doneAtMs = now.nowMs
    const waiting = slots.filter(plan => !named.has(plan.slot) && isOld(plan, service))
    // What fails while the old task runs on is tried again, and does not hold up the others.
    const busy = inWork.filter(plan => !isFailing(plan, service)).length
    const room = (policy.parallelism === 0 ? Infinity : policy.parallelism) - busy
    const isFirst = named.size === 0 && inWork.length === 0 && isFresh(slots, service)
    const nextAtMs = isFirst ? now.nowMs : drive.doneAtMs + policy.delayMs
    const mayGoOn = waiting.length > 0 && room > 0
    if (mayGoOn && nextAtMs > now.nowMs) this.#wake(nextAtMs)
    const next = mayGoOn && nextAtMs <= now.nowMs
      ? waiting.slice(0, Math.min(room, waiting.length)) : []
    const names = [...inWork, ...next].map(plan => plan.slot)
    if (names.join() !== row.slots.join()) {
      return this.#writeRow(service.id, { ...row, slots: names })
    }
    if (waiting.length > 0 || !inWork.every(plan => keepsOld(plan, service))) return
    const overAtMs = drive.doneAtMs + policy.monitorMs
    if (overAtMs > now.nowMs) return this.#wake(overAtMs)
    this.#complete(step, names.length)
  }

  /** @param kept slots whose old task runs on, because the new one fails: they stay named */
  #complete({ now, row, service }: Step, kept: number): void {
    const isUpdate = row.state === 'updating'
    const what = isUpdate ? 'update completed' : 'rollback completed'
    this.#writeRow(service.id, { ...row, state: isUpdate ? 'completed' : 'rollback_completed',
      finishedAt: now.wallMs, message: kept === 0 ? what
        : `${what}, but in ${plural(kept, 'slot')} the new task fails and the old one runs on` })
  }

  #begin({ nowMs, wallMs }: Now, service: ServiceFact, row: RolloutRow | undefined,
    slots: readonly SlotPlan[]): void {
    const { id, generation } = service
    const isFirst = row === undefined && generation === 1
    if (isFirst && !slots.some(plan => isOld(plan, service))) return
    if (row !== undefined && row.generation > generation) {
      const aheadMs = this.#aheadMs.get(id) ?? nowMs
      this.#aheadMs.set(id, aheadMs)
      if (aheadMs + AHEAD_WAIT_MS > nowMs) return this.#wake(aheadMs + AHEAD_WAIT_MS)
    }
    this.#aheadMs.delete(id)
    this.#writeRow(id, begun(generation, 'updating', wallMs))
  }

  /** A node that was away brings back tasks of before. */
  #reopen({ wallMs }: Now, service: ServiceFact, row: RolloutRow,
    slots: readonly SlotPlan[]): void {
    const isOver = row.state === 'completed' || row.state === 'rollback_completed'
    const isBack = slots.some(plan => isOld(plan, service) && !row.slots.includes(plan.slot))
    if (!isOver || !isBack) return
    this.#writeRow(service.id, begun(row.generation,
      row.state === 'completed' ? 'updating' : 'rollback_started', wallMs))
  }

  #fail({ now, facts, service, row, policy }: Step, failed: TaskFact): void {
    const isUpdate = row.state === 'updating'
    const previous = facts.rows.get(previousKey(service.id))
    const current = facts.rows.get(service.id)
    const why = `due to failure or early termination of task ${failed.id}`
    if (!isUpdate || policy.failureAction !== 'rollback' || previous === undefined
      || current === undefined) {
      return this.#writeRow(service.id, { ...row, slots: [],
        state: isUpdate ? 'paused' : 'rollback_paused',
        message: `${isUpdate ? 'update' : 'rollback'} paused ${why}` })
    }
    const next: ServiceRow = { ...current, spec: previous.spec, version: current.version + 1,
      generation: current.generation + 1, updatedAt: now.wallMs }
    this.#write(TABLE_SERVICE, service.id, next)
    this.#writeRow(service.id, { ...begun(next.generation, 'rollback_started', now.wallMs),
      message: `update rolled back ${why}` })
  }

  #writeRow(service: string, row: RolloutRow): void {
    this.#write(TABLE_ROLLOUT, service, row)
  }

  #write(table: string, key: string, row: RolloutRow | ServiceRow): void {
    this.#writes.push({ table, key, value: new TextEncoder().encode(JSON.stringify(row)) })
  }

  #wake(atMs: number): void {
    this.#wakeAtMs = Math.min(this.#wakeAtMs, atMs)
  }
}

/** A rollout at its beginning. */
export function begun(generation: number, state: 'updating' | 'rollback_started',
  wallMs: number): RolloutRow {
  return { generation, state, slots: [], startedAt: wallMs, finishedAt: null,
    message: state === 'updating' ? 'update in progress' : 'rollback in progress' }
}

function sameDrive(drive: Drive | undefined, row: RolloutRow): Drive | undefined {
  return drive?.generation === row.generation && drive.state === row.state ? drive : undefined
}

/** A task of the new generation that failed while, or soon after, it was started. */
function failedTask({ now, service, row, slots, policy, drive }: Step): TaskFact | undefined {
  const seen = new Map<string, number>()
  for (const { holder, successor } of slots) {
    for (const task of [holder, successor]) {
      if (task === null || task.state !== 'running') continue
      seen.set(task.id, drive.runningMs.get(task.id) ?? now.nowMs)
    }
  }
  const before = drive.runningMs
  const ended = slots.flatMap(plan => plan.ended)
  for (const { id } of ended) if (before.has(id)) seen.set(id, before.get(id)!)
  drive.runningMs = seen
  return ended.find(task => {
    const isOurs = isCurrent(task, service) && task.stateAt >= row.startedAt
    if (!isOurs || (task.state !== 'failed' && task.state !== 'rejected')) return false
    const runningMs = before.get(task.id)
    return runningMs === undefined || now.nowMs - runningMs <= policy.monitorMs
  })
}

/** Its task is of the new generation and runs, or has failed, or there will be none. */
function isDone({ holder, leaving, delayMs, ended, node, successor }: SlotPlan,
  service: ServiceFact): boolean {
  if (holder === null) {
    return leaving.length === 0
      && (delayMs === null || node === null || hasFailed(ended, service))
  }
  return isCurrent(holder, service) && holder.state === 'running'
    && successor === null
}

function isFailing({ ended, holder, successor }: SlotPlan, service: ServiceFact): boolean {
  return holder !== null && successor === null && hasFailed(ended, service)
}

/** A new task was tried beside the old one, and failed. */
function keepsOld(plan: SlotPlan, service: ServiceFact): boolean {
  return isOld(plan, service) && hasFailed(plan.ended, service)
}

function hasFailed([last]: readonly TaskFact[], service: ServiceFact): boolean {
  return last !== undefined && isCurrent(last, service) && last.state !== 'shutdown'
}

/** A node that takes no new tasks keeps the one of a global service that it has. */
function mayBeReplaced({ service, slot }: SlotPlan, { nodes }: ServiceFacts): boolean {
  return service.spec.mode === 'replicated'
    || nodes.some(node => node.id === slot && node.availability === 'active')
}

function isOld({ holder }: SlotPlan, service: ServiceFact): boolean {
  return holder !== null && !isCurrent(holder, service)
}

/** Nothing has been replaced yet, so nothing needs to be waited for. */
function isFresh(slots: readonly SlotPlan[], service: ServiceFact): boolean {
  return slots.every(plan => plan.holder === null || isOld(plan, service))
}
