// Histories of clusters that run services: some that are the same each time, some that nobody has
// seen, as many as fit into some seconds.
import test from 'ava'
import { randomInt } from 'node:crypto'
import { runServiceHistory } from './service-history.test-kit.ts'

const COUNT = 50
const FRESH = Number(process.env['SIMULATION_SEED'] ?? randomInt(2 ** 32 - COUNT))

for (const [name, first] of [['known', 1], ['fresh', FRESH]] as const) {
  test.serial(`services: ${COUNT} ${name} histories end well, from seed ${first}`, async t => {
    t.timeout(10 * 60_000)
    for (let seed = first; seed < first + COUNT; seed += 1) {
      const { fault, story } = runServiceHistory(seed)
      if (fault !== null) {
        for (const line of story) t.log(line)
        t.fail(`${fault}; again with: npm run simulate -- --services --seeds 1 --first ${seed}`)
        return
      }
      await new Promise(resolve => setImmediate(resolve))
    }
    t.pass()
  })
}
