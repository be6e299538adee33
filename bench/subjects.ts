// What is measured: a subject raises one data path between two fresh hosts. The three here are the
// references, which the kernel alone provides.
import type { Host, Hosts, Netns, Running } from './hosts.ts'
import { UNDERLAY_DEVICE, UNDERLAY_MTU } from './hosts.ts'

/** Less the inner Ethernet, IPv4, UDP and VXLAN headers: RFC 7348 section 5. */
export const TUNNEL_MTU = UNDERLAY_MTU - 50
export const VNI = 42
export const VXLAN_PORT = 4789
export const BRIDGE = 'br0'

/** Where the traffic begins or ends. */
export type End = Readonly<{ host: Host; netns: Netns; address: string }>

export type DataPath = Readonly<{
  mtu: number
  ends: readonly [End, End]
  /** Processes that carry the frames; none where the kernel does. */
  daemons: readonly Running[]
}>

export type Subject = Readonly<{
  name: string
  /** Command -> Debian package that has it */
  needs: Readonly<Record<string, string>>
  /** Version for the report; empty where the kernel is the subject. */
  version(): Promise<string>
  raise(hosts: Hosts['pair']): Promise<DataPath>
}>

/**
 * The first address of a subnet is its gateway, so the hosts have 11 and 12.
 * @param number further endpoints of a host: the first has 21 or 22, the second 31 or 32
 */
export function tunnelAddress(host: Host, number = 0): string {
  return `10.77.0.${number + 1}${host.index}`
}

/**
 * Where a machine begins its sockets with BBR, they are paced by a timer, also when a program asks
 * for something else then.
 */
export async function leaveUnpaced(host: Host, netns: Netns): Promise<void> {
  await host.run(['sysctl', '-qw', 'net.ipv4.tcp_congestion_control=reno'], netns)
}

/** Do the same on both hosts, one after the other; `other` is the far one. */
export async function onBoth<T>(
  [one, two]: Hosts['pair'], act: (host: Host, other: Host) => Promise<T>,
): Promise<readonly [T, T]> {
  return [await act(one, two), await act(two, one)]
}

/** Name the device's address, MTU and state where the traffic begins. */
export async function configure(
  host: Host, netns: Netns, device: string, mtu = TUNNEL_MTU, address = tunnelAddress(host),
): Promise<End> {
  await host.run(['ip', 'link', 'set', device, 'mtu', String(mtu), 'up'], netns)
  await host.run(['ip', 'addr', 'add', `${address}/24`, 'dev', device], netns)
  return { host, netns, address }
}

/** A namespace with eth0, joined to the host's device p0 as Docker joins a container. */
export async function addEndpoint(host: Host, mtu = TUNNEL_MTU, number = 0): Promise<End> {
  const netns = number === 0 ? `e${host.index}` : `e${host.index}-${number}`
  const device = `p${number}`
  await host.run(['ip', 'netns', 'add', netns])
  await host.run(['ip', 'link', 'add', device, 'mtu', String(mtu), 'type', 'veth',
    'peer', 'name', 'eth0', 'mtu', String(mtu), 'netns', netns])
  await host.run(['ip', 'link', 'set', device, 'up'])
  return configure(host, netns, 'eth0', mtu, tunnelAddress(host, number))
}

/** A namespace that gets the tunnel's own device `device`. */
export async function moveToEndpoint(host: Host, device: string, mtu = TUNNEL_MTU): Promise<End> {
  const netns = `e${host.index}`
  await host.run(['ip', 'netns', 'add', netns])
  await host.run(['ip', 'link', 'set', device, 'netns', netns])
  return configure(host, netns, device, mtu)
}

async function addVxlan(host: Host, other: Host): Promise<void> {
  await host.run(['ip', 'link', 'add', 'vx0', 'mtu', String(TUNNEL_MTU), 'type', 'vxlan',
    'id', String(VNI), 'local', host.address, 'remote', other.address,
    'dstport', String(VXLAN_PORT), 'dev', UNDERLAY_DEVICE])
}

/** VXLAN device and bridge: what Docker makes of a network on a host. */
export async function addBridge(host: Host, other: Host): Promise<void> {
  await addVxlan(host, other)
  await host.run(['ip', 'link', 'add', BRIDGE, 'type', 'bridge'])
  await host.run(['ip', 'link', 'set', 'vx0', 'master', BRIDGE, 'up'])
  await host.run(['ip', 'link', 'set', BRIDGE, 'up'])
}

/** An endpoint at that bridge. */
export async function addBridged(host: Host, number = 0): Promise<End> {
  const end = await addEndpoint(host, TUNNEL_MTU, number)
  await host.run(['ip', 'link', 'set', `p${number}`, 'master', BRIDGE])
  return end
}

const nothing = { needs: {}, version: async () => '' }

export const veth: Subject = {
  ...nothing,
  name: 'veth',
  async raise(hosts) {
    const ends = await onBoth(hosts, async host => ({ host, netns: null, address: host.address }))
    return { mtu: UNDERLAY_MTU, ends, daemons: [] }
  },
}

export const kvxlan: Subject = {
  ...nothing,
  name: 'kvxlan',
  async raise(hosts) {
    const ends = await onBoth(hosts, async (host, other) => {
      await addVxlan(host, other)
      return configure(host, null, 'vx0')
    })
    return { mtu: TUNNEL_MTU, ends, daemons: [] }
  },
}

export const kvxlanBridge: Subject = {
  ...nothing,
  name: 'kvxlan-br',
  async raise(hosts) {
    const ends = await onBoth(hosts, async (host, other) => {
      await addBridge(host, other)
      return addBridged(host)
    })
    return { mtu: TUNNEL_MTU, ends, daemons: [] }
  },
}
