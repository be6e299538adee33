// Work that answers many changes at once: it is done at the first of them, and what comes soon
// after is answered together. With hundreds of tasks that start, rows change hundreds of times a
// second, and each table image costs milliseconds.
import type { Clock } from '../base/clock.ts'
import { type Alarm, makeSystemAlarm } from '../cluster/mesh-driver.ts'

/** From the end of the work to when it may begin again. */
export const PACE_GAP_MS = 10
/** Where it takes long so many times as long, because the thread has other things to do. */
const GAP_TIMES = 2
/** But never longer: a change is to rule packets soon. */
export const PACE_GAP_MAX_MS = 20

export class Pace {
  readonly #work: () => void
  readonly #clock: Clock
  readonly #alarm: Alarm
  #notBeforeMs = -Infinity
  /** Asked for, and not begun since. */
  #isAsked = false
  #isAtWork = false
  #isClosed = false

  constructor(clock: Clock, work: () => void, alarm: Alarm = makeSystemAlarm()) {
    this.#clock = clock
    this.#alarm = alarm
    this.#work = work
  }

  /** It was asked for, and will be done. */
  get isAwaited(): boolean {
    return this.#isAsked
  }

  /** At once, or when the gap is over; asked for by the work itself, after the next gap. */
  ask(): void {
    if (this.#isClosed || this.#isAsked) return
    this.#isAsked = true
    if (!this.#isAtWork) this.#begin()
  }

  close(): void {
    this.#isClosed = true
    this.#isAsked = false
    this.#alarm.clear()
  }

  #begin(): void {
    const inMs = this.#notBeforeMs - this.#clock.nowMs()
    if (inMs > 0) return this.#alarm.set(inMs, () => this.#begin())
    const beganMs = this.#clock.nowMs()
    this.#isAsked = false
    this.#isAtWork = true
    try {
      this.#work()
    } finally {
      this.#isAtWork = false
      const endedMs = this.#clock.nowMs()
      const gapMs = Math.max(PACE_GAP_MS, (endedMs - beganMs) * GAP_TIMES)
      this.#notBeforeMs = endedMs + Math.min(PACE_GAP_MAX_MS, gapMs)
      if (this.#isAsked) this.#begin()
    }
  }
}
