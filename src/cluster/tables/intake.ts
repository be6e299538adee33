// Judges rows that come from elsewhere, and merges those that may come in.
import { AWAY_MAX_MS, TOMBSTONE_MS } from './away.ts'
import type { TablesCounters } from './counters.ts'
import { decodeOwnerEpoch, EPOCHS_TABLE, isDead } from './epochs.ts'
import type { Membership } from './membership.ts'
import type { OwnRows } from './own-rows.ts'
import type { Parts } from './parts.ts'
import { OWNER_ROWS_MAX, ROWS_MAX } from './replica.ts'
import type { AgedRow } from './row-codec.ts'
import { compareRows, ownerOfKey, type Row } from './rows.ts'

/** A stamp that is further ahead of the agreed time than this waits in quarantine. */
export const FUTURE_MAX_MS = 60_000

/** What became of a row: taken, not new, or a counter's name that says why not. */
export type Verdict = 'accepted' | keyof Pick<TablesCounters,
  'known' | 'unknownTable' | 'notOwner' | 'oldEpoch' | 'ownerGone' | 'expiredTombstone'
  | 'refusedByCheck' | 'twin' | 'rowsFull' | 'ownerFull' | 'quarantined' | 'quarantineFull'>

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
    const { replica } = this.#parts
    const table = replica.table(row.table)
    if (table === undefined) return 'unknownTable'
    if (table.owned) {
      const refused = this.#judgeOwner(row)
      if (refused !== null) return refused
    }
    const entry = replica.get(row.table, row.key)
    if (entry !== undefined && compareRows(row, entry.row) <= 0) return 'known'
    const isExpired = isDead(row) && ageMs >= TOMBSTONE_MS
    if (isExpired && entry === undefined && !this.#membership.isMissingAny()) {
      return 'expiredTombstone'
    }
    return this.#judgeContent({ row, ageMs })
      ?? (entry === undefined ? this.#judgeRoom(row, table.owned) : null) ?? 'accepted'
  }

  /** Only the owner writes, in its current boot; only `check` can allow others to end it. */
  #judgeOwner(row: Row): Verdict | null {
    const { node, replica } = this.#parts
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
    return owner === node ? this.#judgeSelf(row) : null
  }

  /** A row of ours that we do not have: of an earlier boot with a higher epoch, or of a twin. */
  #judgeSelf(row: Row): Verdict | null {
    const { epoch, replica } = this.#parts
    if (row.stamp.epoch > epoch) return null
    if (row.stamp.epoch < epoch) return 'oldEpoch'
    const entry = replica.get(row.table, row.key)
    return entry !== undefined && compareRows(row, entry.row) <= 0 ? 'known' : 'twin'
  }

  #judgeContent(aged: AgedRow): Verdict | null {
    const { agreedMs, held, node, nowMs, options } = this.#parts
    const { row } = aged
    if (held.isQuarantined(row)) return 'quarantined'
    if (held.isRefused(row, nowMs)) return 'refusedByCheck'
    if (options.check !== undefined && options.check(row) !== null) {
      held.refuse(row, nowMs)
      return 'refusedByCheck'
    }
    // What this node wrote itself, before its disk was lost, must be overtaken at once.
    if (row.stamp.ms <= agreedMs + FUTURE_MAX_MS || row.stamp.node === node) return null
    return held.quarantine(aged) ? 'quarantined' : 'quarantineFull'
  }

  #judgeRoom(row: Row, isOwned: boolean): Verdict | null {
    const { replica } = this.#parts
    if (replica.rows >= ROWS_MAX) return 'rowsFull'
    const owner = isOwned ? replica.ownerOf(row) : undefined
    return owner !== undefined && owner.entries.size >= OWNER_ROWS_MAX ? 'ownerFull' : null
  }

  #merge({ row, ageMs }: AgedRow): void {
    const { clock, node, nowMs, replica, runMs } = this.#parts
    clock.observe(row.stamp)
    const isOwn = this.#parts.replica.table(row.table)!.owned && ownerOfKey(row.key) === node
    if (isOwn && this.#own.defend(row)) return
    const before = row.table === EPOCHS_TABLE ? this.#membership.epochOf(row) : null
    replica.put(row, runMs - Math.min(ageMs, AWAY_MAX_MS * 2), nowMs)
    if (row.table === EPOCHS_TABLE) this.#membership.epochCame(row, before)
  }
}
