// A member of the mesh: what comes as octets is opened and given to the membership, the tunnels'
// keep-alives or the program above; what these want to say is sealed. Still no clock, no socket and
// no chance of its own.
import { encodeMessage } from '../wire/memberlist/encode.ts'
import type { MemberlistFault } from '../wire/memberlist/faults.ts'
import type { StreamMessage } from '../wire/memberlist/messages.ts'
import { KeepAlive, type KeepAliveEffect, type Tunnel } from './keepalive.ts'
import { KEEP_ALIVE } from './keepalive-message.ts'
import type { MeshAddress } from './mesh-address.ts'
import { Envelope } from './mesh-envelope.ts'
import type { MeshEffect, MeshEvent } from './mesh-events.ts'
import type { MeshOptions } from './mesh-options.ts'
import { Refusals } from './refusals.ts'
import { zeroCounters } from './swim/context.ts'
import type { SwimEffect, SwimEvent } from './swim/events.ts'
import { isGone, type MemberView } from './swim/members.ts'
import { Swim } from './swim/swim.ts'
import { LAN_TIMINGS } from './swim/timings.ts'
import type { ReadMessage, StreamReading } from './transport.ts'

/** A user message in a datagram: fits sealed, with a label, into an Ethernet MTU of 1500. */
export const USER_OCTETS_MAX = 1200
/** Reliable user messages on their way. */
export const DELIVERIES_MAX = 64
/** Since this protocol a checksum is understood. */
const CHECKSUM_PROTOCOL = 5

export const MESH_COUNTERS = [
  'userIn', 'userOut', 'userUnknown', 'userGone', 'userTooLarge', 'deliveries', 'deliveriesFailed',
  'deliveriesFull', 'keepAlivesUnknown',
] as const
export type MeshCounters = Record<(typeof MESH_COUNTERS)[number], number>

export class Mesh {
  readonly swim: Swim
  readonly keepAlive: KeepAlive
  readonly counters: MeshCounters = zeroCounters(MESH_COUNTERS)
  readonly #options: MeshOptions
  readonly #envelope: Envelope
  readonly #refusals = new Refusals()
  /** Exchanges are numbered here: whose are they? */
  readonly #exchanges = new Map<number, { swimId: number } | { to: string }>()
  #exchangeId = 0
  #deliveries = 0
  #nowMs: number
  #effects: MeshEffect[] = []

  constructor(options: MeshOptions) {
    const { epoch, keys, label, name, nowMs, randomOctets } = options
    this.#options = options
    this.#nowMs = nowMs
    this.#envelope = new Envelope(label, keys, randomOctets)
    const packetOctetsMax = this.#envelope.roomOctets
    this.swim = new Swim({ ...options, incarnation: epoch, packetOctetsMax })
    this.keepAlive = new KeepAlive({ epoch, name, nowMs, timings: options.keepAliveTimings })
  }

  /** What has to be done because of `event`. Nothing that comes from outside makes it throw. */
  step(nowMs: number, event: MeshEvent): MeshEffect[] {
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    this.#effects = []
    this.#handle(event)
    if (this.#nowMs >= this.swim.nextMs()) this.#swim({ type: 'tick' })
    if (this.#nowMs >= this.keepAlive.nextMs()) this.#kept(this.keepAlive.tick(this.#nowMs))
    return this.#effects
  }

  /** When the next tick is due. */
  nextMs(): number {
    return Math.min(this.swim.nextMs(), this.keepAlive.nextMs())
  }

  /** Reads one stream; `side` is who speaks in it. */
  reader(side: 'caller' | 'answerer'): StreamReading {
    return this.#envelope.reader(side)
  }

  /** What could not be opened or read, by reason. */
  get refused(): Readonly<Record<MemberlistFault, number>> {
    return this.#envelope.refused
  }

  tunnel(name: string): Tunnel | undefined {
    return this.keepAlive.tunnel(this.#nowMs, name)
  }

  #handle(event: MeshEvent): void {
    switch (event.type) {
      case 'datagram': return this.#open(event.from, event.octets)
      case 'stream': return this.#asked(event.id, event.from, event.read)
      case 'exchanged': return this.#exchanged(event.id, event.read, event.reason)
      case 'send': return this.#send(event.to, event.octets, event.reliable === true)
      case 'keys':
        this.#envelope.keys = event.keys
        return
      default: return this.#swim(event)
    }
  }

  #open(from: MeshAddress, octets: Uint8Array): void {
    const messages = this.#envelope.open(octets, fault => this.#refuse(from, fault))
    const forSwim = messages.filter(message => message.type !== 'user')
    if (forSwim.length > 0) this.#swim({ type: 'packet', from, messages: forSwim })
    for (const message of messages) {
      if (message.type === 'user') this.#user(from, message.octets, this.swim.memberAt(from))
    }
  }

  #asked(id: number, from: MeshAddress, read: ReadMessage): void {
    if ('fault' in read) {
      this.#envelope.refused[read.fault] += 1
      this.#refuse(from, read.fault)
      return void this.#effects.push({ type: 'answer', id, octets: null })
    }
    if (read.message.type !== 'user') {
      return this.#swim({ type: 'stream', id, from, message: read.message })
    }
    this.#effects.push({ type: 'answer', id, octets: null })
    this.#user(from, read.message.octets, this.swim.memberAtHost(from.host))
  }

  #exchanged(id: number, read: ReadMessage | null, reason: string): void {
    const whose = this.#exchanges.get(id)
    this.#exchanges.delete(id)
    if (whose === undefined) return
    if ('to' in whose) return this.#delivered(whose.to, reason)
    const fault = read !== null && 'fault' in read ? read.fault : null
    if (fault !== null) this.#envelope.refused[fault] += 1
    this.#swim({
      type: 'exchanged', id: whose.swimId,
      message: read !== null && 'message' in read ? read.message : null,
      reason: fault === null ? reason : `its answer is refused: ${fault}`,
    })
  }

  #user(from: MeshAddress, octets: Uint8Array, member: MemberView | undefined): void {
    if (octets[0] === KEEP_ALIVE) {
      if (member === undefined) this.counters.keepAlivesUnknown += 1
      else this.#kept(this.keepAlive.receive(this.#nowMs, member.name, octets))
      return
    }
    this.counters.userIn += 1
    this.#effects.push({ type: 'user', from: member?.name ?? null, address: from, octets })
  }

  #send(to: string, octets: Uint8Array, isReliable: boolean): void {
    const member = this.swim.member(to)
    if (member === undefined || to === this.#options.name) {
      this.counters.userUnknown += 1
    } else if (isGone(member)) {
      this.counters.userGone += 1
    } else if (isReliable) {
      return this.#deliver(member, octets)
    } else if (octets.length > USER_OCTETS_MAX) {
      this.counters.userTooLarge += 1
    } else {
      this.counters.userOut += 1
      return this.#userDatagram(member, octets)
    }
    if (isReliable) this.#effects.push({ type: 'undelivered', to, reason: 'it is no live member' })
  }

  #userDatagram({ address, versions }: MemberView, octets: Uint8Array): void {
    const part = encodeMessage({ type: 'user', octets })
    this.#datagram(address, [part], versions.protocolMax >= CHECKSUM_PROTOCOL)
  }

  #deliver(member: MemberView, octets: Uint8Array): void {
    if (this.#deliveries >= DELIVERIES_MAX) {
      this.counters.deliveriesFull += 1
      const reason = 'too many messages are on their way'
      return void this.#effects.push({ type: 'undelivered', to: member.name, reason })
    }
    this.counters.deliveries += 1
    this.#deliveries += 1
    const message: StreamMessage = { type: 'user', octets }
    const { streamTimeoutMs } = this.#options.timings ?? LAN_TIMINGS
    this.#exchange(member.address, message, false, streamTimeoutMs, { to: member.name })
  }

  #delivered(to: string, reason: string): void {
    this.#deliveries -= 1
    if (reason === '') return
    this.counters.deliveriesFailed += 1
    this.#effects.push({ type: 'undelivered', to, reason })
  }

  #swim(event: SwimEvent): void {
    for (const effect of this.swim.step(this.#nowMs, event)) this.#took(effect)
  }

  #took(effect: SwimEffect): void {
    switch (effect.type) {
      case 'send': return this.#datagram(effect.to, effect.parts, effect.checksum)
      case 'exchange': return this.#exchange(effect.to, effect.message, true, effect.timeoutMs,
        { swimId: effect.id })
      case 'answer': return this.#answer(effect.id, effect.message)
      case 'member':
        this.#effects.push(effect)
        return this.#choosePeers()
      default: this.#effects.push(effect)
    }
  }

  #kept(effects: readonly KeepAliveEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'heard') {
        this.#swim(effect)
      } else if (effect.type === 'send') {
        const member = this.swim.member(effect.to)
        if (member !== undefined) this.#userDatagram(member, effect.octets)
      } else {
        this.#effects.push(effect)
        // Whether it lives is for SWIM to say, and better soon.
        if (effect.reason === 'silent') this.#swim({ type: 'doubt', name: effect.name })
      }
    }
  }

  #choosePeers(): void {
    const { hasKeepAlive = () => true } = this.#options
    const { phase, self } = this.swim
    const peers = phase !== 'member' ? [] : this.swim.members()
      .filter(member => member !== self && !isGone(member) && hasKeepAlive(member))
    this.#kept(this.keepAlive.setPeers(this.#nowMs, peers.map(({ name }) => name)))
  }

  #datagram(to: MeshAddress, parts: readonly Uint8Array[], checksum: boolean): void {
    const octets = this.#envelope.packet(parts, checksum)
    this.#effects.push({ type: 'datagram', to, octets })
  }

  #exchange(to: MeshAddress, message: StreamMessage, awaitsAnswer: boolean, timeoutMs: number,
    whose: { swimId: number } | { to: string }): void {
    const id = ++this.#exchangeId
    this.#exchanges.set(id, whose)
    const octets = this.#envelope.stream(message, 'caller')
    this.#effects.push({ type: 'exchange', id, to, octets, awaitsAnswer, timeoutMs })
  }

  #answer(id: number, message: StreamMessage | null): void {
    const octets = message === null ? null : this.#envelope.stream(message, 'answerer')
    this.#effects.push({ type: 'answer', id, octets })
  }

  #refuse(from: MeshAddress, reason: string): void {
    const refusal = this.#refusals.add(this.#nowMs, from.host, reason)
    if (refusal !== null) this.#effects.push({ type: 'refusal', ...refusal })
  }
}
