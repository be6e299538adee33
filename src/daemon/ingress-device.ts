// What the kernel of the host needs so that published ports come to us: a device, a routing table
// that leads every address of the host there, and for each port a rule that asks this table first.
// Each step looks first and changes only what differs, so all of it can be done again at any time.
import { addresses } from '../kernel/netlink/address.ts'
import { linkByName, setLink, setNoArp } from '../kernel/netlink/link.ts'
import { deleteRoute, routes, setRoute } from '../kernel/netlink/route.ts'
import type { Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import {
  addRule, deleteRule, isSameRule, rules, type RuleSpec,
} from '../kernel/netlink/rule.ts'
import { readSysctl, writeSysctl } from '../kernel/sysctl.ts'
import { makeTap, type Tap } from '../kernel/tap-device.ts'
import { tapOffload } from '../kernel/features.ts'
import { formatCidr, parseCidr } from '../base/text.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.ts'
import type { HostEndpoint } from './compile.ts'
import type { TapKind } from './endpoints.ts'
import type { NetworkRecord } from './state.ts'

export const INGRESS_DEVICE = 'tm-ingress'
/** Its number is that of the network's VNI; so it is on the host, and in tasks. */
export const INGRESS_TABLE = 4096
/** Before the rule of the host's own addresses, which is at 0 until it has to move to 100. */
const PORT_PRIORITY = 99
const LOCAL_FIRST: RuleSpec = { priority: 0, table: 255 }
const LOCAL_BEHIND: RuleSpec = { priority: 100, table: 255 }
const LOOPBACK_PREFIX = 8
const HOST_PREFIX = 32

export type Steered = Readonly<{ protocol: 'tcp' | 'udp'; published: number }>

/** The device goes with its descriptors, and the routes with it: nothing leads to a dead daemon. */
export async function openIngress(host: Rtnetlink, kind: TapKind): Promise<Tap> {
  const offload = tapOffload(kind.offload)
  const tap = makeTap({ ...kind, name: INGRESS_DEVICE, offload, isPassing: true })
  writeSysctl(['ipv6', 'conf', INGRESS_DEVICE, 'disable_ipv6'], 1)
  for (const knob of ['accept_local', 'forwarding', 'route_localnet'] as const) {
    writeSysctl(['ipv4', 'conf', INGRESS_DEVICE, knob], 1)
  }
  writeSysctl(['ipv4', 'conf', INGRESS_DEVICE, 'rp_filter'], 0)
  const link = await linkByName(host, INGRESS_DEVICE)
  if (link !== null) await setNoArp(host, link)
  return tap
}

/** Whether the host passes packets on; it has to, and does not always by itself. */
export function isForwarding(): boolean {
  return readSysctl(['ipv4', 'conf', 'all', 'forwarding']) === 1
}

export function beginForwarding(): void {
  writeSysctl(['ipv4', 'conf', 'all', 'forwarding'], 1)
}

/** Lead these ports, and no others, to the device. */
export async function steer(host: Rtnetlink, { mac }: HostEndpoint, { mtu }: NetworkRecord,
  ports: readonly Steered[]): Promise<void> {
  await setLink(host, INGRESS_DEVICE, { mac, mtu, up: true })
  await routeAddresses(host)
  const wanted = ports.map(({ protocol, published }): RuleSpec => ({
    priority: PORT_PRIORITY, table: INGRESS_TABLE, port: published,
    protocol: protocol === 'tcp' ? PROTOCOL_TCP : PROTOCOL_UDP,
  }))
  const seen = await rules(host)
  const isThere = (spec: RuleSpec): boolean => seen.some(rule => isSameRule(rule, spec))
  // At no moment is there no rule for the host's own addresses.
  if (!isThere(LOCAL_BEHIND)) await addRule(host, LOCAL_BEHIND)
  if (isThere(LOCAL_FIRST)) await deleteRule(host, LOCAL_FIRST)
  for (const spec of wanted) if (!isThere(spec)) await addRule(host, spec)
  for (const rule of seen) {
    if (rule.table !== INGRESS_TABLE || wanted.some(spec => isSameRule(rule, spec))) continue
    await deleteRule(host, rule)
  }
}

/** Take all of it away again, also what a daemon has left that was killed. */
export async function unsteer(host: Rtnetlink): Promise<void> {
  const seen = await rules(host)
  for (const rule of seen.filter(({ table }) => table === INGRESS_TABLE)) {
    await deleteRule(host, rule)
  }
  if (!seen.some(rule => isSameRule(rule, LOCAL_BEHIND))) return
  await addRule(host, LOCAL_FIRST)
  await deleteRule(host, LOCAL_BEHIND)
}

/** A route to the device for each address of the host; whoever asks from here has it as source. */
async function routeAddresses(host: Rtnetlink): Promise<void> {
  const link = await linkByName(host, INGRESS_DEVICE)
  if (link === null) return // taken away this moment; it is made again
  const device = link.index
  const wanted = new Map((await addresses(host))
    .filter(one => !one.address.includes(':') && one.index !== device)
    .map(({ address }) => [destinationOf(address), address]))
  const seen = (await routes(host)).filter(({ table }) => table === INGRESS_TABLE)
  for (const route of seen) {
    if (route.device === device && wanted.get(route.destination) === route.source) {
      wanted.delete(route.destination)
    } else if (route.device !== null) {
      await deleteRoute(host, { ...route, device: route.device })
    }
  }
  for (const [destination, source] of wanted) {
    await setRoute(host, { destination, device, table: INGRESS_TABLE, source })
  }
}

/** All of 127.0.0.0/8 is this host. */
function destinationOf(address: string): string {
  const prefix = address.startsWith('127.') ? LOOPBACK_PREFIX : HOST_PREFIX
  return formatCidr(parseCidr(`${address}/${prefix}`))
}
