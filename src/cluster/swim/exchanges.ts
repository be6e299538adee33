// Questions asked over a stream of their own: connect, one message, one answer.
import type { StreamMessage } from '../../wire/memberlist/messages.ts'
import type { MeshAddress } from '../mesh-address.ts'
import type { SwimContext } from './context.ts'

/** Streams that we have open at the same time. */
export const EXCHANGES_MAX = 64

/** `message` is null when no answer came; `reason` says why. */
export type ExchangeDone = (message: StreamMessage | null, reason: string) => void

export class Exchanges {
  readonly #context: SwimContext
  readonly #open = new Map<number, ExchangeDone>()
  #id = 0

  constructor(context: SwimContext) {
    this.#context = context
  }

  get size(): number {
    return this.#open.size
  }

  start(to: MeshAddress, message: StreamMessage, timeoutMs: number, done: ExchangeDone): void {
    if (this.#open.size >= EXCHANGES_MAX) {
      this.#context.counters.exchangesFull += 1
      return done(null, 'too many streams are open')
    }
    this.#id += 1
    this.#open.set(this.#id, done)
    this.#context.effects.push({ type: 'exchange', id: this.#id, to, message, timeoutMs })
  }

  exchanged(id: number, message: StreamMessage | null, reason: string): void {
    const done = this.#open.get(id)
    this.#open.delete(id)
    done?.(message, reason)
  }
}
