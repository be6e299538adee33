// Whose turn it is: one round of the backends of a service, each as often as its weight says, and
// evenly mixed. The packet path goes round and round in it.

/** Turns of one round. */
export const TURNS_MAX = 4096

/**
 * Smooth weighted round robin, as nginx has it: in each step every backend gains its weight, and
 * the one that has most then pays the sum.
 * @param weights  0: it has no turn
 * @returns        indices of backends; all weights equal: each once, in order
 */
export function turnsOf(weights: readonly number[]): number[] {
  const rounds = scaled(weights)
  const sum = rounds.reduce((total, weight) => total + weight, 0)
  const gained = rounds.map(() => 0)
  return Array.from({ length: sum }, () => {
    let best = -1
    rounds.forEach((weight, n) => {
      if (weight === 0) return
      gained[n]! += weight
      if (best < 0 || gained[n]! > gained[best]!) best = n
    })
    gained[best]! -= sum
    return best
  })
}

/** Divided by what they have in common, and so that a round is not longer than TURNS_MAX. */
function scaled(weights: readonly number[]): number[] {
  const divisor = weights.reduce((common, weight) => gcd(common, weight), 0)
  if (divisor === 0) return weights.map(() => 0)
  const small = weights.map(weight => weight / divisor)
  const sum = small.reduce((total, weight) => total + weight, 0)
  if (sum <= TURNS_MAX) return small
  return small.map(weight => weight === 0 ? 0
    : Math.max(1, Math.floor(weight * (TURNS_MAX - small.length) / sum)))
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
