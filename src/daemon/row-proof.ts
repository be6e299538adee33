// Who may write which row of the shared tables: specs only managers, everything else the node that
// it is about.
import type { Identity } from '../cluster/identity/identity.ts'
import { checkOwner, signRow, type Trust, verifyRow } from '../cluster/identity/signature.ts'
import { ownerOfKey, type Row } from '../cluster/tables/rows.ts'
import { TABLE_CLUSTER, TABLE_NETWORK, TABLE_NODE } from './shared-rows.ts'

/** Why a row that came from elsewhere is not taken; null when it is. */
export function rowFault(trust: Trust, row: Row): string | null {
  if (row.table === TABLE_NETWORK || row.table === TABLE_CLUSTER) return verifyRow(trust, row)
  // Where a node is must be proven by itself; the many endpoints go by the mesh's sealing.
  return checkOwner(trust, row, row.table === TABLE_NODE)
}

/** What goes beside a row of this node, so that the others take it. */
export function proofOf(identity: Identity, row: Row): Uint8Array {
  const isOwn = ownerOfKey(row.key) === identity.certificate.nodeId
  return isOwn && row.table !== TABLE_NODE ? new Uint8Array() : signRow(identity, row)
}
