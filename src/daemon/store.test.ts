// The store: what was saved is there after a restart, at whatever octet the power went.
import test from 'ava'
import {
  copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeRandom, pick } from '../base/prng.ts'
import type { Persist, ReplicaMeta, StoredRow } from '../cluster/tables/events.ts'
import { NO_OCTETS } from '../cluster/tables/rows.ts'
import { openStore, type Store } from './store.ts'

const META: ReplicaMeta = {
  epoch: 5, hlcMs: 1_767_225_600_000, hlcCounter: 3, runMs: 1000, wallMs: 1_767_225_600_100,
  awayMs: 0, contactMs: 0,
}
const WALL_MS = 1_767_225_600_000

function stored(key: string, text: string | null, bornRunMs = -1): StoredRow {
  const value = text === null ? null : new TextEncoder().encode(text)
  const stamp = { ms: 1_767_225_600_000, counter: 1, node: 'id0001', epoch: 4 }
  return { row: { table: 'specs', key, value, proof: NO_OCTETS, stamp }, bornRunMs }
}

function change(rows: readonly StoredRow[], removed: string[] = [], meta = META): Persist {
  return { rows, removed: removed.map(key => ({ table: 'specs', key })), meta }
}

function contents(store: Store): Record<string, string | null> {
  const entries = [...store.restored?.rows ?? []].map(({ row }) =>
    [row.key, row.value === null ? null : new TextDecoder().decode(row.value)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => a < b ? -1 : 1))
}

function directory(t: { teardown: (run: () => void) => void }): string {
  const path = mkdtempSync(join(tmpdir(), 'tapmesh-store-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

test('what was saved is there again', t => {
  const path = join(directory(t), 'state', 'store.db')
  const first = openStore(path, WALL_MS)
  t.is(first.restored, null)
  t.is(first.epoch, WALL_MS / 1000)
  first.save(change([stored('a', '1'), stored('b', '2'), stored('c', null, 77)]))
  first.save(change([stored('a', '3')], ['b'], { ...META, runMs: 2000 }))
  first.savePieces({ key: Uint8Array.of(1, 2, 3) })
  first.close()
  const second = openStore(path, 0)
  t.teardown(() => second.close())
  t.deepEqual(contents(second), { a: '3', c: null })
  t.deepEqual(second.restored?.meta, { ...META, runMs: 2000 })
  t.is([...second.restored!.rows].find(({ row }) => row.key === 'c')?.bornRunMs, 77)
  t.deepEqual(second.piece('key'), Uint8Array.of(1, 2, 3))
  second.savePieces({ key: null })
  t.is(second.piece('key'), null)
})

test('the boot epoch grows even if the clock was set back', t => {
  const path = join(directory(t), 'store.db')
  const epochs = [5_000_000, 1_000_000, 0, 9_000_000].map(wallMs => {
    const store = openStore(path, wallMs)
    store.close()
    return store.epoch
  })
  t.deepEqual(epochs, [5000, 5001, 5002, 9000])
  const raised = openStore(path, 0)
  raised.save(change([], [], { ...META, epoch: 9500 }))
  raised.close()
  const last = openStore(path, 0)
  last.close()
  t.is(last.epoch, 9501, 'an epoch that was raised while running counts')
})

test('only the owner of the file reads it, and only one daemon at a time', t => {
  const path = join(directory(t), 'store.db')
  const store = openStore(path, WALL_MS)
  store.save(change([stored('a', '1')]))
  for (const name of [path, `${path}-wal`]) t.is(statSync(name).mode & 0o777, 0o600, name)
  t.throws(() => openStore(path, WALL_MS), { code: 'TM_CONFIG', message: /store.db is in use/ })
  store.close()
})

test('a write that fails is an error, and undoes itself', t => {
  const path = join(directory(t), 'store.db')
  const store = openStore(path, WALL_MS)
  store.save(change([stored('a', '1')]))
  const bad = { row: { ...stored('b', '2').row, key: null as unknown as string }, bornRunMs: -1 }
  t.throws(() => store.save(change([stored('a', '9'), bad])), { instanceOf: Error })
  store.save(change([stored('c', '3')]))
  store.close()
  const again = openStore(path, WALL_MS)
  t.deepEqual(contents(again), { a: '1', c: '3' })
  again.close()
})

const damages: [name: string, damage: (path: string) => void, message: RegExp][] = [
  ['an empty file', path => writeFileSync(path, ''), /no store of tapmesh/],
  ['garbage', path => writeFileSync(path, 'garbage'.repeat(2000)), /not a database/],
  ['half of it', path => truncateSync(path, 4096), /damaged/],
  ['one octet of a row', path => flip(path, readFileSync(path).indexOf('the-value')), /"a"/],
  ['another program\'s', path => {
    rmSync(path)
    new DatabaseSync(path).exec('CREATE TABLE other (a)')
  }, /no store of tapmesh/],
  ['one from the future', path => {
    const database = new DatabaseSync(path)
    database.exec('PRAGMA user_version = 99')
    database.close()
  }, /has format 99/],
  ['only its log is there', path => {
    rmSync(path)
    writeFileSync(`${path}-wal`, '')
  }, /it is gone/],
]
for (const [name, damage, message] of damages) {
  test(`a damaged store is refused by name and left alone: ${name}`, t => {
    const path = join(directory(t), 'store.db')
    const store = openStore(path, WALL_MS)
    store.save(change([stored('a', 'the-value')]))
    store.close()
    damage(path)
    const before = existsSync(path) ? readFileSync(path) : null
    const error = t.throws(() => openStore(path, WALL_MS), { code: 'TM_CONFIG', message })
    t.regex(error?.message ?? '', /store\.db/)
    t.deepEqual(existsSync(path) ? readFileSync(path) : null, before)
  })
}

function flip(path: string, at: number): void {
  const octets = readFileSync(path)
  octets[at]! ^= 1
  writeFileSync(path, octets)
}

/** A store and its log as a power failure leaves them, and what was in it after each commit. */
function torn(t: { teardown: (run: () => void) => void }) {
  const path = join(directory(t), 'store.db')
  const store = openStore(path, WALL_MS)
  const states: { walOctets: number; rows: Record<string, string | null> }[] = []
  const rows: Record<string, string | null> = {}
  const random = makeRandom(7)
  for (let i = 0; i < 12; i += 1) {
    const set = [0, 1, 2].map(j => stored(`k${pick(random, 8)}`, `${i}.${j} ${'x'.repeat(500)}`))
    store.save(change(set))
    for (const { row } of set) rows[row.key] = new TextDecoder().decode(row.value!)
    const sorted = Object.entries(rows).sort(([a], [b]) => a < b ? -1 : 1)
    states.push({ walOctets: statSync(`${path}-wal`).size, rows: Object.fromEntries(sorted) })
  }
  t.teardown(() => store.close())
  return { path, states, wal: readFileSync(`${path}-wal`) }
}

function reopened(t: { teardown: (run: () => void) => void }, path: string, wal: Uint8Array) {
  const copy = join(directory(t), 'store.db')
  copyFileSync(path, copy)
  writeFileSync(`${copy}-wal`, wal)
  const store = openStore(copy, WALL_MS)
  const found = contents(store)
  store.close()
  return found
}

test('a log that ends anywhere gives the last state that was committed before', t => {
  t.timeout(60_000)
  const { path, states, wal } = torn(t)
  const random = makeRandom(8)
  const cuts = [0, 1, 31, 32, 33, wal.length - 1, wal.length]
  for (const { walOctets } of states) cuts.push(walOctets - 1, walOctets, walOctets + 1)
  while (cuts.length < 200) cuts.push(pick(random, wal.length))
  for (const cut of cuts) {
    const expected = states.findLast(({ walOctets }) => walOctets <= cut)?.rows ?? {}
    t.deepEqual(reopened(t, path, wal.subarray(0, cut)), expected, `cut at ${cut}`)
  }
})

test('a log with a wrong octet anywhere gives a state that was committed before', t => {
  t.timeout(60_000)
  const { path, states, wal } = torn(t)
  const random = makeRandom(9)
  for (let i = 0; i < 200; i += 1) {
    const at = pick(random, wal.length)
    const broken = Uint8Array.from(wal)
    broken[at]! ^= 1 << pick(random, 8)
    const known = [{}, ...states.filter(({ walOctets }) => walOctets <= at).map(s => s.rows)]
    t.deepEqual(reopened(t, path, broken), known.at(-1), `octet ${at}`)
  }
})
