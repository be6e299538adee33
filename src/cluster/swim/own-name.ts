// What is said about ourselves. Only we raise our incarnation: to refute what is wrong, to tell of
// other metadata, and to come back (memberlist's state.go, refute and aliveNode).
import type { AliveMessage } from '../../wire/memberlist/messages.ts'
import type { MeshAddress } from '../mesh-address.ts'
import { Allowance } from './allowance.ts'
import { claimOf, deathOf, isAtClaimed, isSameButIncarnation, type Accusation } from './claims.ts'
import { tellChange, type SwimContext } from './context.ts'
import { ACCUSED_INCARNATION_MAX, CLAIMED_INCARNATION_MAX } from './incarnations.ts'
import type { Post } from './post.ts'

/** Members that hear a goodbye from ourselves; the others hear it from them. */
const GOODBYES = 32
/** Who accuses us with an old incarnation is told the new one, at most so often per second. */
const ANSWERS_PER_SECOND = 50

export class OwnName {
  /** Told when our name is claimed for another address. */
  onElsewhere: (claim: AliveMessage) => void = () => {}
  /** Told when a goodbye has been passed on for long enough. */
  onGone: () => void = () => {}
  readonly #context: SwimContext
  readonly #post: Post
  readonly #answers = new Allowance(ANSWERS_PER_SECOND, 1000)

  constructor(context: SwimContext, post: Post) {
    this.#context = context
    this.#post = post
  }

  /** Somebody says that we are suspect, dead, or that we left. */
  accused(message: Accusation, from: MeshAddress | null): void {
    const { counters, phase, self } = this.#context
    if (phase !== 'member') return
    const isAbove = message.incarnation > ACCUSED_INCARNATION_MAX
    if (isAbove) counters.accusationsAboveLimit += 1
    if (!isAbove && message.incarnation >= self.incarnation) {
      return this.#refute(message.incarnation, from)
    }
    counters.accusationsStale += 1
    this.#answer(from)
  }

  /** Somebody says that we are alive, as somebody once said; perhaps we did, before a restart. */
  claimed(claim: AliveMessage, from: MeshAddress | null): void {
    const { counters, phase, self } = this.#context
    if (phase !== 'member') return
    if (claim.incarnation > CLAIMED_INCARNATION_MAX) return void (counters.aliveAboveLimit += 1)
    if (!isAtClaimed(self, claim)) return this.onElsewhere(claim)
    if (claim.incarnation < self.incarnation) return
    if (claim.incarnation === self.incarnation && isSameButIncarnation(self, claim)) return
    this.#refute(claim.incarnation, from)
  }

  /** Outdoes `incarnation`, and tells everybody. */
  outdo(incarnation: number): void {
    const { self } = this.#context
    self.incarnation = Math.max(self.incarnation, incarnation) + 1
    this.announce()
  }

  announce(): void {
    const { self } = this.#context
    this.#post.broadcast(self.name, claimOf(self))
  }

  setMeta(meta: Uint8Array): void {
    const { phase, self } = this.#context
    self.meta = meta
    self.incarnation += 1
    if (phase !== 'member') return
    this.announce()
    tellChange(this.#context, 'updated', self, 'we said so')
  }

  /** Says goodbye; we pass on what we hear for a while, so that it is heard too. */
  leave(): void {
    const { nowMs, self, timers, timings } = this.#context
    if (this.#context.phase === 'leaving' || this.#context.phase === 'gone') return
    const wasMember = this.#context.phase === 'member'
    this.#context.phase = 'leaving'
    if (wasMember) this.#sayGoodbye()
    timers.set('leave', nowMs + timings.leaveMs, () => {
      timers.clear()
      this.#context.phase = 'gone'
      this.#context.effects.push({ type: 'gone' })
      tellChange(this.#context, 'left', self, 'we said so')
      this.onGone()
    })
  }

  /** Another node has our name and had it before: we take back that it is ours. */
  stepBack(): void {
    this.#sayGoodbye()
    this.#context.queue.delete(this.#context.self.name)
  }

  /** A member again, after having left or waited. */
  comeBack(): void {
    const { self } = this.#context
    this.#context.phase = 'member'
    if (self.state === 'alive') return
    self.state = 'alive'
    self.stateSinceMs = this.#context.nowMs
    self.incarnation += 1
  }

  #sayGoodbye(): void {
    const { nowMs, self } = this.#context
    self.state = 'left'
    self.stateSinceMs = nowMs
    this.#post.broadcast(self.name, deathOf(self, self.name))
    this.#post.flush(GOODBYES)
  }

  #refute(incarnation: number, from: MeshAddress | null): void {
    const { awareness, counters } = this.#context
    counters.refutations += 1
    awareness.apply(1)
    this.outdo(incarnation)
    this.#answer(from)
  }

  #answer(from: MeshAddress | null): void {
    const { counters, nowMs, self } = this.#context
    if (from === null || !this.#answers.take(nowMs)) return
    counters.accusersAnswered += 1
    this.#post.sendAlone(from, [claimOf(self)])
  }
}
