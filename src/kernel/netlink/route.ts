// IPv4 routes of a network namespace.
import netlink from 'netlink'
import { KernelError } from '../../base/errors.ts'
import { formatCidr, formatIpv4, parseCidr } from '../../base/text.ts'
import { AF_INET, EHOSTUNREACH, ENETUNREACH, ESRCH } from '../constants.ts'
import { ipOfOctets, octetsOfIp, octetsOfIpv4 } from './ip-octets.ts'
import type { Attribute, Attributes } from './message.ts'
import { formatBody, parseAttributes, u32, u32Of } from './message.ts'
import type { Rtnetlink } from './rtnetlink.ts'

export type Route = Readonly<{
  /** "10.0.2.0/24"; the default route is "0.0.0.0/0" */
  destination: string
  /** The next router, which may be an IPv6 address; null when the destination is on the link. */
  gateway: string | null
  /** Index of the link; null for a route that goes nowhere (blackhole, unreachable). */
  device: number | null
  table: number
  /** The address that packets of this host take there by preference. */
  source: string | null
  /** The lowest of several routes to one destination counts. */
  metric: number
}>

export type RouteSpec = Readonly<{
  destination: string
  device: number
  gateway?: string | null | undefined
  table?: number | undefined
  source?: string | null | undefined
  metric?: number | undefined
}>

type RouteHeader = Parameters<typeof netlink.rt.formatRoute>[0]

// linux/rtnetlink.h
const RTA_DST = 1
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PRIORITY = 6
const RTA_PREFSRC = 7
const RTA_MULTIPATH = 9
const RTA_TABLE = 15
const RTA_VIA = 18
const RT_TABLE_MAIN = 254
const RT_TABLE_LOCAL = 255
// struct rtnexthop { u16 len; u8 flags; u8 hops; int ifindex; } and its attributes.
const NEXTHOP_INDEX_AT = 4
const NEXTHOP_OCTETS = 8
// struct rtvia { u16 family; u8 address[]; }
const VIA_ADDRESS_AT = 2

const { NEWROUTE, DELROUTE, GETROUTE } = netlink.rt.MessageType
const { CREATE, REPLACE } = netlink.FlagsNew
const HEADER_OCTETS = netlink.rt.__LENGTH_Route

const NO_WAY = [ENETUNREACH, EHOSTUNREACH]

/** What makes two routes the same. */
const ROUTE_KEYS = ['destination', 'gateway', 'device', 'table', 'source', 'metric'] as const

/**
 * The routes of all tables but `local`, which only repeats the addresses. Of a route with several
 * next hops, the first.
 */
export async function routes(rt: Rtnetlink): Promise<Route[]> {
  const body = formatBody(netlink.rt.formatRoute({ family: AF_INET }), [])
  const messages = await rt.dump(GETROUTE, body)
  return messages.map(parseRoute).filter(route => route !== null)
}

/**
 * Route `destination` over a link. One that is so already is not touched; another one with the same
 * destination, table and metric is replaced.
 * @throws KernelError ENETUNREACH (the gateway is not on the link), ENETDOWN (the link is down)
 */
export async function setRoute(rt: Rtnetlink, spec: RouteSpec): Promise<void> {
  const wanted = routeOf(spec)
  const same = (route: Route): boolean => ROUTE_KEYS.every(key => route[key] === wanted[key])
  if (!(await routes(rt)).some(same)) await putRoute(rt, spec)
}

/**
 * As setRoute, but without a look at what is there: for tables of many routes.
 * @throws KernelError as setRoute
 */
export async function putRoute(rt: Rtnetlink, spec: RouteSpec): Promise<void> {
  const wanted = routeOf(spec)
  const scope = wanted.gateway === null ? 'LINK' : 'UNIVERSE'
  const body = formatRoute(wanted, { protocol: 'STATIC', scope })
  await rt.change(NEWROUTE, CREATE | REPLACE, body, spec)
}

/** Index of the link by which packets to `address` leave, null when they cannot. */
export async function deviceTowards(rt: Rtnetlink, address: string): Promise<number | null> {
  const header = netlink.rt.formatRoute({ family: AF_INET, dstLen: 32 })
  const body = formatBody(header, [[RTA_DST, octetsOfIp(address)]])
  try {
    const message = await rt.get(GETROUTE, body, { address })
    return u32Of(parseAttributes(message.subarray(HEADER_OCTETS)), RTA_OIF) || null
  } catch (error) {
    if (error instanceof KernelError && NO_WAY.includes(error.errno)) return null
    throw error
  }
}

/** A route that is not there is no error. */
export async function deleteRoute(rt: Rtnetlink, spec: RouteSpec): Promise<void> {
  // To a deletion NOWHERE means any scope, and no protocol means any: fib_table_delete() of the
  // kernel.
  const body = formatRoute(routeOf(spec), { scope: 'NOWHERE' })
  try {
    await rt.change(DELROUTE, 0, body, spec)
  } catch (error) {
    if (!(error instanceof KernelError && error.errno === ESRCH)) throw error
  }
}

function routeOf(spec: RouteSpec): Route {
  return {
    destination: formatCidr(parseCidr(spec.destination)),
    gateway: spec.gateway ?? null,
    device: spec.device,
    table: spec.table ?? RT_TABLE_MAIN,
    source: spec.source ?? null,
    metric: spec.metric ?? 0,
  }
}

function formatRoute(route: Route, kind: Pick<RouteHeader, 'protocol' | 'scope'>): Buffer {
  const { network, prefix } = parseCidr(route.destination)
  const fixed: RouteHeader = { family: AF_INET, dstLen: prefix, type: 'UNICAST', ...kind }
  const header = netlink.rt.formatRoute(fixed)
  const attributes: Attribute[] = [[RTA_TABLE, u32(route.table)]]
  if (prefix > 0) attributes.push([RTA_DST, octetsOfIpv4(network)])
  if (route.gateway !== null) attributes.push([RTA_GATEWAY, octetsOfIp(route.gateway)])
  if (route.device !== null) attributes.push([RTA_OIF, u32(route.device)])
  if (route.source !== null) attributes.push([RTA_PREFSRC, octetsOfIp(route.source)])
  if (route.metric > 0) attributes.push([RTA_PRIORITY, u32(route.metric)])
  return formatBody(header, attributes)
}

function parseRoute(message: Buffer): Route | null {
  const header = netlink.rt.parseRoute(message.subarray(0, HEADER_OCTETS))
  const attributes = parseAttributes(message.subarray(HEADER_OCTETS))
  const table = u32Of(attributes, RTA_TABLE) || (header.table ?? 0)
  // Cloned: not a route but what the kernel learned of one destination, a path MTU for example.
  const listed = header.flags?.cloned !== true && table !== RT_TABLE_LOCAL
  if (!listed || header.family !== AF_INET) return null
  const hop = firstHop(attributes)
  return Object.freeze({
    destination: `${ipOf(attributes, RTA_DST) ?? formatIpv4(0)}/${header.dstLen ?? 0}`,
    gateway: ipOf(hop, RTA_GATEWAY) ?? viaOf(hop),
    device: u32Of(hop, RTA_OIF) || null,
    table,
    source: ipOf(attributes, RTA_PREFSRC),
    metric: u32Of(attributes, RTA_PRIORITY),
  })
}

/** The attributes that say where to: the route's own, or the first of RTA_MULTIPATH. */
function firstHop(attributes: Attributes): Attributes {
  const hops = attributes.get(RTA_MULTIPATH)
  if (hops === undefined) return attributes
  const { len = 0 } = netlink.rt.parseRouteNextHop(hops.subarray(0, NEXTHOP_OCTETS))
  const hop = new Map(parseAttributes(hops.subarray(NEXTHOP_OCTETS, len)))
  return hop.set(RTA_OIF, hops.subarray(NEXTHOP_INDEX_AT, NEXTHOP_OCTETS))
}

function ipOf(attributes: Attributes, type: number): string | null {
  const octets = attributes.get(type)
  return octets === undefined ? null : ipOfOctets(octets)
}

function viaOf(attributes: Attributes): string | null {
  const via = attributes.get(RTA_VIA)
  return via === undefined ? null : ipOfOctets(via.subarray(VIA_ADDRESS_AT))
}
