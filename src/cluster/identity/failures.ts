// How often each source failed of late: who guesses join tokens has to wait.

export const FAILURES_MAX = 5
export const FAILURE_WINDOW_MS = 60_000
/** Of more than these the one that failed first is forgotten. */
export const SOURCES_MAX = 1024

export class Failures {
  /** Times of the latest failures of each source, oldest first. */
  readonly #times = new Map<string, number[]>()

  /** Milliseconds until `source` may try again; 0: now. */
  waitMs(source: string, nowMs: number): number {
    const recent = this.#recent(source, nowMs)
    if (recent.length < FAILURES_MAX) return 0
    return recent[0]! + FAILURE_WINDOW_MS - nowMs
  }

  record(source: string, nowMs: number): void {
    const times = [...this.#recent(source, nowMs), nowMs].slice(-FAILURES_MAX)
    this.#times.delete(source)
    this.#times.set(source, times)
    if (this.#times.size <= SOURCES_MAX) return
    for (const oldest of this.#times.keys()) {
      this.#times.delete(oldest)
      return
    }
  }

  #recent(source: string, nowMs: number): number[] {
    return (this.#times.get(source) ?? []).filter(time => nowMs - time < FAILURE_WINDOW_MS)
  }
}
