// The table `epochs`: which boot of each node is the current one, and who has left. Every node
// writes its row at start, so all nodes judge rows of earlier boots alike, whatever they know of
// the membership.
import { Buffer } from 'node:buffer'
import type { Row } from './rows.ts'

export const EPOCHS_TABLE = 'epochs'

const ACTIVE = 0
const LEFT = 1
const OCTETS = 5

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
  const epoch = new DataView(value.buffer, value.byteOffset).getUint32(1)
  return { epoch, isActive: value[0] === ACTIVE }
}

/** Whether the row only says that something is gone, so that it goes itself after a while. */
export function isDead(row: Row): boolean {
  if (row.value === null) return true
  return row.table === EPOCHS_TABLE && decodeOwnerEpoch(row)?.isActive !== true
}
