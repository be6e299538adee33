// One member that is suspected: the more others confirm it, the sooner it is dead (Lifeguard's
// local health aware suspicion, arXiv 1707.00788 section IV B; memberlist's suspicion.go).
import { suspicionTimeoutMs } from './formulas.ts'

export class Suspicion {
  readonly startMs: number
  readonly minMs: number
  readonly maxMs: number
  readonly wanted: number
  readonly #accusers: Set<string>

  /**
   * @param from     who suspects; its own word does not confirm itself
   * @param wanted   confirmations after which the shortest time holds
   */
  constructor(from: string, startMs: number, minMs: number, maxMs: number, wanted: number) {
    this.#accusers = new Set([from])
    this.startMs = startMs
    this.minMs = minMs
    this.maxMs = maxMs
    this.wanted = wanted
  }

  get confirmations(): number {
    return this.#accusers.size - 1
  }

  /** Time from the start to death. */
  get timeoutMs(): number {
    return suspicionTimeoutMs(this.confirmations, this.wanted, this.minMs, this.maxMs)
  }

  /** True when `from` is news: somebody else, and not more of them than are wanted. */
  confirm(from: string): boolean {
    if (this.confirmations >= this.wanted || this.#accusers.has(from)) return false
    this.#accusers.add(from)
    return true
  }
}
