// The table `epochs`: which boot of each node is the current one, and who has left. Every node
// writes its row at start, so all nodes judge rows of earlier boots alike, whatever they know of
// the membership.
import { Buffer } from 'node:buffer'
import { hashRow } from './hash.ts'
import type { Listed } from './item-codec.ts'
import { compareRows, type Row } from './rows.ts'

export const EPOCHS_TABLE = 'epochs'

const ACTIVE = 0
const LEFT = 1
const OCTETS = 5
const scratch = new Int32Array(2)

export type OwnerEpoch = Readonly<{ epoch: number; isActive: boolean }>

export function epochKey(node: string): string {
  return `${node}/`
}

export function encodeOwnerEpoch({ epoch, isActive }: OwnerEpoch): Uint8Array {
  const octets = Buffer.alloc(OCTETS)
  octets[0] = isActive ? ACTIVE : LEFT
  octets.writeUInt32BE(epoch, 1)
  return Uint8Array.from(octets)
}

/** Null when the octets say nothing that is understood. */
export function decodeOwnerEpoch(row: Row): OwnerEpoch | null {
  const { value } = row
  if (value === null || value.length !== OCTETS || value[0]! > LEFT) return null
  const epoch = value[1]! * 2 ** 24 + (value[2]! << 16 | value[3]! << 8 | value[4]!)
  return { epoch, isActive: value[0] === ACTIVE }
}

/**
 * The order of rows of one key, in every table. In `epochs` the later boot wins, whatever the clock
 * said in which; and a boot that is over does not come back.
 */
export function compareVersions(a: Row, b: Row): number {
  if (a.table === EPOCHS_TABLE) {
    const [left, right] = [decodeOwnerEpoch(a), decodeOwnerEpoch(b)]
    if (left !== null && right !== null) {
      const order = left.epoch - right.epoch || Number(right.isActive) - Number(left.isActive)
      if (order !== 0) return order
    }
  }
  return compareRows(a, b)
}

/** What tells another node which version of a row is here: numbers in that order, and a hash. */
export function listedOf(row: Row): Listed {
  hashRow(row, scratch)
  const { key, stamp, table } = row
  const said = table === EPOCHS_TABLE ? decodeOwnerEpoch(row) : null
  const hash = scratch[0]!
  return said === null ? { key, ms: stamp.ms, counter: stamp.counter, hash }
    : { key, ms: said.epoch, counter: said.isActive ? 0 : 1, hash }
}

/** Whether the row only says that something is gone, so that it goes itself after a while. */
export function isDead(row: Row): boolean {
  if (row.value === null) return true
  return row.table === EPOCHS_TABLE && decodeOwnerEpoch(row)?.isActive !== true
}
