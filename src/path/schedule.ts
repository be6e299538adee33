// hot: which backend gets a new flow, by the scheduler of its service
import { CURSORS, type Flows } from './flow-table.ts'
import { hash3 } from './hash.ts'
import { MAGLEV_ENTRIES } from './maglev.ts'
import {
  BACKEND_ID, BACKEND_WEIGHT, SCHEDULER_LC, SCHEDULER_MAGLEV, SCHEDULER_SH, SERVICE_AT_MAGLEV,
  SERVICE_AT_TURNS, SERVICE_FIRST_BACKEND, SERVICE_MARK, SERVICE_SCHEDULER, SERVICE_TURNS,
} from './service-image.ts'
import { backendWord, serviceWord, type Tables } from './tables.ts'

/** All nodes hash alike, so that a flow that comes to another one goes to the same backend. */
const FLOW_SEED = 0x6c622121
const SOURCE_SEED = 0x73682121

/** An open connection weighs as much as so many that are opening or closing: ip_vs_lc.c. */
const ACTIVE_WEIGHT = 256

/** Whether any backend of the service takes a new flow. */
export function takesFlows(tables: Tables, service: number): boolean {
  return serviceWord(tables, service, SERVICE_TURNS) > 0
}

/** Whether a flow's backend follows from its addresses and ports alone. */
export function followsFromFlow(tables: Tables, service: number): boolean {
  return serviceWord(tables, service, SERVICE_SCHEDULER) === SCHEDULER_MAGLEV
}

/** Row of the backend for a new flow; takesFlows() must have said that there is one. */
export function pickBackend(t: Flows, tables: Tables, service: number, kind: number, client: number,
  ports: number): number {
  const scheduler = serviceWord(tables, service, SERVICE_SCHEDULER)
  if (scheduler === SCHEDULER_LC) return leastConnections(t, tables, service)
  if (scheduler === SCHEDULER_MAGLEV) {
    return fromMaglev(tables, service, hash3(FLOW_SEED ^ kind, client, ports, 0))
  }
  if (scheduler === SCHEDULER_SH) {
    return fromMaglev(tables, service, hash3(SOURCE_SEED, client, 0, 0))
  }
  const cursor = serviceWord(tables, service, SERVICE_MARK) & (CURSORS - 1)
  const turn = t.cursors[cursor]!
  const turns = serviceWord(tables, service, SERVICE_TURNS)
  const now = turn < turns ? turn : 0
  t.cursors[cursor] = now + 1
  return turnAt(tables, service, now)
}

function turnAt(tables: Tables, service: number, turn: number): number {
  return tables.words[tables.picks + serviceWord(tables, service, SERVICE_AT_TURNS) + turn]!
}

function fromMaglev(tables: Tables, service: number, hash: number): number {
  const entry = hash % MAGLEV_ENTRIES
  const at = tables.picks + serviceWord(tables, service, SERVICE_AT_MAGLEV) + (entry >> 1)
  const index = tables.words[at]! >>> ((entry & 1) << 4) & 0xffff
  return serviceWord(tables, service, SERVICE_FIRST_BACKEND) + index
}

/** Of those that take flows, the one that has least for its weight; by what this worker carries. */
function leastConnections(t: Flows, tables: Tables, service: number): number {
  const { active, inactive } = t.own
  const turns = serviceWord(tables, service, SERVICE_TURNS)
  let best = turnAt(tables, service, 0)
  let least = -1
  for (let turn = 0; turn < turns; turn++) {
    const backend = turnAt(tables, service, turn)
    const id = backendWord(tables, backend, BACKEND_ID)
    const load = (active[id]! * ACTIVE_WEIGHT + inactive[id]!)
      / backendWord(tables, backend, BACKEND_WEIGHT)
    if (least >= 0 && load >= least) continue
    least = load
    best = backend
  }
  return best
}
