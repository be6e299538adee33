// Numbers that have come already: a sliding window as in IPsec (RFC 4303 section 3.4.3), so that
// what was recorded and is sent again has no effect, and what was overtaken still has.

/** Numbers back from the highest that are told apart; older ones are refused. */
export const REPLAY_WINDOW = 1024

export class ReplayWindow {
  readonly #seen = new Uint8Array(REPLAY_WINDOW)
  #epoch = -1
  #highest = -1

  /** The newest epoch; -1 for none. */
  get epoch(): number {
    return this.#epoch
  }

  /** The highest number of this epoch; -1 for none. */
  get highest(): number {
    return this.#highest
  }

  /** True once for each number of the newest epoch. */
  accept(epoch: number, number: number): boolean {
    if (epoch < this.#epoch) return false
    if (epoch > this.#epoch) {
      this.#epoch = epoch
      this.#highest = -1
    }
    if (number <= this.#highest - REPLAY_WINDOW) return false
    if (number > this.#highest) this.#moveTo(number)
    else if (this.#seen[number % REPLAY_WINDOW] === 1) return false
    this.#seen[number % REPLAY_WINDOW] = 1
    return true
  }

  #moveTo(number: number): void {
    const from = (this.#highest + 1) % REPLAY_WINDOW
    const end = number % REPLAY_WINDOW + 1
    if (number - this.#highest >= REPLAY_WINDOW) this.#seen.fill(0)
    else if (from < end) this.#seen.fill(0, from, end)
    else {
      this.#seen.fill(0, from)
      this.#seen.fill(0, 0, end)
    }
    this.#highest = number
  }
}
