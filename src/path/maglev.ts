// The look-up table of Maglev (Eisenbud and others, NSDI 2016, section 3.4): every backend gets an
// even part of it, and when one goes, hardly any other entry changes. All nodes make the same table
// of the same backends, whatever their order.
import { hash3 } from './hash.ts'

/** A prime, as the paper wants it, over a hundred times the backends of most services. */
export const MAGLEV_ENTRIES = 65_537
/** Parts of the table that one backend may have for one of another. */
const WEIGHT_STEPS_MAX = 128

const OFFSET_SEED = 0x6d61676c
const SKIP_SEED = 0x65762121

export type MaglevBackend = Readonly<{ address: number; weight: number }>

/** @returns for each entry the index of a backend; empty when no weight is above 0 */
export function maglevTable(backends: readonly MaglevBackend[]): Uint16Array {
  const taking = backends.map(({ address, weight }, index) => ({ address, weight, index }))
    .filter(({ weight }) => weight > 0).sort((a, b) => a.address - b.address)
  if (taking.length === 0) return new Uint16Array(0)
  const most = Math.max(...taking.map(({ weight }) => weight))
  const scale = most > WEIGHT_STEPS_MAX ? WEIGHT_STEPS_MAX / most : 1
  const turns = taking.map(({ weight }) => Math.max(1, Math.round(weight * scale)))
  const next = taking.map(({ address }) => hash3(OFFSET_SEED, address, 0, 0) % MAGLEV_ENTRIES)
  const skips = taking.map(({ address }) =>
    hash3(SKIP_SEED, address, 0, 0) % (MAGLEV_ENTRIES - 1) + 1)
  const table = new Uint16Array(MAGLEV_ENTRIES)
  const isTaken = new Uint8Array(MAGLEV_ENTRIES)
  for (let filled = 0; filled < MAGLEV_ENTRIES;) {
    for (let n = 0; n < taking.length; n++) {
      for (let turn = turns[n]!; turn > 0 && filled < MAGLEV_ENTRIES; turn--) {
        while (isTaken[next[n]!] === 1) next[n] = (next[n]! + skips[n]!) % MAGLEV_ENTRIES
        isTaken[next[n]!] = 1
        table[next[n]!] = taking[n]!.index
        filled += 1
      }
    }
  }
  return table
}
