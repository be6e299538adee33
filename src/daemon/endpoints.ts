// The kernel objects of an endpoint: a TAP in the task's network namespace, with its addresses.
// Each step looks first and changes only what differs, so all of it can be done again at any time.
import { KernelError } from '../base/errors.ts'
import { linkLocalOfMac, parseCidr } from '../base/text.ts'
import { VNI_INGRESS } from '../cluster/subnets.ts'
import { closeDescriptor } from '../kernel/descriptor.ts'
import { type TapFeatures, tapOffload } from '../kernel/features.ts'
import { deleteLink, linkByName, setLink } from '../kernel/netlink/link.ts'
import { deleteAddress, setAddress } from '../kernel/netlink/address.ts'
import { openRtnetlink, type Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import { deleteNetns, withNetns } from '../kernel/netns.ts'
import { readSysctl, writeSysctl } from '../kernel/sysctl.ts'
import { makeTap, type Tap, type TapSpec } from '../kernel/tap-device.ts'
import { routeAnswers } from './ingress-task.ts'
import type { EndpointRecord, NetworkRecord, TaskRecord } from './state.ts'

/** Beginning of every namespace name of ours, so that people see whose it is. */
export const NETNS_PREFIX = 'tm-'

export const netnsOf = (task: Pick<TaskRecord, 'name'>): string => `${NETNS_PREFIX}${task.name}`

export async function setLoopbackUp(netns: string): Promise<void> {
  await withRtnetlink(netns, rt => setLink(rt, 'lo', { up: true }))
}

/** What the TAPs of a daemon have in common; `count` descriptors of each are wanted. */
export type TapKind = Pick<TapSpec, 'count' | 'steering'> & { offload: TapFeatures }

/**
 * Open the endpoint's TAP, new or kept from before, and give it its addresses.
 * @returns its descriptors, one for each packet worker, who take them over
 */
export async function openEndpoint(netns: string, endpoint: EndpointRecord,
  network: NetworkRecord, kind: TapKind): Promise<Tap> {
  const offload = tapOffload(kind.offload)
  const tap = withNetns(netns, () => makeTap({ ...kind, name: endpoint.interface, offload }))
  try {
    await configureEndpoint(netns, endpoint, network)
    return tap
  } catch (error) {
    closeTap(tap)
    throw error
  }
}

/** Close what no worker has taken over. */
export function closeTap(tap: Tap): void {
  for (const fd of tap.fds) closeDescriptor(fd)
}

/** Set what the endpoint's device must have. */
export async function configureEndpoint(netns: string, endpoint: EndpointRecord,
  network: NetworkRecord): Promise<void> {
  const device = endpoint.interface
  const hasIpv6 = withNetns(netns, () => prepareIpv6(device))
  const { prefix } = parseCidr(network.subnet)
  await withRtnetlink(netns, async rt => {
    await setLink(rt, device, { mac: endpoint.mac, mtu: network.mtu, up: true })
    const link = await linkByName(rt, device)
    if (link === null) return // taken away this moment; the worker tells, and it is made again
    await setAddress(rt, link.index, `${endpoint.address}/${prefix}`)
    if (!hasIpv6) return
    await setAddress(rt, link.index, `${linkLocalOfMac(endpoint.mac)}/64`, { noDad: true })
    if (network.vni === VNI_INGRESS) await routeAnswers(rt, link.index, endpoint, network)
  })
}

/**
 * The link-local address is ours to give, and on an overlay there is no router to ask for.
 * @returns false: the task has switched IPv6 off, or the kernel has none, and stays so
 */
function prepareIpv6(device: string): boolean {
  try {
    writeSysctl(['ipv6', 'conf', device, 'addr_gen_mode'], 1)
    writeSysctl(['ipv6', 'conf', device, 'accept_ra'], 0)
    writeSysctl(['ipv6', 'conf', device, 'router_solicitations'], 0)
    return readSysctl(['ipv6', 'conf', device, 'disable_ipv6']) === 0
  } catch (error) {
    if (error instanceof KernelError && error.errnoName === 'ENOENT') return false
    throw error
  }
}

/** Set the MTU of an endpoint's device, which exists. */
export async function setEndpointMtu(netns: string, endpoint: EndpointRecord,
  mtuOctets: number): Promise<void> {
  await withRtnetlink(netns, rt => setLink(rt, endpoint.interface, { mtu: mtuOctets }))
}

/** Take an address from the endpoint's device; one that is not there is no error. */
export async function dropAddress(netns: string, device: string, cidr: string): Promise<void> {
  await withRtnetlink(netns, async rt => {
    const link = await linkByName(rt, device)
    if (link !== null) await deleteAddress(rt, link.index, cidr)
  })
}

/** Take the endpoint's device away, whoever holds it; one that is not there is no error. */
export async function removeEndpoint(netns: string, endpoint: EndpointRecord): Promise<void> {
  await withRtnetlink(netns, rt => deleteLink(rt, endpoint.interface))
}

/** The namespace goes, and every device in it with it. */
export function removeNetns(netns: string): void {
  deleteNetns(netns)
}

async function withRtnetlink<T>(netns: string, fn: (rt: Rtnetlink) => Promise<T>): Promise<T> {
  const rt = withNetns(netns, openRtnetlink)
  try {
    return await fn(rt)
  } finally {
    rt.close()
  }
}
