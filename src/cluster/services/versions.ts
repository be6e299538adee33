// How the row of a service follows from the one before: every change is a new version, and one that
// touches what tasks are started with is a new generation, too.
import { isDeepStrictEqual } from 'node:util'
import type { ServiceRow, ServiceSpec } from './rows.ts'

/** @param wallMs when it is created, milliseconds since 1970 */
export function firstVersion(spec: ServiceSpec, wallMs: number): ServiceRow {
  return { spec, version: 1, generation: 1, createdAt: wallMs, updatedAt: wallMs }
}

/** The row after `before`; what stood in `before` becomes the previous one: see previousKey(). */
export function nextVersion(before: ServiceRow, spec: ServiceSpec, wallMs: number): ServiceRow {
  const isSame = isDeepStrictEqual(spec.task, before.spec.task)
  return {
    spec,
    version: before.version + 1,
    generation: before.generation + (isSame ? 0 : 1),
    createdAt: before.createdAt,
    updatedAt: wallMs,
  }
}
