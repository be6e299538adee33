// The learned table for people: plain rows, made on request, never for a frame.
import { NETWORKS_MAX } from './image.ts'
import type { Learned } from './learned.ts'

/** A learned entry. `port` is a slot, or FROM_UNDERLAY: then `address` is the VTEP. */
export type LearnedRow = {
  vni: number
  macHigh: number
  macLow: number
  port: number
  address: number
  ageMs: number
}

/** All entries of one table. */
export function makeLearnedRows(t: Learned, nowSeconds: number): LearnedRow[] {
  const rows: LearnedRow[] = []
  for (let list = 0; list < NETWORKS_MAX; list++) {
    for (let entry = t.newest[list]!; entry >= 0; entry = t.older[entry]!) {
      rows.push({
        vni: t.vni[entry]!, macHigh: t.macHigh[entry]!, macLow: t.macLow[entry]!,
        port: t.port[entry]!, address: t.address[entry]!,
        ageMs: (nowSeconds - t.seenSeconds[entry]!) * 1000,
      })
    }
  }
  return rows
}

/** Each MAC of several tables once, as the one that saw it last has it. */
export function mergeLearnedRows(tables: readonly LearnedRow[][]): LearnedRow[] {
  const merged = new Map<string, LearnedRow>()
  for (const row of tables.flat()) {
    const key = `${row.vni} ${row.macHigh} ${row.macLow}`
    const other = merged.get(key)
    if (other === undefined || row.ageMs < other.ageMs) merged.set(key, row)
  }
  return [...merged.values()]
}
