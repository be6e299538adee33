// Whether a task is what its service is to have now. Generations are counted on each side of a
// split, so two tasks of one generation may differ: what they were started with tells.
import { createHash } from 'node:crypto'
import type { ServiceFact, TaskFact } from './facts.ts'
import type { TaskTemplate } from './rows.ts'

const DIGITS = 16
const known = new WeakMap<TaskTemplate, string>()

/** 16 hex digits that are the same for the same template. */
export function templateOf({ spec }: Pick<ServiceFact, 'spec'>): string {
  let digits = known.get(spec.task)
  if (digits === undefined) {
    digits = createHash('sha256').update(JSON.stringify(spec.task)).digest('hex').slice(0, DIGITS)
    known.set(spec.task, digits)
  }
  return digits
}

export function isCurrent(task: Pick<TaskFact, 'template'>,
  service: Pick<ServiceFact, 'spec'>): boolean {
  return task.template === templateOf(service)
}
