// Mesh and tables together in virtual time: what has to hold for a node as a whole.
import test from 'ava'
import { ENDPOINTS, SPECS } from './tables/simulation.test-kit.ts'
import { WholeCluster } from './whole.test-kit.ts'

const HOUR_MS = 3_600_000
const value = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Both sides of a cut write, the same keys and others, and one deletes. */
function writeOnBothSides(whole: WholeCluster): void {
  for (const [name, { write }] of [...whole.nodes].map(([name, node]) =>
    [name, { write: node.write.bind(node) }] as const)) {
    write({ table: SPECS, key: 'shared', value: value(name) },
      { table: SPECS, key: `of ${name}`, value: value(name) },
      { table: ENDPOINTS, key: `${name}/1`, value: value('endpoint') })
  }
  whole.nodes.get('n1')!.write({ table: SPECS, key: 'deleted', value: null })
}

const cuts: [nodes: number, part: number, forMs: number][] = [
  [3, 1, 5000], [3, 1, 60_000], [5, 2, 60_000], [10, 5, 60_000], [25, 3, 60_000],
]
for (const [nodes, part, forMs] of cuts) {
  test.serial(`${nodes} nodes, ${part} cut off for ${forMs / 1000} s: equal in 2 s`, t => {
    t.timeout(120_000)
    for (const seed of [1, 2, 3]) {
      const whole = new WholeCluster(seed, nodes, 0.02)
      whole.nodes.get('n1')!.write({ table: SPECS, key: 'deleted', value: value('x') })
      t.true(whole.isEqualWithin(2000), `seed ${seed}: before`)
      whole.cutOff(part)
      whole.cluster.run(forMs / 2)
      writeOnBothSides(whole)
      whole.cluster.run(forMs / 2)
      whole.cluster.network.heal()
      t.true(whole.isEqualWithin(2000), `seed ${seed}: after`)
      for (const { tables } of whole.nodes.values()) {
        t.is(tables.get(SPECS, 'deleted'), null)
        t.is([...tables.rows(SPECS)].length, nodes + 1)
      }
      t.true(whole.cluster.converges(10_000), `seed ${seed}: members`)
      whole.cluster.run(1000)
      for (const { tables } of whole.nodes.values()) {
        t.is([...tables.rows(ENDPOINTS)].length, nodes, 'all endpoints are shown')
      }
    }
  })
}

test.serial('a cut of 25 hours: what was deleted stays deleted', t => {
  t.timeout(120_000)
  for (const seed of [1, 2, 3]) {
    const whole = new WholeCluster(seed, 5)
    whole.nodes.get('n1')!.write({ table: SPECS, key: 'deleted', value: value('x') })
    t.true(whole.isEqualWithin(2000))
    whole.cutOff(2)
    whole.cluster.run(20_000)
    writeOnBothSides(whole)
    whole.cluster.run(60_000)
    whole.cluster.time.leap(25 * HOUR_MS)
    whole.cluster.run(60_000)
    whole.cluster.network.heal()
    t.true(whole.isEqualWithin(2000), `seed ${seed}`)
    for (const { tables } of whole.nodes.values()) t.is(tables.get(SPECS, 'deleted'), null)
    for (const { tables } of whole.nodes.values()) {
      t.is([...tables.rows(SPECS)].length, 6, `seed ${seed}: nothing was lost`)
    }
  }
})

for (const [name, hasDisk, downMs] of [
  ['killed, back at once', true, 100], ['killed, back after being declared dead', true, 20_000],
  ['killed, with its disk lost', false, 3000],
] as const) {
  test.serial(`a node that is ${name}: nothing of before after 1 s, the rest all there`, t => {
    t.timeout(120_000)
    for (const seed of [1, 2, 3]) {
      const whole = new WholeCluster(seed, 5, 0.02)
      writeOnBothSides(whole)
      t.true(whole.isEqualWithin(2000))
      const back = whole.restart('n2', downMs, hasDisk)
      back.write({ table: ENDPOINTS, key: 'n2/2', value: value('new') })
      const shown = () => [...whole.nodes.values()].every(({ tables }) =>
        tables.get(ENDPOINTS, 'n2/2') !== null && tables.get(ENDPOINTS, 'n2/1') === null)
      t.true(whole.cluster.time.runUntil(shown, 1000), `seed ${seed}: new row shown, old one not`)
      t.true(whole.isEqualWithin(2000), `seed ${seed}`)
      t.is(back.tables.get(SPECS, 'of n2') === null, false, 'what was shared is got back')
    }
  })
}

test.serial('a node that fails takes its endpoints out of sight, not out of the tables', t => {
  const whole = new WholeCluster(1, 5)
  writeOnBothSides(whole)
  t.true(whole.isEqualWithin(2000))
  const victim = whole.nodes.get('n3')!
  victim.node.crash()
  whole.nodes.delete('n3')
  const isHidden = () => [...whole.nodes.values()].every(({ tables }) =>
    tables.get(ENDPOINTS, 'n3/1') === null)
  t.true(whole.cluster.time.runUntil(isHidden, 20_000))
  for (const { tables } of whole.nodes.values()) {
    t.is([...tables.allRows(ENDPOINTS)].length, 5)
    t.is([...tables.rows(ENDPOINTS)].length, 4)
  }
})
