// Names of ours with a search domain behind them. When "web" has no address of the kind that was
// asked for, a resolver goes on by itself with "web.corp.example", and that would tell the name to
// the outside. So for some seconds after such an answer the longer name has the same one; asked for
// out of nothing, it is a name of the outside like any other.

/** Resolvers go on within milliseconds, and ask a second time after five seconds. */
export const SEARCH_MEMORY_MS = 6000
/** Names that are remembered for a task. */
export const SEARCH_NAMES_MAX = 16

export class SearchMemory {
  /** Name -> when it was answered, the oldest first. */
  readonly #answered = new Map<string, number>()

  /** `name`, a name of ours, was asked for, and there was no record. */
  remember(name: string, nowMs: number): void {
    this.#answered.delete(name)
    this.#answered.set(name, nowMs)
    if (this.#answered.size <= SEARCH_NAMES_MAX) return
    const [oldest] = this.#answered.keys()
    this.#answered.delete(oldest!)
  }

  /** The name of ours that `name` is with a search domain behind it; null when it is none. */
  origin(name: string, search: readonly string[], nowMs: number): string | null {
    for (const domain of search) {
      const ending = `.${domain.toLowerCase()}`
      if (!name.endsWith(ending)) continue
      const origin = name.slice(0, -ending.length)
      const answeredMs = this.#answered.get(origin)
      if (answeredMs !== undefined && nowMs - answeredMs <= SEARCH_MEMORY_MS) return origin
    }
    return null
  }
}
