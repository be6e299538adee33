// Which addresses of a network belong to whom. Its allocator (lease-share.ts) takes this step over
// what all nodes know whenever that changes: it gives addresses in order, frees those that nobody
// wants any more, and when two holders have one, after a split, moves the later of them.
import { TapmeshError } from '../../base/errors.ts'
import { parseCidr, parseIpv4 } from '../../base/text.ts'
import { REST_MS } from '../ipam.ts'
import { type AddressInUse, type Lease, LeaseSpace, newestOf, restsUntilMs } from './lease-space.ts'
import type { Want } from './lease-wants.ts'
import type { LeaseRow } from './rows.ts'

/** A lease that nobody wants is freed after this: the row of who does may be on its way. */
export const FREE_DELAY_MS = 1000

export type LeaseFacts = Readonly<{
  /** null: it was removed, and all its leases go */
  network: Readonly<{ subnet: string; gateway: string }> | null
  /** In the order in which they get addresses. */
  wants: readonly Want[]
  leases: readonly Lease[]
  /** What endpoints have, those of nodes that are away among them. */
  inUse: readonly AddressInUse[]
  /** null: all managers are here. Else which addresses may be given: shareOf(). */
  share: ((address: number) => boolean) | null
}>

export type LeaseWrite = Readonly<{ key: string; value: LeaseRow | null }>
export type LeaseMove = Readonly<{ key: string; before: string; address: string }>

export type LeaseStep = Readonly<{
  writes: readonly LeaseWrite[]
  /** Holders that had the address of an earlier one, and have another now. */
  moved: readonly LeaseMove[]
  /** Holders that are to have an address and have none: by key, each with the reason. */
  lacks: ReadonlyMap<string, string>
  /** Since when nobody wants a lease, by key: to be handed in at the next step. */
  unwanted: ReadonlyMap<string, number>
  /** When time alone makes another step necessary; Infinity: never. */
  nextMs: number
}>

/** @param nowMs milliseconds since 1970, of the clock that the stamps are of */
export function leaseStep(facts: LeaseFacts, unwanted: ReadonlyMap<string, number>, nowMs: number,
  restMs = REST_MS): LeaseStep {
  const freeing = free(facts, unwanted, nowMs, restMs)
  if (facts.network === null) return { ...freeing, moved: [], lacks: new Map() }
  const giving = give(facts, facts.network, nowMs, restMs)
  return { ...freeing, ...giving, writes: [...freeing.writes, ...giving.writes] }
}

/** Whether a lease is there for its holder to use. */
export function isHeld<T extends LeaseRow>(lease: T | undefined): lease is T {
  return lease !== undefined && !lease.freed
}

function free({ leases, network, wants }: LeaseFacts, unwanted: ReadonlyMap<string, number>,
  nowMs: number, restMs: number): Pick<LeaseStep, 'writes' | 'unwanted' | 'nextMs'> {
  const wanted = new Set(wants.map(want => want.key))
  // It stays for as long as nothing else says where the order goes on.
  const newest = network === null ? null : newestOf(leases)
  const writes: LeaseWrite[] = []
  const still = new Map<string, number>()
  let nextMs = Infinity
  for (const lease of leases) {
    const { key } = lease
    if (lease.freed) {
      const untilMs = restsUntilMs(lease, restMs)
      if (untilMs > nowMs) nextMs = Math.min(nextMs, untilMs)
      else if (lease !== newest && !wanted.has(key)) writes.push({ key, value: null })
    } else if (!wanted.has(key)) {
      const sinceMs = Math.min(unwanted.get(key) ?? nowMs, nowMs)
      if (sinceMs + FREE_DELAY_MS > nowMs) {
        still.set(key, sinceMs)
        nextMs = Math.min(nextMs, sinceMs + FREE_DELAY_MS)
      } else {
        const { address, apart, turn } = lease
        const value = network === null ? null : { address, apart, turn, freed: true }
        writes.push({ key, value })
      }
    }
  }
  return { writes, unwanted: still, nextMs }
}

function give(facts: LeaseFacts, network: NonNullable<LeaseFacts['network']>, nowMs: number,
  restMs: number): Pick<LeaseStep, 'moved' | 'lacks'> & { writes: LeaseWrite[] } {
  const { inUse, leases, share, wants } = facts
  const writes: LeaseWrite[] = []
  const moved: LeaseMove[] = []
  const lacks = new Map<string, string>()
  const byKey = new Map(leases.map(lease => [lease.key, lease]))
  const space = new LeaseSpace({ subnet: parseCidr(network.subnet),
    gateway: parseIpv4(network.gateway), leases, inUse, share, nowMs, restMs })
  for (const want of wants) {
    const { key } = want
    const lease = byKey.get(key)
    if (isHeld(lease) ? space.holderOf(lease.address) === key : want.isAway) continue
    try {
      const value = space.give(want, lease)
      writes.push({ key, value })
      if (isHeld(lease)) moved.push({ key, before: lease.address, address: value.address })
    } catch (error) {
      if (!(error instanceof TapmeshError)) throw error
      lacks.set(key, error.message)
    }
  }
  return { writes, moved, lacks }
}
