// Facts out of records: what the machines of services write again must be rows and nothing else.
import test from 'ava'
import { TABLE_ROLLOUT, TABLE_SERVICE } from '../cluster/services/rows.ts'
import { specOf } from '../cluster/services/services.test-kit.ts'
import { serviceFactsOf } from './cluster-facts.ts'
import type { ClusterLink } from './cluster-link.ts'
import { ClusterRecords } from './cluster-records.ts'
import { encodeRow } from './shared-rows.ts'

test('rows of services and rollouts come as they were written', t => {
  const records = new ClusterRecords()
  const put = (table: string, row: object) => records.apply({ table, key: 'web', hidden: false,
    stamp: 7n, writer: 'n1', value: encodeRow({ ...row }) })
  const rollout = { generation: 2, state: 'updating', slots: ['1'], startedAt: 1, finishedAt: null,
    message: '' }
  const service = { spec: specOf('web', 2), version: 2, generation: 2, createdAt: 1, updatedAt: 1 }
  put(TABLE_ROLLOUT, rollout)
  put(TABLE_SERVICE, service)
  const facts = serviceFactsOf({ records, isCaughtUp: true } as ClusterLink)
  t.deepEqual(JSON.parse(JSON.stringify(facts.rollouts.get('web'))), rollout)
  t.deepEqual(JSON.parse(JSON.stringify(facts.rows.get('web'))), service)
})
