// Hashes by which two nodes find out where their tables differ. They guard against accidents, not
// against an attacker: who may write a row may write anything in it anyway.
import type { Row } from './rows.ts'

const PRIME_A = 2654435761
const PRIME_B = 1597334677

/** 32 bits, signed, of a text: the place of a key in the tree, the short form of a node's name. */
export function hashText(text: string): number {
  let h = 0x5bd1e995 ^ text.length
  for (let i = 0; i < text.length; i += 1) h = Math.imul(h ^ text.charCodeAt(i), PRIME_A)
  return finish(h)
}

/** 64 bits of everything in a row, as two signed numbers in `into`. */
export function hashRow(row: Row, into: Int32Array): void {
  const { ms, counter, node, epoch } = row.stamp
  let a = Math.imul(hashText(row.key) ^ (ms | 0), PRIME_A)
  let b = Math.imul(hashText(node) ^ Math.floor(ms / 2 ** 32), PRIME_B)
  a = Math.imul(a ^ (a >>> 15) ^ counter, PRIME_A)
  b = Math.imul(b ^ (b >>> 13) ^ (epoch | 0), PRIME_B)
  const value = row.value
  if (value === null) a ^= 0x5eed
  else {
    for (let i = 0; i < value.length; i += 1) {
      a = Math.imul(a ^ value[i]!, PRIME_A)
      b = Math.imul(b ^ value[i]!, PRIME_B)
    }
  }
  for (let i = 0; i < row.proof.length; i += 1) {
    a = Math.imul(a ^ row.proof[i]! ^ 0x100, PRIME_A)
    b = Math.imul(b ^ row.proof[i]! ^ 0x100, PRIME_B)
  }
  into[0] = finish(a ^ Math.imul(b, PRIME_A))
  into[1] = finish(b ^ Math.imul(a, PRIME_B))
}

function finish(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad)
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97)
  return h ^ (h >>> 15)
}
