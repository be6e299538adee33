// How the gateway network of a node is shown: among its networks as Docker shows docker_gwbridge,
// and in `status` with the reason when tasks do not get out.
import { HOSTNAME_DIGITS } from '../base/ids.ts'
import { parseCidr } from '../base/text.ts'
import { ConflictError } from '../base/errors.ts'
import type { Core } from './core.ts'
import type { PlugRecord, TaskRecord, WayOutRecord } from './state.ts'
import type { NetworkView } from './views.ts'
import { gatewayOf } from './way-out.ts'
import { GATEWAY_DEVICE, WAY_OUT_MTU_OCTETS } from './way-out-devices.ts'
import type { PlugView, WayOutView } from './way-out-views.ts'

/** As Docker's docker_gwbridge, but ours. No other network may have the name. */
export const GATEWAY_NETWORK = 'tapmesh_gwbridge'

export function wayOutView({ config, state, wayOut }: Core): WayOutView {
  const tasks = state.tasks.filter(task => task.wayOut !== null).length
  const { reason } = wayOut.faults
  const isOff = !config.wayOut.enabled && tasks === 0
  return {
    state: isOff ? 'off' : reason === null ? 'open' : 'closed',
    reason,
    subnet: state.wayOut?.subnet ?? null,
    gateway: state.wayOut === null ? null : gatewayOf(state.wayOut).address,
    device: GATEWAY_DEVICE,
    tasks,
    opened: [...state.wayOut?.opened ?? []],
  }
}

export function plugView(plug: PlugRecord, wayOut: WayOutRecord): PlugView {
  return {
    ...plug,
    network: GATEWAY_NETWORK,
    prefix: parseCidr(wayOut.subnet).prefix,
    gateway: gatewayOf(wayOut).address,
    mtu: WAY_OUT_MTU_OCTETS,
  }
}

/** The gateway network, if it is there. */
export function gatewayNetworks({ state: { tasks, wayOut } }: Core): NetworkView[] {
  if (wayOut === null || !wayOut.isStanding) return []
  return [{
    id: wayOut.id,
    name: GATEWAY_NETWORK,
    driver: 'bridge',
    scope: 'local',
    createdAt: wayOut.createdAt,
    subnet: wayOut.subnet,
    gateway: gatewayOf(wayOut).address,
    vni: 0,
    mtu: WAY_OUT_MTU_OCTETS,
    labels: {},
    attachable: false,
    internal: false,
    ingress: false,
    skipped: [],
    endpoints: tasks.flatMap(task => task.wayOut === null ? [] : [containerOf(task, wayOut)]),
    peers: [],
    vteps: [],
  }]
}

/** Docker's names for what stands in this network. */
function containerOf(task: TaskRecord, wayOut: WayOutRecord): NetworkView['endpoints'][number] {
  const { gateway: _, device: __, ...shown } = plugView(task.wayOut!, wayOut)
  return { ...shown, task: `gateway_${task.id.slice(0, HOSTNAME_DIGITS)}`, taskId: task.id,
    ipv6: '', promiscuous: false }
}

/** The gateway network when it is what `which` names: its name, its id, or twelve digits of it. */
export function gatewayNetwork(core: Core, which: string): NetworkView | undefined {
  return gatewayNetworks(core).find(({ id, name }) => name === which
    || (which.length >= HOSTNAME_DIGITS && id.startsWith(which)))
}

/** @throws ConflictError when a network of people would have this name */
export function checkNetworkName(name: string): void {
  if (name !== GATEWAY_NETWORK) return
  throw new ConflictError(`"${name}" is the network by which tasks of a node get out; `
    + 'choose another name', { name })
}

/** @throws ConflictError for the one network that belongs to the node itself */
export function checkNotGateway(core: Core, which: string): void {
  const network = gatewayNetwork(core, which)
  if (network === undefined) return
  throw new ConflictError(`network "${network.name}" belongs to the node; to be without it, say `
    + 'wayOut: {enabled: false} in the configuration file', { network: network.name })
}
