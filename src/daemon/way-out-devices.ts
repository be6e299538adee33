// The kernel objects of the gateway network. On the host one TAP that nobody reads, which only has
// the gateway's address; and for each task a pair of veth devices, one end of it in the task. All
// steps look first and change only what differs, so they can be done again at any time.
import { parseCidr } from '../base/text.ts'
import { KernelError } from '../base/errors.ts'
import { closeDescriptor } from '../kernel/descriptor.ts'
import { setAddress } from '../kernel/netlink/address.ts'
import { deleteLink, type Link, linkByName, setLink } from '../kernel/netlink/link.ts'
import { deviceTowards, putRoute, setRoute } from '../kernel/netlink/route.ts'
import { openRtnetlink, type Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import { makeVeth } from '../kernel/netlink/veth.ts'
import { openNetns, withNetns } from '../kernel/netns.ts'
import { writeSysctl } from '../kernel/sysctl.ts'
import { makeTap } from '../kernel/tap-device.ts'

/** Has the gateway's address; no packet passes through it. */
export const GATEWAY_DEVICE = 'tapmesh_gw'
/** As docker_gwbridge has it. */
export const WAY_OUT_MTU_OCTETS = 1500
const DEFAULT_ROUTE = '0.0.0.0/0'

export type GatewayAddress = Readonly<{ subnet: string; address: string; mac: string }>
export type Plug = Readonly<{ address: string; mac: string; interface: string; device: string }>

/** @param host a netlink socket in the machine's own namespace */
export async function setGatewayDevice(host: Rtnetlink, gateway: GatewayAddress): Promise<void> {
  if (await linkByName(host, GATEWAY_DEVICE) === null) {
    const tap = makeTap({ name: GATEWAY_DEVICE, offload: 0, count: 1, steering: -1 })
    for (const fd of tap.fds) closeDescriptor(fd)
    quietIpv6(GATEWAY_DEVICE)
  }
  await setLink(host, GATEWAY_DEVICE, { mac: gateway.mac, mtu: WAY_OUT_MTU_OCTETS, up: true })
  const link = await linkByName(host, GATEWAY_DEVICE)
  if (link === null) return // taken away this moment; it is made again at the next look
  await setAddress(host, link.index, `${gateway.address}/${parseCidr(gateway.subnet).prefix}`)
}

export async function removeGatewayDevice(host: Rtnetlink): Promise<void> {
  await deleteLink(host, GATEWAY_DEVICE)
}

/**
 * The pair of a task, and the host's way to it.
 * @param open settles when packets are let through; false: they are not, so the task gets no
 *             default route, and hears at once that nothing is reachable
 */
export async function setPlug(host: Rtnetlink, netns: string, plug: Plug, gateway: GatewayAddress,
  open: Promise<boolean>): Promise<void> {
  const rt = withNetns(netns, openRtnetlink)
  try {
    let [near, far] = await bothEnds(host, rt, plug)
    if (near === null || far === null) {
      await makePair(host, rt, netns, plug, gateway);
      [near, far] = await bothEnds(host, rt, plug)
    }
    if (near === null || far === null) return // taken away this moment; the next look makes it
    // Packets of the task are passed on, but only from the address that leads back to it.
    writeSysctl(['ipv4', 'conf', plug.device, 'forwarding'], 1)
    writeSysctl(['ipv4', 'conf', plug.device, 'rp_filter'], 1)
    await setEnd(host, near, gateway.mac)
    await setEnd(rt, far, plug.mac)
    await setAddress(rt, far.index, `${plug.address}/${parseCidr(gateway.subnet).prefix}`)
    if (await deviceTowards(host, plug.address) !== near.index) {
      await putRoute(host, { destination: `${plug.address}/32`, device: near.index,
        source: gateway.address })
    }
    if (!await open) return
    await setRoute(rt, { destination: DEFAULT_ROUTE, device: far.index, gateway: gateway.address })
  } finally {
    rt.close()
  }
}

/** With the host's end goes the task's. */
export async function removePlug(host: Rtnetlink, { device }: Pick<Plug, 'device'>): Promise<void> {
  await deleteLink(host, device)
}

/** The host's end of it, and the task's; null: it is not there. */
async function bothEnds(host: Rtnetlink, rt: Rtnetlink, plug: Plug,
): Promise<[near: Link | null, far: Link | null]> {
  return [await linkByName(host, plug.device), await linkByName(rt, plug.interface)]
}

/** Of a pair that somebody took apart, what is still there goes first. */
async function makePair(host: Rtnetlink, rt: Rtnetlink, netns: string, plug: Plug,
  gateway: GatewayAddress): Promise<void> {
  await deleteLink(host, plug.device)
  await deleteLink(rt, plug.interface)
  const near = { name: plug.device, mac: gateway.mac, mtu: WAY_OUT_MTU_OCTETS }
  const far = { name: plug.interface, mac: plug.mac, mtu: WAY_OUT_MTU_OCTETS }
  const fd = openNetns(netns)
  try {
    await makeVeth(host, near, far, fd)
  } finally {
    closeDescriptor(fd)
  }
  quietIpv6(plug.device)
  withNetns(netns, () => quietIpv6(plug.interface))
}

async function setEnd(rt: Rtnetlink, link: Link, mac: string): Promise<void> {
  if (link.up && link.mtu === WAY_OUT_MTU_OCTETS && link.mac === mac) return
  await setLink(rt, link.name, { mac, mtu: WAY_OUT_MTU_OCTETS, up: true })
}

/** The gateway network has IPv4 only. A kernel without IPv6 is quiet already. */
function quietIpv6(device: string): void {
  try {
    writeSysctl(['ipv6', 'conf', device, 'disable_ipv6'], 1)
  } catch (error) {
    if (!(error instanceof KernelError)) throw error
  }
}
