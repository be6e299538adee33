// Which subnet and which VNI a new network gets, or may have. Docker Swarm looks at its own
// networks only, and so gives 10.0.2.0/24 to the third network of a VirtualBox machine whose NAT
// side is that very subnet. Here the host's routes and addresses count as well, and the reason is
// told.
import { ConflictError, LimitError, UsageError } from '../base/errors.ts'
import type { Cidr } from '../base/text.ts'
import { cidrsOverlap, formatCidr, formatIpv4, parseCidr } from '../base/text.ts'
import { checkPoolSubnet } from './ipam.ts'

/** Something that has addresses of its own. `reason` says what, for people. */
export type Taken = Readonly<{ cidr: string; reason: string }>
export type SkippedSubnet = Readonly<{ subnet: string; reason: string }>
export type ChosenSubnet = Readonly<{ subnet: string; skipped: readonly SkippedSubnet[] }>

/** 10.0.0.0/24 comes before it and is the ingress network's. */
const FIRST_SUBNET = parseCidr('10.0.1.0/24')
const LAST_SUBNET = parseCidr('10.255.255.0/24')
/**
 * A route wider than this means "all the rest", as 0.0.0.0/0 does, or its two halves 0.0.0.0/1 and
 * 128.0.0.0/1 that some VPNs set instead. It takes nothing.
 */
const TAKEN_PREFIX_MIN = 8

/** Subnets of its own that a node tells to the others: as many as its row holds. */
export const SUBNETS_TOLD_MAX = 32
export const REASON_LETTERS_MAX = 80

/** RFC 7348 section 5: 24 bits; 0 is not used. */
export const VNI_MAX = 0xffffff
/** Kept for the ingress network, as Docker Swarm does. */
export const VNI_INGRESS = 4096
export const INGRESS_NETWORK = 'ingress'
const INGRESS_SUBNET = '10.0.0.0/24'
const VNI_FIRST = 4097

/** Where no host can have an address: RFC 6890 section 2.2.2, RFC 5771. */
const UNUSABLE: readonly [cidr: string, what: string][] = [
  ['0.0.0.0/8', '"this network"'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
]

export function takenByRoute(destination: string, device: string | null): Taken {
  const reason = device === null ? `route ${destination}` : `route ${destination} dev ${device}`
  return { cidr: destination, reason }
}

/** @param cidr the address with its prefix length: "10.0.2.15/24" */
export function takenByAddress(cidr: string, device: string): Taken {
  return { cidr, reason: `address ${cidr} of ${device}` }
}

export function takenByNetwork(subnet: string, name: string): Taken {
  return { cidr: subnet, reason: `network ${name}` }
}

/**
 * The first free /24 from 10.0.1.0 to 10.255.255.0.
 * @returns  the subnet, and what was passed over before it: each a /24 that is taken, or the wider
 *           subnet that takes many of them at once
 * @throws   LimitError when all are taken
 */
export function chooseSubnet(taken: readonly Taken[]): ChosenSubnet {
  const obstacles = obstaclesOf(taken)
  const skipped: SkippedSubnet[] = []
  let candidate = FIRST_SUBNET
  while (candidate.network <= LAST_SUBNET.network) {
    const obstacle = obstacles.find(({ cidr }) => cidrsOverlap(cidr, candidate))
    if (obstacle === undefined) return { subnet: formatCidr(candidate), skipped }
    const wider = obstacle.cidr.prefix < candidate.prefix ? obstacle.cidr : candidate
    skipped.push({ subnet: formatCidr(wider), reason: obstacle.reason })
    if (wider.last >= LAST_SUBNET.last) break
    candidate = parseCidr(`${formatIpv4(wider.last + 1)}/${candidate.prefix}`)
  }
  const range = `${formatCidr(FIRST_SUBNET)} to ${formatCidr(LAST_SUBNET)}`
  const reason = skipped.at(-1)?.reason
  const text = `no subnet from ${range} is free, the last because of ${reason}`
  throw new LimitError(`${text}; name one with --subnet`, { reason })
}

/**
 * @param subnet what was asked for: "172.20.0.0/24"
 * @throws UsageError    when it is no subnet, too large or small, or of addresses that no host can
 * have
 * @throws ConflictError when it overlaps what is taken; the reason is told
 */
export function checkSubnet(subnet: string, taken: readonly Taken[]): void {
  const wanted = parseCidr(subnet)
  checkPoolSubnet(wanted)
  for (const [cidr, what] of UNUSABLE) {
    if (!cidrsOverlap(parseCidr(cidr), wanted)) continue
    throw new UsageError(`subnet ${subnet} overlaps ${cidr} (${what}), where no host can be`)
  }
  const obstacle = obstaclesOf(taken).find(({ cidr }) => cidrsOverlap(cidr, wanted))
  if (obstacle === undefined) return
  const { reason } = obstacle
  throw new ConflictError(`subnet ${subnet} overlaps ${reason}; choose another`, { subnet, reason })
}

/** Swarm's own for the ingress network, or where that is taken another one. */
export function chooseIngressSubnet(taken: readonly Taken[]): ChosenSubnet {
  const cidr = parseCidr(INGRESS_SUBNET)
  const obstacle = obstaclesOf(taken).find(one => cidrsOverlap(one.cidr, cidr))
  if (obstacle === undefined) return { subnet: INGRESS_SUBNET, skipped: [] }
  const { subnet, skipped } = chooseSubnet(taken)
  return { subnet, skipped: [{ subnet: INGRESS_SUBNET, reason: obstacle.reason }, ...skipped] }
}

/** The first free one from 4097 upwards. @throws LimitError when all are taken */
export function nextVni(taken: readonly number[]): number {
  const used = new Set(taken)
  for (let vni = VNI_FIRST; vni <= VNI_MAX; vni += 1) if (!used.has(vni)) return vni
  throw new LimitError(`no VNI from ${VNI_FIRST} upwards is free; name a lower one with --vni`)
}

/**
 * @throws UsageError    out of 1 to 16777215
 * @throws ConflictError kept for ingress, or of another network
 */
export function checkVni(
  vni: number, taken: readonly Readonly<{ vni: number; network: string }>[],
): void {
  if (!Number.isInteger(vni) || vni < 1 || vni > VNI_MAX) {
    throw new UsageError(`VNI ${vni} is not a number from 1 to ${VNI_MAX}`)
  }
  if (vni === VNI_INGRESS) {
    throw new ConflictError(`VNI ${vni} is kept for the ingress network; choose another`, { vni })
  }
  const other = taken.find(one => one.vni === vni)
  if (other === undefined) return
  const { network } = other
  const text = `VNI ${vni} belongs to network ${network}; choose another`
  throw new ConflictError(text, { vni, network })
}

/**
 * What one machine tells to others of what it has taken: the widest first, and none that lies in a
 * wider one.
 */
export function widestSubnets(taken: readonly Taken[]): Taken[] {
  const told: { cidr: Cidr; reason: string }[] = []
  for (const one of obstaclesOf(taken).sort((a, b) => a.cidr.prefix - b.cidr.prefix
    || a.cidr.network - b.cidr.network)) {
    if (!told.some(({ cidr }) => cidrsOverlap(cidr, one.cidr))) told.push(one)
  }
  return told.map(({ cidr, reason }) => ({ cidr: formatCidr(cidr),
    reason: reason.slice(0, REASON_LETTERS_MAX) }))
}

/** What really takes addresses, with its numbers. */
export function obstaclesOf(taken: readonly Taken[]): { cidr: Cidr; reason: string }[] {
  return taken
    .map(({ cidr, reason }) => ({ cidr: parseCidr(cidr), reason }))
    .filter(({ cidr }) => cidr.prefix >= TAKEN_PREFIX_MIN)
}
