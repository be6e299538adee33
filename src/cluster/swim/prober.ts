// Are they there? One member per interval is asked; who does not answer is asked through others
// and over a stream, and is then suspected (memberlist's state.go, probeNode).
import { pick } from '../../base/prng.ts'
import type { IndirectPingMessage, PingMessage, SuspectMessage }
  from '../../wire/memberlist/messages.ts'
import type { MeshAddress } from '../mesh-address.ts'
import { addressOf, sameAddress } from './addresses.ts'
import type { SwimContext } from './context.ts'
import type { Exchanges } from './exchanges.ts'
import type { Member } from './members.ts'
import type { Membership } from './membership.ts'
import { pingOf, type Pings } from './pings.ts'
import type { Post } from './post.ts'

/** Since these protocols a node answers pings over streams, and sends nacks. */
const STREAM_PING_PROTOCOL = 3
const NACK_PROTOCOL = 4
/** A new round trip counts for this part of the smoothed one: RFC 6298 section 2.3, alpha. */
const ROUND_TRIP_PART = 1 / 8
/** Members that are to be probed before it is their turn. */
const URGENT_MAX = 64

type Probe = {
  readonly member: Member
  readonly number: number
  readonly sentMs: number
  readonly endMs: number
  isHelped: boolean
  nacksExpected: number
  nacks: number
  isHeardByStream: boolean
}

export class Prober {
  readonly #context: SwimContext
  readonly #post: Post
  readonly #pings: Pings
  readonly #exchanges: Exchanges
  readonly #membership: Membership
  readonly #urgent = new Set<string>()
  #probe: Probe | undefined

  constructor(context: SwimContext, post: Post, pings: Pings, exchanges: Exchanges,
    membership: Membership) {
    this.#context = context
    this.#post = post
    this.#pings = pings
    this.#exchanges = exchanges
    this.#membership = membership
  }

  start(): void {
    const { nowMs, random, timers, timings } = this.#context
    this.#probe = undefined
    const atMs = nowMs + pick(random, Math.max(1, timings.probeIntervalMs))
    timers.set('probe', atMs, () => this.#next())
  }

  /** Probe it before it is its turn: now, or after the one that is being probed. */
  urge(name: string): void {
    if (this.#urgent.size < URGENT_MAX) this.#urgent.add(name)
    if (this.#probe !== undefined || this.#context.phase !== 'member') return
    const member = this.#nextUrgent()
    if (member !== undefined) this.#start(member)
  }

  /** Somebody asks whether we are there. */
  pinged(ping: PingMessage, from: MeshAddress): void {
    this.#post.send(sourceOf(ping, from), {
      type: 'ack', sequenceNumber: ping.sequenceNumber, payload: null,
    })
  }

  /** Somebody asks us to ask. */
  askedToPing(request: IndirectPingMessage, from: MeshAddress): void {
    const { counters, nowMs, self, timers, timings } = this.#context
    const requester = sourceOf(request, from)
    const { sequenceNumber } = request
    counters.relays += 1
    const number = this.#pings.open(timings.probeTimeoutMs, {
      onAck: () => {
        timers.delete(`nack ${number}`)
        this.#post.send(requester, { type: 'ack', sequenceNumber, payload: null })
      },
    })
    this.#post.send(addressOf(request.target, request.port), pingOf(self, request.node, number))
    if (!request.nack || this.#pings.isFull) return
    const nackMs = nowMs + timings.probeTimeoutMs * timings.nackPart
    timers.set(`nack ${number}`, nackMs, () => {
      this.#post.send(requester, { type: 'nack', sequenceNumber })
    })
  }

  #next(): void {
    const { nowMs, timers, timings } = this.#context
    timers.set('probe', nowMs + timings.probeIntervalMs, () => this.#next())
    if (this.#probe !== undefined) return
    const member = this.#nextUrgent() ?? this.#context.members.nextToProbe()
    if (member !== undefined) this.#start(member)
  }

  #nextUrgent(): Member | undefined {
    const { members, self } = this.#context
    for (const name of this.#urgent) {
      this.#urgent.delete(name)
      const member = members.get(name)
      const isThere = member?.state === 'alive' || member?.state === 'suspect'
      if (member !== undefined && member !== self && isThere) return member
    }
    return undefined
  }

  #start(member: Member): void {
    const { awareness, counters, nowMs, self, timers, timings } = this.#context
    const intervalMs = awareness.scaleMs(timings.probeIntervalMs)
    const number = this.#pings.open(intervalMs, {
      onAck: from => this.#acked(from),
      onNack: () => this.#nacked(),
    })
    this.#probe = {
      member, number, sentMs: nowMs, endMs: nowMs + intervalMs, isHelped: false, nacksExpected: 0,
      nacks: 0, isHeardByStream: false,
    }
    counters.probes += 1
    const ping = pingOf(self, member.name, number)
    if (member.state === 'alive') this.#post.send(member.address, ping)
    // Who is suspected has to know it, to say that it is not so.
    else this.#post.sendAlone(member.address, [ping, this.#suspicionOf(member)], member)
    timers.set('probe help', nowMs + timings.probeTimeoutMs, () => this.#askForHelp())
    timers.set('probe end', nowMs + intervalMs, () => this.#end())
  }

  #acked(from: MeshAddress): void {
    const probe = this.#probe
    if (probe === undefined) return
    const { nowMs } = this.#context
    const { member } = probe
    if (!probe.isHelped && sameAddress(from, member.address)) {
      const roundTripMs = nowMs - probe.sentMs
      const before = member.roundTripMs ?? roundTripMs
      member.roundTripMs = before + (roundTripMs - before) * ROUND_TRIP_PART
    }
    this.#close(-1)
  }

  #nacked(): void {
    if (this.#probe !== undefined) this.#probe.nacks += 1
  }

  #askForHelp(): void {
    const probe = this.#probe
    if (probe === undefined) return
    const { counters, members, nowMs, self, timings } = this.#context
    const { member, number } = probe
    probe.isHelped = true
    const canHelp = (other: Member) => other !== member && other.state === 'alive'
    for (const helper of members.pick(timings.indirectProbes, canHelp)) {
      const nack = helper.versions.protocolMax >= NACK_PROTOCOL
      if (nack) probe.nacksExpected += 1
      counters.indirectProbes += 1
      this.#post.send(helper.address, {
        ...pingOf(self, member.name, number), type: 'indirect-ping', nack,
        target: member.addressOctets, port: member.address.port,
      })
    }
    if (member.versions.protocolMax < STREAM_PING_PROTOCOL) return
    const ping = pingOf(self, member.name, number)
    this.#exchanges.start(member.address, ping, probe.endMs - nowMs, answer => {
      const isRight = answer?.type === 'ack' && answer.sequenceNumber === number
      if (isRight && this.#probe === probe) probe.isHeardByStream = true
    })
  }

  #end(): void {
    const probe = this.#probe
    if (probe === undefined) return
    const { counters } = this.#context
    const { member } = probe
    if (probe.isHeardByStream) {
      counters.probesOnlyByStream += 1
      return this.#close(-1)
    }
    counters.probesFailed += 1
    // Helpers that did not even say "no" are a sign that the fault is with us.
    this.#close(probe.nacksExpected > 0 ? Math.max(0, probe.nacksExpected - probe.nacks) : 1)
    if (member.state === 'alive' || member.state === 'suspect') {
      this.#membership.suspect(this.#suspicionOf(member), null)
    }
  }

  #close(healthDelta: number): void {
    const { awareness, timers } = this.#context
    awareness.apply(healthDelta)
    timers.delete('probe help')
    timers.delete('probe end')
    if (this.#probe !== undefined) this.#pings.close(this.#probe.number)
    this.#probe = undefined
  }

  #suspicionOf(member: Member): SuspectMessage {
    const { self } = this.#context
    return { type: 'suspect', incarnation: member.incarnation, node: member.name, from: self.name }
  }
}

/** Where an answer goes: what the question says, or else where it came from. */
function sourceOf(question: PingMessage | IndirectPingMessage, from: MeshAddress): MeshAddress {
  const isSaid = question.sourceAddress.length > 0 && question.sourcePort > 0
  return isSaid ? addressOf(question.sourceAddress, question.sourcePort) : from
}
