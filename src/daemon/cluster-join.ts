// Joining: the nodes that were named are asked one after the other, until one answers.
import { UsageError } from '../base/errors.ts'
import type { Identity } from '../cluster/identity/identity.ts'
import { joinCluster as joinThrough, type Joined } from '../cluster/identity/join-client.ts'
import { JoinError } from '../cluster/identity/join-error.ts'
import type { Target } from '../cluster/identity/join-target.ts'
import type { MeshAddress } from '../cluster/mesh-address.ts'
import type { ClusterHost } from './cluster-host.ts'
import type { JoinSpec } from './cluster-views.ts'

/** Where nodes listen when nothing else is said. */
const MESH_PORT = 7946
/** A node of the same name that has just died is given up by the others within this time. */
const NAME_WAIT_MS = 20_000
/** After these the next of the named nodes may still help. */
const NOBODY_THERE = new Set(['unreachable', 'no-answer', 'not-a-tapmesh'])

/**
 * @param address of this node on the underlay
 * @throws UsageError, JoinError: nothing was changed
 */
export async function joinCluster(host: ClusterHost, spec: JoinSpec, address: string,
): Promise<{ identity: Identity; seeds: readonly MeshAddress[] }> {
  const targets = spec.seeds.map(targetOf)
  for (const [n, target] of targets.entries()) {
    try {
      return await joinOne(host, spec, address, target)
    } catch (error) {
      const isLast = n === targets.length - 1
      if (isLast || !(error instanceof JoinError) || !NOBODY_THERE.has(error.reason)) throw error
      host.log.warn({ err: error }, 'the next of the named nodes is asked')
    }
  }
  throw new UsageError('name at least one node of the cluster')
}

function joinOne(host: ClusterHost, spec: JoinSpec, address: string,
  target: Target): Promise<Joined> {
  const { clock, core, log, version } = host
  return joinThrough({
    target, token: spec.token, nodeName: core.config.node.name, address, clock, version,
    port: core.config.mesh.port, waitMs: NAME_WAIT_MS,
    onWait: text => log.warn({ reason: text }, 'joining waits'),
  })
}

/** "node1", "192.168.56.11:7946" or "[fd00::1]:7946" */
function targetOf(text: string): Target {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text)
  const port = Number(found?.[3] ?? MESH_PORT)
  const host = found?.[1] ?? found?.[2]
  if (host === undefined || port < 1 || port > 65_535) {
    throw new UsageError(`"${text}" is not HOST or HOST:PORT`)
  }
  return { host, port }
}
