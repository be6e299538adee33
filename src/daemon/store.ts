// What a node must still know after the power was off: the rows of its tables, how far its clocks
// had come, its boot epoch, and named pieces such as keys. SQLite in one file, one transaction per
// change set, on disk when the call returns (decision 0015).
import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { ConfigError, TapmeshError } from '../base/errors.ts'
import type { Persist, ReplicaMeta, Restored, StoredRow } from '../cluster/tables/events.ts'
import { OctetReader, OctetWriter } from '../cluster/tables/octets.ts'
import { readRow, writeRow } from '../cluster/tables/row-codec.ts'
import { EPOCH_MAX, type Row } from '../cluster/tables/rows.ts'
import { createDatabase, damaged, openDatabase } from './store-file.ts'

const EPOCH_PIECE = 'boot-epoch'
const REPLICA_PIECE = 'replica'

const replicaMeta = z.object({
  epoch: z.int().min(0).max(EPOCH_MAX),
  hlcMs: z.number().min(0),
  hlcCounter: z.int().min(0).max(0xffff),
  runMs: z.number().min(0),
  wallMs: z.number(),
  awayMs: z.number().min(0),
  contactMs: z.number().min(0),
}) satisfies z.ZodType<ReplicaMeta>

const utf8 = new TextEncoder()

/**
 * The store in the file `path`; a new one when there is none.
 * @param wallMs  for the boot epoch
 * @throws ConfigError when the file is damaged, not ours, of a newer version, or in use. It is left
 *         as it is: a store is never begun anew over what is there.
 */
export function openStore(path: string, wallMs: number): Store {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (!existsSync(path)) {
    if (existsSync(`${path}-wal`)) throw damaged(path, `it is gone, but ${path}-wal is there`)
    createDatabase(path)
  }
  const database = openDatabase(path)
  try {
    return new Store(path, database, wallMs)
  } catch (error) {
    database.close()
    throw error instanceof TapmeshError ? error : damaged(path, String(error), error)
  }
}

export class Store {
  /** This run's boot epoch: never lower than before, and on disk already. */
  readonly epoch: number
  /** What the tables had, or null when they had nothing. */
  readonly restored: Restored | null
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #putRow: StatementSync
  readonly #deleteRow: StatementSync
  readonly #putPiece: StatementSync
  readonly #deletePiece: StatementSync
  readonly #getPiece: StatementSync

  constructor(path: string, database: DatabaseSync, wallMs: number) {
    this.#path = path
    this.#database = database
    this.#putRow = database.prepare('INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)')
    this.#deleteRow = database.prepare('DELETE FROM rows WHERE name = ? AND key = ?')
    this.#putPiece = database.prepare('INSERT OR REPLACE INTO pieces VALUES (?, ?, ?)')
    this.#deletePiece = database.prepare('DELETE FROM pieces WHERE name = ?')
    this.#getPiece = database.prepare('SELECT octets, checksum FROM pieces WHERE name = ?')
    const meta = this.#readMeta()
    const rows = this.#readRows()
    this.restored = meta === null ? null : { meta, rows }
    this.epoch = this.#nextEpoch(wallMs, meta)
  }

  /** All of it or nothing, and on disk when this returns. @throws TapmeshError TM_STORE */
  save({ meta, removed, rows }: Persist): void {
    this.#transaction(() => {
      for (const { bornRunMs, row } of rows) {
        const octets = rowOctets(row)
        const { key, table } = row
        const sum = rowChecksum(table, key, octets, bornRunMs)
        this.#putRow.run(table, key, octets, bornRunMs, sum)
      }
      for (const { key, table } of removed) this.#deleteRow.run(table, key)
      this.#putJson(REPLICA_PIECE, meta)
    })
  }

  /** The piece of that name, or null. @throws ConfigError when it is damaged */
  piece(name: string): Uint8Array | null {
    const found = this.#getPiece.get(name)
    if (found === undefined) return null
    const octets = found['octets'] as Uint8Array
    if (found['checksum'] !== checksum(name, octets)) {
      throw damaged(this.#path, `the checksum of "${name}" is wrong`)
    }
    return octets
  }

  /** Several pieces at once; null takes one away. @throws TapmeshError TM_STORE */
  savePieces(pieces: Readonly<Record<string, Uint8Array | null>>): void {
    this.#transaction(() => {
      for (const [name, octets] of Object.entries(pieces)) {
        if (octets === null) this.#deletePiece.run(name)
        else this.#putPiece.run(name, octets, checksum(name, octets))
      }
    })
  }

  close(): void {
    this.#database.close()
  }

  #transaction(work: () => void): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      work()
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw new TapmeshError('TM_STORE', `cannot write to the store ${this.#path}: `
        + `${(error as Error).message}; is the disk full?`, { path: this.#path }, error)
    }
  }

  #putJson(name: string, value: unknown): void {
    const octets = utf8.encode(JSON.stringify(value))
    this.#putPiece.run(name, octets, checksum(name, octets))
  }

  #readMeta(): ReplicaMeta | null {
    const octets = this.piece(REPLICA_PIECE)
    if (octets === null) return null
    const result = replicaMeta.safeParse(JSON.parse(new TextDecoder().decode(octets)))
    if (!result.success) throw damaged(this.#path, 'the state of its replica is unreadable')
    return result.data
  }

  #readRows(): StoredRow[] {
    const rows: StoredRow[] = []
    const all = this.#database.prepare('SELECT name, key, row, born_run_ms, checksum FROM rows')
    for (const found of all.iterate()) {
      const { name, key, row: octets, born_run_ms: bornRunMs, checksum: sum } = found as {
        name: string; key: string; row: Uint8Array; born_run_ms: number; checksum: number
      }
      const row = parseRow(name, octets)
      if (row?.key !== key || sum !== rowChecksum(name, key, octets, bornRunMs)) {
        throw damaged(this.#path, `row "${key}" of table "${name}" is wrong`)
      }
      rows.push({ row, bornRunMs })
    }
    return rows
  }

  /** Unix seconds, but more than ever before (a clock may have been set back). */
  #nextEpoch(wallMs: number, meta: ReplicaMeta | null): number {
    const stored = this.piece(EPOCH_PIECE)
    const before = stored === null ? 0 : Number(new TextDecoder().decode(stored))
    if (!Number.isInteger(before)) throw damaged(this.#path, 'its boot epoch is unreadable')
    const last = Math.max(before, meta?.epoch ?? 0)
    const seconds = Math.min(Math.max(Math.floor(wallMs / 1000), 1), EPOCH_MAX)
    const epoch = Math.max(last + 1, seconds)
    if (epoch > EPOCH_MAX) {
      throw new ConfigError(`${this.#path}: boot epochs are used up, because the clock was once `
        + 'set to a year after 2105; move the store away and join the cluster again')
    }
    this.savePieces({ [EPOCH_PIECE]: utf8.encode(String(epoch)) })
    return epoch
  }
}

function rowOctets(row: Row): Uint8Array {
  const writer = new OctetWriter()
  writeRow(writer, row, 0)
  return writer.done()
}

function parseRow(table: string, octets: Uint8Array): Row | null {
  const reader = new OctetReader(octets)
  const { row } = readRow(reader, table, reader.u8())
  return reader.isGood && reader.left === 0 ? row : null
}

function checksum(name: string, octets: Uint8Array): number {
  return crc32(octets, crc32(name))
}

function rowChecksum(table: string, key: string, octets: Uint8Array, bornRunMs: number): number {
  return checksum(`${table}\n${key}\n${bornRunMs}\n`, octets)
}
