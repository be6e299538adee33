// When what is due next: one moment for each thing that the tables do by themselves.

export type Chore = 'digest' | 'news' | 'bulk' | 'persist' | 'upkeep' | 'mark' | 'decide'

export class Timers {
  readonly #due = new Map<Chore, number>()

  /** An earlier moment that is set already stays. */
  soon(chore: Chore, atMs: number): void {
    const dueMs = this.#due.get(chore)
    if (dueMs === undefined || atMs < dueMs) this.#due.set(chore, atMs)
  }

  clear(chore: Chore): void {
    this.#due.delete(chore)
  }

  /** Whether its moment has come; then it has none any more. */
  take(chore: Chore, nowMs: number): boolean {
    const dueMs = this.#due.get(chore)
    if (dueMs === undefined || dueMs > nowMs) return false
    this.#due.delete(chore)
    return true
  }

  nextMs(): number {
    let nextMs = Infinity
    for (const dueMs of this.#due.values()) if (dueMs < nextMs) nextMs = dueMs
    return nextMs
  }
}
