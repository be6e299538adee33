// Time is handed in, so that tests and the simulation own it.
import { performance } from 'node:perf_hooks' // the global one is looked up anew in each call

export interface Clock {
  /** Monotonic milliseconds; only differences mean something. */
  nowMs(): number
  /** Milliseconds since 1970-01-01 UTC, for people. */
  wallMs(): number
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
}

/** A clock that stands still until it is told to move. */
export class ManualClock implements Clock {
  #nowMs: number
  constructor(nowMs = 0) {
    this.#nowMs = nowMs
  }
  nowMs(): number {
    return this.#nowMs
  }
  wallMs(): number {
    return this.#nowMs
  }
  advance(byMs: number): void {
    this.#nowMs += byMs
  }
}
