// The Maglev table: even parts, and little that moves when a backend goes, as in the paper's
// figures 8 and 12; the same whatever the order.
import test from 'ava'
import { parseIpv4 } from '../base/text.ts'
import { MAGLEV_ENTRIES, maglevTable } from './maglev.ts'

const FIRST = parseIpv4('10.0.1.2')

function backends(count: number) {
  return Array.from({ length: count }, (_, n) => ({ address: FIRST + n, weight: 1 }))
}

function sizes(table: Uint16Array, count: number): number[] {
  const parts = new Array<number>(count).fill(0)
  for (const index of table) parts[index]! += 1
  return parts
}

for (const count of [1, 2, 3, 10, 100, 1000]) {
  test(`even parts for ${count}`, t => {
    const parts = sizes(maglevTable(backends(count)), count)
    // A round gives each backend one entry, so they differ by the last, unfinished round at most.
    t.true(Math.max(...parts) - Math.min(...parts) <= 1, `${Math.min(...parts)}`)
    t.is(parts.reduce((sum, part) => sum + part), MAGLEV_ENTRIES)
  })
}

for (const gone of [0, 37, 99]) {
  test(`of 100 backends number ${gone} goes, and hardly any other flow moves`, t => {
    const before = maglevTable(backends(100))
    const left = backends(100).map((backend, n) => n === gone ? { ...backend, weight: 0 } : backend)
    const after = maglevTable(left)
    let moved = 0
    before.forEach((index, entry) => {
      if (index !== after[entry]) moved += 1
      t.not(after[entry], gone)
    })
    const share = moved / MAGLEV_ENTRIES
    t.log(`${(share * 100).toFixed(2)} % of all entries changed, 1 % of them had to`)
    t.true(share <= 0.02)
  })
}

test('the order of the backends does not matter', t => {
  const given = backends(7)
  const turned = given.toReversed()
  const one = maglevTable(given)
  const other = maglevTable(turned)
  one.forEach((index, entry) => t.is(given[index], turned[other[entry]!]))
})

test('weights are parts of the table', t => {
  const parts = sizes(maglevTable([{ address: FIRST, weight: 3 }, { address: FIRST + 1, weight: 1 },
    { address: FIRST + 2, weight: 0 }]), 3)
  t.true(Math.abs(parts[0]! - 3 * parts[1]!) <= 3, parts.join(' '))
  t.is(parts[2], 0)
  const large = sizes(maglevTable([{ address: 1, weight: 65_535 }, { address: 2, weight: 1 }]), 2)
  t.true(large[1]! > 0 && large[1]! < MAGLEV_ENTRIES / 100)
})

test('nobody takes anything', t => {
  t.is(maglevTable([{ address: 1, weight: 0 }]).length, 0)
  t.is(maglevTable([]).length, 0)
})
