// The part of the client that speaks of load balancing.
import type { BalancedView, FlowsView, LbRuleView } from '../daemon/lb-views.ts'
import type { Asking } from './cluster-client.ts'
import { query } from './question.ts'

export function makeLbClient({ get }: Asking) {
  return {
    balanced: () => get<BalancedView[]>('/v1/lb/services'),
    lbRules: () => get<LbRuleView[]>('/v1/lb/rules'),
    flows: (options: { service?: string | undefined; limit?: number | undefined } = {}) =>
      get<FlowsView>(`/v1/lb/flows${query(options)}`),
  }
}
