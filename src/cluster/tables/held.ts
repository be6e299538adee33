// Rows that came and were not taken: those from the future, until their time has come, and for a
// moment those that the check refused, so that a signature is not verified again for each copy.
import { compareVersions, listedOf } from './epochs.ts'
import { forgetOldest } from './forget.ts'
import { hashText } from './hash.ts'
import type { Listed } from './item-codec.ts'
import { rowId } from './replica.ts'
import type { AgedRow } from './row-codec.ts'
import type { Row } from './rows.ts'

export const QUARANTINE_ROWS_MAX = 4096
export const REFUSED_ROWS_MAX = 4096
/** What was refused may be right later: the key that it needs may be on its way. */
export const REFUSED_MS = 5_000

type Refused = Readonly<{ row: Row; untilMs: number }>

export class Held {
  readonly #future = new Map<string, AgedRow>()
  readonly #refused = new Map<string, Refused>()

  get quarantined(): number {
    return this.#future.size
  }

  /** False when there is no room for it. */
  quarantine(aged: AgedRow): boolean {
    const id = rowId(aged.row.table, aged.row.key)
    const held = this.#future.get(id)
    if (held !== undefined && compareVersions(held.row, aged.row) >= 0) return true
    if (held === undefined && this.#future.size >= QUARANTINE_ROWS_MAX) return false
    this.#future.set(id, aged)
    return true
  }

  /** Whether exactly this row waits. */
  isQuarantined(row: Row): boolean {
    const held = this.#future.get(rowId(row.table, row.key))
    return held !== undefined && compareVersions(held.row, row) === 0
  }

  /** Those whose stamp is not after `ms` any more; they are not kept longer. */
  release(ms: number): AgedRow[] {
    const due: AgedRow[] = []
    for (const [id, aged] of this.#future) {
      if (aged.row.stamp.ms > ms) continue
      due.push(aged)
      this.#future.delete(id)
    }
    return due
  }

  /** The check said no. The oldest is forgotten when there are too many. */
  refuse(row: Row, nowMs: number): void {
    const id = rowId(row.table, row.key)
    this.#refused.delete(id)
    forgetOldest(this.#refused, REFUSED_ROWS_MAX)
    this.#refused.set(id, { row, untilMs: nowMs + REFUSED_MS })
  }

  isRefused(row: Row, nowMs: number): boolean {
    const refused = this.#refused.get(rowId(row.table, row.key))
    if (refused === undefined || nowMs >= refused.untilMs) return false
    return compareVersions(refused.row, row) === 0
  }

  /** What waits of a key, as it is listed for another node: it need not be sent again. */
  get(table: string, key: string): Listed | undefined {
    const future = this.#future.get(rowId(table, key))
    return future === undefined ? undefined : listedOf(future.row)
  }

  /** All that waits of a table, from place `first` to `last`. */
  * inside(table: string, first: number, last: number): Generator<Listed> {
    for (const { row } of this.#future.values()) {
      if (row.table !== table) continue
      const place = hashText(row.key) >>> 0
      if (place >= first && place <= last) yield listedOf(row)
    }
  }
}
