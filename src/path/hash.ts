// hot: hashes of table keys and of flows, once or more for every frame

// Odd numbers that spread their factor's bits; steering.ts computes the same in the kernel.
export const HASH_A = 0x9e3779b1
export const HASH_B = 0x85ebca77
export const HASH_C = 0xc2b2ae3d
export const HASH_MIX = 0x2c1b3c6d
export const HASH_SHIFT_FIRST = 15
export const HASH_SHIFT_LAST = 13

/** Mix three 32-bit words into one; a `seed` that nobody knows keeps table buckets even. */
export function hash3(seed: number, a: number, b: number, c: number): number {
  let h = Math.imul(a ^ seed, HASH_A) ^ Math.imul(b, HASH_B) ^ Math.imul(c, HASH_C)
  h ^= h >>> HASH_SHIFT_FIRST
  h = Math.imul(h, HASH_MIX)
  h ^= h >>> HASH_SHIFT_LAST
  return h & 0x7fffffff
}
