// Thousands of histories of clusters: some that are the same each time, some that nobody has seen.
import test from 'ava'
import { randomInt } from 'node:crypto'
import { runScenario } from './scenario.test-kit.ts'

const COUNT = 2000
/** Histories between two breaths, so that the runner sees us alive. */
const CHUNK = 50
const FRESH = Number(process.env['SIMULATION_SEED'] ?? randomInt(2 ** 32 - COUNT))

for (const [name, first] of [['known', 1], ['fresh', FRESH]] as const) {
  test(`${COUNT} ${name} histories end well, from seed ${first}`, async t => {
    t.timeout(10 * 60_000)
    for (let seed = first; seed < first + COUNT; seed += 1) {
      const { fault, story } = runScenario(seed)
      if (fault !== null) {
        for (const line of story) t.log(line)
        t.fail(`${fault}; again with: npm run simulate -- --seeds 1 --first ${seed}`)
        return
      }
      if (seed % CHUNK === 0) await new Promise(resolve => setImmediate(resolve))
    }
    t.pass()
  })
}
