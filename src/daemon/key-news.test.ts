// What the rows announce decides whose keys are asked for, and which are taken.
import test from 'ava'
import { makeGossipKey, makeGossipKeys } from '../cluster/identity/identity.ts'
import {
  encodeNotice, type KeyRing, makeRing, nextLamport, rotate,
} from '../cluster/identity/keyring.ts'
import {
  digestOfSecrets, type JoinSecrets, makeJoinSecrets, rotateSecret,
} from '../cluster/identity/token.ts'
import { NO_OCTETS, type Row } from '../cluster/tables/rows.ts'
import { announcedOrder, areInForce, lacksKeys } from './key-news.ts'
import { encodeRow, KEY_RING, KEY_SECRETS } from './shared-rows.ts'

const old = makeRing(makeGossipKeys(), 1000)
const fresh = rotate(old, makeGossipKey(), nextLamport(old), 2000)
const secrets = makeJoinSecrets()

/** Rows of the cluster that announce these. */
function rowsOf(ring: KeyRing | null, inForce: JoinSecrets | null) {
  const values = new Map<string, Uint8Array>()
  if (ring !== null) values.set(KEY_RING, encodeNotice(ring))
  if (inForce !== null) values.set(KEY_SECRETS, encodeRow({ digest: digestOfSecrets(inForce) }))
  return {
    get: (table: string, key: string): Row | null => {
      const value = values.get(key)
      const stamp = { ms: 1, counter: 0, node: 'n', epoch: 1 }
      return value === undefined ? null : { table, key, value, stamp, proof: NO_OCTETS }
    },
  }
}

test('a ring is compared with the one that was announced', t => {
  t.is(announcedOrder(rowsOf(null, null), old), 0)
  t.is(announcedOrder(rowsOf(old, null), old), 0)
  t.true(announcedOrder(rowsOf(fresh, null), old) > 0)
  t.true(announcedOrder(rowsOf(old, null), fresh) < 0)
})

test('the secrets that were announced are in force, or the first', t => {
  t.true(areInForce(rowsOf(null, null), secrets))
  t.true(areInForce(rowsOf(null, secrets), secrets))
  t.false(areInForce(rowsOf(null, rotateSecret(secrets, 'worker')), secrets))
})

test('managers lack keys and secrets, workers keys alone', t => {
  const rotated = rotateSecret(secrets, 'manager')
  t.false(lacksKeys(rowsOf(old, secrets), { ring: old, secrets }))
  t.true(lacksKeys(rowsOf(fresh, secrets), { ring: old, secrets }))
  t.true(lacksKeys(rowsOf(old, rotated), { ring: old, secrets }))
  t.false(lacksKeys(rowsOf(old, rotated), { ring: old, secrets: null }))
  t.false(lacksKeys(rowsOf(old, secrets), { ring: fresh, secrets }), 'newer is not lacking')
})

test('a row that is not what it should be announces nothing', t => {
  const row = rowsOf(old, null).get('cluster', KEY_RING)!
  const broken = { get: () => ({ ...row, value: Buffer.from('{') }) }
  t.is(announcedOrder(broken, fresh), 0)
  t.true(areInForce(broken, secrets))
})
