// Two addresses for one name: a node that moved, or two nodes that must not have the same name.
// memberlist believes the first until it is dead. Here both are asked. If only the newer answers,
// it has moved; if both do, the one that was started later has to wait, and the first stays.
import type { AliveMessage } from '../../wire/memberlist/messages.ts'
import { formatMeshAddress, type MeshAddress } from '../mesh-address.ts'
import { addressOfClaim, claimOf, isAtClaimed } from './claims.ts'
import type { ConflictRole } from './events.ts'
import type { SwimContext } from './context.ts'
import { isGone, type Member } from './members.ts'
import type { Membership } from './membership.ts'
import type { OwnName } from './own-name.ts'
import { pingOf, type Pings } from './pings.ts'
import type { Post } from './post.ts'

/** Names that are asked about at the same time, or were a moment ago. */
export const CONTESTS_MAX = 64
/** Before the same name is asked about again. */
const REST_MS = 3000
/** Each is asked so often, evenly within the time for an answer. */
const QUESTIONS = 3
/** Silent so often in a row, the holder of our name is gone. */
const SILENCES_MAX = 2

export type BootOf = (meta: Uint8Array, incarnation: number) => number

export class Contests {
  /** Another node has our name: we are no member until `onFree`. */
  onWait: (holder: MeshAddress) => void = () => {}
  onFree: () => void = () => {}
  /** Names of contests that are open or were a moment ago, and what was claimed since. */
  readonly #contests = new Map<string, AliveMessage | null>()
  readonly #context: SwimContext
  readonly #post: Post
  readonly #pings: Pings
  readonly #own: OwnName
  readonly #membership: Membership
  readonly #bootOf: BootOf

  /** @param bootOf when the node with this metadata and incarnation was started; any unit */
  constructor(context: SwimContext, post: Post, pings: Pings, own: OwnName,
    membership: Membership, bootOf: BootOf) {
    this.#context = context
    this.#post = post
    this.#pings = pings
    this.#own = own
    this.#membership = membership
    this.#bootOf = bootOf
  }

  /** `claim` puts `held`, which is not gone, at another address. */
  open(claim: AliveMessage, held: Member): void {
    const { counters, nowMs } = this.#context
    if (!this.#begin(claim)) return
    counters.contests += 1
    let claimedAnswers = false
    this.#ask(claim.node, addressOfClaim(claim), () => { claimedAnswers = true })
    this.#ask(claim.node, held.address, () => { held.heardMs = this.#context.nowMs })
    this.#decideLater(claim.node, () => {
      if (!claimedAnswers || isAtClaimed(held, claim)) return
      if (isGone(held)) this.#membership.alive(claim, null)
      else if (held.heardMs > nowMs) this.#witness(claim, held)
      else if (claim.incarnation > held.incarnation) {
        counters.addressesMoved += 1
        this.#membership.accept(claim, held)
      }
    })
  }

  /** `claim` puts our own name at another address: ourselves before a restart, or another node. */
  openOwn(claim: AliveMessage): void {
    const { counters, self } = this.#context
    if (!this.#begin(claim)) return
    counters.contests += 1
    let isThere = false
    const there = addressOfClaim(claim)
    this.#ask(self.name, there, () => { isThere = true })
    this.#decideLater(self.name, () => {
      if (this.#context.phase !== 'member') return
      if (isThere) return this.#decideOwn(claim, there)
      this.#own.outdo(claim.incarnation)
    })
  }

  /** Is another node with our name alive? `then` says so; nobody is told that we asked. */
  look(claim: AliveMessage, then: (isFree: boolean) => void): void {
    const { self, nowMs, timers, timings } = this.#context
    let isFree = true
    const there = addressOfClaim(claim)
    this.#ask(self.name, there, () => { isFree = false })
    timers.set('look', nowMs + timings.contestMs, () => {
      if (!isFree) this.#wait(there)
      then(isFree)
    })
  }

  /** One contest for a name at a time; what is claimed meanwhile, or soon after, has to wait. */
  #begin(claim: AliveMessage): boolean {
    const { counters } = this.#context
    const waiting = this.#contests.get(claim.node)
    if (waiting === undefined && this.#contests.size >= CONTESTS_MAX) {
      counters.contestsFull += 1
      return false
    }
    this.#contests.set(claim.node, waiting === undefined ? null : claim)
    return waiting === undefined
  }

  #decideLater(name: string, decide: () => void): void {
    const { nowMs, timers, timings } = this.#context
    timers.set(`contest ${name}`, nowMs + timings.contestMs, () => {
      timers.set(`rest ${name}`, this.#context.nowMs + REST_MS, () => {
        const claim = this.#contests.get(name)
        this.#contests.delete(name)
        if (claim !== null && claim !== undefined) this.#membership.alive(claim, null)
      })
      decide()
    })
  }

  #ask(name: string, at: MeshAddress, onAck: () => void): void {
    const { nowMs, self, timers, timings } = this.#context
    const key = `ask ${name} ${formatMeshAddress(at)}`
    const number = this.#pings.open(timings.contestMs, {
      onAck: from => {
        timers.delete(key)
        if (from.host === at.host && from.port === at.port) onAck()
      },
    })
    const endMs = nowMs + timings.contestMs
    const ask = () => {
      this.#post.sendAlone(at, [pingOf(self, name, number)])
      const nextMs = this.#context.nowMs + timings.contestMs / QUESTIONS
      if (nextMs < endMs) timers.set(key, nextMs, ask)
    }
    ask()
  }

  /** Each of the two hears of the other, so that one of them waits. */
  #witness(claim: AliveMessage, held: Member): void {
    const there = addressOfClaim(claim)
    this.#conflict(claim.node, 'witness', held.address, there)
    this.#post.sendAlone(there, [claimOf(held)])
    this.#post.sendAlone(held.address, [claim])
  }

  #decideOwn(claim: AliveMessage, there: MeshAddress): void {
    const { self } = this.#context
    const ours = this.#bootOf(self.meta, self.incarnation)
    const theirs = this.#bootOf(claim.meta, claim.incarnation)
    const weAreNewer = ours > theirs || (ours === theirs
      && formatMeshAddress(self.address) > formatMeshAddress(there))
    if (!weAreNewer) {
      this.#conflict(self.name, 'holder', self.address, there)
      return this.#post.sendAlone(there, [claimOf(self)])
    }
    this.#own.stepBack()
    this.#wait(there)
  }

  /** Looks now and then whether the holder of our name is gone, and takes the name then. */
  #wait(there: MeshAddress): void {
    const { nowMs, self, timers, timings } = this.#context
    this.#context.phase = 'waiting'
    timers.clear()
    this.#contests.clear()
    this.#conflict(self.name, 'waiting', self.address, there)
    this.onWait(there)
    let silences = 0
    const look = () => {
      silences += 1
      if (silences > SILENCES_MAX) return this.#takeName()
      this.#ask(self.name, there, () => { silences = 0 })
      timers.set('wait', this.#context.nowMs + timings.waitMs, look)
    }
    timers.set('wait', nowMs + timings.waitMs, look)
  }

  #takeName(): void {
    this.#own.comeBack()
    this.onFree()
  }

  #conflict(name: string, role: ConflictRole, here: MeshAddress, there: MeshAddress): void {
    this.#context.counters.conflicts += 1
    this.#context.effects.push({ type: 'conflict', name, role, here, there })
  }
}
