// How far a service has come to what it is to be, computed from what the daemon says of it: the
// lines that Docker shows meanwhile, and whether it is there or will not get there.
import type { ServiceTaskView, ServiceView } from '../client.ts'
import { shortId } from './task-text.ts'

export type Progress = Readonly<{
  /** "2 out of 2 tasks" */
  overall: string
  /** "1/2" and what its task does; none where there are too many to be shown. */
  bars: readonly Bar[]
  /** All tasks are those that are wanted. */
  isThere: boolean
  /** Why it will not get there; null as long as it may. */
  failure: string | null
  /** Why some slot waits; empty when nothing is known. */
  waiting: string
}>

/** `step`: of STEPS, for the bar; null where an error stands in its place. */
export type Bar = Readonly<{ label: string; text: string; step: number | null }>

/** Bars that are shown, as Docker has it; for more tasks there is the sum alone. */
export const BARS_MAX = 20
/** New tasks of one slot that may fail; then it is said that the service does not converge. */
export const FAILURES_MAX = 3

const STEP_OF_STATE: Readonly<Record<string, number>> = {
  pending: 3, assigned: 4, preparing: 6, starting: 8, running: 9,
}
export const STEPS = 9
const STATE_LENGTH = 9

type Slot = Readonly<{ name: string; label: string; tasks: readonly ServiceTaskView[] }>

/**
 * @param known ids of tasks that had failed before this service was waited for
 * @param from  generation that the change has led to: a later one is that of a rollback
 */
export function progressOf(service: ServiceView, tasks: readonly ServiceTaskView[],
  known: ReadonlySet<string>, from: number): Progress {
  const slots = slotsOf(service, tasks)
  const done = slots.filter(slot => isDone(service, slot.tasks)).length
  const rest = slots.filter(slot => !isDone(service, slot.tasks))
  const isShown = slots.length <= BARS_MAX
  return {
    overall: `${done} out of ${slots.length} tasks`,
    bars: isShown ? slots.map(slot => barOf(service, slot)) : [],
    isThere: rest.length === 0 && !isChanging(service),
    failure: updateFailure(service, from) ?? (isChanging(service) ? null
      : rest.map(slot => slotFailure(service, slot, known)).find(why => why !== null) ?? null),
    waiting: rest.map(({ name, tasks: [newest] }) => newest?.desired === 'running'
      && newest.error !== '' ? `${name}: ${newest.error}` : '').find(why => why !== '') ?? '',
  }
}

/** The slots that are wanted, each with its tasks, newest first. */
function slotsOf({ name, spec, wanted }: ServiceView, tasks: readonly ServiceTaskView[]): Slot[] {
  const bySlot = Map.groupBy(tasks, task => task.slot)
  if (spec.mode === 'replicated') {
    return Array.from({ length: wanted }, (_, n) => ({
      name: `${name}.${n + 1}`, label: `${n + 1}/${wanted}`, tasks: bySlot.get(String(n + 1)) ?? [],
    }))
  }
  return [...bySlot].filter(([, [newest]]) => isWanted(newest!))
    .map(([slot, own]) => ({ name: `${name}.${slot}`, label: shortId(slot), tasks: own }))
}

/** It is to run, or has ended by itself and not because its node has left the service. */
function isWanted(newest: ServiceTaskView): boolean {
  return newest.desired === 'running' || isFailed(newest) || newest.state === 'complete'
}

/** It runs, or has done its work where that is enough. */
function isDone({ generation, spec }: ServiceView, tasks: readonly ServiceTaskView[]): boolean {
  const isJob = spec.task.restart.condition !== 'any'
  return tasks.some(task => task.generation === generation && !task.isAway
    && ((task.state === 'running' && task.desired === 'running')
      || (isJob && task.state === 'complete' && task === tasks[0])))
}

function isChanging({ update, generation }: ServiceView): boolean {
  return update !== null && update.generation === generation
    && (update.state === 'updating' || update.state === 'rollback_started')
}

function barOf({ generation }: ServiceView, { label, tasks }: Slot): Bar {
  const current = tasks.find(task => task.desired === 'running' && !task.isAway)
  const failed = tasks.find(task => task.generation === generation && isFailed(task))
  const error = current?.state === 'running' ? '' : current?.error || failed?.error || ''
  if (error !== '') return { label, text: error, step: null }
  const state = current === undefined ? 'pending' : current.state
  const isNew = current === undefined || current.generation === generation
  return { label, text: (isNew ? state : 'pending').padEnd(STATE_LENGTH),
    step: isNew ? STEP_OF_STATE[state] ?? 0 : STEP_OF_STATE['pending']! }
}

/** What an update that ended otherwise than it was to says, in Docker's words. */
function updateFailure({ update, generation }: ServiceView, from: number): string | null {
  if (update === null || update.generation < from) return null
  switch (update.state) {
    case 'paused': return `service update paused: ${update.message}`
    case 'rollback_paused': return `service rollback paused: ${update.message}`
    case 'rollback_completed':
      return generation > from ? `service rolled back: ${update.message}` : null
    default: return null
  }
}

function slotFailure({ generation }: ServiceView, { name, tasks }: Slot,
  known: ReadonlySet<string>): string | null {
  const failed = tasks.filter(task => task.generation === generation && isFailed(task)
    && !known.has(task.id))
  const newest = tasks[0]
  const goesOn = newest !== undefined && (!isFailed(newest) || newest.state === 'pending')
  if (failed.length === 0 || (goesOn && failed.length < FAILURES_MAX)) return null
  if (newest?.state === 'running') return null
  const error = failed[0]!.error
  return `${name} ${failed.length === 1 ? 'failed' : `failed ${failed.length} times`}: `
    + (error === '' ? `exit code ${failed[0]!.exitCode ?? 'unknown'}` : error)
}

export function isFailed({ state }: ServiceTaskView): boolean {
  return state === 'failed' || state === 'rejected'
}
