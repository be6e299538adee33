// hot: the state of one packet worker, and the two ways out of it: a local port, or the tunnel
import type { Clock } from '../base/clock.ts'
import type { FramePort, Underlay } from '../kernel/port.ts'
import { makeAddressedRoom, makeRoom, type Ring } from '../kernel/ring.ts'
import { ecnOuter } from '../wire/ecn.ts'
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/ether.ts'
import { ipv4Tos } from '../wire/ipv4.ts'
import { ipv6TrafficClass } from '../wire/ipv6.ts'
import { VIRTIO_HEADER_OCTETS } from '../wire/virtio.ts'
import { VXLAN_HEADER_OCTETS, writeVxlan } from '../wire/vxlan.ts'
import { type Bundles, makeBundles } from './bundle-state.ts'
import {
  COUNT_TAP_OUT, COUNT_UNDERLAY_OUT, countFrame, type Counters, DROP_TAP_DOWN, DROP_TAP_FULL,
  GAUGE_GENERATION,
} from './counters.ts'
import { ENODEV, isFull } from './errno.ts'
import { beginSweep } from './flow-age.ts'
import { type Flows, type FlowShards, makeFlows } from './flow-table.ts'
import { type Fragments, makeFragments } from './fragments.ts'
import { type Frame, makeFrame } from './frame.ts'
import {
  buildImage, MEMBER_ADDRESS, MEMBER_PORT, NETWORKS_MAX, NETWORK_VNI, PORTS_MAX,
} from './image.ts'
import { type Learned, makeLearned } from './learned.ts'
import { makeNews, type News } from './news.ts'
import { makeTables, memberWord, networkWord, type Tables } from './tables.ts'

/** ICMP errors that are sent in a second at most, so that no sender makes us a source. */
export const ICMP_PER_SECOND = 100
const SCRATCH_OCTETS = 2048

/** Heads of segments that may wait to be sent; when all are in use, what waits is sent. */
export const HEAD_SLOTS_MAX = 2048
export const HEAD_SLOT_OCTETS = 192
/** A frame's first octet in a slot: as in a TAP read, so that heads can be copied by words. */
export const HEAD_LEAD_OCTETS = 10

/** What may be put together, by what the receiving kernels take. */
export type Offload = Readonly<{ tcp: boolean; udp: boolean }>

export type Plane = {
  readonly ring: Ring
  readonly underlay: Underlay
  /** Ports by slot; a slot without one holds undefined. */
  readonly ports: (FramePort | undefined)[]
  readonly learned: Learned
  readonly flows: Flows
  readonly fragments: Fragments
  readonly news: News
  readonly counters: Counters
  readonly frame: Frame
  readonly clock: Clock
  /** A VXLAN header for each network of the image in use. */
  readonly headers: number
  /** Room for a frame that we make ourselves. */
  readonly scratch: number
  /** Room for the virtio header of a frame from the underlay. */
  readonly vnet: number
  /** Room for the heads of segments, and how many are in use. */
  readonly heads: number
  headsUsed: number
  /** Room for the head of a bundle, and the record to parse its first frame into. */
  readonly bundleHead: number
  readonly bundleFrame: Frame
  readonly bundles: Bundles
  readonly offload: Offload
  /** Whether segments are folded, see fold.ts. */
  readonly folds: boolean
  /** A frame in one piece, for gather. */
  readonly onePieceAt: Int32Array
  readonly onePieceOctets: Int32Array
  /** Outer DSCP: the inner one, or 0. */
  readonly inheritDscp: boolean
  /** The datagram that is being opened: its VTEP, and its outer TOS octet. */
  source: number
  tos: number
  /** Whether its inner checksum may have been left partial. */
  mayBePartial: boolean
  /** Row of the station that its source MAC was given to, or -1. */
  sourceStation: number
  /** Whether it is the answer of a backend; then what its addresses and ports are to become. */
  isAnswer: boolean
  answerSource: number
  answerDestination: number
  answerPorts: number
  tables: Tables
  nowSeconds: number
  /** Entries of the learned table are still to age out in this second. */
  ageing: boolean
  /** ICMP errors that may be sent in a second, and those that may still be in this one. */
  readonly icmpPerSecond: number
  icmpLeft: number
  refusedSeen: number
  refusedOctetsSeen: number
  /** A port whose device is gone, for the caller of breathe() to close, or -1. */
  deadSlot: number
  deadErrno: number
}

export type PlaneParts = Pick<Plane,
  'ring' | 'underlay' | 'counters' | 'clock' | 'inheritDscp' | 'offload' | 'folds'> & {
  /** Seed of the learned table's hash. */
  seed: number
  /** What several workers tell each other. */
  news?: News
  /** Workers that share ICMP_PER_SECOND. */
  workers?: number
  /** The flows of all workers; absent: of this one only. */
  flows?: FlowShards
}

export function makePlane(parts: PlaneParts): Plane {
  const { seed, news = makeNews(), workers = 1, flows, ...kept } = parts
  const icmpPerSecond = Math.ceil(ICMP_PER_SECOND / workers)
  return {
    ...kept,
    ports: new Array<FramePort | undefined>(PORTS_MAX).fill(undefined),
    learned: makeLearned(seed, parts.counters, news),
    flows: makeFlows(seed, parts.counters, flows),
    fragments: makeFragments(),
    news,
    frame: makeFrame(),
    headers: makeRoom(parts.ring, NETWORKS_MAX * VXLAN_HEADER_OCTETS),
    scratch: makeAddressedRoom(parts.ring, SCRATCH_OCTETS),
    vnet: makeRoom(parts.ring, VIRTIO_HEADER_OCTETS),
    heads: makeRoom(parts.ring, HEAD_SLOTS_MAX * HEAD_SLOT_OCTETS),
    headsUsed: 0,
    bundleHead: makeRoom(parts.ring, HEAD_SLOT_OCTETS),
    bundleFrame: makeFrame(),
    bundles: makeBundles(),
    onePieceAt: new Int32Array(1),
    onePieceOctets: new Int32Array(1),
    tables: makeTables(buildImage({ generation: 0, networks: [], ports: [], members: [] })),
    source: 0,
    tos: 0,
    mayBePartial: false,
    sourceStation: -1,
    isAnswer: false,
    answerSource: 0,
    answerDestination: 0,
    answerPorts: 0,
    nowSeconds: 0,
    ageing: false,
    icmpPerSecond,
    icmpLeft: icmpPerSecond,
    refusedSeen: 0,
    refusedOctetsSeen: 0,
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
  beginSweep(plane.flows)
  plane.news.generation[0] = tables.generation
  plane.counters[GAUGE_GENERATION] = tables.generation
}

export function drop(plane: Plane, reason: number): void {
  plane.counters[reason]! += 1
}

/** Hand a frame to a local port. */
export function deliver(plane: Plane, slot: number, frame: Frame): void {
  if (frame.vnetAt === frame.at - VIRTIO_HEADER_OCTETS) {
    return sendTo(plane, slot, frame.at, frame.lengthOctets)
  }
  plane.onePieceAt[0] = frame.at
  plane.onePieceOctets[0] = frame.lengthOctets
  const sent = gatherTo(plane, slot, frame.vnetAt, VIRTIO_HEADER_OCTETS, plane.onePieceAt,
    plane.onePieceOctets, 0, 1, 1)
  if (sent) countFrame(plane.counters, COUNT_TAP_OUT, frame.lengthOctets)
}

/** Hand what lies at `at`, behind its virtio header, to a local port. */
export function sendTo(plane: Plane, slot: number, at: number, lengthOctets: number): void {
  const port = plane.ports[slot]
  const result = port === undefined ? -ENODEV : port.send(at, lengthOctets)
  if (result === 0) countFrame(plane.counters, COUNT_TAP_OUT, lengthOctets)
  else plane.counters[isFull(-result) ? DROP_TAP_FULL : DROP_TAP_DOWN]! += 1
}

/** Hand `frames` frames in pieces to a local port; answers false when it did not take them. */
export function gatherTo(plane: Plane, slot: number, headAt: number, headOctets: number,
  pieceAt: Int32Array, pieceOctets: Int32Array, first: number, count: number,
  frames: number): boolean {
  const port = plane.ports[slot]
  const result = port === undefined ? -ENODEV
    : port.gather(headAt, headOctets, pieceAt, pieceOctets, first, count)
  if (result !== 0) plane.counters[isFull(-result) ? DROP_TAP_FULL : DROP_TAP_DOWN]! += frames
  return result === 0
}

/** Where the VXLAN header of a network stands. */
export function headerOf(plane: Plane, network: number): number {
  return plane.headers + network * VXLAN_HEADER_OCTETS
}

/** Queue plane.frame, a single one, for one VTEP. `tos` is outerTos() of the frame. */
export function tunnelOne(plane: Plane, headerAt: number, member: number, flow: number,
  tos: number): void {
  const { frame } = plane
  plane.underlay.queue(member, flow, tos, headerAt, VXLAN_HEADER_OCTETS, frame.at,
    frame.lengthOctets)
  countFrame(plane.counters, COUNT_UNDERLAY_OUT, frame.lengthOctets)
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
