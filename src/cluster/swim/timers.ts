// What has to be done later, by name. Setting a name again moves it; the machine that owns this
// asks for the earliest and runs what is due in order of time, then of setting.

type Timer = Readonly<{ atMs: number; run: () => void }>

export class Timers {
  readonly #timers = new Map<string, Timer>()
  /** Earliest, or NaN when it has to be looked for. */
  #nextMs = Infinity

  set(name: string, atMs: number, run: () => void): void {
    const before = this.#timers.get(name)
    if (before !== undefined) {
      this.#timers.delete(name)
      if (before.atMs <= this.#nextMs) this.#nextMs = NaN
    }
    this.#timers.set(name, { atMs, run })
    if (atMs < this.#nextMs) this.#nextMs = atMs
  }

  has(name: string): boolean {
    return this.#timers.has(name)
  }

  atMs(name: string): number {
    return this.#timers.get(name)?.atMs ?? Infinity
  }

  delete(name: string): void {
    const before = this.#timers.get(name)
    if (before === undefined) return
    this.#timers.delete(name)
    if (before.atMs <= this.#nextMs) this.#nextMs = NaN
  }

  clear(): void {
    this.#timers.clear()
    this.#nextMs = Infinity
  }

  /** Absolute time of the earliest; Infinity when there is none. */
  nextMs(): number {
    if (Number.isNaN(this.#nextMs)) {
      this.#nextMs = Infinity
      for (const { atMs } of this.#timers.values()) this.#nextMs = Math.min(this.#nextMs, atMs)
    }
    return this.#nextMs
  }

  /** Runs each that is due; what these set is run too if it is due already. */
  runDue(nowMs: number): void {
    while (this.nextMs() <= nowMs) {
      for (const [name, { atMs, run }] of this.#timers) {
        if (atMs !== this.#nextMs) continue
        this.delete(name)
        run()
        break
      }
    }
  }

  /** Time stood still for so long: everything comes that much later. */
  shift(byMs: number): void {
    for (const [name, { atMs, run }] of this.#timers) {
      this.#timers.set(name, { atMs: atMs + byMs, run })
    }
    this.#nextMs += byMs
  }
}
