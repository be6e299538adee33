// A measurement that others have disturbed is done again, and the least disturbed one counts.
import { foreignCores, takeSnapshot } from './cpu.ts'

/** More processors than this busy with other people's work spoil a measurement. */
export const FOREIGN_CORES_MAX = 0.1

export type Attempt<T> = Readonly<{
  value: T
  /** Processors that others kept busy meanwhile */
  foreignCores: number
  /** How often it was done again, and how long that took */
  repeats: number
  repeatMs: number
}>

/** @param mayRepeat whether there is time for one more, after so many repeats that took so long */
export async function leastDisturbed<T>(
  measure: () => Promise<T>, mayRepeat: (repeats: number, repeatMs: number) => boolean,
): Promise<Attempt<T>> {
  let best: { value: T; foreign: number } | null = null
  let repeatMs = 0
  for (let repeats = 0; ; repeats++) {
    const before = takeSnapshot()
    const value = await measure()
    const after = takeSnapshot()
    const foreign = foreignCores(before, after)
    if (best === null || foreign < best.foreign) best = { value, foreign }
    if (repeats > 0) repeatMs += after.atMs - before.atMs
    if (foreign <= FOREIGN_CORES_MAX || !mayRepeat(repeats, repeatMs)) {
      return { value: best.value, foreignCores: best.foreign, repeats, repeatMs }
    }
  }
}
