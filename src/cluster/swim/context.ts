// What the parts of the membership machine share: who we are, what time it is, what was counted,
// and what has to be done.
import type { Random32 } from '../../base/prng.ts'
import type { Awareness } from './awareness.ts'
import type { MemberChange, SwimEffect } from './events.ts'
import type { GossipQueue } from './gossip-queue.ts'
import { isGone, type Member, type MemberTable } from './members.ts'
import type { Timers } from './timers.ts'
import type { SwimTimings } from './timings.ts'

export const SWIM_COUNTERS = [
  'probes', 'probesFailed', 'probesOnlyByStream', 'indirectProbes', 'pingsForOthers', 'acksUnknown',
  'relays', 'pingsFull', 'gossipPackets', 'eagerPackets', 'exchangesFull', 'stalls',
  'suspicions', 'confirmations', 'refutations', 'deaths', 'deathsDoubted', 'departures',
  'aliveStale', 'aliveBadVersions', 'aliveAboveLimit', 'accusationsStale', 'accusationsUnknown',
  'accusationsAboveLimit', 'accusersAnswered', 'accusersUnknown',
  'membersFull', 'membersForgotten', 'contests', 'contestsFull', 'conflicts', 'addressesMoved',
  'pushPulls', 'pushPullsFailed', 'pushPullsAnswered', 'protocolMismatches', 'reconnects',
  'seedCalls', 'userStatesIgnored', 'messagesIgnored',
] as const
export type SwimCounter = (typeof SWIM_COUNTERS)[number]
export type SwimCounters = Record<SwimCounter, number>

export function zeroCounters<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map(name => [name, 0])) as Record<Name, number>
}

/**
 * - member: takes part
 * - waiting: another live node has our name
 * - leaving: has said goodbye and still passes it on
 * - gone: says nothing any more
 */
export type SelfPhase = 'member' | 'waiting' | 'leaving' | 'gone'

export type SwimContext = {
  nowMs: number
  phase: SelfPhase
  readonly timings: SwimTimings
  readonly random: Random32
  readonly counters: SwimCounters
  readonly members: MemberTable
  readonly self: Member
  readonly awareness: Awareness
  readonly queue: GossipQueue
  readonly timers: Timers
  effects: SwimEffect[]
}

/** Members as memberlist counts them: those gone for long are none. */
export function countMembers({ members, nowMs, timings }: SwimContext): number {
  let count = 0
  for (const member of members.all()) {
    if (!isGone(member) || nowMs - member.stateSinceMs <= timings.gossipToTheDeadMs) count += 1
  }
  return count
}

export function tellChange(context: SwimContext, change: MemberChange, member: Member,
  reason: string): void {
  context.effects.push({ type: 'member', change, member: Object.freeze({ ...member }), reason })
}
