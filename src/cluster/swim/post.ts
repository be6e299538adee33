// What leaves in datagrams: single messages, with news on top where there is room (net.go,
// sendMsg), and news by itself, every tick and at once (state.go, gossip).
import { encodeMessage } from '../../wire/memberlist/encode.ts'
import type { PacketMessage } from '../../wire/memberlist/messages.ts'
import type { MeshAddress } from '../mesh-address.ts'
import { countMembers, type SwimContext } from './context.ts'
import { retransmitLimit } from './formulas.ts'
import { isGone, type Member } from './members.ts'

/** Around several messages, and around each of them (net.go, compoundMsg). */
const COMPOUND_OCTETS = 2
const COMPOUND_PART_OCTETS = 2
/** News that was told to fewer than so many times the eager ones is told again sooner. */
const YOUNG_ROUNDS = 3
/** Since this protocol a checksum is understood. */
const CHECKSUM_PROTOCOL = 5

export class Post {
  readonly #context: SwimContext
  readonly #packetOctetsMax: number
  #lastEagerMs = -Infinity

  /** @param packetOctetsMax room for messages in one datagram, sealing taken off */
  constructor(context: SwimContext, packetOctetsMax: number) {
    this.#context = context
    this.#packetOctetsMax = packetOctetsMax
  }

  /** One message and what else fits. */
  send(to: MeshAddress, message: PacketMessage): void {
    const octets = encodeMessage(message)
    const used = COMPOUND_OCTETS + COMPOUND_PART_OCTETS + octets.length
    const news = this.#take(this.#packetOctetsMax - used)
    this.#packet(to, [octets, ...news], false)
  }

  /** These messages and nothing else. */
  sendAlone(to: MeshAddress, messages: readonly PacketMessage[], member?: Member): void {
    const isChecked = (member?.versions.protocolMax ?? 0) >= CHECKSUM_PROTOCOL
    this.#packet(to, messages.map(encodeMessage), isChecked)
  }

  /** Tells everybody, in the end: a few at once, the rest by gossip. */
  broadcast(subject: string, message: PacketMessage): void {
    this.#context.queue.put(subject, encodeMessage(message))
  }

  /** After each step: what is new leaves now, or as soon as the last eager packets are old. */
  settle(): void {
    const { members, nowMs, queue, timers, timings } = this.#context
    if (queue.size === 0) return
    const isYoung = queue.hasBelow(YOUNG_ROUNDS * timings.eagerNodes)
    const gossipMs = nowMs + (isYoung ? timings.youngGossipIntervalMs : timings.gossipIntervalMs)
    if (timers.atMs('gossip') > gossipMs && members.has(member => this.#isTold(member))) {
      timers.set('gossip', gossipMs, () => this.#gossip())
    }
    if (!queue.hasBelow(1) || !members.has(member => !isGone(member))) return
    const dueMs = this.#lastEagerMs + timings.eagerIntervalMs
    if (dueMs <= nowMs) this.#eager()
    if (queue.hasBelow(1) && !timers.has('eager')) {
      timers.set('eager', Math.max(dueMs, nowMs + timings.eagerIntervalMs), () => this.#eager())
    }
  }

  /** Tells up to `count` members all that fits: for a goodbye. */
  flush(count: number): void {
    const { members, counters } = this.#context
    const parts = this.#take(this.#packetOctetsMax - COMPOUND_OCTETS)
    if (parts.length === 0) return
    for (const member of members.pick(count, candidate => !isGone(candidate))) {
      counters.eagerPackets += 1
      this.#packet(member.address, parts, isChecked(member))
    }
  }

  #gossip(): void {
    const { counters, members, timings } = this.#context
    for (const member of members.pick(timings.gossipNodes, other => this.#isTold(other))) {
      const parts = this.#take(this.#packetOctetsMax - COMPOUND_OCTETS)
      if (parts.length === 0) return
      counters.gossipPackets += 1
      this.#packet(member.address, parts, isChecked(member))
    }
  }

  /** Those that died a short time ago too: they may be alive and then say so. */
  #isTold(member: Member): boolean {
    const { nowMs, timings } = this.#context
    if (member.state === 'left') return false
    return member.state !== 'dead' || nowMs - member.stateSinceMs <= timings.gossipToTheDeadMs
  }

  #eager(): void {
    const { counters, members, nowMs, timings } = this.#context
    const targets = members.pick(timings.eagerNodes, member => !isGone(member))
    if (targets.length === 0) return
    this.#lastEagerMs = nowMs
    const budget = this.#packetOctetsMax - COMPOUND_OCTETS
    const parts = this.#take(budget, targets.length, true)
    if (parts.length === 0) return
    for (const member of targets) {
      counters.eagerPackets += 1
      this.#packet(member.address, parts, isChecked(member))
    }
  }

  #take(budgetOctets: number, copies = 1, isFreshOnly = false): Uint8Array[] {
    const limit = retransmitLimit(this.#context.timings, countMembers(this.#context))
    const { queue } = this.#context
    return queue.take(budgetOctets, COMPOUND_PART_OCTETS, limit, copies, isFreshOnly)
  }

  #packet(to: MeshAddress, parts: readonly Uint8Array[], checksum: boolean): void {
    this.#context.effects.push({ type: 'send', to, parts, checksum })
  }
}

function isChecked(member: Member): boolean {
  return member.versions.protocolMax >= CHECKSUM_PROTOCOL
}
