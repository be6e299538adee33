// What time it is for the cluster. A node whose wall clock is far off the others' would write
// stamps that nobody takes, and would take nobody's; with two others to compare itself with it goes
// by the middle of all clocks instead.

import { forgetOldest } from './forget.ts'

/** A peer's clock is believed for this long after its last message. */
export const CLOCK_FRESH_MS = 60_000
/** An own clock this near the middle is taken as it is. */
export const CLOCK_TRUST_MS = 30_000
/** With fewer others than this nobody can tell who is wrong. */
export const CLOCK_PEERS_MIN = 2
export const CLOCKS_MAX = 4096

type Sample = Readonly<{ offsetMs: number; heardMs: number }>

export class PeerClocks {
  readonly #samples = new Map<string, Sample>()
  #cachedAtMs = -1
  #cachedOffsetMs: number | null = null

  /** A message that `peer` sent when its wall clock said `wallMs` came at `nowMs` of our time. */
  heard(nowMs: number, peer: string, wallMs: number): void {
    this.#samples.delete(peer)
    forgetOldest(this.#samples, CLOCKS_MAX)
    this.#samples.set(peer, { offsetMs: wallMs - nowMs, heardMs: nowMs })
  }

  forget(peer: string): void {
    this.#samples.delete(peer)
  }

  /** How far the peer's wall clock is ahead of ours, or null when it was not heard lately. */
  aheadMs(nowMs: number, wallMs: number, peer: string): number | null {
    const sample = this.#samples.get(peer)
    if (sample === undefined || nowMs - sample.heardMs > CLOCK_FRESH_MS) return null
    return Math.round(sample.offsetMs + nowMs - wallMs)
  }

  /** Our wall clock, or the middle of everybody's when ours is more than CLOCK_TRUST_MS off it. */
  agreedMs(nowMs: number, wallMs: number): number {
    const middle = this.#middle(nowMs, wallMs)
    if (middle === null) return wallMs
    return Math.abs(middle + nowMs - wallMs) <= CLOCK_TRUST_MS ? wallMs : middle + nowMs
  }

  /** Looked at anew once a second: clocks do not change faster than their owners notice. */
  #middle(nowMs: number, wallMs: number): number | null {
    const own = wallMs - nowMs
    if (this.#cachedOffsetMs !== null && nowMs - this.#cachedAtMs < 1000
      && Math.abs(this.#cachedOffsetMs - own) <= CLOCK_TRUST_MS) return this.#cachedOffsetMs
    const offsets = [own]
    for (const { offsetMs, heardMs } of this.#samples.values()) {
      if (nowMs - heardMs <= CLOCK_FRESH_MS) offsets.push(offsetMs)
    }
    this.#cachedAtMs = nowMs
    this.#cachedOffsetMs = null
    if (offsets.length > CLOCK_PEERS_MIN) {
      offsets.sort((a, b) => a - b)
      this.#cachedOffsetMs = offsets[(offsets.length - 1) >> 1]!
    }
    return this.#cachedOffsetMs
  }
}
