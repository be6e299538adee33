// hot: the state of one packet worker, and the two ways out of it: a local port, or the tunnel
import type { Clock } from '../base/clock.ts'
import type { FramePort, Underlay } from '../kernel/port.ts'
import { makeRoom, type Ring } from '../kernel/ring.ts'
import { ecnOuter } from '../wire/ecn.ts'
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/ether.ts'
import { ipv4Tos } from '../wire/ipv4.ts'
import { ipv6TrafficClass } from '../wire/ipv6.ts'
import { VXLAN_HEADER_OCTETS, writeVxlan } from '../wire/vxlan.ts'
import {
  COUNT_TAP_OUT, COUNT_UNDERLAY_OUT, countFrame, type Counters, DROP_TAP_DOWN, DROP_TAP_FULL,
  DROP_UNDERLAY_FULL, DROP_UNDERLAY_REFUSED, DROP_UNDERLAY_TOO_LARGE, DROP_UNDERLAY_UNREACHABLE,
  GAUGE_GENERATION,
} from './counters.ts'
import { type Frame, makeFrame } from './frame.ts'
import {
  buildImage, MEMBER_ADDRESS, MEMBER_PORT, NETWORKS_MAX, NETWORK_VNI, PORTS_MAX,
} from './image.ts'
import { type Learned, makeLearned } from './learned.ts'
import { makeTables, memberWord, networkWord, type Tables } from './tables.ts'

/** ICMP errors that one worker sends in a second at most, so that no sender can make it a source. */
export const ICMP_PER_SECOND = 100
const SCRATCH_OCTETS = 2048

export type Plane = {
  readonly ring: Ring
  readonly underlay: Underlay
  /** Ports by slot; a slot without one holds undefined. */
  readonly ports: (FramePort | undefined)[]
  readonly learned: Learned
  readonly counters: Counters
  readonly frame: Frame
  readonly clock: Clock
  /** A VXLAN header for each network of the image in use. */
  readonly headers: number
  /** Room for a frame that we make ourselves. */
  readonly scratch: number
  /** Outer DSCP: the inner one, or 0. */
  readonly inheritDscp: boolean
  tables: Tables
  nowSeconds: number
  /** Entries of the learned table are still to age out in this second. */
  ageing: boolean
  /** ICMP errors that may still be sent in this second. */
  icmpLeft: number
  refusedSeen: number
  /** A port whose device is gone, for the caller of breathe() to close, or -1. */
  deadSlot: number
  deadErrno: number
}

export type PlaneParts = Pick<Plane, 'ring' | 'underlay' | 'counters' | 'clock' | 'inheritDscp'> & {
  /** Seed of the learned table's hash. */
  seed: number
}

export function makePlane(parts: PlaneParts): Plane {
  const { seed, ...kept } = parts
  return {
    ...kept,
    ports: new Array<FramePort | undefined>(PORTS_MAX).fill(undefined),
    learned: makeLearned(seed, parts.counters),
    frame: makeFrame(),
    headers: makeRoom(parts.ring, NETWORKS_MAX * VXLAN_HEADER_OCTETS),
    scratch: makeRoom(parts.ring, SCRATCH_OCTETS),
    tables: makeTables(buildImage({ generation: 0, networks: [], ports: [], members: [] })),
    nowSeconds: 0,
    ageing: false,
    icmpLeft: ICMP_PER_SECOND,
    refusedSeen: 0,
    deadSlot: -1,
    deadErrno: 0,
  }
}

/** Use `tables` from now on. The ports must have been changed to match already. */
export function adoptTables(plane: Plane, tables: Tables): void {
  for (let n = 0; n < tables.networkCount; n++) {
    writeVxlan(plane.ring.view, plane.headers + n * VXLAN_HEADER_OCTETS,
      networkWord(tables, n, NETWORK_VNI))
  }
  for (let m = 0; m < tables.memberCount; m++) {
    plane.underlay.setDestination(m, memberWord(tables, m, MEMBER_ADDRESS),
      memberWord(tables, m, MEMBER_PORT))
  }
  plane.tables = tables
  plane.counters[GAUGE_GENERATION] = tables.generation
}

export function drop(plane: Plane, reason: number): void {
  plane.counters[reason]! += 1
}

/** Hand the frame to a local port. */
export function deliver(plane: Plane, slot: number, at: number, lengthOctets: number): void {
  const port = plane.ports[slot]
  const result = port === undefined ? -ENODEV : port.send(at, lengthOctets)
  if (result === 0) countFrame(plane.counters, COUNT_TAP_OUT, lengthOctets)
  else drop(plane, isFull(-result) ? DROP_TAP_FULL : DROP_TAP_DOWN)
}

/** Queue the frame for one VTEP. `tos` is outerTos() of the frame. */
export function tunnel(plane: Plane, network: number, member: number, flow: number, tos: number,
  at: number, lengthOctets: number): void {
  plane.underlay.queue(member, flow, tos, plane.headers + network * VXLAN_HEADER_OCTETS, at,
    lengthOctets)
  countFrame(plane.counters, COUNT_UNDERLAY_OUT, lengthOctets)
}

/** The outer TOS octet: DSCP by setting, ECN by RFC 6040 section 4.1, 0 for what is not IP. */
export function outerTos(plane: Plane, frame: Frame): number {
  const inner = innerTos(plane.ring.view, frame)
  if (inner === 0) return 0
  return (plane.inheritDscp ? inner & 0xfc : 0) | ecnOuter(inner & 3)
}

export function innerTos(view: DataView, frame: Frame): number {
  if (frame.ipHeaderOctets === 0) return 0
  if (frame.etherType === ETHERTYPE_IPV4) return ipv4Tos(view, frame.l3At)
  return frame.etherType === ETHERTYPE_IPV6 ? ipv6TrafficClass(view, frame.l3At) : 0
}

/** Send what was queued, and count what the kernel refused under its reason. */
export function flush(plane: Plane): void {
  plane.underlay.flush()
  const refused = plane.underlay.refused
  if (refused[0] === plane.refusedSeen) return
  plane.counters[COUNT_UNDERLAY_OUT]! -= refused[0]! - plane.refusedSeen
  plane.refusedSeen = refused[0]!
  const full = refused[EAGAIN]! + refused[ENOBUFS]! + refused[ENOMEM]!
  const unreachable = refused[ENETUNREACH]! + refused[EHOSTUNREACH]! + refused[ENETDOWN]!
  plane.counters[DROP_UNDERLAY_FULL] = full
  plane.counters[DROP_UNDERLAY_UNREACHABLE] = unreachable
  plane.counters[DROP_UNDERLAY_TOO_LARGE] = refused[EMSGSIZE]!
  plane.counters[DROP_UNDERLAY_REFUSED] = refused[0]! - full - unreachable - refused[EMSGSIZE]!
}

// asm-generic/errno.h; not from kernel/constants.ts, of which this room sees nothing
const EAGAIN = 11
const ENOMEM = 12
const ENODEV = 19
const EMSGSIZE = 90
const ENETDOWN = 100
const ENETUNREACH = 101
const ENOBUFS = 105
const EHOSTUNREACH = 113

function isFull(errno: number): boolean {
  return errno === EAGAIN || errno === ENOBUFS || errno === ENOMEM
}
