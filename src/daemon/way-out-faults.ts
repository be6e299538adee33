// Why tasks have no way out, for `status`, and once in the log.
import type { Log } from '../base/log.ts'

/** What can be wrong, each with one reason at a time. */
export type FaultPart = 'subnet' | 'filter' | 'devices'

export class WayOutFaults {
  readonly #log: Log
  readonly #now = new Map<FaultPart, string>()
  readonly #said = new Map<FaultPart, string>()

  constructor(log: Log) {
    this.#log = log
  }

  /** The first of the reasons, null when nothing is wrong. */
  get reason(): string | null {
    return this.#now.values().next().value ?? null
  }

  has(part: FaultPart): boolean {
    return this.#now.has(part)
  }

  tell(part: FaultPart, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    this.#now.set(part, reason)
    if (this.#said.get(part) === reason) return
    this.#said.set(part, reason)
    this.#log.warn({ reason }, 'tasks have no way out')
  }

  heal(part: FaultPart): void {
    this.#now.delete(part)
    if (this.#said.delete(part)) this.#log.info('tasks have a way out again')
  }

  /** What is tried anew for each task is forgotten first; what was said of it stays said. */
  retry(part: FaultPart): void {
    if (!this.#now.delete(part)) this.#said.delete(part)
  }
}
