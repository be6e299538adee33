// The MTU that tasks can use: what their network was given, no more than the underlay's device
// carries, and no more than fits the narrowest path to another member.
import { takeOverPathMtu } from '../kernel/underlay.ts'
import { VXLAN_OVERHEAD_OCTETS } from '../wire/vxlan.ts'
import type { Core } from './core.ts'
import { netnsOf, setEndpointMtu } from './endpoints.ts'

/** What every IPv4 host must be able to receive: RFC 791 section 3.1. */
export const MTU_MIN_OCTETS = 576

/**
 * MTU of a network's tasks, octets. Never below MTU_MIN_OCTETS: on a path that is narrower still,
 * frames that do not fit are lost, but IPv4 itself would not work with less.
 * @param givenMtu     what the network was created with
 * @param underlayMtu  of the underlay's device
 * @param pathMtu      smallest path MTU of all members; null: not known
 */
export function networkMtu(givenMtu: number, underlayMtu: number, pathMtu: number | null): number {
  const carried = Math.min(underlayMtu, pathMtu ?? underlayMtu) - VXLAN_OVERHEAD_OCTETS
  return Math.max(MTU_MIN_OCTETS, Math.min(givenMtu, carried))
}

/**
 * Let every task use what the paths carry now. The same number once more changes nothing; a device
 * that cannot be changed now is left to the reconciler, which sets all of them again and again.
 * The number outlives a restart, so say null when nobody will measure. Call it in the queue of
 * changes.
 * @param octets smallest path MTU of all members, or null when nobody knows it: from then on what
 *               the kernel was told of a path counts for what the tunnel sends
 */
export async function setPathMtu(core: Core, octets: number | null): Promise<void> {
  takeOverPathMtu(core.sockets, octets !== null)
  if (octets === core.state.pathMtu) return
  core.log.info({ pathMtu: octets, before: core.state.pathMtu }, 'smallest path MTU changed')
  core.state.pathMtu = octets
  core.save()
  // The image first: what a device lets through for a moment more is answered with ICMP errors.
  core.publish()
  const networks = new Map(core.networksInUse().map(network => [network.id, network]))
  for (const task of core.state.tasks.filter(one => one.complete)) {
    for (const endpoint of task.endpoints) {
      const network = networks.get(endpoint.network)
      if (network === undefined) continue
      await setEndpointMtu(netnsOf(task), endpoint, network.mtu).catch(error =>
        core.log.warn({ task: task.name, err: error }, 'MTU not set yet'))
    }
  }
}
