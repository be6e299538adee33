// Who is to have an address of a network and has none: what `network inspect` shows of it.
import type { Clock } from '../base/clock.ts'
import { type Holder, parseLeaseKey } from '../cluster/services/rows.ts'
import type { ClusterRecords } from './cluster-records.ts'
import type { Core } from './core.ts'
import { lacksOf, leaseBook } from './lease-facts.ts'
import type { NetworkRecord } from './state.ts'
import type { NetworkView } from './views.ts'

export function networkLacks({ config, link }: Pick<Core, 'config' | 'link'>,
  { id, scope }: Pick<NetworkRecord, 'id' | 'scope'>, clock: Clock,
): NonNullable<NetworkView['lacks']> {
  if (link === null || scope === 'local') return []
  const { records } = link
  const restMs = config.addresses.restSeconds * 1000
  return [...lacksOf(leaseBook(records), id, clock.wallMs(), restMs)].flatMap(([key, reason]) => {
    const holder = parseLeaseKey(key)?.holder
    return holder === undefined ? [] : [{ holder: holderName(records, holder), reason }]
  })
}

/** "web", "web.3", "a task of node2", "node2" */
function holderName({ nodes, services }: ClusterRecords, holder: Holder): string {
  const nodeName = (id: string): string => nodes.get(id)?.name ?? id
  const serviceName = (id: string): string => services.get(id)?.spec.name ?? id
  switch (holder.kind) {
    case 'node': return nodeName(holder.node)
    case 'ask': return `a task of ${nodeName(holder.node)}`
    case 'vip': return serviceName(holder.service)
    case 'slot': return `${serviceName(holder.service)}.${holder.slot}`
  }
}
