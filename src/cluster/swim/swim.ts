// Who is a member of the cluster: memberlist's SWIM with Lifeguard, spoken in memberlist's words,
// as a machine without clock, sockets and chance of its own. Messages and time go in, messages and
// changes come out. SWIM: Das, Gupta, Motivala 2002; Lifeguard: arXiv 1707.00788.
import type { PacketMessage, StreamMessage } from '../../wire/memberlist/messages.ts'
import type { MeshAddress } from '../mesh-address.ts'
import { Contests } from './contests.ts'
import type { SelfPhase, SwimContext, SwimCounters } from './context.ts'
import type { SwimEffect, SwimEvent } from './events.ts'
import { Exchanges } from './exchanges.ts'
import { isGone, type Member, type MemberView } from './members.ts'
import { Membership } from './membership.ts'
import { makeContext, type SwimOptions } from './options.ts'
import { OwnName } from './own-name.ts'
import { Pings } from './pings.ts'
import { Post } from './post.ts'
import { Prober } from './prober.ts'
import { Sync } from './sync.ts'

const SWEEP_INTERVAL_MS = 60_000

export class Swim {
  readonly counters: SwimCounters
  readonly #context: SwimContext
  readonly #post: Post
  readonly #own: OwnName
  readonly #membership: Membership
  readonly #pings: Pings
  readonly #exchanges: Exchanges
  readonly #contests: Contests
  readonly #prober: Prober
  readonly #sync: Sync

  constructor(options: SwimOptions) {
    const context = makeContext(options)
    this.#context = context
    this.counters = context.counters
    this.#post = new Post(context, options.packetOctetsMax)
    this.#own = new OwnName(context, this.#post)
    this.#membership = new Membership(context, this.#post, this.#own)
    this.#pings = new Pings(context)
    this.#exchanges = new Exchanges(context)
    this.#contests = new Contests(context, this.#post, this.#pings, this.#own, this.#membership,
      options.bootOf ?? ((_, incarnation) => incarnation))
    this.#prober = new Prober(context, this.#post, this.#pings, this.#exchanges, this.#membership)
    this.#sync = new Sync(context, this.#exchanges, this.#membership, this.#own, this.#contests)
    this.#connect()
    this.#start()
  }

  /** What has to be done because of `event`; time never runs back. */
  step(nowMs: number, event: SwimEvent): SwimEffect[] {
    const context = this.#context
    context.nowMs = Math.max(context.nowMs, nowMs)
    context.effects = []
    this.#noticeStall()
    this.#handle(event)
    context.timers.runDue(context.nowMs)
    this.#post.settle()
    return context.effects
  }

  /** When the next tick is due; Infinity when there is nothing to do. */
  nextMs(): number {
    return this.#context.timers.nextMs()
  }

  get self(): MemberView {
    return this.#context.self
  }

  get phase(): SelfPhase {
    return this.#context.phase
  }

  /** Lifeguard's local health: 0 is well, 7 is worst. */
  get health(): number {
    return this.#context.awareness.score
  }

  /** Pieces of news that wait to be told. */
  get queued(): number {
    return this.#context.queue.size
  }

  /** Everybody who is known, also the dead, those who left, and this node. */
  members(): MemberView[] {
    return [...this.#context.members.all()]
  }

  member(name: string): MemberView | undefined {
    return this.#context.members.get(name)
  }

  /** Whose datagrams come from there? */
  memberAt(address: MeshAddress): MemberView | undefined {
    return this.#context.members.at(address)
  }

  /** Whose streams come from there, where the port says nothing? Undefined if there are several. */
  memberAtHost(host: string): MemberView | undefined {
    return this.#context.members.aloneAt(host)
  }

  #connect(): void {
    this.#own.onGone = () => this.#membership.forgetAll('we left')
    this.#own.onElsewhere = claim => this.#contests.openOwn(claim)
    this.#membership.onElsewhere = (claim, held) => this.#contests.open(claim, held)
    this.#contests.onWait = holder => {
      this.#membership.forgetAll('another node has our name')
      this.#sync.addSeed(holder)
    }
    this.#contests.onFree = () => {
      this.#start()
      this.#sync.rejoin()
    }
  }

  #start(): void {
    const sweep = () => {
      this.#membership.sweep()
      this.#context.timers.set('sweep', this.#context.nowMs + SWEEP_INTERVAL_MS, sweep)
    }
    this.#context.timers.set('sweep', this.#context.nowMs + SWEEP_INTERVAL_MS, sweep)
    this.#prober.start()
    this.#sync.start()
  }

  /** Who did not run for a while cannot say that others were silent: its timers wait as long. */
  #noticeStall(): void {
    const { awareness, counters, nowMs, timers, timings } = this.#context
    const lateMs = nowMs - timers.nextMs()
    if (lateMs <= timings.stallMs) return
    counters.stalls += 1
    awareness.apply(1)
    timers.shift(lateMs)
    this.#membership.shift(lateMs)
  }

  #handle(event: SwimEvent): void {
    switch (event.type) {
      case 'packet':
        for (const message of event.messages) this.#handleMessage(event.from, message)
        return
      case 'stream': return this.#handleStream(event.id, event.message)
      case 'exchanged': return this.#exchanges.exchanged(event.id, event.message, event.reason)
      case 'heard': return this.#heard(this.#context.members.get(event.name))
      case 'doubt': return this.#prober.urge(event.name)
      case 'tick': return
      case 'join': return this.#join(event.seeds)
      case 'leave': return this.#own.leave()
      case 'forget': return this.#forget(event.name)
      case 'meta': return this.#own.setMeta(event.meta)
    }
  }

  #join(seeds: readonly MeshAddress[]): void {
    const { phase, timers } = this.#context
    if (phase === 'leaving') timers.delete('leave')
    if (phase === 'leaving' || phase === 'gone') this.#own.comeBack()
    if (phase === 'gone') this.#start()
    this.#sync.join(seeds)
  }

  #forget(name: string): void {
    const member = this.#context.members.get(name)
    if (member !== undefined && isGone(member)) this.#membership.forget(member, 'asked to')
  }

  #heard(member: Member | undefined): void {
    if (member === undefined) return
    member.heardMs = this.#context.nowMs
    if (member.state === 'dead' && this.#context.phase === 'member') {
      this.#sync.heardFromTheDead(member)
    }
  }

  #handleMessage(from: MeshAddress, message: PacketMessage): void {
    const { counters, members, phase, self } = this.#context
    if (message.type === 'ack') return this.#acked(message.sequenceNumber, from)
    if (phase === 'waiting' || phase === 'gone') return void (counters.messagesIgnored += 1)
    this.#heard(members.at(from))
    switch (message.type) {
      case 'ping':
        if (message.node !== '' && message.node !== self.name) {
          return void (counters.pingsForOthers += 1)
        }
        return this.#prober.pinged(message, from)
      case 'indirect-ping': return this.#prober.askedToPing(message, from)
      case 'nack': return this.#pings.nacked(message.sequenceNumber)
      case 'suspect': return this.#membership.suspect(message, from)
      case 'alive': return this.#membership.alive(message, from)
      case 'dead': return this.#membership.dead(message, from)
      case 'user': return
    }
  }

  #acked(sequenceNumber: number, from: MeshAddress): void {
    this.#heard(this.#context.members.at(from))
    this.#pings.acked(sequenceNumber, from)
  }

  #handleStream(id: number, message: StreamMessage): void {
    const { counters, effects, phase, self } = this.#context
    const isSilent = phase === 'waiting' || phase === 'gone'
    const isOurs = message.type !== 'ping' || message.node === '' || message.node === self.name
    if (isSilent || !isOurs || (message.type !== 'ping' && message.type !== 'push-pull')) {
      counters.messagesIgnored += 1
      return void effects.push({ type: 'answer', id, message: null })
    }
    const answer: StreamMessage = message.type === 'push-pull' ? this.#sync.answer(message)
      : { type: 'ack', sequenceNumber: message.sequenceNumber, payload: null }
    effects.push({ type: 'answer', id, message: answer })
  }
}
