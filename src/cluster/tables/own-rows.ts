// The rows that this node writes: stamped, proved, and written again when it turns out that an
// earlier boot of this node, whose disk was lost, has said something newer.
import { ConflictError, LimitError, UsageError } from '../../base/errors.ts'
import { pick } from '../../base/prng.ts'
import { decodeOwnerEpoch, encodeOwnerEpoch, epochKey, EPOCHS_TABLE } from './epochs.ts'
import type { Write } from './events.ts'
import type { Membership } from './membership.ts'
import type { Parts } from './parts.ts'
import { OWNER_ROWS_MAX, ROWS_MAX } from './replica.ts'
import { isKey } from './row-codec.ts'
import {
  compareRows, EPOCH_MAX, NO_OCTETS, ownerOfKey, PROOF_OCTETS_MAX, type Row, VALUE_OCTETS_MAX,
} from './rows.ts'

/** How often an earlier boot is overtaken; then somebody else must be running with our id. */
export const EPOCH_RAISES_MAX = 16

/**
 * An earlier boot, and what it wrote, are overtaken by up to so much, by chance. What comes next
 * may be in use, too, without anybody here having heard of it, and is never to mean another thing.
 */
export const EPOCH_STEP_MAX = 1024
export const STAMP_STEP_MAX_MS = 1000

/** Own rows that are told, and not left to the digests, when the first others come. */
export const TOLD_ROWS_MAX = 1024
/** How often what others, or an earlier boot, wrote in our name is written over. */
export const REASSERTS_PER_MINUTE = 600
/** A stamp that is further ahead of the agreed time than this waits in quarantine. */
export const FUTURE_MAX_MS = 60_000

export class OwnRows {
  readonly #parts: Parts
  readonly #membership: Membership
  /** told to everybody, after all of a step is written */
  #written: Row[] = []
  #hasLeft = false
  #reasserts = 0
  #reassertSinceMs = -Infinity

  constructor(parts: Parts, membership: Membership) {
    this.#parts = parts
    this.#membership = membership
  }

  get hasLeft(): boolean {
    return this.#hasLeft
  }

  /** The rows that were written since the last time. */
  take(): Row[] {
    const written = this.#written
    this.#written = []
    return written
  }

  /** Nobody has been told anything yet: tell what is ours alone, unless that is too much. */
  tellAll(): void {
    const { node, replica } = this.#parts
    const owner = replica.owners.of(node)
    if (owner.entries.size > TOLD_ROWS_MAX) return
    const epoch = replica.get(EPOCHS_TABLE, epochKey(node))
    for (const entry of [...epoch === undefined ? [] : [epoch], ...owner.entries]) {
      if (entry.row.value !== null) this.#written.push(entry.row)
    }
  }

  start(): void {
    this.#announce(true)
  }

  /**
   * All of them or, when one cannot be, none.
   * @throws UsageError for what can be in no table, LimitError when a limit is reached,
   *         ConflictError after this node has left
   */
  write(writes: readonly Write[]): void {
    if (this.#hasLeft) throw new ConflictError('this node has left the cluster; join it first')
    for (const write of writes) this.#check(write)
    this.#checkRoom(writes)
    for (const { table, key, value } of writes) {
      const entry = this.#parts.replica.get(table, key)
      if (value === null && (entry === undefined || entry.row.value === null)) continue
      this.#put(table, key, value)
    }
  }

  leave(): void {
    if (this.#hasLeft) return
    this.#announce(false)
    this.#hasLeft = true
  }

  /** @throws UsageError when it is this node itself */
  remove(node: string, epoch: number): void {
    if (node === this.#parts.node) throw new UsageError('a node cannot remove itself; let it leave')
    this.#put(EPOCHS_TABLE, epochKey(node), encodeOwnerEpoch({ epoch, isActive: false }))
  }

  /**
   * A row that is this node's own by its key, and newer than what is here, came from elsewhere. An
   * earlier boot of this node may have written it before its disk was lost, a manager that takes
   * this node out, or somebody who lies. The last word has the owner.
   * @returns 'accepted' when the row is right, else what was done against it
   */
  meet(row: Row): 'accepted' | 'overtaken' | 'twin' {
    const { epoch, node, replica } = this.#parts
    if (row.table === EPOCHS_TABLE) {
      const isRemoval = !decodeOwnerEpoch(row)!.isActive && row.stamp.node !== node
      if (isRemoval) return 'accepted'
      this.#raise(row)
      return 'overtaken'
    }
    if (row.stamp.epoch > epoch) {
      this.#raise(row)
      return 'overtaken'
    }
    const entry = replica.get(row.table, row.key)
    if (entry === undefined && row.value === null) return 'accepted'
    this.#parts.notice({ what: 'twin', table: row.table, key: row.key })
    this.#reassert(row, entry?.row.value ?? null)
    return 'twin'
  }

  /** Whether an earlier boot, its clock ahead of ours, has stamped the row later than this one. */
  isBehind(row: Row): boolean {
    const entry = this.#parts.replica.get(row.table, row.key)
    return ownerOfKey(row.key) === this.#parts.node && entry !== undefined
      && compareRows(row, entry.row) > 0
  }

  /** Stamp ours later: others take it for the older one while they keep what that boot wrote. */
  outlive(row: Row): void {
    this.#reassert(row, this.#parts.replica.get(row.table, row.key)?.row.value ?? null)
  }

  /** Somebody who may has taken this node out of the cluster. */
  end(row: Row): void {
    this.#hasLeft = true
    this.#parts.notice({ what: 'removed', by: row.stamp.node })
  }

  /** Write over what was written in our name, unless that is from the future. */
  #reassert(row: Row, value: Uint8Array | null): void {
    const { agreedMs, clock, counters, nowMs, random } = this.#parts
    if (nowMs - this.#reassertSinceMs > 60_000) {
      this.#reassertSinceMs = nowMs
      this.#reasserts = 0
    }
    if (row.stamp.ms > agreedMs + FUTURE_MAX_MS) return
    if (this.#reasserts >= REASSERTS_PER_MINUTE) {
      counters.restampsFull += 1
      return
    }
    this.#reasserts += 1
    clock.observe({ ms: row.stamp.ms + 1 + pick(random, STAMP_STEP_MAX_MS), counter: 0 })
    this.#put(row.table, row.key, value)
  }

  #raise(row: Row): void {
    const { counters, node, random, replica } = this.#parts
    const from = this.#parts.epoch
    const said = Math.max(row.stamp.epoch, decodeOwnerEpoch(row)?.epoch ?? 0)
    const to = said + 1 + pick(random, EPOCH_STEP_MAX)
    if (counters.epochRaises >= EPOCH_RAISES_MAX || to > EPOCH_MAX) {
      this.#parts.notice({ what: 'twin', table: row.table, key: row.key })
      return
    }
    counters.epochRaises += 1
    this.#parts.epoch = to
    this.#parts.effects.push({ type: 'epoch', epoch: to })
    this.#parts.notice({ what: 'epoch-raised', from, to })
    const rows = [...replica.owners.of(node).entries].map(entry => entry.row)
    for (const { table, key, value } of rows) if (value !== null) this.#put(table, key, value)
    this.#announce(!this.#hasLeft)
  }

  /** Say which boot of this node is current. Rows of earlier ones are void from here on. */
  #announce(isActive: boolean): void {
    const { epoch, node, replica } = this.#parts
    this.#put(EPOCHS_TABLE, epochKey(node), encodeOwnerEpoch({ epoch, isActive }))
    this.#membership.dropVoid(replica.owners.of(node))
  }

  #put(table: string, key: string, value: Uint8Array | null): void {
    const { agreedMs, clock, epoch, node, options, replica, runMs } = this.#parts
    const stamp = { ...clock.next(agreedMs), node, epoch }
    const octets = value === null ? null : Uint8Array.from(value)
    const bare = { table, key, value: octets, proof: NO_OCTETS, stamp }
    const proof = options.prove?.(bare) ?? NO_OCTETS
    if (proof.length > PROOF_OCTETS_MAX) {
      throw new LimitError(`a proof has ${proof.length} octets; at most ${PROOF_OCTETS_MAX} fit`)
    }
    const row = { ...bare, proof }
    const before = table === EPOCHS_TABLE ? this.#membership.epochOf(row) : null
    replica.put(row, runMs, this.#parts)
    if (table === EPOCHS_TABLE) this.#membership.epochCame(row, before)
    this.#written.push(row)
  }

  #check({ table, key, value }: Write): void {
    const { node, replica } = this.#parts
    const spec = replica.table(table)
    if (spec === undefined || table === EPOCHS_TABLE) {
      throw new UsageError(`there is no table "${table}" to write to`, { table })
    }
    if (!isKey(key)) {
      throw new UsageError(`"${key}" cannot be a key: it is empty, longer than 255 octets, `
        + 'or has control characters', { table, key })
    }
    if (spec.owned && ownerOfKey(key) !== node) {
      throw new UsageError(`keys of table "${table}" begin with "${node}/" on this node`,
        { table, key })
    }
    if (value !== null && value.length > VALUE_OCTETS_MAX) {
      throw new LimitError(`the value of ${key} in table "${table}" has ${value.length} octets; `
        + `at most ${VALUE_OCTETS_MAX} fit`, { table, key })
    }
  }

  #checkRoom(writes: readonly Write[]): void {
    const { node, replica } = this.#parts
    const fresh = writes.filter(w => w.value !== null && replica.get(w.table, w.key) === undefined)
    const owned = fresh.filter(w => replica.table(w.table)!.owned).length
    if (replica.rows + fresh.length > ROWS_MAX) {
      throw new LimitError(`the tables have ${replica.rows} rows; at most ${ROWS_MAX} fit`)
    }
    const mine = replica.owners.get(node)?.entries.size ?? 0
    if (mine + owned > OWNER_ROWS_MAX) {
      throw new LimitError(`this node has ${mine} rows of its own; at most ${OWNER_ROWS_MAX} fit`)
    }
  }
}
