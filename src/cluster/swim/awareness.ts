// Lifeguard's local health: a node that misses answers which others get trusts itself less and
// waits longer, instead of accusing everybody (arXiv 1707.00788, section IV A; awareness.go).

export class Awareness {
  /** 0 is well; never more than `max - 1`. */
  score = 0
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  apply(delta: number): void {
    this.score = Math.min(this.#max - 1, Math.max(0, this.score + delta))
  }

  scaleMs(timeMs: number): number {
    return timeMs * (this.score + 1)
  }
}
