// How long the packet path takes to find a flow, by both of its keys, in a table that is nearly
// full: 200,000 flows, asked in random order, and as many that are not there.
import { parseArgs } from 'node:util'
import { makeRandom } from '../src/base/prng.ts'
import { preferHugePages } from '../src/kernel/huge-pages.ts'
import { makeCounters } from '../src/path/counters.ts'
import {
  FLOW_BACKEND, FLOW_CLIENT, FLOW_KIND, FLOW_PORTS, FLOW_REPLY_PORTS, FLOW_SHIFT, FLOW_SOURCE,
  FLOW_VIRTUAL, FLOWS_DEFAULT, makeFlowMemory, PHASE_DATAGRAMS,
} from '../src/path/flow-memory.ts'
import {
  enterFlow, findForward, findReply, type Flows, makeFlows, NO_FLOW, takeRow,
} from '../src/path/flow-table.ts'

const FLOWS = 200_000
const KIND = 17 << 24 | 4097
const VIRTUAL = 0x0a000164
const BACKEND = 0x0a000109
const ROUNDS = 50

const { values } = parseArgs({ options: {
  json: { type: 'boolean', default: false },
  /** "huge", as the daemon has them, or "small" */
  pages: { type: 'string', default: 'huge' },
} })

/** Flow `n`: of one of 200 clients, from a port of its own. */
const clientOf = (n: number): number => 0x0a000200 + n % 200
const portOf = (n: number): number => 10_000 + Math.floor(n / 200)

function makeTable(): Flows {
  const memory = makeFlowMemory(FLOWS_DEFAULT)
  if (values.pages === 'huge') preferHugePages(memory)
  const flows = makeFlows(0x5eed, makeCounters(),
    { memories: [memory], mine: 0, capacity: FLOWS_DEFAULT })
  const { rows } = flows.own
  for (let n = 0; n < FLOWS; n++) {
    const row = takeRow(flows)
    const at = row << FLOW_SHIFT
    rows[at + FLOW_KIND] = KIND
    rows[at + FLOW_CLIENT] = clientOf(n)
    rows[at + FLOW_VIRTUAL] = VIRTUAL
    rows[at + FLOW_PORTS] = portOf(n) << 16 | 53
    rows[at + FLOW_BACKEND] = BACKEND
    rows[at + FLOW_SOURCE] = clientOf(n)
    rows[at + FLOW_REPLY_PORTS] = 53 << 16 | portOf(n)
    enterFlow(flows, row, PHASE_DATAGRAMS, 1, 0)
  }
  return flows
}

/** Nanoseconds of a look-up, of all of `asked` once. */
function measure(asked: Int32Array, find: (n: number) => number, found: boolean): number {
  let right = 0
  const begin = process.cpuUsage()
  for (let i = 0; i < asked.length; i++) if ((find(asked[i]!) !== NO_FLOW) === found) right += 1
  const { user, system } = process.cpuUsage(begin)
  if (right !== asked.length) throw new Error(`${asked.length - right} flows are not as they were`)
  return (user + system) * 1000 / asked.length
}

/** The middle one, and the least: on a busy machine others push our rows out of its caches. */
function middleAndLeast(values: readonly number[]): [number, number] {
  const sorted = values.toSorted((a, b) => a - b)
  return [sorted[sorted.length >> 1]!, sorted[0]!]
}

const flows = makeTable()
const random = makeRandom(1)
const asked = Int32Array.from({ length: FLOWS }, () => random() % FLOWS)
const kinds: [name: string, find: (n: number) => number, found: boolean][] = [
  ['of a client', n => findForward(flows, KIND, clientOf(n), VIRTUAL, portOf(n) << 16 | 53), true],
  ['of a backend', n => findReply(flows, KIND, BACKEND, clientOf(n), 53 << 16 | portOf(n)), true],
  ['that is not there', n => findReply(flows, KIND, BACKEND, clientOf(n), 54 << 16 | portOf(n)),
    false],
  // What any look-up must do, and what the machine takes for that alone.
  ['a word of a row', n => flows.own.rows[((1 + n) << FLOW_SHIFT) + FLOW_KIND]!, true],
]
const report = Object.fromEntries(kinds.map(([name, find, found]) =>
  [name, middleAndLeast(Array.from({ length: ROUNDS }, () => measure(asked, find, found)))] as const))
if (values.json) console.log(JSON.stringify(report))
else {
  console.log(`look-up of a flow among ${FLOWS}, in random order: ns of processor time`)
  console.log('                     median  least')
  for (const [name, ns] of Object.entries(report)) {
    console.log(name.padEnd(20), ...ns.map(one => one.toFixed(1).padStart(6)))
  }
}
