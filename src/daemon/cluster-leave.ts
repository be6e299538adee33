// What speaks against leaving a cluster, and what goes with it.
import { rmSync } from 'node:fs'
import { ConflictError } from '../base/errors.ts'
import type { ClusterHost } from './cluster-host.ts'
import type { ClusterLife } from './cluster-life.ts'
import type { NodeView } from './cluster-views.ts'
import type { State } from './state.ts'

/** @throws ConflictError when something would be lost that is not to be lost by mistake */
export function checkLeave(life: ClusterLife, nodes: readonly NodeView[], state: State): void {
  const used = state.networks.filter(network => network.scope === 'swarm'
    && state.tasks.some(task => task.service === null
      && task.endpoints.some(endpoint => endpoint.network === network.id)))
  if (used.length > 0) {
    throw new ConflictError('tasks here are on networks of the cluster '
      + `(${used.map(({ name }) => name).join(', ')}); remove them first with: tapmesh rm, `
      + 'or use --force')
  }
  const managers = nodes.filter(node => node.role === 'manager' && node.status === 'Ready')
  const isLast = life.identity.certificate.role === 'manager' && managers.length === 1
  if (!isLast) return
  const rest = nodes.length > 1 ? ', and the other nodes can then admit nobody' : ''
  throw new ConflictError('this is the last manager: what the cluster knows is lost with it'
    + `${rest}; use --force to leave all the same`)
}

/** What this node has only as a member of its cluster goes. */
export async function letGo({ leavers }: ClusterHost): Promise<void> {
  for (const leave of leavers) await leave()
}

/** The tables on disk. */
export function removeStore(stateDirectory: string): void {
  for (const ending of ['', '-wal', '-shm', '-journal']) {
    rmSync(`${stateDirectory}/cluster.db${ending}`, { force: true })
  }
}
