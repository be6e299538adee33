// The rows that this node has, indexed by key and by owner, with what changed since it was last
// asked: for readers, and for the disk.
import { decodeOwnerEpoch, EPOCHS_TABLE, isDead } from './epochs.ts'
import type { Change, StoredRow, TableSpec } from './events.ts'
import { TOMBSTONE_MS } from './away.ts'
import { type Entry, KeyTree, makeEntry } from './key-tree.ts'
import { type Owner, Owners } from './owners.ts'
import { ownerOfKey, type Row } from './rows.ts'

/** Rows of all tables together, tombstones included. */
export const ROWS_MAX = 262_144
/** Rows of one owner, tombstones included. */
export const OWNER_ROWS_MAX = 16_384

/** Time, and this replica's running time. */
export type Now = Readonly<{ nowMs: number; runMs: number }>

export type Table = Readonly<{ name: string; owned: boolean; tree: KeyTree }>

/** A row's name among all tables. */
export function rowId(table: string, key: string): string {
  return `${table}\n${key}`
}

export class Replica {
  readonly owners = new Owners()
  /** Tombstones, and what is like one. */
  readonly dead = new Set<Entry>()
  readonly #self: string
  readonly #tables = new Map<string, Table>()
  readonly #changes = new Map<string, { old: Row | null; wasShown: boolean; entry: Entry }>()
  readonly #dirty = new Map<string, Entry>()
  #rows = 0

  constructor(self: string, specs: readonly TableSpec[]) {
    this.#self = self
    for (const { name, owned } of [...specs, { name: EPOCHS_TABLE, owned: true }]) {
      this.#tables.set(name, { name, owned, tree: new KeyTree() })
    }
  }

  /** Of all tables, tombstones included. */
  get rows(): number {
    return this.#rows
  }

  get dirty(): number {
    return this.#dirty.size
  }

  table(name: string): Table | undefined {
    return this.#tables.get(name)
  }

  tables(): Iterable<Table> {
    return this.#tables.values()
  }

  get(table: string, key: string): Entry | undefined {
    return this.#tables.get(table)?.tree.get(key)
  }

  /** The owner of a row in an owner-keyed table, if it is known. */
  ownerOf(row: Row): Owner | undefined {
    return this.#tables.get(row.table)?.owned === true
      ? this.owners.get(ownerOfKey(row.key)) : undefined
  }

  /** A row in the place of the one that is there. The table must be known. */
  put(row: Row, bornRunMs: number, now: Now): Entry {
    const table = this.#tables.get(row.table)!
    let entry = table.tree.get(row.key)
    if (entry === undefined) {
      entry = makeEntry(row, bornRunMs)
      this.#note(entry, null)
      table.tree.add(entry)
      this.#rows += 1
    } else {
      this.#note(entry, entry.row)
      table.tree.replace(entry, row, bornRunMs)
    }
    this.#touch(entry)
    if (isDead(row)) this.dead.add(entry)
    else this.dead.delete(entry)
    this.fade(entry, now.runMs)
    if (table.owned) this.#own(entry)
    entry.isShown = this.isShown(entry, now.nowMs)
    return entry
  }

  /** Whether it has become too old to be told. */
  fade(entry: Entry, runMs: number): void {
    const isFaded = isDead(entry.row) && runMs - entry.bornRunMs >= TOMBSTONE_MS
    this.#tables.get(entry.row.table)!.tree.setFaded(entry, isFaded)
  }

  /** Not told to others any more, whatever its age. */
  hush(entry: Entry): void {
    this.#tables.get(entry.row.table)!.tree.setFaded(entry, true)
  }

  /** Elsewhere the same tombstone is younger: it is kept for as long as there. */
  renew(entry: Entry, bornRunMs: number, runMs: number): void {
    entry.bornRunMs = bornRunMs
    this.fade(entry, runMs)
    this.#touch(entry)
  }

  /** Forget a row, without a trace. */
  drop(entry: Entry): void {
    const { row } = entry
    this.#note(entry, row)
    this.#tables.get(row.table)!.tree.delete(entry)
    this.#rows -= 1
    this.#touch(entry)
    this.dead.delete(entry)
    const owner = this.ownerOf(row)
    if (owner !== undefined) {
      if (row.table === EPOCHS_TABLE) owner.current = null
      else owner.entries.delete(entry)
      this.owners.sweep(owner)
    }
    entry.isShown = false
  }

  /** An owner came, went, or began anew: what of its rows is shown now? */
  reshow(owner: Owner, nowMs: number): void {
    for (const entry of owner.entries) {
      const isShown = this.isShown(entry, nowMs)
      if (isShown === entry.isShown) continue
      this.#note(entry, entry.row)
      entry.isShown = isShown
    }
  }

  isShown(entry: Entry, nowMs: number): boolean {
    const { row } = entry
    if (isDead(row)) return false
    if (row.table === EPOCHS_TABLE || !this.#tables.get(row.table)!.owned) return true
    const owner = ownerOfKey(row.key)
    return owner === this.#self || this.owners.get(owner)?.shows(row.stamp.epoch, nowMs) === true
  }

  /** What readers are told, since the last time they were. */
  takeChanges(): Change[] {
    const changes: Change[] = []
    for (const { old, wasShown, entry } of this.#changes.values()) {
      const { table, key } = entry.row
      const isHere = this.get(table, key) === entry
      const change = {
        table, key, old, new: isHere ? entry.row : null, wasShown, isShown: entry.isShown,
      }
      if (change.old !== change.new || wasShown !== change.isShown) changes.push(change)
    }
    this.#changes.clear()
    return changes
  }

  /** What the disk has to be told, since the last time it was. */
  takeDirty(): { rows: StoredRow[]; removed: { table: string; key: string }[] } {
    const rows: StoredRow[] = []
    const removed: { table: string; key: string }[] = []
    for (const entry of this.#dirty.values()) {
      const { table, key } = entry.row
      if (this.get(table, key) === entry) rows.push({ row: entry.row, bornRunMs: entry.bornRunMs })
      else removed.push({ table, key })
    }
    this.#dirty.clear()
    return { rows, removed }
  }

  /** Put in a row from the disk, which nobody needs to be told of. */
  restore({ row, bornRunMs }: StoredRow, now: Now): void {
    if (this.#tables.get(row.table) === undefined || this.get(row.table, row.key)) return
    this.put(row, bornRunMs, now)
    this.#changes.clear()
    this.#dirty.clear()
  }

  #own(entry: Entry): void {
    const { row } = entry
    const owner = this.owners.of(ownerOfKey(row.key))
    if (row.table === EPOCHS_TABLE) owner.current = decodeOwnerEpoch(row)
    else owner.entries.add(entry)
  }

  #note(entry: Entry, old: Row | null): void {
    const id = rowId(entry.row.table, entry.row.key)
    const noted = this.#changes.get(id)
    if (noted === undefined) this.#changes.set(id, { old, wasShown: entry.isShown, entry })
    else noted.entry = entry
  }

  #touch(entry: Entry): void {
    this.#dirty.set(rowId(entry.row.table, entry.row.key), entry)
  }
}
