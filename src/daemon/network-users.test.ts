// Who uses a network, over tables that are only memory: what rm and prune are told, and inspect -v;
// and what managers may say of nodes.
import test from 'ava'
import { ConflictError } from '../base/errors.ts'
import {
  leaseKey, serviceIdOf, TABLE_LEASE, TABLE_NODE_SPEC, TABLE_SERVICE, TABLE_TASK,
} from '../cluster/services/rows.ts'
import { specOf } from '../cluster/services/services.test-kit.ts'
import type { Write } from '../cluster/tables/events.ts'
import type { ClusterLife } from './cluster-life.ts'
import { updateNode } from './cluster-nodes.ts'
import { ClusterRecords } from './cluster-records.ts'
import { nodeViews } from './cluster-show.ts'
import type { Core } from './core.ts'
import { pruneNetworks } from './network-prune.ts'
import { checkUnused, networkServices, usersOf } from './network-users.ts'
import type { Networks } from './networks.ts'
import { encodeRow, TABLE_ENDPOINT, TABLE_NETWORK, TABLE_NODE } from './shared-rows.ts'
import type { NetworkRecord } from './state.ts'

const WEB = serviceIdOf('web')
const CONTAINER = '02'.repeat(32)

function network(id: string, change: Partial<NetworkRecord> = {}): NetworkRecord {
  return {
    id, name: `net-${id}`, scope: 'swarm', createdAt: '2026-01-02T00:00:00Z',
    subnet: '10.0.1.0/24', gateway: '10.0.1.1', vni: 4097, mtu: 1450, labels: {},
    attachable: true, internal: false, skipped: [], lastGiven: null, ...change,
  }
}

/** Service web in network a with a task on n2; tasks db here (n1) and job on n2, too. */
function bench(networks: NetworkRecord[]) {
  const records = new ClusterRecords()
  const put = (table: string, key: string, value: object) => records.apply(
    { table, key, hidden: false, stamp: 1n, writer: 'n1', value: encodeRow({ ...value }) })
  for (const n of [1, 2]) {
    put(TABLE_NODE, `n${n}/self`, { name: `node${n}`, role: 'worker', version: '', port: 4789,
      address: `192.168.56.1${n}`, meshPort: 7946, joinedAt: '', remoteChecksum: false,
      labels: { own: 'x' } })
  }
  put(TABLE_NETWORK, 'a', { name: 'net-a', subnet: '10.0.1.0/24', gateway: '10.0.1.1', vni: 4097,
    mtu: null, labels: {}, createdAt: '' })
  const spec = specOf('web', 1)
  put(TABLE_SERVICE, WEB, { version: 1, generation: 1, createdAt: 0, updatedAt: 0, spec: { ...spec,
    ports: [{ protocol: 'tcp', mode: 'ingress', published: 8080, target: 80, source: 'node' }],
    task: { ...spec.task, networks: [{ id: 'a', aliases: [] }] } } })
  put(TABLE_LEASE, leaseKey('a', { kind: 'vip', service: WEB }), { address: '10.0.1.2' })
  put(TABLE_TASK, 'n2/t1', { service: WEB, slot: '1', generation: 1, desired: 'running',
    state: 'running', error: '', exitCode: null, container: CONTAINER, createdAt: 0, stateAt: 0 })
  const own = (key: string, task: string, taskId: string, address: string) =>
    put(TABLE_ENDPOINT, key, { network: 'a', address, mac: '02:42:0a:00:01:03', task, taskId,
      interface: 'eth0', promiscuous: false })
  own('n2/7', 'web.1.t1', CONTAINER, '10.0.1.3')
  own('n2/8', 'job', '03'.repeat(32), '10.0.1.4')
  own('n1/1', 'db', '04'.repeat(32), '10.0.1.5')
  const core = { link: { nodeId: 'n1', records }, underlay: { address: '192.168.56.11' }, state: {
    networks,
    tasks: [{ id: '04'.repeat(32), name: 'db', endpoints: [{ network: 'a', portId: 1 }] }],
  } } as unknown as Core
  return { core, records, put }
}

test('services and tasks that use a network, those of services but once', t => {
  const { core } = bench([])
  t.deepEqual(usersOf(core, network('a')), ['service web', 'db', 'job on node2'])
  t.deepEqual(usersOf(core, network('b')), [])
  t.throws(() => checkUnused(core, network('a')), { instanceOf: ConflictError, message:
    'network "net-a" is used by service web, db, job on node2; remove them first with: '
    + 'tapmesh service rm' })
})

test('a network knows its services with tasks of all nodes, and the other tasks', t => {
  const { core } = bench([])
  t.deepEqual(networkServices(core, network('a')), [
    { name: 'web', vip: '10.0.1.2', ports: [{ published: 8080, target: 80, protocol: 'tcp' }],
      tasks: [{ name: 'web.1.t1', address: '10.0.1.3', endpoint: 'n2/7', host: '192.168.56.12' }] },
    { name: '', vip: null, ports: [], tasks: [
      { name: 'job', address: '10.0.1.4', endpoint: 'n2/8', host: '192.168.56.12' },
      { name: 'db', address: '10.0.1.5', endpoint: 'n1/1', host: '192.168.56.11' },
    ] },
  ])
})

const prunes: [spec: Partial<Parameters<typeof pruneNetworks>[2]>, gone: string[]][] = [
  [{}, ['net-b', 'net-c']],
  [{ untilMs: Date.parse('2026-01-02T12:00:00Z') }, ['net-b']],
  [{ labels: ['team'] }, ['net-c']],
  [{ labels: ['team=red'] }, []],
  [{ labels: ['constructor'] }, []],
  [{ labelsNot: ['team=blue'] }, ['net-b']],
]
for (const [spec, gone] of prunes) {
  test(`prune ${JSON.stringify(spec)}`, t => {
    const { core } = bench([
      network('a'), network('b'), network('ingress'),
      network('c', { createdAt: '2026-01-03T00:00:00Z', labels: { team: 'blue' } }),
    ])
    const removed: string[] = []
    const networks = {
      view: ({ id }: NetworkRecord) => ({ ingress: id === 'ingress' }),
      remove: (id: string) => removed.push(id),
    } as unknown as Networks
    t.deepEqual(pruneNetworks(core, networks, { labels: [], labelsNot: [], ...spec }), gone)
    t.deepEqual(removed, gone.map(name => name.slice('net-'.length)))
  })
}

/** Node 2 as it is shown, and a way to change what managers say of it. */
function nodeBench(isManager = true) {
  const { records } = bench([])
  const life = {
    records,
    checkManager: (what: string) => {
      if (!isManager) throw new ConflictError(`only managers ${what}`)
    },
    write: (writes: readonly Write[]) => {
      for (const write of writes) {
        records.apply({ ...write, hidden: false, stamp: 2n, writer: 'n1' })
      }
    },
  } as unknown as ClusterLife
  const view = () => nodeViews({ records, nodeId: 'n2', epoch: 1, members: [] })[1]!
  return { records, view, update: (change: Parameters<typeof updateNode>[2]) =>
    updateNode(life, view(), change) }
}

test('what managers say of a node stands beside what it says itself', t => {
  const { records, update, view } = nodeBench()
  t.like(view(), { availability: 'Active', labels: { own: 'x' } })
  update({ availability: 'drain', labelsAdd: { zone: 'a', own: 'y' } })
  t.like(view(), { availability: 'Drain', labels: { own: 'y', zone: 'a' } })
  update({ labelsAdd: { disk: '' }, labelsRemove: ['own', 'none'] })
  t.like(records.nodeSpecs.get('n2'), { availability: 'drain', labels: { zone: 'a', disk: '' } })
  t.like(view(), { labels: { own: 'x', zone: 'a', disk: '' } })
  update({ availability: 'active', role: 'worker' })
  t.is(view().availability, 'Active')
})

test('another role, or a worker that decides, is refused before anything is written', t => {
  const { records, update } = nodeBench()
  t.throws(() => update({ role: 'manager', availability: 'drain' }), {
    instanceOf: ConflictError, message: /node2 stands in its certificate .* join-token manager/,
  })
  t.throws(() => nodeBench(false).update({ availability: 'drain' }), { message: /only managers/ })
  t.false(records.nodeSpecs.has('n2'))
  t.is(TABLE_NODE_SPEC, 'node-spec')
})
