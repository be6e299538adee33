// So many in so long, and no more: for answers that somebody else could make us send.

export class Allowance {
  readonly #count: number
  readonly #intervalMs: number
  #sinceMs = -Infinity
  #used = 0

  constructor(count: number, intervalMs: number) {
    this.#count = count
    this.#intervalMs = intervalMs
  }

  /** True when one more is allowed now. */
  take(nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= this.#intervalMs) {
      this.#sinceMs = nowMs
      this.#used = 0
    }
    this.#used += 1
    return this.#used <= this.#count
  }
}
