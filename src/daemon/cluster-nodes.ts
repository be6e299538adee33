// What managers decide about nodes: their availability and labels, and that one is to be forgotten.
// It stands in the table `node-spec`, apart from what each node says of itself.
import { ConflictError } from '../base/errors.ts'
import { type NodeSpecRow, TABLE_NODE_SPEC } from '../cluster/services/rows.ts'
import type { ClusterLife } from './cluster-life.ts'
import type { NodeChange, NodeView } from './cluster-views.ts'
import { namedServices, serviceTaskViews } from './service-show.ts'
import type { ServiceTaskView } from './service-views.ts'
import { encodeRow } from './shared-rows.ts'

/** @throws ConflictError on a worker, or for another role */
export function updateNode(life: ClusterLife, node: NodeView, change: NodeChange): void {
  life.checkManager('change nodes')
  const { availability, labelsAdd = {}, labelsRemove = [], role } = change
  if (role !== undefined && role !== node.role) {
    throw new ConflictError(`the role of node ${node.name} stands in its certificate and in the `
      + `secrets that it holds, so it changes only by joining anew: on ${node.name} say tapmesh `
      + `leave, then tapmesh join with the token of tapmesh join-token ${role}`,
    { node: node.name })
  }
  const before = life.records.nodeSpecs.get(node.id)
  const labels = { ...before?.labels, ...labelsAdd }
  for (const key of labelsRemove) delete labels[key]
  const spec: NodeSpecRow = {
    availability: availability ?? before?.availability ?? 'active', labels,
  }
  life.write([{ table: TABLE_NODE_SPEC, key: node.id, value: encodeRow(spec) }])
}

/** @throws ConflictError on a worker, and for a node that is alive unless `force` is true */
export async function removeNode(life: ClusterLife, node: NodeView, force: boolean): Promise<void> {
  life.checkManager('remove nodes')
  if (node.self) {
    throw new ConflictError('this node cannot remove itself; use: tapmesh leave',
      { node: node.name })
  }
  if (node.status === 'Ready' && !force) {
    throw new ConflictError(`node ${node.name} is alive; let it leave with: tapmesh leave, `
      + 'or shut it out with --force', { node: node.name })
  }
  if (life.records.nodeSpecs.has(node.id)) {
    life.write([{ table: TABLE_NODE_SPEC, key: node.id, value: null }])
  }
  await life.trust.shutOut(node)
}

/** The tasks of services on a node, by service and slot. */
export function nodeTasks({ records }: ClusterLife, node: NodeView): ServiceTaskView[] {
  return namedServices(records).flatMap(service => serviceTaskViews(records, service))
    .filter(task => task.node?.id === node.id)
}
