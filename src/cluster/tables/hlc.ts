// The hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014): stamps near wall
// clock time that never run backwards, on this node and along every chain of messages.
import { COUNTER_MAX, STAMP_MS_MAX } from './rows.ts'

export type HlcTime = Readonly<{ ms: number; counter: number }>

export class HybridClock {
  #ms: number
  #counter: number

  /** @param last the last time that was given or seen before a restart */
  constructor(last: HlcTime = { ms: 0, counter: 0 }) {
    this.#ms = last.ms
    this.#counter = last.counter
  }

  get last(): HlcTime {
    return { ms: this.#ms, counter: this.#counter }
  }

  /**
   * A time after all that were given or seen; never given again.
   * @param wallMs what the physical clock says; it may jump as it likes
   */
  next(wallMs: number): HlcTime {
    const physicalMs = Math.min(Math.max(Math.floor(wallMs), 0), STAMP_MS_MAX)
    if (physicalMs > this.#ms) {
      this.#ms = physicalMs
      this.#counter = 0
    } else if (this.#counter < COUNTER_MAX) {
      this.#counter += 1
    } else {
      this.#ms += 1
      this.#counter = 0
    }
    return this.last
  }

  /** Somebody's stamp was accepted: what comes next is later. */
  observe(time: HlcTime): void {
    if (time.ms > this.#ms) {
      this.#ms = time.ms
      this.#counter = time.counter
    } else if (time.ms === this.#ms && time.counter > this.#counter) {
      this.#counter = time.counter
    }
  }
}
