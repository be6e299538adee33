// Whether this replica may have missed deletions. Tombstones go after TOMBSTONE_MS; who was away
// for longer might bring back what was deleted meanwhile. So it drops what it has of others, if
// most of those that it meets have taken part all the time, and gets it anew. When nobody has,
// because the power was off everywhere, everything is kept.

export const TOMBSTONE_MS = 24 * 3_600_000
/** Less than half of the others were heard for longer than this, this process running or not. */
export const AWAY_MAX_MS = TOMBSTONE_MS
/** Rows of the last minutes before the others were gone may not have got to them. */
export const CONTACT_MARGIN_MS = 5 * 60_000
/** Back from there, a replica listens for so long before it tells or takes anything. */
export const DECIDE_MS = 500

export type AwayState = 'here' | 'away' | 'deciding'

export class Away {
  #lastHeardMs: number
  /** before this process began */
  #earlierMs: number
  #contactMs: number
  #state: AwayState
  /** Who kept everything may have missed deletions: until then it does not say it knows of all. */
  #steadyFromMs = -Infinity
  readonly #claims = new Map<string, boolean>()

  /**
   * @param earlierMs for how long it had been away when this process began
   * @param contactMs what time it was, for the cluster, when most of it was here last
   */
  constructor(nowMs: number, earlierMs: number, contactMs: number) {
    this.#lastHeardMs = nowMs
    this.#earlierMs = earlierMs
    this.#contactMs = contactMs
    this.#state = earlierMs > AWAY_MAX_MS ? 'away' : 'here'
  }

  get state(): AwayState {
    return this.#state
  }

  /** Whether it has not been away in the time for which tombstones are kept. */
  isSteady(nowMs: number): boolean {
    return this.#state === 'here' && nowMs >= this.#steadyFromMs
  }

  /** What time it was, for the cluster, when most of it was here last. */
  get contactMs(): number {
    return this.#contactMs
  }

  awayMs(nowMs: number): number {
    return nowMs - this.#lastHeardMs + this.#earlierMs
  }

  /** Time has passed; to be said before anything else of a step. */
  look(nowMs: number): void {
    if (this.#state === 'here' && this.awayMs(nowMs) > AWAY_MAX_MS) this.#state = 'away'
  }

  /**
   * A message came.
   * @param isSteady its sender has taken part for long enough to know of every deletion
   * @param mostHereMs what time it is for the cluster, or null when most of it is not here
   * @returns whether it is the first after a long time: DECIDE_MS from now `decide` is due
   */
  heard(nowMs: number, peer: string, isSteady: boolean, mostHereMs: number | null): boolean {
    if (this.#state === 'here') {
      if (mostHereMs === null) return false
      this.#lastHeardMs = nowMs
      this.#earlierMs = 0
      this.#contactMs = mostHereMs
      return false
    }
    this.#claims.set(peer, isSteady)
    if (this.#state === 'deciding') return false
    this.#state = 'deciding'
    return true
  }

  /** Whether the rows of others are to be dropped. From then on this replica takes part again. */
  decide(nowMs: number): boolean {
    let steady = 0
    for (const isSteady of this.#claims.values()) steady += isSteady ? 1 : 0
    const isStale = steady * 2 > this.#claims.size
    if (!isStale) this.#steadyFromMs = nowMs + TOMBSTONE_MS
    this.#claims.clear()
    this.#state = 'here'
    this.#lastHeardMs = nowMs
    this.#earlierMs = 0
    return isStale
  }
}
