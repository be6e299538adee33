// Whom a node knows, alive or not, itself among them: found by name and by address, picked at
// random, and walked in a shuffled ring for probes (memberlist's state.go, resetNodes).
import { assert } from '../../base/assert.ts'
import { pick, type Random32 } from '../../base/prng.ts'
import type { NodeState, ProtocolVersions } from '../../wire/memberlist/messages.ts'
import { formatMeshAddress, type MeshAddress } from '../mesh-address.ts'

/** Names kept, the dead and those who left included. */
export const MEMBERS_MAX = 4096

export type Member = {
  readonly name: string
  address: MeshAddress
  /** As its owner wrote them: Go takes 4 and 16 octets of one address for two addresses. */
  addressOctets: Uint8Array
  meta: Uint8Array
  versions: ProtocolVersions
  incarnation: number
  state: NodeState
  stateSinceMs: number
  /** When something last came from it itself; -Infinity for never. */
  heardMs: number
  /** Smoothed; null until it was measured. */
  roundTripMs: number | null
}
/** A member as others may see it: a copy that does not change any more. */
export type MemberView = Readonly<Member>

export function isGone(member: MemberView): boolean {
  return member.state === 'dead' || member.state === 'left'
}

export class MemberTable {
  readonly self: Member
  readonly #random: Random32
  readonly #max: number
  readonly #members = new Map<string, Member>()
  readonly #byAddress = new Map<string, Member>()
  #ring: string[] = []
  #at = 0

  constructor(self: Member, random: Random32, max = MEMBERS_MAX) {
    this.self = self
    this.#random = random
    this.#max = max
    this.#members.set(self.name, self)
    this.index(self)
  }

  get size(): number {
    return this.#members.size
  }

  get(name: string): Member | undefined {
    return this.#members.get(name)
  }

  at(address: MeshAddress): Member | undefined {
    return this.#byAddress.get(formatMeshAddress(address))
  }

  /** The one other member at this host that is not gone; undefined when there are several. */
  aloneAt(host: string): Member | undefined {
    const there = this.others(member => member.address.host === host && !isGone(member))
    return there.length === 1 ? there[0] : undefined
  }

  all(): Iterable<Member> {
    return this.#members.values()
  }

  others(accept: (member: Member) => boolean = () => true): Member[] {
    const found: Member[] = []
    for (const member of this.#members.values()) {
      if (member !== this.self && accept(member)) found.push(member)
    }
    return found
  }

  /** Is there any such member but ourselves? */
  has(accept: (member: Member) => boolean): boolean {
    for (const member of this.#members.values()) {
      if (member !== this.self && accept(member)) return true
    }
    return false
  }

  /** Takes its place at its address from whoever has it. */
  index(member: Member): void {
    this.#byAddress.set(formatMeshAddress(member.address), member)
  }

  unindex(member: Member): void {
    const key = formatMeshAddress(member.address)
    if (this.#byAddress.get(key) === member) this.#byAddress.delete(key)
  }

  get isFull(): boolean {
    return this.#members.size >= this.#max
  }

  /** There has to be room. */
  add(member: Member): void {
    assert(!this.isFull, 'room for a member')
    this.#members.set(member.name, member)
    // At a random place, as memberlist does: at the end, detection would be slow for all new ones.
    const place = pick(this.#random, this.#ring.length + 1)
    const moved = this.#ring[place]
    this.#ring[place] = member.name
    if (moved !== undefined) this.#ring.push(moved)
  }

  delete(member: Member): void {
    this.#members.delete(member.name)
    this.unindex(member)
  }

  /** Up to `count` others, each at most once. */
  pick(count: number, accept: (member: Member) => boolean): Member[] {
    const found = this.others(accept)
    const taken = Math.min(count, found.length)
    for (let i = 0; i < taken; i += 1) {
      const from = i + pick(this.#random, found.length - i)
      const chosen = found[from]!
      found[from] = found[i]!
      found[i] = chosen
    }
    return found.slice(0, taken)
  }

  /** The next of the ring that is not gone; the ring is shuffled whenever it has gone round. */
  nextToProbe(): Member | undefined {
    for (let looked = 0; looked <= this.#members.size; looked += 1) {
      if (this.#at >= this.#ring.length) this.#shuffle()
      const member = this.#members.get(this.#ring[this.#at] ?? '')
      this.#at += 1
      if (member !== undefined && member !== this.self && !isGone(member)) return member
    }
    return undefined
  }

  #shuffle(): void {
    this.#ring = this.pick(this.#members.size, member => !isGone(member)).map(({ name }) => name)
    this.#at = 0
  }

  /** Who left goes before who failed. */
  oldestGone(): Member | undefined {
    const rank = (member: Member) => member.state === 'left' ? 0 : 1
    return this.others(isGone)
      .sort((a, b) => rank(a) - rank(b) || a.stateSinceMs - b.stateSinceMs)[0]
  }
}
