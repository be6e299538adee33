// Pings that wait for an ack, whoever sent them: probes, probes for others, and questions whether
// a name is taken. Sequence numbers begin anywhere: they are what an answer has to guess.
import type { MeshAddress } from '../mesh-address.ts'
import type { PingMessage } from '../../wire/memberlist/messages.ts'
import type { SwimContext } from './context.ts'
import type { Member } from './members.ts'

/** Pings that wait at the same time. */
export const PINGS_MAX = 4096

export type PingHandlers = Readonly<{
  onAck: (from: MeshAddress) => void
  onNack?: () => void
}>

export class Pings {
  readonly #context: SwimContext
  readonly #waiting = new Map<number, PingHandlers>()
  #sequenceNumber: number

  constructor(context: SwimContext) {
    this.#context = context
    this.#sequenceNumber = context.random()
  }

  get isFull(): boolean {
    return this.#waiting.size >= PINGS_MAX
  }

  /** A new sequence number; its ack is waited for so long. */
  open(lifetimeMs: number, handlers: PingHandlers): number {
    const { counters, nowMs, timers } = this.#context
    this.#sequenceNumber = (this.#sequenceNumber + 1) >>> 0
    const number = this.#sequenceNumber
    if (this.isFull) {
      counters.pingsFull += 1
      return number
    }
    this.#waiting.set(number, handlers)
    timers.set(`ping ${number}`, nowMs + lifetimeMs, () => this.close(number))
    return number
  }

  close(number: number): void {
    this.#waiting.delete(number)
    this.#context.timers.delete(`ping ${number}`)
  }

  acked(number: number, from: MeshAddress): void {
    const handlers = this.#waiting.get(number)
    if (handlers === undefined) return void (this.#context.counters.acksUnknown += 1)
    this.close(number)
    handlers.onAck(from)
  }

  nacked(number: number): void {
    this.#waiting.get(number)?.onNack?.()
  }
}

/** A ping from us for `node`. */
export function pingOf(self: Member, node: string, sequenceNumber: number): PingMessage {
  return {
    type: 'ping', sequenceNumber, node, sourceAddress: self.addressOctets,
    sourcePort: self.address.port, sourceNode: self.name,
  }
}
