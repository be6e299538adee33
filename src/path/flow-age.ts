// hot: flows that are silent too long, and those whose backend is gone, go: some in each breath
import { COUNT_FLOWS_AGED, COUNT_FLOWS_UNSERVED } from './counters.ts'
import { oldestOf, phaseSeconds, renewFlow } from './flow-lists.ts'
import {
  FLOW_BACKEND, FLOW_BACKEND_ID, FLOW_GENERATION, FLOW_KIND, FLOW_MARK, FLOW_NEWER,
  FLOW_SEEN_SECONDS, FLOW_SHIFT, PHASES, SHARD_FRESH, SHARD_NOW_SECONDS,
} from './flow-memory.ts'
import { type Flows, isOwnFlow, removeFlow, ROW_MASK, SHARD_SHIFT } from './flow-table.ts'
import { servesStill, type Tables } from './tables.ts'

/** Rows that are looked at in one breath for a backend that is gone. */
export const SWEPT_PER_BREATH = 4096

/**
 * Remove what was silent for the time of its phase, at most `most` so that a breath stays short.
 * Answers true when `most` was reached, so that there may be more.
 */
export function ageFlows(t: Flows, nowSeconds: number, most: number): boolean {
  const { own } = t
  own.head[SHARD_NOW_SECONDS] = nowSeconds
  let hasMore = false
  for (let phase = 0; phase < PHASES; phase++) {
    const seconds = phaseSeconds(phase)
    let left = most
    for (; left > 0; left--) {
      const row = oldestOf(own, phase)
      if (row === 0) break
      const seen = own.rows[(row << FLOW_SHIFT) + FLOW_SEEN_SECONDS]!
      if (nowSeconds - seen >= seconds) {
        removeFlow(t, row)
        t.counters[COUNT_FLOWS_AGED]! += 1
      } else if (wasHeardElsewhere(t, row, seen)) renewFlow(own, row, seen)
      else break
    }
    if (left === 0) hasMore = true
  }
  return hasMore
}

/** Another worker notes when it heard of a flow, and cannot move it behind those it comes after. */
function wasHeardElsewhere(t: Flows, row: number, seen: number): boolean {
  const { rows } = t.own
  const newer = rows[(row << FLOW_SHIFT) + FLOW_NEWER]!
  return newer !== 0 && rows[(newer << FLOW_SHIFT) + FLOW_SEEN_SECONDS]! < seen
}

/** Other tables are in use: begin to look for flows whose backend they do not have. */
export function beginSweep(t: Flows): void {
  t.sweep[0] = t.own.head[SHARD_FRESH]!
}

/** Go on with that. Answers whether there is more to do. */
export function sweepFlows(t: Flows, tables: Tables): boolean {
  const { rows } = t.own
  const last = t.sweep[0]! - SWEPT_PER_BREATH
  let row = t.sweep[0]!
  for (; row > 0 && row > last; row--) {
    const at = row << FLOW_SHIFT
    if (rows[at + FLOW_KIND] === 0 || isServed(t, tables, at)) continue
    removeFlow(t, row)
    t.counters[COUNT_FLOWS_UNSERVED]! += 1
  }
  t.sweep[0] = row
  return row > 0
}

/**
 * Whether the flow's backend is in the tables. One that is not is no flow any more: it is removed
 * where this worker may.
 */
export function keepsBackend(t: Flows, flow: number, tables: Tables): boolean {
  const { rows } = t.shards[flow >>> SHARD_SHIFT]!
  const at = (flow & ROW_MASK) << FLOW_SHIFT
  if (rows[at + FLOW_GENERATION] === tables.generation) return true
  if (!isOwnFlow(t, flow)) {
    return servesStill(tables, rows[at + FLOW_BACKEND_ID]!, rows[at + FLOW_BACKEND]!,
      rows[at + FLOW_MARK]!)
  }
  if (isServed(t, tables, at)) return true
  removeFlow(t, flow & ROW_MASK)
  t.counters[COUNT_FLOWS_UNSERVED]! += 1
  return false
}

function isServed(t: Flows, tables: Tables, at: number): boolean {
  const { rows } = t.own
  const serves = servesStill(tables, rows[at + FLOW_BACKEND_ID]!, rows[at + FLOW_BACKEND]!,
    rows[at + FLOW_MARK]!)
  if (serves) rows[at + FLOW_GENERATION] = tables.generation
  return serves
}
