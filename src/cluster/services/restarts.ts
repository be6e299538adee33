// When a slot whose task has ended gets another one.
import { plural } from '../../base/text.ts'
import type { ServiceFact, TaskFact } from './facts.ts'
import { isCurrent } from './templates.ts'

/** Of one slot so many ended tasks are kept, to be looked at. */
export const HISTORY_TASKS = 5
/** A command that cannot even be started is tried less and less often, down to this. */
export const REFUSED_DELAY_MAX_MS = 60_000

export type Restart =
  /** So long after the end of the last one. */
  | Readonly<{ delayMs: number; reason: '' }>
  /** Not until the service changes. */
  | Readonly<{ delayMs: null; reason: string }>

const AT_ONCE: Restart = { delayMs: 0, reason: '' }
/** 2^6 is 64: with the smallest delay of one second that is the longest. */
const DOUBLINGS_MAX = 6

/** @param last the task that ended last in this slot */
export function restartAfter(service: Pick<ServiceFact, 'spec'>,
  last: TaskFact | undefined): Restart {
  if (last === undefined || last.state === 'shutdown' || !isCurrent(last, service)) {
    return AT_ONCE
  }
  const { condition, delayMs, maxAttempts } = service.spec.task.restart
  if (condition === 'none') return { delayMs: null, reason: 'it is not to be restarted' }
  if (condition === 'on-failure' && last.state === 'complete') {
    return { delayMs: null, reason: 'it has done its work' }
  }
  if (maxAttempts !== null && last.attempt >= maxAttempts) {
    return { delayMs: null, reason: `it was restarted ${plural(maxAttempts, 'time')} already` }
  }
  if (last.state !== 'rejected') return { delayMs, reason: '' }
  const backedOffMs = delayMs * 2 ** Math.min(last.attempt, DOUBLINGS_MAX)
  return { delayMs: Math.max(delayMs, Math.min(backedOffMs, REFUSED_DELAY_MAX_MS)), reason: '' }
}
