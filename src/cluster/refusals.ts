// What is refused is counted always, and said once a minute for each source, so that a log tells of
// a wrong key without being filled by it.

/** Sources that are told apart; the one that was said longest ago makes room. */
export const SOURCES_MAX = 256
export const REFUSAL_INTERVAL_MS = 60_000

/** `count` refusals of this source since the last time, `reason` is that of the newest. */
export type Refusal = Readonly<{ host: string; reason: string; count: number }>

export class Refusals {
  readonly #sources = new Map<string, { saidMs: number; count: number }>()

  /** What has to be said now, or null. */
  add(nowMs: number, host: string, reason: string): Refusal | null {
    const known = this.#sources.get(host)
    if (known !== undefined && nowMs - known.saidMs < REFUSAL_INTERVAL_MS) {
      known.count += 1
      return null
    }
    // A map keeps its order, so the first is the one that was said longest ago.
    this.#sources.delete(host)
    const oldest = this.#sources.keys().next().value
    if (this.#sources.size >= SOURCES_MAX && oldest !== undefined) this.#sources.delete(oldest)
    this.#sources.set(host, { saidMs: nowMs, count: 0 })
    return { host, reason, count: 1 + (known?.count ?? 0) }
  }
}
