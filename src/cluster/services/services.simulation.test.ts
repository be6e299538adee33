// Histories of clusters that run services: some that are the same each time, and as many new ones
// as fit into FRESH_MS. SIMULATION_SEED names the first of these, SIMULATION_SECONDS gives them
// another time; `npm run simulate -- --services` runs any number. Seeds that are multiples of 1000
// have 20, 40 or 100 nodes; 2000 is one of 100 that takes about a minute.
import test, { type ExecutionContext } from 'ava'
import { randomInt } from 'node:crypto'
import { LARGE_ONE_IN, runServiceHistory } from './service-history.test-kit.ts'

const KNOWN = 100
/** One of 100 nodes. */
const KNOWN_LARGE = 5000
const FRESH_MS = Number(process.env['SIMULATION_SECONDS'] ?? 60) * 1000
/** Also on a machine that is too slow for them. */
const FRESH_MIN = 50
/** Next after that of a large cluster, so that none comes while a few hundred take their turn. */
const FRESH_FIRST = Number(process.env['SIMULATION_SEED']
  ?? randomInt(2 ** 21) * LARGE_ONE_IN + 1)
const TIMEOUT_MS = 10 * 60_000

async function runHistories(t: ExecutionContext, first: number, mayGoOn: (run: number) => boolean) {
  t.timeout(TIMEOUT_MS)
  let seed = first
  for (; mayGoOn(seed - first); seed += 1) {
    const { fault, story } = runServiceHistory(seed)
    if (fault !== null) {
      for (const line of story) t.log(line)
      t.fail(`${fault}; again with: npm run simulate -- --services --seeds 1 --first ${seed}`)
      return
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  t.log(`${seed - first} histories`)
  t.pass()
}

test.serial(`services: ${KNOWN} known histories end well`,
  t => runHistories(t, 1, run => run < KNOWN))

test.serial('services: a known history of 100 nodes ends well',
  t => runHistories(t, KNOWN_LARGE, run => run < 1))

test.serial(`services: fresh histories end well, from seed ${FRESH_FIRST}`, t => {
  const endMs = performance.now() + FRESH_MS
  return runHistories(t, FRESH_FIRST, run => run < FRESH_MIN || performance.now() < endMs)
})
