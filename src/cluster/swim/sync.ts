// Whole states over streams: to become a member, now and then with somebody to find what gossip
// missed (memberlist's state.go, pushPull), and to find those again who were thought dead. The
// last is what memberlist leaves to others; without it a cluster that was cut in two for longer
// than it gossips to the dead stays cut.
import { pick } from '../../base/prng.ts'
import type { PushPullMessage, StreamMessage } from '../../wire/memberlist/messages.ts'
import type { MeshAddress } from '../mesh-address.ts'
import { addressOf, sameAddress } from './addresses.ts'
import { claimOfPushed, pushedNode } from './claims.ts'
import type { Contests } from './contests.ts'
import { countMembers, type SwimContext } from './context.ts'
import type { Exchanges } from './exchanges.ts'
import { pushPullIntervalMs } from './formulas.ts'
import { isGone, type Member } from './members.ts'
import type { Membership } from './membership.ts'
import type { OwnName } from './own-name.ts'
import { protocolMismatch } from './protocol.ts'

/** Addresses kept as seeds, and called at the same time. */
export const SEEDS_MAX = 64
export const SEEDS_AT_ONCE = 5
/** After a failed join the seeds are called again, first after this, then after twice as long. */
const FIRST_SEED_RETRY_MS = 1000

export class Sync {
  readonly #context: SwimContext
  readonly #exchanges: Exchanges
  readonly #membership: Membership
  readonly #own: OwnName
  readonly #contests: Contests
  #seeds: readonly MeshAddress[] = []
  #retryMs = FIRST_SEED_RETRY_MS
  /** Somebody with our name may be alive; we say nothing of ourselves until we know. */
  #isLooking = false

  constructor(context: SwimContext, exchanges: Exchanges, membership: Membership, own: OwnName,
    contests: Contests) {
    this.#context = context
    this.#exchanges = exchanges
    this.#membership = membership
    this.#own = own
    this.#contests = contests
  }

  start(): void {
    const { nowMs, random, timers, timings } = this.#context
    this.#isLooking = false
    const pushPullMs = nowMs + pick(random, Math.max(1, timings.pushPullIntervalMs))
    timers.set('push-pull', pushPullMs, () => this.#pushPull())
    const reconnectMs = nowMs + pick(random, Math.max(1, timings.reconnectIntervalMs))
    timers.set('reconnect', reconnectMs, () => this.#reconnect())
    if (this.#seeds.length > 0) this.#callLater()
  }

  join(seeds: readonly MeshAddress[]): void {
    this.setSeeds(seeds)
    this.rejoin()
  }

  rejoin(): void {
    this.#retryMs = FIRST_SEED_RETRY_MS
    for (const seed of this.#seeds.slice(0, SEEDS_AT_ONCE)) this.#call(seed)
    if (this.#seeds.length > 0) this.#callLater()
  }

  setSeeds(seeds: readonly MeshAddress[]): void {
    const { self } = this.#context
    this.#seeds = seeds.filter(seed => !sameAddress(seed, self.address)).slice(0, SEEDS_MAX)
  }

  addSeed(seed: MeshAddress): void {
    if (!this.#seeds.some(known => sameAddress(known, seed))) this.setSeeds([seed, ...this.#seeds])
  }

  /** Somebody who was dead speaks: both sides have to know what the other knows, soon. */
  heardFromTheDead(member: Member): void {
    const { nowMs, timers, timings } = this.#context
    const key = `return ${member.name}`
    if (timers.has(key)) return
    timers.set(key, nowMs + timings.reconnectIntervalMs, () => {})
    this.#callAgain(member)
  }

  /** Somebody sends its state and wants ours. What it told us is in ours already. */
  answer(request: PushPullMessage): StreamMessage {
    const { counters } = this.#context
    const mismatch = this.#merge(request)
    if (mismatch !== null) return { type: 'error', text: mismatch }
    counters.pushPullsAnswered += 1
    return this.#state(false)
  }

  #state(join: boolean): PushPullMessage {
    const nodes = [...this.#context.members.all()].map(pushedNode)
    return { type: 'push-pull', join, nodes, userState: new Uint8Array(0) }
  }

  /** Null, or why nothing was taken. */
  #merge(state: PushPullMessage): string | null {
    const { counters, members } = this.#context
    const mismatch = protocolMismatch([
      ...state.nodes.map(node => ({ ...node, name: node.node })), ...members.all(),
    ])
    if (mismatch !== null) {
      counters.protocolMismatches += 1
      return mismatch
    }
    if (state.userState.length > 0) counters.userStatesIgnored += 1
    this.#membership.merge(state.nodes)
    return null
  }

  #exchange(to: MeshAddress, join: boolean, timeoutMs: number,
    done: (failure: string | null) => void): void {
    const { counters } = this.#context
    counters.pushPulls += 1
    this.#exchanges.start(to, this.#state(join), timeoutMs, (answer, reason) => {
      if (this.#context.phase !== 'member') return
      const failure = answer?.type === 'push-pull' ? this.#merge(answer) : failureOf(answer, reason)
      if (failure !== null) counters.pushPullsFailed += 1
      done(failure)
    })
  }

  #pushPull(): void {
    const { members, nowMs, timers, timings } = this.#context
    const intervalMs = pushPullIntervalMs(timings, countMembers(this.#context))
    timers.set('push-pull', nowMs + intervalMs, () => this.#pushPull())
    const [member] = members.pick(1, other => other.state === 'alive')
    if (member === undefined) return
    this.#exchange(member.address, false, timings.streamTimeoutMs, () => {})
  }

  /** All members together call one dead member about once per interval. */
  #reconnect(): void {
    const { members, nowMs, random, timers, timings } = this.#context
    timers.set('reconnect', nowMs + timings.reconnectIntervalMs, () => this.#reconnect())
    const dead = members.others(member => member.state === 'dead')
    if (dead.length === 0) return
    const alive = 1 + members.others(member => !isGone(member)).length
    if (pick(random, alive) >= dead.length) return
    this.#callAgain(dead[pick(random, dead.length)]!)
  }

  #callAgain(member: Member): void {
    const { counters, timings } = this.#context
    counters.reconnects += 1
    this.#exchange(member.address, true, timings.reconnectTimeoutMs, () => {})
  }

  #callLater(): void {
    const { nowMs, timers, timings } = this.#context
    const isAlone = this.#isAlone()
    const delayMs = isAlone ? this.#retryMs : timings.foreignSeedIntervalMs
    this.#retryMs = Math.min(this.#retryMs * 2, timings.seedIntervalMs)
    timers.set('seeds', nowMs + delayMs, () => this.#callSeeds())
  }

  /** Who is alone calls several; who is not, one that is no member: another part may be there. */
  #callSeeds(): void {
    const { members, random } = this.#context
    this.#callLater()
    const isAlone = this.#isAlone()
    if (!isAlone) this.#retryMs = FIRST_SEED_RETRY_MS
    const strangers = this.#seeds.filter(seed => {
      const member = members.at(seed)
      return member === undefined || isGone(member)
    })
    const first = pick(random, Math.max(1, strangers.length))
    const seeds = [...strangers.slice(first), ...strangers.slice(0, first)]
    for (const seed of seeds.slice(0, isAlone ? SEEDS_AT_ONCE : 1)) this.#call(seed)
  }

  #isAlone(): boolean {
    return !this.#context.members.has(member => !isGone(member))
  }

  /** Becomes a member by `seed`. Who knows nobody looks first whether its name is free there. */
  #call(seed: MeshAddress): void {
    const { counters, timings } = this.#context
    if (this.#isLooking) return
    counters.seedCalls += 1
    if (!this.#isAlone()) return this.#joinBy(seed)
    const nothing: PushPullMessage = {
      type: 'push-pull', join: true, nodes: [], userState: new Uint8Array(0),
    }
    this.#exchanges.start(seed, nothing, timings.streamTimeoutMs, (answer, reason) => {
      if (this.#context.phase !== 'member' || this.#isLooking) return
      if (answer?.type === 'push-pull') return this.#look(seed, answer)
      this.#failed(seed, failureOf(answer, reason))
    })
  }

  #look(seed: MeshAddress, answer: PushPullMessage): void {
    const { self } = this.#context
    const namesake = answer.nodes.find(node => node.node === self.name
      && (node.state === 'alive' || node.state === 'suspect')
      && !sameAddress(addressOf(node.address, node.port), self.address))
    if (namesake === undefined) return this.#joinBy(seed)
    this.#isLooking = true
    this.#contests.look(claimOfPushed(namesake), isFree => {
      this.#isLooking = false
      if (!isFree) return
      self.incarnation = Math.max(self.incarnation, namesake.incarnation + 1)
      this.#joinBy(seed)
    })
  }

  #joinBy(seed: MeshAddress): void {
    const { members, timings } = this.#context
    this.#exchange(seed, true, timings.streamTimeoutMs, failure => {
      if (failure !== null) return this.#failed(seed, failure)
      this.#own.announce()
      this.#context.effects.push({ type: 'joined', by: seed, members: members.size })
    })
  }

  #failed(seed: MeshAddress, reason: string): void {
    this.#context.effects.push({ type: 'join-failed', by: seed, reason })
  }
}

function failureOf(answer: StreamMessage | null, reason: string): string {
  if (answer === null) return reason
  return answer.type === 'error' ? `it says: ${answer.text}` : `it answered with ${answer.type}`
}
