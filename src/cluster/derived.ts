// What both sides of a split compute alike. A VNI and a subnet are normally the next free ones;
// while a member is missing they follow from the network's name instead, so that two halves which
// create the same network agree, and two that create different ones seldom meet.
import { hash as digestOf } from 'node:crypto'
import { LimitError } from '../base/errors.ts'
import {
  type Cidr, cidrsOverlap, formatCidr, formatIpv4, parseCidr, parseIpv4,
} from '../base/text.ts'
import {
  type ChosenSubnet, obstaclesOf, type SkippedSubnet, type Taken, VNI_INGRESS, VNI_MAX,
} from './subnets.ts'

/** 10.0.1.0/24 to 10.255.255.0/24. */
const SUBNETS = 65_535
/** Subnets passed over that are told; the rest would help nobody. */
const SKIPPED_MAX = 16
/** After so many tries nearly all must be taken. */
const TRIES_MAX = 4096

/** The first VNI above the one of ingress in the sequence that belongs to `name`. */
export function deriveVni(name: string, isTaken: (vni: number) => boolean): number {
  const span = VNI_MAX - VNI_INGRESS
  for (let i = 0; i < TRIES_MAX; i++) {
    const vni = VNI_INGRESS + 1 + hash(`vni ${name} ${i}`) % span
    if (!isTaken(vni)) return vni
  }
  throw new LimitError(`no VNI of ${TRIES_MAX} tried for network ${name} is free; use --vni`)
}

/** The first free /24 in the sequence that belongs to `name`, and what was passed over. */
export function deriveSubnet(name: string, taken: readonly Taken[]): ChosenSubnet {
  const skipped: SkippedSubnet[] = []
  const first = parseIpv4('10.0.1.0')
  const obstacles = obstaclesOf(taken)
  for (let i = 0; i < TRIES_MAX; i++) {
    const network = first + hash(`subnet ${name} ${i}`) % SUBNETS * 256
    const cidr = parseCidr(`${formatIpv4(network)}/24`)
    const obstacle = obstacles.find(other => cidrsOverlap(other.cidr, cidr))
    if (obstacle === undefined) return { subnet: formatCidr(cidr), skipped }
    const { reason } = obstacle
    if (skipped.length < SKIPPED_MAX) skipped.push({ subnet: formatCidr(cidr), reason })
  }
  throw new LimitError(`no subnet of ${TRIES_MAX} tried for network ${name} is free; `
    + 'name one with --subnet')
}

export type NetworkClaim = Readonly<{
  id: string
  name: string
  vni: number
  subnet: string
  /** ISO 8601 */
  createdAt: string
}>
export type SettledNetwork<T> = T & Readonly<{
  /** The network whose subnet this one overlaps, created earlier; or null. */
  overlaps: string | null
}>

/**
 * Networks made on two sides of a split may claim the same VNI: the one created first keeps it,
 * the other takes the next of its own sequence. All nodes with the same tables find the same.
 * Subnets are not changed, for tasks use their addresses already; the overlap is told.
 */
export function settleNetworks<T extends NetworkClaim>(
  claims: readonly T[],
): SettledNetwork<T>[] {
  const vnis = new Set<number>()
  const settled: SettledNetwork<T>[] = []
  const cidrs: Cidr[] = []
  for (const claim of [...claims].sort(byAge)) {
    const vni = vnis.has(claim.vni) ? deriveVni(claim.name, one => vnis.has(one)) : claim.vni
    vnis.add(vni)
    const cidr = parseCidr(claim.subnet)
    const other = settled[cidrs.findIndex(one => cidrsOverlap(one, cidr))]
    cidrs.push(cidr)
    settled.push({ ...claim, vni, overlaps: other?.name ?? null })
  }
  return settled
}

/**
 * Weighted rendezvous: the one of `candidates` on which a piece of work named `what` falls. When
 * a candidate goes, only what fell on it falls on others.
 */
export function rendezvousFirst(what: string, candidates: readonly string[]): string | null {
  let best: string | null = null
  let bestRank = -1
  for (const candidate of candidates) {
    const rank = hash(`${what} ${candidate}`)
    if (rank > bestRank || (rank === bestRank && candidate < best!)) {
      best = candidate
      bestRank = rank
    }
  }
  return best
}

function byAge(a: NetworkClaim, b: NetworkClaim): number {
  return compare(a.createdAt, b.createdAt) || compare(a.id, b.id)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** 48 bits, so that a number holds it exactly. */
function hash(text: string): number {
  return Number.parseInt(digestOf('sha256', text).slice(0, 12), 16)
}
