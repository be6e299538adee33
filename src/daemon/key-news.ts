// What the shared rows say of the keys, held against those that this node has. A row tells that
// there are others, never the keys themselves; managers hand those over.
import type { Identity } from '../cluster/identity/identity.ts'
import {
  compareNotices, decodeNotice, type KeyRing, noticeOf,
} from '../cluster/identity/keyring.ts'
import { digestOfSecrets, type JoinSecrets } from '../cluster/identity/token.ts'
import type { Tables } from '../cluster/tables/tables.ts'
import { decodeRow, KEY_RING, KEY_SECRETS, secretsRow, TABLE_CLUSTER } from './shared-rows.ts'

type Rows = Pick<Tables, 'get'>

/** Above zero when a newer ring than this was announced, below when the row is the older one. */
export function announcedOrder(rows: Rows, ring: KeyRing): number {
  const value = rows.get(TABLE_CLUSTER, KEY_RING)?.value ?? null
  const notice = value === null ? null : decodeNotice(value)
  return notice === null ? 0 : compareNotices(notice, noticeOf(ring))
}

/** Whether these are the join secrets in force: those that were announced last, or the first. */
export function areInForce(rows: Rows, secrets: JoinSecrets): boolean {
  const value = rows.get(TABLE_CLUSTER, KEY_SECRETS)?.value ?? null
  const announced = value === null ? null : decodeRow(secretsRow, value)
  return announced === null || announced.digest === digestOfSecrets(secrets)
}

/** Whether managers are to be asked. A worker has no secrets and needs none. */
export function lacksKeys(
  rows: Rows, { ring, secrets }: Pick<Identity, 'ring' | 'secrets'>,
): boolean {
  return announcedOrder(rows, ring) > 0 || (secrets !== null && !areInForce(rows, secrets))
}
