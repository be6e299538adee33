// One membership machine on a bench: messages are put in by hand, and what comes out is read.
import { makeRandom } from '../../base/prng.ts'
import { addressOctets } from '../../wire/memberlist/address.ts'
import { decodeMessage } from '../../wire/memberlist/decode.ts'
import type {
  AliveMessage, DeadMessage, PacketMessage, PushedNode, SuspectMessage,
} from '../../wire/memberlist/messages.ts'
import { formatMeshAddress, type MeshAddress } from '../mesh-address.ts'
import { PROTOCOL_VERSIONS } from './claims.ts'
import type { SwimEffect, SwimEvent } from './events.ts'
import type { SwimOptions } from './options.ts'
import { Swim } from './swim.ts'

export const SELF_INCARNATION = 1000

export function at(host: number): MeshAddress {
  return { host: `10.0.0.${host}`, port: 7946 }
}

export function alive(node: string, host: number, incarnation: number, meta = node): AliveMessage {
  return {
    type: 'alive', node, incarnation, address: addressOctets(at(host).host)!, port: 7946,
    meta: new TextEncoder().encode(meta), versions: PROTOCOL_VERSIONS,
  }
}

export function suspect(node: string, incarnation: number, from: string): SuspectMessage {
  return { type: 'suspect', node, incarnation, from }
}

export function dead(node: string, incarnation: number, from: string): DeadMessage {
  return { type: 'dead', node, incarnation, from }
}

export function pushed(node: string, host: number, incarnation: number,
  state: PushedNode['state']): PushedNode {
  const { type: _, ...claim } = alive(node, host, incarnation)
  return { ...claim, state }
}

/** A message that was sent, and where to. */
export type Sent = Readonly<{ to: string; message: PacketMessage }>

export class Bench {
  readonly swim: Swim
  nowMs = 0
  effects: SwimEffect[] = []

  /** A member named "self" at 10.0.0.1 that knows these, as [name, host, incarnation]. */
  constructor(members: readonly [name: string, host: number, incarnation: number][] = [],
    options: Partial<SwimOptions> = {}) {
    this.swim = new Swim({
      nowMs: 0, random: makeRandom(1), name: 'self', address: at(1),
      incarnation: SELF_INCARNATION, meta: new TextEncoder().encode('self'),
      packetOctetsMax: 1300, ...options,
    })
    for (const [name, host, incarnation] of members) {
      this.hear(at(host), alive(name, host, incarnation))
    }
    // What a machine tells at first is told after this.
    if (members.length > 0) this.runFor(5000, true)
    this.effects = []
  }

  step(event: SwimEvent): SwimEffect[] {
    const effects = this.swim.step(this.nowMs, event)
    this.effects.push(...effects)
    return effects
  }

  hear(from: MeshAddress, ...messages: PacketMessage[]): SwimEffect[] {
    return this.step({ type: 'packet', from, messages })
  }

  /** Ticks whenever one is due. With `answers`, everybody who is pinged says so at once. */
  runFor(forMs: number, answers: boolean | ((to: string) => boolean) = false): void {
    const endMs = this.nowMs + forMs
    while (this.swim.nextMs() <= endMs) {
      this.nowMs = this.swim.nextMs()
      const isThere = typeof answers === 'function' ? answers : () => answers
      for (const { message, to } of sentOf(this.step({ type: 'tick' }))) {
        if (message.type !== 'ping' || !isThere(to)) continue
        const [host = '', port] = to.split(':')
        const { sequenceNumber } = message
        this.hear({ host, port: Number(port) }, { type: 'ack', sequenceNumber, payload: null })
      }
    }
    this.nowMs = endMs
  }

  state(name: string): string | undefined {
    return this.swim.member(name)?.state
  }

  /** All that was sent since the last time. */
  takeSent(): Sent[] {
    const sent = sentOf(this.effects)
    this.effects = []
    return sent
  }

  changes(): string[] {
    return this.effects.flatMap(effect => effect.type === 'member'
      ? [`${effect.change} ${effect.member.name}`] : [])
  }
}

export function sentOf(effects: readonly SwimEffect[]): Sent[] {
  return effects.flatMap(effect => effect.type !== 'send' ? []
    : effect.parts.flatMap(part => {
      const decoded = decodeMessage(part)
      return 'message' in decoded
        ? [{ to: formatMeshAddress(effect.to), message: decoded.message }] : []
    }))
}
