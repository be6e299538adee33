// What tests of the cluster ask of a lab: who sees whom, and whether all tables are equal.
import type {
  ClusterView, NodeView, PeerView, TableRowView, TokenView,
} from '../../src/daemon/cluster-views.ts'
import type { Lab } from './lab.ts'
import { until } from './wait.ts'

export type TableDigest = { table: string; rows: number; hidden: number; digest: string }

export const clusterOf = (lab: Lab, node: string) => lab.api<ClusterView | null>(node, 'cluster')
export const nodesOf = (lab: Lab, node: string) => lab.api<NodeView[]>(node, 'nodes')
export const peersOf = (lab: Lab, node: string) => lab.api<PeerView[]>(node, 'peers')
export const digestsOf = (lab: Lab, node: string) =>
  lab.api<TableDigest[]>(node, 'cluster/tables')
export const rowsOf = (lab: Lab, node: string, table: string) =>
  lab.api<TableRowView[]>(node, `cluster/tables/${table}`)

export async function tokenOf(lab: Lab, node: string, role: 'worker' | 'manager'): Promise<string> {
  return (await lab.api<TokenView>(node, `cluster/tokens/${role}`)).token
}

/** How many of the others `node` sees alive. */
export async function aliveFor(lab: Lab, node: string): Promise<number> {
  return (await peersOf(lab, node)).filter(peer => peer.state === 'alive').length
}

/** Waits until every one of `nodes` sees all the others alive. */
export async function untilWhole(lab: Lab, nodes = lab.nodes, timeoutMs?: number): Promise<void> {
  for (const node of nodes) {
    await until(`${node} sees all others alive`, async () =>
      await aliveFor(lab, node) === nodes.length - 1, timeoutMs)
  }
}

/** Waits until the tables of all `nodes` have one digest; answers how long that took. */
export async function untilEqual(lab: Lab, nodes = lab.nodes, timeoutMs?: number): Promise<number> {
  const beganMs = performance.now()
  await until(`${nodes.join(', ')} have equal tables`, async () => {
    const seen = await Promise.all(nodes.map(async node => JSON.stringify(
      (await digestsOf(lab, node)).map(({ table, digest }) => [table, digest]).sort())))
    return new Set(seen).size === 1
  }, timeoutMs)
  return performance.now() - beganMs
}

/** Cuts `node` off from all the others on the private network, or lets it in again. */
export async function cut(lab: Lab, node: string, isCut: boolean): Promise<void> {
  await lab.sh(node, isCut
    ? `nft add table ip cut
       nft add chain ip cut in '{ type filter hook input priority -300 ; }'
       nft add chain ip cut out '{ type filter hook output priority -300 ; }'
       nft add rule ip cut in iifname eth1 drop
       nft add rule ip cut out oifname eth1 drop`
    : 'nft delete table ip cut')
}
