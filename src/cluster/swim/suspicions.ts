// Members that are suspected: the more others confirm it, the sooner one is dead (Lifeguard's local
// health aware suspicion, arXiv 1707.00788 section IV B; memberlist's suspicion.go).
import { countMembers, type SwimContext } from './context.ts'
import { confirmationsWanted, suspicionMinMs, suspicionTimeoutMs } from './formulas.ts'

type Suspicion = {
  startMs: number
  readonly minMs: number
  readonly maxMs: number
  /** Confirmations after which the shortest time holds. */
  readonly wanted: number
  /** The first one does not confirm itself. */
  readonly accusers: Set<string>
  readonly onEnd: (reason: string) => void
}

export class Suspicions {
  readonly #context: SwimContext
  readonly #suspicions = new Map<string, Suspicion>()

  constructor(context: SwimContext) {
    this.#context = context
  }

  /** Calls `onEnd` when the time is over. */
  begin(name: string, from: string, onEnd: (reason: string) => void): void {
    const { nowMs, timings } = this.#context
    const nodes = countMembers(this.#context)
    const minMs = suspicionMinMs(timings, nodes)
    this.#suspicions.set(name, {
      startMs: nowMs, minMs, maxMs: timings.suspicionMaxMult * minMs,
      wanted: confirmationsWanted(timings, nodes), accusers: new Set([from]), onEnd,
    })
    this.#setTimer(name)
  }

  /** True when `from` is news: somebody else, and not more of them than are wanted. */
  confirm(name: string, from: string): boolean {
    const suspicion = this.#suspicions.get(name)
    if (suspicion === undefined) return false
    const { accusers, wanted } = suspicion
    if (accusers.size > wanted || accusers.has(from)) return false
    accusers.add(from)
    this.#setTimer(name)
    return true
  }

  end(name: string): void {
    this.#suspicions.delete(name)
    this.#context.timers.delete(`suspicion ${name}`)
  }

  /** Time stood still for so long; the timers are shifted by whoever has them. */
  shift(byMs: number): void {
    for (const suspicion of this.#suspicions.values()) suspicion.startMs += byMs
  }

  #setTimer(name: string): void {
    const suspicion = this.#suspicions.get(name)
    if (suspicion === undefined) return
    const { accusers, maxMs, minMs, wanted } = suspicion
    const timeoutMs = suspicionTimeoutMs(accusers.size - 1, wanted, minMs, maxMs)
    this.#context.timers.set(`suspicion ${name}`, suspicion.startMs + timeoutMs, () => {
      const lastedMs = Math.round(this.#context.nowMs - suspicion.startMs)
      const others = accusers.size - 1
      suspicion.onEnd(`suspected for ${lastedMs} ms, confirmed by ${others} others`)
    })
  }
}
