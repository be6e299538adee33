// Names that were just given away. Until the mesh knows the new member, only this list can tell
// the next one with the same name that it is taken.

export const RESERVATION_MS = 30_000
export const RESERVATIONS_MAX = 1024

export class Reservations {
  /** By name, in the order in which they were made. */
  readonly #held = new Map<string, Readonly<{ holder: string; untilMs: number }>>()

  isFree(name: string, holder: string, nowMs: number): boolean {
    const held = this.#held.get(name)
    return held === undefined || held.untilMs <= nowMs || held.holder === holder
  }

  /** Whoever had it is gone. */
  free(name: string): void {
    this.#held.delete(name)
  }

  hold(name: string, holder: string, nowMs: number): void {
    this.#held.delete(name)
    this.#held.set(name, { holder, untilMs: nowMs + RESERVATION_MS })
    if (this.#held.size <= RESERVATIONS_MAX) return
    for (const oldest of this.#held.keys()) {
      this.#held.delete(oldest)
      return
    }
  }
}
