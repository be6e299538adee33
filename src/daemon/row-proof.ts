// Who may write which row of the shared tables: specs only managers, everything else the node that
// it is about.
import type { Identity } from '../cluster/identity/identity.ts'
import { checkOwner, signRow, type Trust, verifyRow } from '../cluster/identity/signature.ts'
import { SIGNED_SERVICE_TABLES } from '../cluster/services/rows.ts'
import { EPOCHS_TABLE } from '../cluster/tables/epochs.ts'
import { ownerOfKey, type Row } from '../cluster/tables/rows.ts'
import { TABLE_CLUSTER, TABLE_NETWORK, TABLE_NODE } from './shared-rows.ts'

/** What only managers may say. */
const SIGNED = [TABLE_NETWORK, TABLE_CLUSTER, ...SIGNED_SERVICE_TABLES]
/** Tables in which nobody may speak for another node. */
const PROVEN = [TABLE_NODE, EPOCHS_TABLE]

/** Why a row that came from elsewhere is not taken; null when it is. */
export function rowFault(trust: Trust, row: Row): string | null {
  if (SIGNED.includes(row.table)) return verifyRow(trust, row)
  // Where a node is, and which of its boots counts, must be proven by itself; the many endpoints
  // go by the mesh's sealing.
  return checkOwner(trust, row, PROVEN.includes(row.table))
}

/** What goes beside a row of this node, so that the others take it. */
export function proofOf(identity: Identity, row: Row): Uint8Array {
  const isOwn = !SIGNED.includes(row.table)
    && ownerOfKey(row.key) === identity.certificate.nodeId
  return isOwn && !PROVEN.includes(row.table) ? new Uint8Array() : signRow(identity, row)
}
