// The file of the store: made whole or not at all, opened so that a commit is on disk when it
// returns, and refused with a way out when it is damaged (decision 0015).
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ConfigError, TapmeshError } from '../base/errors.ts'

const SQLITE_BUSY = 5
/** "TMSH", so that no other program's file is taken for ours (PRAGMA application_id). */
const APPLICATION_ID = 0x544d5348
const FORMAT = 1
const SCHEMA = `
  CREATE TABLE rows (
    name TEXT NOT NULL, key TEXT NOT NULL, row BLOB NOT NULL, born_run_ms REAL NOT NULL,
    checksum INTEGER NOT NULL, PRIMARY KEY (name, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE pieces (
    name TEXT NOT NULL PRIMARY KEY, octets BLOB NOT NULL, checksum INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};`

/** Made under another name and renamed, so that a store that is there is a whole one. */
export function createDatabase(path: string): void {
  const fresh = `${path}.new`
  for (const name of [fresh, `${fresh}-wal`, `${fresh}-journal`]) rmSync(name, { force: true })
  // SQLite gives its other files the mode of this one.
  closeSync(openSync(fresh, 'wx', 0o600))
  const database = new DatabaseSync(fresh)
  try {
    database.exec('PRAGMA synchronous = EXTRA')
    database.exec(`BEGIN; ${SCHEMA} COMMIT`)
  } finally {
    database.close()
  }
  renameSync(fresh, path)
  const directory = openSync(dirname(path), 'r')
  fsyncSync(directory)
  closeSync(directory)
}

/**
 * WAL, because a commit is one append and one fsync, and a torn one is recognised by its checksum;
 * FULL, because only then is it on disk at once; EXCLUSIVE keeps a second daemon out and needs no
 * shared memory (SQLite, "Write-Ahead Logging" sections 2 and 8).
 */
export function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path)
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    database.exec('PRAGMA cell_size_check = ON')
    checkFormat(path, database)
    const mode = database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode']
    if (mode !== 'wal') throw damaged(path, `its journal mode is ${String(mode)}`)
    database.exec('PRAGMA synchronous = FULL')
    // The first write takes the lock, which is kept from then on.
    database.exec('BEGIN IMMEDIATE; COMMIT')
    const faults = database.prepare('PRAGMA quick_check(3)').all()
    const what = faults.map(fault => fault['quick_check']).join('; ')
    if (what !== 'ok') throw damaged(path, what)
    return database
  } catch (error) {
    database?.close()
    if (error instanceof TapmeshError) throw error
    const { errcode, message } = error as Error & { errcode?: number }
    if (((errcode ?? 0) & 0xff) === SQLITE_BUSY) {
      throw new ConfigError(`the store ${path} is in use by another process; is a daemon running?`,
        { path }, error)
    }
    throw damaged(path, message, error)
  }
}

function checkFormat(path: string, database: DatabaseSync): void {
  const id = database.prepare('PRAGMA application_id').get()?.['application_id']
  if (id !== APPLICATION_ID) throw damaged(path, 'it is no store of tapmesh')
  const format = Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
  if (format === FORMAT) return
  throw new ConfigError(`the store ${path} has format ${format}, this version knows ${FORMAT}; use `
    + 'the version of tapmesh that wrote it', { path, format })
}

/** What to throw when the store cannot be used: it says which file, why, and what to do. */
export function damaged(path: string, what: string, cause?: unknown): ConfigError {
  return new ConfigError(`the store ${path} is damaged (${what}); put a copy of it back, or move `
    + `it and ${path}-wal away and join the cluster again: other members have what is shared`,
  { path }, cause)
}
