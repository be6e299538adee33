// Round trips of one path over its last probes: how long, how even, how many are lost.

/** Probes that count; older ones are forgotten. */
export const ROUND_TRIP_SAMPLES = 64
/** RFC 6298 section 2: each new round trip moves the smoothed one by an eighth. */
const SMOOTHING = 1 / 8
/** RFC 3550 section 6.4.1: jitter moves by a sixteenth. */
const JITTER_SMOOTHING = 1 / 16

export type RoundTripView = Readonly<{
  /** The last one; milliseconds, as all of these; null before the first. */
  rttMs: number | null
  /** Smallest of the samples. */
  rttMinMs: number | null
  rttSmoothMs: number | null
  jitterMs: number | null
  /** Of the samples, lost ones; null without samples. */
  lossPercent: number | null
  samples: number
}>

export class RoundTrips {
  /** NaN: lost. */
  readonly #samples = new Float64Array(ROUND_TRIP_SAMPLES)
  #count = 0
  #last: number | null = null
  #smooth: number | null = null
  #jitter = 0

  add(rttMs: number): void {
    this.#note(rttMs)
    if (this.#last !== null) {
      this.#jitter += (Math.abs(rttMs - this.#last) - this.#jitter) * JITTER_SMOOTHING
    }
    this.#smooth = this.#smooth === null ? rttMs
      : this.#smooth + (rttMs - this.#smooth) * SMOOTHING
    this.#last = rttMs
  }

  addLost(): void {
    this.#note(Number.NaN)
  }

  get samples(): number {
    return Math.min(this.#count, ROUND_TRIP_SAMPLES)
  }

  get hasLoss(): boolean {
    return this.#present().some(sample => Number.isNaN(sample))
  }

  /** How long an answer may take: three round trips and four times the jitter, within bounds. */
  timeoutMs(leastMs: number, mostMs: number): number {
    if (this.#smooth === null) return mostMs
    return Math.min(mostMs, Math.max(leastMs, 3 * this.#smooth + 4 * this.#jitter))
  }

  view(): RoundTripView {
    const samples = this.#present()
    const heard = samples.filter(sample => !Number.isNaN(sample))
    const lost = samples.length - heard.length
    return {
      rttMs: this.#last,
      rttMinMs: heard.length === 0 ? null : heard.reduce((least, one) => Math.min(least, one)),
      rttSmoothMs: this.#smooth,
      jitterMs: this.#last === null ? null : this.#jitter,
      lossPercent: samples.length === 0 ? null : (lost / samples.length) * 100,
      samples: samples.length,
    }
  }

  #note(sample: number): void {
    this.#samples[this.#count % ROUND_TRIP_SAMPLES] = sample
    this.#count += 1
  }

  #present(): Float64Array {
    return this.#samples.subarray(0, this.samples)
  }
}
