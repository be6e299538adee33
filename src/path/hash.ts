// hot: hashes of table keys and of flows, once or more for every frame

/** Mix three 32-bit words into one; a `seed` that nobody knows keeps table buckets even. */
export function hash3(seed: number, a: number, b: number, c: number): number {
  let h = Math.imul(a ^ seed, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77) ^ Math.imul(c, 0xc2b2ae3d)
  h ^= h >>> 15
  h = Math.imul(h, 0x2c1b3c6d)
  h ^= h >>> 13
  return h & 0x7fffffff
}
