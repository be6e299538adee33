// The routes of load balancing on this node.
import { z } from 'zod'
import type { LbControl } from '../daemon/lb-views.ts'
import { answer } from './http.ts'
import { type On, plain, withQuery } from './route.ts'

/** Flows that one answer may hold, and how many it holds when nothing is said. */
export const FLOWS_LISTED_MAX = 100_000
export const FLOWS_LISTED = 1000

const lbFlows = z.strictObject({
  service: z.string().min(1).max(63).optional().describe('Only those to this service'),
  limit: z.string().regex(/^\d{1,6}$/, 'limit is a number of flows').transform(Number)
    .pipe(z.int().min(1).max(FLOWS_LISTED_MAX)).default(FLOWS_LISTED)
    .describe(`Flows at most, up to ${FLOWS_LISTED_MAX}; ${FLOWS_LISTED} by default`),
})

export function addLb(on: On, lb: LbControl): void {
  on('GET', '/v1/lb/services', plain(() => lb.services()))
  on('GET', '/v1/lb/rules', plain(() => lb.rules()))
  on('GET', '/v1/lb/flows', withQuery(lbFlows, async ({ service, limit }, { response }) => {
    answer(response, 200, lb.flows(service, limit))
  }))
}
