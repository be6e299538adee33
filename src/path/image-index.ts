// The indexes of a table image: a word `mask`, then mask + 1 words that are 0 or a row number plus
// one. Who looks a row up begins at its hash, and goes on from bucket to bucket until one is empty.

/** Open addressing over `count` rows, at most half full. */
export function makeIndex(count: number, hashOf: (row: number) => number): Int32Array {
  let size = 4
  while (size < count * 2) size *= 2
  const index = new Int32Array(1 + size)
  index[0] = size - 1
  for (let row = 0; row < count; row++) {
    let bucket = hashOf(row) & (size - 1)
    while (index[1 + bucket] !== 0) bucket = (bucket + 1) & (size - 1)
    index[1 + bucket] = row + 1
  }
  return index
}

/** The row that `isIt`, looked for from its hash on, or -1. */
export function findRow(index: Int32Array, hash: number, isIt: (row: number) => boolean): number {
  const mask = index[0]!
  let bucket = hash & mask
  for (;;) {
    const row = index[1 + bucket]! - 1
    if (row < 0 || isIt(row)) return row
    bucket = (bucket + 1) & mask
  }
}
