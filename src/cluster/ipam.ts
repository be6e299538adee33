// Which addresses of a network's subnet are given to whom comes next. Serial, as Docker Swarm does
// it: the next free address after the last one given, from the start again at the end. So a freed
// address comes back as late as can be, and never before it has rested: its MAC follows from it
// (`macOfAddress`), and other hosts still send to the old place for a while.
import { ConflictError, LimitError, UsageError } from '../base/errors.ts'
import type { Cidr } from '../base/text.ts'
import { cidrHas, formatCidr, formatIpv4 } from '../base/text.ts'

/** How long a freed address is not given again. */
export const REST_MS = 60_000
/** Larger subnets are refused: they would overlap the routes of nearly every host. */
export const POOL_PREFIX_MIN = 8
/** Longer ones have no address left beside network, gateway and broadcast. */
export const POOL_PREFIX_MAX = 30
/** Addresses in use at one time. */
export const POOL_TAKEN_MAX = 65_536

/** What a restart needs to go on where it was; addresses are unsigned 32-bit numbers. */
export type PoolState = Readonly<{
  last: number
  taken: readonly number[]
  /** Freed addresses, and when their rest ends; those that rest no longer are free. */
  resting?: readonly (readonly [address: number, untilMs: number])[]
}>

export type PoolUsage = Readonly<{ used: number; resting: number; capacity: number }>

/** @throws UsageError when a network cannot live in this subnet */
export function checkPoolSubnet(subnet: Cidr): void {
  const text = formatCidr(subnet)
  if (subnet.address !== subnet.network) {
    const given = `${formatIpv4(subnet.address)}/${subnet.prefix}`
    throw new UsageError(`subnet ${given} does not begin at its first address; write ${text}`)
  }
  if (subnet.prefix < POOL_PREFIX_MIN || subnet.prefix > POOL_PREFIX_MAX) {
    const fault = subnet.prefix < POOL_PREFIX_MIN ? 'large' : 'small'
    const rule = `use a prefix length from ${POOL_PREFIX_MIN} to ${POOL_PREFIX_MAX}`
    throw new UsageError(`subnet ${text} is too ${fault}; ${rule}`)
  }
}

/** The addresses of one subnet. Times are those of one monotonic clock, in milliseconds. */
export class AddressPool {
  readonly subnet: Cidr
  readonly gateway: number
  readonly #text: string
  readonly #capacity: number
  /** Where the next search starts after; at first the network address itself. */
  #last: number
  readonly #taken = new Set<number>()
  /** Freed address -> end of its rest. */
  readonly #resting = new Map<number, number>()
  readonly #restMs: number

  /**
   * @param gateway never given to anybody; the first address when it is not said
   * @param state   what `state()` answered before a restart
   * @throws UsageError, ConflictError for a subnet, gateway or state that cannot be
   */
  constructor(subnet: Cidr, gateway: number = subnet.network + 1, state?: PoolState,
    restMs = REST_MS) {
    checkPoolSubnet(subnet)
    this.subnet = subnet
    this.gateway = gateway
    this.#restMs = restMs
    this.#text = formatCidr(subnet)
    // Network address, broadcast address and gateway.
    this.#capacity = Math.min(subnet.last - subnet.network + 1 - 3, POOL_TAKEN_MAX)
    this.#checkHost(gateway, 'gateway')
    this.#last = subnet.network
    if (state === undefined) return
    for (const address of state.taken) this.claim(address)
    if (!cidrHas(subnet, state.last)) throw this.#outside(state.last, 'last address')
    this.#last = state.last
    for (const [address, untilMs] of state.resting ?? []) {
      if (this.#isFree(address)) this.#resting.set(address, untilMs)
    }
  }

  /**
   * @param mayGive addresses that are not for others to give; all are ours when it is not said
   * @throws LimitError when none is free
   */
  allocate(nowMs: number, mayGive?: (address: number) => boolean): number {
    this.#wake(nowMs)
    const usage = this.usage()
    const { used, resting, capacity } = usage
    if (used + resting >= capacity) throw this.#full(usage)
    let address = this.#last
    for (let hosts = this.subnet.last - this.subnet.network - 1; hosts > 0; hosts -= 1) {
      address = this.#after(address)
      if (!this.#isFree(address) || mayGive?.(address) === false) continue
      this.#taken.add(address)
      this.#last = address
      return address
    }
    throw this.#full(usage)
  }

  /**
   * Take a particular address. It may be resting: who names it wants it. The serial order goes on
   * from where it was.
   * @throws UsageError     outside the subnet; the network, broadcast or gateway address
   * @throws ConflictError  taken
   * @throws LimitError     the pool has given all that it may
   */
  claim(address: number): void {
    this.#checkHost(address, 'address')
    const text = formatIpv4(address)
    if (address === this.gateway) {
      throw new UsageError(`address ${text} is the gateway of ${this.#text}; choose another`)
    }
    if (this.#taken.has(address)) {
      const hint = 'choose another, or name none and get a free one'
      throw new ConflictError(`address ${text} is taken; ${hint}`, { address: text })
    }
    if (this.#taken.size >= POOL_TAKEN_MAX) {
      throw new LimitError(`${this.#text} has its ${POOL_TAKEN_MAX} addresses in use`)
    }
    this.#resting.delete(address)
    this.#taken.add(address)
  }

  /** Give an address back; it rests then. One that is not taken is left as it is. */
  release(address: number, nowMs: number): void {
    this.#wake(nowMs)
    if (this.#taken.delete(address)) this.#resting.set(address, nowMs + this.#restMs)
  }

  has(address: number): boolean {
    return this.#taken.has(address)
  }

  usage(): PoolUsage {
    return { used: this.#taken.size, resting: this.#resting.size, capacity: this.#capacity }
  }

  /** For the constructor after a restart. Rests are not in it: the serial order does as well. */
  state(): PoolState {
    return { last: this.#last, taken: [...this.#taken].sort((a, b) => a - b) }
  }

  #wake(nowMs: number): void {
    for (const [address, untilMs] of this.#resting) {
      if (untilMs <= nowMs) this.#resting.delete(address)
    }
  }

  #full(usage: PoolUsage): LimitError {
    const { used, resting, capacity } = usage
    const rest = `${resting} rest for ${this.#restMs / 1000} s after their use`
    return new LimitError(`no address of ${this.#text} is free: of ${capacity}, ${used} are used `
      + `and ${rest}`, usage)
  }

  #isFree(address: number): boolean {
    return address !== this.gateway && !this.#taken.has(address) && !this.#resting.has(address)
  }

  #after(address: number): number {
    const next = address + 1
    return next >= this.subnet.last ? this.subnet.network + 1 : next
  }

  #checkHost(address: number, what: string): void {
    if (!cidrHas(this.subnet, address)) throw this.#outside(address, what)
    const { network, last } = this.subnet
    if (address !== network && address !== last) return
    const kind = address === network ? 'network' : 'broadcast'
    const text = `${what} ${formatIpv4(address)} is the ${kind} address of ${this.#text}`
    throw new UsageError(`${text}; choose another`)
  }

  #outside(address: number, what: string): UsageError {
    const { network, last } = this.subnet
    const range = `${formatIpv4(network + 1)} to ${formatIpv4(last - 1)}`
    return new UsageError(`${what} ${formatIpv4(address)} is not in ${this.#text}; use ${range}`)
  }
}
