// Judges rows that come from elsewhere, and merges those that may come in.
import { TOMBSTONE_MS } from './away.ts'
import type { TablesCounters } from './counters.ts'
import { compareVersions, decodeOwnerEpoch, EPOCHS_TABLE, isDead } from './epochs.ts'
import type { Entry } from './key-tree.ts'
import type { Membership } from './membership.ts'
import { FUTURE_MAX_MS, type OwnRows } from './own-rows.ts'
import type { Parts } from './parts.ts'
import { OWNER_ROWS_MAX, ROWS_MAX } from './replica.ts'
import type { AgedRow } from './row-codec.ts'
import { ownerOfKey, type Row } from './rows.ts'

/** Ages that differ by less are the same: they travel in whole seconds. */
const RENEW_MIN_MS = 1_000

/** What became of a row: taken, not new, or a counter's name that says why not. */
export type Verdict = 'accepted' | keyof Pick<TablesCounters,
  'known' | 'unknownTable' | 'notOwner' | 'oldEpoch' | 'ownerGone' | 'expiredTombstone'
  | 'refusedByCheck' | 'overtaken' | 'twin' | 'rowsFull' | 'ownerFull' | 'quarantined'
  | 'quarantineFull'>

export class Intake {
  readonly #parts: Parts
  readonly #membership: Membership
  readonly #own: OwnRows

  constructor(parts: Parts, membership: Membership, own: OwnRows) {
    this.#parts = parts
    this.#membership = membership
    this.#own = own
  }

  take(aged: AgedRow): Verdict {
    const verdict = this.#judge(aged)
    this.#parts.counters[verdict] += 1
    if (verdict === 'accepted') this.#merge(aged)
    return verdict
  }

  #judge({ row, ageMs }: AgedRow): Verdict {
    const { node, replica } = this.#parts
    const table = replica.table(row.table)
    if (table === undefined) return 'unknownTable'
    if (table.owned) {
      const refused = this.#judgeOwner(row)
      if (refused === 'oldEpoch' && this.#own.isBehind(row) && !this.#isForbidden(row)) {
        this.#own.outlive(row)
      }
      if (refused !== null) return refused
    }
    const entry = replica.get(row.table, row.key)
    const order = entry === undefined ? 1 : compareVersions(row, entry.row)
    if (order === 0 && isDead(row)) this.#renew(entry!, ageMs)
    if (order <= 0) return 'known'
    const isExpired = isDead(row) && ageMs >= TOMBSTONE_MS
    if (isExpired && entry === undefined && !this.#membership.isMissingAny()) {
      return 'expiredTombstone'
    }
    return this.#judgeContent({ row, ageMs }, table.owned && ownerOfKey(row.key) === node)
      ?? (entry === undefined ? this.#judgeRoom(row, table.owned) : null) ?? 'accepted'
  }

  /** Only the owner writes, in its current boot; only `check` can allow others to end it. */
  #judgeOwner(row: Row): Verdict | null {
    const { replica } = this.#parts
    const { stamp } = row
    const owner = ownerOfKey(row.key)
    if (owner === '') return 'notOwner'
    if (row.table === EPOCHS_TABLE) {
      const said = decodeOwnerEpoch(row)
      if (said === null) return 'notOwner'
      if (stamp.node !== owner) return said.isActive ? 'notOwner' : null
      return said.epoch === stamp.epoch ? null : 'notOwner'
    }
    if (stamp.node !== owner) return 'notOwner'
    const known = replica.owners.get(owner)
    if (known?.isGone(stamp.epoch) === true) return 'ownerGone'
    if (known?.isVoid(stamp.epoch) === true) return 'oldEpoch'
    return null
  }

  #judgeContent(aged: AgedRow, isOwn: boolean): Verdict | null {
    const { agreedMs, held } = this.#parts
    const { row } = aged
    if (held.isQuarantined(row)) return 'quarantined'
    if (this.#isForbidden(row)) return 'refusedByCheck'
    const met = isOwn ? this.#own.meet(row) : 'accepted'
    if (met !== 'accepted') return met
    if (row.stamp.ms <= agreedMs + FUTURE_MAX_MS) return null
    return held.quarantine(aged) ? 'quarantined' : 'quarantineFull'
  }

  /** What the check says, or has said a moment ago. */
  #isForbidden(row: Row): boolean {
    const { held, nowMs, options } = this.#parts
    if (held.isRefused(row, nowMs)) return true
    if (options.check === undefined || options.check(row) === null) return false
    held.refuse(row, nowMs)
    return true
  }

  /** All keep a tombstone for as long as the one for whom it is youngest. */
  #renew(entry: Entry, ageMs: number): void {
    const { replica, runMs } = this.#parts
    const isYounger = ageMs + RENEW_MIN_MS < runMs - entry.bornRunMs
    if (isYounger) replica.renew(entry, bornRunMs(runMs, ageMs), runMs)
  }

  #judgeRoom(row: Row, isOwned: boolean): Verdict | null {
    const { replica } = this.#parts
    if (replica.rows >= ROWS_MAX) return 'rowsFull'
    const owner = isOwned ? replica.ownerOf(row) : undefined
    return owner !== undefined && owner.entries.size >= OWNER_ROWS_MAX ? 'ownerFull' : null
  }

  #merge({ row, ageMs }: AgedRow): void {
    const { clock, node, replica, runMs } = this.#parts
    clock.observe(row.stamp)
    if (row.table === EPOCHS_TABLE && ownerOfKey(row.key) === node) this.#own.end(row)
    const before = row.table === EPOCHS_TABLE ? this.#membership.epochOf(row) : null
    replica.put(row, bornRunMs(runMs, ageMs), this.#parts)
    if (row.table === EPOCHS_TABLE) this.#membership.epochCame(row, before)
  }
}

/** Older than a tombstone ever gets makes no difference. */
function bornRunMs(runMs: number, ageMs: number): number {
  return runMs - Math.min(ageMs, 2 * TOMBSTONE_MS)
}
