// The addresses of one network as its leases and endpoints leave them: who has which, what is free,
// and where the order goes on. Made anew for each step, so that every allocator sees the same.
import { ConflictError, LimitError } from '../../base/errors.ts'
import { type Cidr, cidrHas, formatIpv4, parseIpv4 } from '../../base/text.ts'
import { AddressPool } from '../ipam.ts'
import type { Want } from './lease-wants.ts'
import type { LeaseRow } from './rows.ts'

export type Lease = LeaseRow & Readonly<{
  key: string
  /** milliseconds << 16 | counter */
  stamp: bigint
  /** Id of the node that wrote it. */
  writer: string
}>

export type AddressInUse = Readonly<{ address: string; node: string; stamp: bigint }>

/** Bits of the counter in a stamp. */
const COUNTER_BITS = 16n

export type LeaseSpaceParts = Readonly<{
  subnet: Cidr
  gateway: number
  leases: readonly Lease[]
  inUse: readonly AddressInUse[]
  share: ((address: number) => boolean) | null
  nowMs: number
  restMs: number
}>

export class LeaseSpace {
  readonly #parts: LeaseSpaceParts
  readonly #holders = new Map<string, string>()
  #pool: AddressPool | null = null
  #turn: number

  constructor(parts: LeaseSpaceParts) {
    this.#parts = parts
    this.#turn = newestOf(parts.leases)?.turn ?? 0
    for (const lease of parts.leases.filter(({ freed }) => !freed).sort(byAge)) {
      const { address } = lease
      if (this.#isHost(parseIpv4(address)) && !this.#holders.has(address)) {
        this.#holders.set(address, lease.key)
      }
    }
  }

  /** Of several the one whose lease was written first; undefined also where no host can be. */
  holderOf(address: string): string | undefined {
    return this.#holders.get(address)
  }

  /**
   * An address for a holder that has none: what it had before, what it named, or the next one.
   * @throws TapmeshError of a kind that says why there is none
   */
  give(want: Want, lease: Lease | undefined): LeaseRow {
    const value = this.#kept(lease) ?? this.#named(want, lease) ?? this.#next()
    this.#holders.set(value.address, want.key)
    return value
  }

  #kept(lease: Lease | undefined): LeaseRow | null {
    if (lease === undefined || !lease.freed || this.#holders.has(lease.address)) return null
    const { address, apart, turn } = lease
    if (!this.#isHost(parseIpv4(address))) return null
    const pool = this.#space()
    if (!pool.has(parseIpv4(address))) pool.claim(parseIpv4(address))
    return { address, apart, turn, freed: false }
  }

  #named({ named, node }: Want, lease: Lease | undefined): LeaseRow | null {
    if (named === null || lease !== undefined) return null
    const users = this.#parts.inUse.filter(({ address }) => address === named)
    // Where leases were lost, endpoints ask for what they have.
    const isOwn = users.length > 0 && users.every(user => user.node === node)
    if (!isOwn || this.#holders.has(named)) {
      this.#space().claim(parseIpv4(named))
      this.#checkShare(named)
    }
    return { address: named, apart: this.#parts.share !== null, turn: 0, freed: false }
  }

  /** The other half of a split may give it, too. */
  #checkShare(named: string): void {
    const { share } = this.#parts
    if (share === null || share(parseIpv4(named))) return
    throw new ConflictError(`address ${named} may not be given while a manager is missing: it `
      + 'belongs to those that the missing one gives; choose another, or see: tapmesh node ls',
    { address: named })
  }

  #next(): LeaseRow {
    const { nowMs, share } = this.#parts
    const pool = this.#space()
    let address: number
    try {
      address = pool.allocate(nowMs, share ?? undefined)
    } catch (error) {
      if (!(error instanceof LimitError) || share === null) throw error
      throw new LimitError(`${error.message}; and while a manager is missing, only a part of the `
        + 'others may be given', error.facts)
    }
    this.#turn += 1
    return { address: formatIpv4(address), apart: share !== null, turn: this.#turn, freed: false }
  }

  #space(): AddressPool {
    if (this.#pool !== null) return this.#pool
    const { gateway, inUse, leases, restMs, subnet } = this.#parts
    const taken = new Set([...this.#holders.keys(), ...inUse.map(({ address }) => address)]
      .map(parseIpv4).filter(address => this.#isHost(address)))
    const resting = leases.filter(lease => lease.freed)
      .map(lease => [parseIpv4(lease.address), restsUntilMs(lease, restMs)] as const)
      .filter(([address]) => this.#isHost(address))
    const state = { last: this.#last(), taken: [...taken], resting }
    this.#pool = new AddressPool(subnet, gateway, state, restMs)
    return this.#pool
  }

  /** The address that was given last in order. */
  #last(): number {
    const { inUse, leases, share, subnet } = this.#parts
    const newest = newestOf(leases)
    const last = newest ?? inUse.reduce<AddressInUse | null>((late, one) =>
      late === null || one.stamp > late.stamp ? one : late, null)
    const address = last === null ? subnet.network : parseIpv4(last.address)
    const place = cidrHas(subnet, address) ? address - subnet.network : 0
    // What the other side gave before it saw the split is just behind the last one that is known
    // here: so this side goes on half the subnet away.
    const isFirstApart = share !== null && newest?.apart !== true
    const size = subnet.last - subnet.network + 1
    return subnet.network + (isFirstApart ? (place + size / 2) % size : place)
  }

  #isHost(address: number): boolean {
    const { gateway, subnet } = this.#parts
    return address > subnet.network && address < subnet.last && address !== gateway
  }
}

/** The lease that was given last in order, freed or not. */
export function newestOf(leases: readonly Lease[]): Lease | null {
  let newest: Lease | null = null
  for (const lease of leases) {
    if (lease.turn > 0 && (newest === null || isLater(lease, newest))) newest = lease
  }
  return newest
}

/** Until when the address of a freed lease is not given to others, milliseconds since 1970. */
export function restsUntilMs(lease: Lease, restMs: number): number {
  return Number(lease.stamp >> COUNTER_BITS) + restMs
}

function isLater(a: Lease, b: Lease): boolean {
  return a.turn === b.turn ? byAge(a, b) > 0 : a.turn > b.turn
}

function byAge(a: Lease, b: Lease): number {
  if (a.stamp !== b.stamp) return a.stamp < b.stamp ? -1 : 1
  return (a.writer === b.writer ? a.key < b.key : a.writer < b.writer) ? -1 : 1
}
