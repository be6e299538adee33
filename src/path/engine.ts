// hot: one breath of the packet worker: wait, then serve each port that has something, one batch.
// The tunnel comes first; what local ports send goes there together, at the end.
import type { Waiter } from '../kernel/port.ts'
import { COUNT_BREATHS } from './counters.ts'
import { ageFlows, sweepFlows } from './flow-age.ts'
import { flushAll } from './flush.ts'
import { fromPort } from './inside.ts'
import { hear } from './hear.ts'
import { age } from './learned.ts'
import { fromUnderlay } from './outside.ts'
import type { Plane } from './plane.ts'

/** Tokens of the waiter. A port has TOKEN_FIRST_PORT plus its slot. */
export const TOKEN_WAKE = 0
export const TOKEN_UNDERLAY = 1
export const TOKEN_FIRST_PORT = 2

/** Entries that may age out in one breath, so that it stays short. */
const AGED_PER_BREATH = 256

/** Answers true when the wake token was among the ready ones. */
export function breathe(plane: Plane, waiter: Waiter, timeoutMs: number): boolean {
  const ready = waiter.wait(timeoutMs)
  tick(plane)
  hear(plane)
  if (plane.flows.sweep[0] !== 0) sweepFlows(plane.flows, plane.tables)
  let woken = false
  let received = 0
  for (let i = 0; i < ready; i++) if (waiter.ready[i] === TOKEN_UNDERLAY) fromUnderlay(plane)
  for (let i = 0; i < ready; i++) {
    const token = waiter.ready[i]!
    if (token === TOKEN_WAKE) woken = true
    else if (token !== TOKEN_UNDERLAY) received += fromPort(plane, token - TOKEN_FIRST_PORT)
  }
  if (received > 0) flushAll(plane)
  plane.counters[COUNT_BREATHS]! += 1
  return woken
}

/** The clock is read once a breath. What is too much to age in one breath goes on in the next. */
function tick(plane: Plane): void {
  const nowSeconds = Math.floor(plane.clock.nowMs() / 1000)
  const isSameSecond = nowSeconds === plane.nowSeconds
  if (isSameSecond && !plane.ageing) return
  plane.nowSeconds = nowSeconds
  if (!isSameSecond) plane.icmpLeft = plane.icmpPerSecond
  const hasMoreFlows = ageFlows(plane.flows, nowSeconds, AGED_PER_BREATH)
  plane.ageing = age(plane.learned, nowSeconds, AGED_PER_BREATH) || hasMoreFlows
}
