// The items of a message between the tables of two nodes: rows, and what an exchange of digests
// consists of. Texts have their length before them, numbers are big-endian.
import { BRANCHES, DEPTH_MAX, makeSums, type Sums } from './key-tree.ts'
import { type OctetReader, OctetWriter } from './octets.ts'
import { type AgedRow, readRow } from './row-codec.ts'
import { isTableName } from './rows.ts'

/** Lists are no longer than a whole message. */
const LISTED_MAX = 65_536
const NEWS = 1
const SYNC = 2
const ROOTS = 3
const SUMS = 4
const LIST = 5
const WANT = 6
const ROWS_END = 0

export type Root = Readonly<{ table: string; high: number; low: number; count: number }>
/** What one side has of a key: its time and half its hash. */
export type Listed = Readonly<{ key: string; ms: number; counter: number; hash: number }>

/** Rows that are told as news, or because the other side lacks them. */
export type RowsItem = Readonly<{ kind: 'rows'; isNews: boolean; rows: readonly AgedRow[] }>

export type Item =
  | RowsItem
  | Readonly<{ kind: 'roots'; roots: readonly Root[] }>
  | Readonly<{ kind: 'sums'; table: string; depth: number; first: number; sums: Sums }>
  | Readonly<{ kind: 'list'; table: string; first: number; last: number; listed: Listed[] }>
  | Readonly<{ kind: 'want'; table: string; keys: string[] }>

export function readItem(reader: OctetReader): Item | null {
  switch (reader.u8()) {
    case NEWS: return { kind: 'rows', isNews: true, rows: readRows(reader) }
    case SYNC: return { kind: 'rows', isNews: false, rows: readRows(reader) }
    case ROOTS: return { kind: 'roots', roots: readRoots(reader) }
    case SUMS: return readSums(reader)
    case LIST: return readList(reader)
    case WANT: return readWant(reader)
    default: {
      reader.fail()
      return null
    }
  }
}

/** A run of rows of one table: this, rows, the end. Several runs make a message. */
export function beginRows(writer: OctetWriter, isNews: boolean, table: string): void {
  writer.u8(isNews ? NEWS : SYNC)
  writer.text(table)
}

export function endRows(writer: OctetWriter): void {
  writer.u8(ROWS_END)
}

function readRows(reader: OctetReader): AgedRow[] {
  const table = readTable(reader)
  const rows: AgedRow[] = []
  for (let flags = reader.u8(); flags !== ROWS_END; flags = reader.u8()) {
    rows.push(readRow(reader, table, flags))
    if (!reader.isGood) break
  }
  return rows
}

export function encodeRoots(roots: readonly Root[]): Uint8Array {
  const writer = new OctetWriter()
  writer.u8(ROOTS)
  writer.u8(roots.length)
  for (const { table, high, low, count } of roots) {
    writer.text(table)
    writer.u32(high)
    writer.u32(low)
    writer.varint(count)
  }
  return writer.done()
}

function readRoots(reader: OctetReader): Root[] {
  const roots: Root[] = []
  for (let left = reader.u8(); left > 0 && reader.isGood; left -= 1) {
    roots.push({
      table: readTable(reader), high: reader.u32() | 0, low: reader.u32() | 0,
      count: reader.varint(0xffff_ffff),
    })
  }
  return roots
}

/** Only parts that hold rows are written: 64 bits say which. */
export function encodeSums(table: string, depth: number, first: number, sums: Sums): Uint8Array {
  const writer = new OctetWriter(640)
  writer.u8(SUMS)
  writer.text(table)
  writer.u8(depth)
  writer.u32(first)
  for (const from of [0, 32]) {
    let mask = 0
    for (let i = 0; i < 32; i += 1) if (sums.counts[from + i]! > 0) mask |= 1 << i
    writer.u32(mask)
  }
  for (let i = 0; i < BRANCHES; i += 1) {
    if (sums.counts[i] === 0) continue
    writer.u32(sums.high[i]!)
    writer.u32(sums.low[i]!)
  }
  return writer.done()
}

/** The counts of what is read are 1 or 0: there or not. */
function readSums(reader: OctetReader): Item {
  const table = readTable(reader)
  const depth = reader.u8()
  const first = reader.u32()
  const span = depth < DEPTH_MAX ? 2 ** (32 - 6 * depth) : 0
  if (span === 0 || first % span !== 0) reader.fail()
  const mask = [reader.u32(), reader.u32()] as const
  const sums = makeSums()
  for (let i = 0; i < BRANCHES; i += 1) {
    if (((mask[i >> 5]! >>> (i & 31)) & 1) === 0) continue
    sums.high[i] = reader.u32()
    sums.low[i] = reader.u32()
    sums.counts[i] = 1
  }
  return { kind: 'sums', table, depth, first, sums }
}

/** All that one side has from place `first` to `last`: what is not listed, it does not have. */
export function encodeList(
  table: string, first: number, last: number, listed: readonly Listed[],
): Uint8Array {
  const writer = new OctetWriter()
  writer.u8(LIST)
  writer.text(table)
  writer.u32(first)
  writer.u32(last)
  writer.varint(listed.length)
  for (const { key, ms, counter, hash } of listed) {
    writer.text(key)
    writer.u48(ms)
    writer.u16(counter)
    writer.u32(hash)
  }
  return writer.done()
}

function readList(reader: OctetReader): Item {
  const table = readTable(reader)
  const first = reader.u32()
  const last = reader.u32()
  if (first > last) reader.fail()
  const listed: Listed[] = []
  for (let left = reader.varint(LISTED_MAX); left > 0 && reader.isGood; left -= 1) {
    listed.push({
      key: reader.text(), ms: reader.u48(), counter: reader.u16(), hash: reader.u32() | 0,
    })
  }
  return { kind: 'list', table, first, last, listed }
}

export function encodeWant(table: string, keys: readonly string[]): Uint8Array {
  const writer = new OctetWriter()
  writer.u8(WANT)
  writer.text(table)
  writer.varint(keys.length)
  for (const key of keys) writer.text(key)
  return writer.done()
}

function readWant(reader: OctetReader): Item {
  const table = readTable(reader)
  const keys: string[] = []
  for (let left = reader.varint(LISTED_MAX); left > 0 && reader.isGood; left -= 1) {
    keys.push(reader.text())
  }
  return { kind: 'want', table, keys }
}

function readTable(reader: OctetReader): string {
  const table = reader.text()
  if (!isTableName(table)) reader.fail()
  return table
}
