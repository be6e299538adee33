// Removing the networks that nobody uses, all at once.
import type { Core } from './core.ts'
import { usersOf } from './network-users.ts'
import type { Networks } from './networks.ts'
import type { PruneSpec } from './views.ts'

/**
 * Removes networks that no task and no service has, and answers their names. The network of
 * published ports is nobody's to remove.
 * @throws ConflictError on a worker when one of them is the cluster's
 */
export function pruneNetworks(core: Core, networks: Networks,
  { untilMs, labels, labelsNot }: PruneSpec): string[] {
  const unused = core.state.networks.filter(network =>
    usersOf(core, network).length === 0 && !networks.view(network).ingress
    && (untilMs === undefined || Date.parse(network.createdAt) < untilMs)
    && labels.every(label => hasLabel(network.labels, label))
    && !labelsNot.some(label => hasLabel(network.labels, label)))
  for (const network of unused) networks.remove(network.id)
  return unused.map(network => network.name)
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=')
  const key = at < 0 ? wanted : wanted.slice(0, at)
  return Object.hasOwn(labels, key) && (at < 0 || labels[key] === wanted.slice(at + 1))
}
