// Rounds of weighted round robin: everybody in his measure, and evenly mixed.
import test from 'ava'
import { TURNS_MAX, turnsOf } from './turns.ts'

const rows: [name: string, weights: number[], turns: number[]][] = [
  ['nobody', [], []],
  ['nobody who takes', [0, 0], []],
  ['equal weights', [1, 1, 1], [0, 1, 2]],
  ['equal weights, whatever they are', [7, 7], [0, 1]],
  ['one takes none', [2, 0, 2], [0, 2]],
  ['the example of nginx', [5, 1, 1], [0, 0, 1, 0, 2, 0, 0]],
]
for (const [name, weights, turns] of rows) {
  test(`turns: ${name}`, t => t.deepEqual(turnsOf(weights), turns))
}

test('large weights keep their measure, as far as a round is long enough', t => {
  const turns = turnsOf([65_535, 65_534, 1])
  t.true(turns.length <= TURNS_MAX)
  const counts = [0, 1, 2].map(n => turns.filter(turn => turn === n).length)
  t.true(Math.abs(counts[0]! - counts[1]!) <= 1)
  t.is(counts[2], 1)
})
