// Seeded randomness: the same seed gives the same run, so a failing seed can be replayed.

/** Uniform unsigned 32-bit numbers (splitmix32; not for secrets). */
export type Random32 = () => number

export function makeRandom(seed: number): Random32 {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
}

/** A number from 0 to `below - 1`. */
export function pick(random: Random32, below: number): number {
  return random() % below
}
