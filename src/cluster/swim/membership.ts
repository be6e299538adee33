// Which word about another node wins: memberlist's state.go (aliveNode, suspectNode, deadNode,
// mergeState). Beyond it: who is accused is told so at once, and can refute within a round trip;
// who was heard a moment ago is not dead because somebody says so; who left stays known, so that
// old news does not bring it back.
import type { AliveMessage, DeadMessage, PushedNode, SuspectMessage }
  from '../../wire/memberlist/messages.ts'
import type { MeshAddress } from '../mesh-address.ts'
import { sameAddress } from './addresses.ts'
import { Allowance } from './allowance.ts'
import {
  addressOfClaim, areVersionsSound, claimOf, claimOfPushed, deathOf, isAtClaimed,
  isSameButIncarnation,
} from './claims.ts'
import { tellChange, type SwimContext } from './context.ts'
import { ACCUSED_INCARNATION_MAX, CLAIMED_INCARNATION_MAX } from './incarnations.ts'
import { isGone, type Member } from './members.ts'
import type { OwnName } from './own-name.ts'
import type { Post } from './post.ts'
import { Suspicions } from './suspicions.ts'

/** Nodes that come with old news are told what is newer, at most so often. */
const ANSWERS_PER_SECOND = 50

export class Membership {
  /** Told when a member that is not gone is claimed to be at another address. */
  onElsewhere: (claim: AliveMessage, held: Member) => void = () => {}
  readonly #context: SwimContext
  readonly #post: Post
  readonly #own: OwnName
  readonly #suspicions: Suspicions
  readonly #answers = new Allowance(ANSWERS_PER_SECOND, 1000)

  constructor(context: SwimContext, post: Post, own: OwnName) {
    this.#context = context
    this.#post = post
    this.#own = own
    this.#suspicions = new Suspicions(context)
  }

  /** @param from where the datagram came from; null for what was learnt in a stream */
  alive(claim: AliveMessage, from: MeshAddress | null): void {
    const { counters, members, self } = this.#context
    if (claim.node === self.name) return this.#own.claimed(claim, from)
    if (!areVersionsSound(claim.versions)) return void (counters.aliveBadVersions += 1)
    if (claim.incarnation > CLAIMED_INCARNATION_MAX) return void (counters.aliveAboveLimit += 1)
    const known = members.get(claim.node)
    if (known === undefined) return this.#meet(claim)
    if (!isAtClaimed(known, claim) && !isGone(known)) return this.onElsewhere(claim, known)
    if (claim.incarnation <= known.incarnation) return this.#outdated(claim, known)
    this.accept(claim, known)
  }

  suspect(message: SuspectMessage, from: MeshAddress | null): void {
    const { counters, members, self } = this.#context
    if (message.node === self.name) return this.#own.accused(message, from)
    const known = this.#accused(message, from)
    if (known === undefined) return
    if (known.state === 'alive') return this.#suspectNow(known, message)
    if (known.state !== 'suspect') return this.#enlighten(from, known)
    // Names cost nothing: only members can confirm.
    if (members.get(message.from) === undefined) return void (counters.accusersUnknown += 1)
    if (!this.#suspicions.confirm(known.name, message.from)) return
    counters.confirmations += 1
    this.#post.broadcast(known.name, message)
  }

  dead(message: DeadMessage, from: MeshAddress | null): void {
    const { counters, self } = this.#context
    if (message.node === self.name) return this.#own.accused(message, from)
    const known = this.#accused(message, from)
    if (known === undefined) return
    const hasLeft = message.from === message.node
    if (isGone(known)) {
      if (known.state === 'dead' && hasLeft) this.#bury(known, message, from, 'it said so')
    } else if (!hasLeft && this.#isHeard(known)) {
      counters.deathsDoubted += 1
      this.suspect({ ...message, type: 'suspect' }, from)
    } else {
      this.#bury(known, message, from, hasLeft ? 'it said so' : `${message.from} said so`)
    }
  }

  /** What another node knows of everybody. */
  merge(nodes: readonly PushedNode[]): void {
    const { self } = this.#context
    for (const node of nodes) {
      const { incarnation, node: name } = node
      if (node.state === 'alive') this.alive(claimOfPushed(node), null)
      else if (node.state === 'left') {
        this.dead({ type: 'dead', incarnation, node: name, from: name }, null)
      } else {
        this.#heardSuspected({ type: 'suspect', incarnation, node: name, from: self.name })
      }
    }
  }

  /** Takes the claim as it is; whoever calls has compared. */
  accept(claim: AliveMessage, known: Member): void {
    const { members, nowMs } = this.#context
    this.#suspicions.end(known.name)
    const before = known.state
    const isChanged = !isAtClaimed(known, claim) || !isSameButIncarnation(known, claim)
    members.unindex(known)
    known.address = addressOfClaim(claim)
    known.addressOctets = claim.address
    known.meta = claim.meta
    known.versions = claim.versions
    known.incarnation = claim.incarnation
    members.index(known)
    if (before !== 'alive') {
      known.state = 'alive'
      known.stateSinceMs = nowMs
    }
    this.#post.broadcast(known.name, claimOf(known))
    if (before === 'dead' || before === 'left') return this.#tell('joined', known, 'it said so')
    if (before === 'suspect') this.#tell('recovered', known, 'it said so')
    if (isChanged) this.#tell('updated', known, 'it said so')
  }

  /** Drops a member that is gone. */
  forget(known: Member, reason: string): void {
    const { counters, members, queue } = this.#context
    members.delete(known)
    queue.delete(known.name)
    counters.membersForgotten += 1
    this.#tell('forgotten', known, reason)
  }

  /** We are no member any more, so nobody is to us. */
  forgetAll(reason: string): void {
    for (const member of this.#context.members.others()) {
      this.#suspicions.end(member.name)
      this.forget(member, reason)
    }
  }

  /** Time stood still for so long. */
  shift(byMs: number): void {
    this.#suspicions.shift(byMs)
  }

  /** Those who left long ago are forgotten; those who failed never are, unless room is needed. */
  sweep(): void {
    const { members, nowMs, timings } = this.#context
    const isOld = (member: Member) => member.state === 'left'
      && nowMs - member.stateSinceMs > timings.leftKeepMs
    for (const member of members.others(isOld)) this.forget(member, 'left long ago')
  }

  #meet(claim: AliveMessage): void {
    const { counters, members, nowMs } = this.#context
    if (claim.incarnation === 0) return void (counters.aliveStale += 1)
    if (members.isFull) {
      const oldest = members.oldestGone()
      if (oldest === undefined) return void (counters.membersFull += 1)
      this.forget(oldest, 'room was needed')
    }
    const member: Member = {
      name: claim.node, address: addressOfClaim(claim), addressOctets: claim.address,
      meta: claim.meta, versions: claim.versions, incarnation: 0, state: 'dead',
      stateSinceMs: nowMs, heardMs: -Infinity, roundTripMs: null,
    }
    members.add(member)
    this.accept(claim, member)
  }

  /** Who comes back without knowing what was said meanwhile has to know it, to outdo it. */
  #outdated(claim: AliveMessage, known: Member): void {
    const { counters, nowMs, self } = this.#context
    counters.aliveStale += 1
    if (!isGone(known) || !this.#answers.take(nowMs)) return
    this.#post.sendAlone(addressOfClaim(claim), [deathOf(known, self.name)], known)
  }

  /** Who accuses a member of old, or suspects the dead, was away and would take long to learn. */
  #enlighten(from: MeshAddress | null, known: Member): void {
    const { counters, nowMs, self } = this.#context
    if (from === null || !this.#answers.take(nowMs)) return
    counters.accusersAnswered += 1
    this.#post.sendAlone(from, [isGone(known) ? deathOf(known, self.name) : claimOf(known)])
  }

  #accused(message: SuspectMessage | DeadMessage, from: MeshAddress | null): Member | undefined {
    const { counters, members } = this.#context
    const known = members.get(message.node)
    if (known === undefined) counters.accusationsUnknown += 1
    else if (message.incarnation > ACCUSED_INCARNATION_MAX) counters.accusationsAboveLimit += 1
    else if (message.incarnation >= known.incarnation) return known
    else {
      counters.accusationsStale += 1
      this.#enlighten(from, known)
    }
    return undefined
  }

  /** By another node's state. It may be right, or have been cut off: who lives says so itself. */
  #heardSuspected(message: SuspectMessage): void {
    const known = this.#context.members.get(message.node)
    const isAccused = known?.state === 'alive' && message.incarnation >= known.incarnation
    if (known === undefined || !isAccused || !this.#isHeard(known)) {
      return this.suspect(message, null)
    }
    this.#post.sendAlone(known.address, [message], known)
  }

  #isHeard(member: Member): boolean {
    return this.#context.nowMs - member.heardMs <= this.#context.timings.evidenceMs
  }

  #suspectNow(known: Member, message: SuspectMessage): void {
    const { counters, nowMs, self } = this.#context
    counters.suspicions += 1
    this.#suspicions.begin(known.name, message.from, reason => {
      if (known.state === 'suspect') this.#bury(known, deathOf(known, self.name), null, reason)
    })
    known.incarnation = message.incarnation
    known.state = 'suspect'
    known.stateSinceMs = nowMs
    this.#post.broadcast(known.name, message)
    this.#post.sendAlone(known.address, [message], known)
    const isOurs = message.from === self.name
    this.#tell('suspected', known, isOurs ? 'it does not answer' : `${message.from} said so`)
  }

  #bury(known: Member, message: DeadMessage, from: MeshAddress | null, reason: string): void {
    const { counters, nowMs } = this.#context
    const hasLeft = message.from === message.node
    this.#suspicions.end(known.name)
    known.incarnation = message.incarnation
    known.state = hasLeft ? 'left' : 'dead'
    known.stateSinceMs = nowMs
    counters[hasLeft ? 'departures' : 'deaths'] += 1
    this.#post.broadcast(known.name, message)
    const saidItself = from !== null && sameAddress(from, known.address)
    if (!saidItself) this.#post.sendAlone(known.address, [message], known)
    this.#tell(hasLeft ? 'left' : 'failed', known, reason)
  }

  #tell(change: Parameters<typeof tellChange>[1], member: Member, reason: string): void {
    tellChange(this.#context, change, member, reason)
  }
}
