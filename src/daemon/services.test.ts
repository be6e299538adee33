// Services asked for on one node, before tables that are only memory: what is written, what is
// refused before anything is, and what is shown.
import test from 'ava'
import { pino } from 'pino'
import { ConflictError, LimitError, NotFoundError, UsageError } from '../base/errors.ts'
import {
  leaseKey, type NodeSpecRow, previousKey, serviceIdOf, type ServiceTaskRow, TABLE_LEASE,
  TABLE_NODE_SPEC, TABLE_ROLLOUT, TABLE_SERVICE, TABLE_TASK,
} from '../cluster/services/rows.ts'
import { templateOf } from '../cluster/services/templates.ts'
import { specOf } from '../cluster/services/services.test-kit.ts'
import type { Write } from '../cluster/tables/events.ts'
import type { ClusterLink } from './cluster-link.ts'
import { ClusterRecords } from './cluster-records.ts'
import type { Config } from './config.ts'
import type { ServiceInput } from './service-views.ts'
import { Services } from './services.ts'
import { encodeRow, networkIdOf, TABLE_NETWORK, TABLE_NODE, TABLE_PORTS } from './shared-rows.ts'

const NOW = Date.parse('2026-01-02T03:04:05Z')
const WEB = serviceIdOf('web')
const INGRESS = networkIdOf('ingress')
const SLOT_1 = leaseKey('net1', { kind: 'slot', service: WEB, slot: '1' })

/** node1 to node3, networks mynet and other, and what is written on node1. */
function bench(isManager = true) {
  const records = new ClusterRecords()
  const writes: Write[][] = []
  const put = (table: string, key: string, value: object | null, hidden = false) =>
    records.apply({ table, key, hidden, stamp: 1n, writer: 'n1',
      value: value === null ? null : encodeRow({ ...value }) })
  const link = {
    nodeId: 'n1', records,
    write: (all: readonly Write[]) => {
      writes.push([...all])
      for (const { table, key, value } of all) {
        records.apply({ table, key, value, hidden: false, stamp: 2n, writer: 'n1' })
      }
    },
    checkManager: (what: string) => {
      if (!isManager) throw new ConflictError(`only managers ${what}`)
    },
  } as unknown as ClusterLink
  for (const n of [1, 2, 3]) putNode(put, n, true)
  put(TABLE_PORTS, 'n2/self', { ports: [
    { protocol: 'tcp', port: 25, program: 'smtpd (pid 9)' }] })
  for (const [id, name, net] of [['net1', 'mynet', 1], ['net2', 'other', 2]] as const) {
    put(TABLE_NETWORK, id, { name, subnet: `10.0.${net}.0/24`, gateway: `10.0.${net}.1`,
      vni: 4096 + net, mtu: null, labels: {}, createdAt: '2026-01-01' })
  }
  const config = { mesh: { port: 7946 }, underlay: { port: 4789 }, node: { name: 'node1' },
  } as Config
  const core = { link, config, log: pino({ level: 'silent' }) }
  const parts = { version: '0.1.0', clock: { nowMs: () => 0, wallMs: () => NOW },
    readLog: async () => null,
    makeIngress: async () => {
      put(TABLE_NETWORK, INGRESS, { name: 'ingress', subnet: '10.0.0.0/24', gateway: '10.0.0.1',
        vni: 4096, mtu: null, labels: {}, createdAt: '2026-01-01' })
    },
    hostPorts: { check: ({ published }: { published: number }) => {
      if (published !== 22) return
      throw new ConflictError('port 22/tcp is in use on node1 by sshd (pid 1)')
    } },
    flowsTo: () => 3 }
  const services = new Services({ core, ...parts })
  const task = (slot: string, node: string, id: string, row: Partial<ServiceTaskRow> = {},
    hidden = false) => put(TABLE_TASK, `${node}/${id}`, {
    service: WEB, slot, generation: 1, desired: 'running', state: 'running', error: '',
    exitCode: null, container: null, createdAt: NOW, stateAt: NOW, ...row }, hidden)
  return { core, parts, services, records, writes, put, task }
}

function putNode(put: (table: string, key: string, value: object, hidden?: boolean) => unknown,
  n: number, isHere: boolean): void {
  put(TABLE_NODE, `n${n}/self`, { name: `node${n}`, role: 'manager', version: '0.1.0',
    address: `192.168.56.1${n}`, port: 4789, meshPort: 7946, joinedAt: '', remoteChecksum: false,
    labels: {} }, !isHere)
}

function input(change: Partial<ServiceInput> = {}): ServiceInput {
  const { task: { networks: _, force: __, ...task }, ports: ___, ...spec } = specOf('web', null)
  return { ...spec, ...task, mode: 'replicated', networks: [], ports: [], ...change }
}

const port = (published: number | undefined, target: number, more = {}) =>
  ({ protocol: 'tcp' as const, mode: 'ingress' as const, published, target, ...more })

test('a service that is created is a row, and shown as one', async t => {
  const { services, writes, put } = bench()
  const asked = input({ networks: [{ network: 'mynet', aliases: ['www'] }], replicas: 2,
    ports: [port(8080, 80)], env: ['A=1', 'B=2', 'A=3'], constraints: ['node.role==manager'] })
  const { service, pending } = await services.create(asked)
  t.deepEqual(pending, [])
  t.deepEqual(writes[0]!.map(({ table, key, value }) => [table, key, value === null]), [
    [TABLE_SERVICE, WEB, false], [TABLE_SERVICE, previousKey(WEB), true],
    [TABLE_ROLLOUT, WEB, true],
  ])
  t.like(service, { id: WEB, name: 'web', version: 1, generation: 1, running: 0, wanted: 2,
    createdAt: '2026-01-02T03:04:05.000Z', previous: null, update: null,
    networks: [{ id: 'net1', name: 'mynet' }], vips: [] })
  t.like(service.spec.task, { env: ['A=3', 'B=2'],
    networks: [{ id: 'net1', aliases: ['www'] }, { id: INGRESS, aliases: [] }] })
  put(TABLE_LEASE, leaseKey('net1', { kind: 'vip', service: WEB }), { address: '10.0.1.2' })
  t.deepEqual(services.get('web').vips, [{ network: 'net1', address: '10.0.1.2/24' }])
  t.deepEqual(services.list().map(({ name }) => name), ['web'])
})

test('without a name two words are made up, and without a number there is one task', async t => {
  const { services } = bench()
  const { service } = await services.create(input({ name: undefined }))
  t.regex(service.name, /^[a-z]+_[a-z]+$/)
  t.is(service.spec.replicas, 1)
})

const refused: [name: string, change: Partial<ServiceInput>, error: Function, line: RegExp][] = [
  ['unknown network', { networks: [{ network: 'none', aliases: [] }] }, NotFoundError,
    /there is no network "none"/],
  ['name taken', { name: 'db' }, ConflictError, /there is a service "db" already/],
  ['no name', { name: 'a.b' }, UsageError, /"a\.b" is no name of a service/],
  ['name too long', { name: 'a'.repeat(64) }, UsageError, /1 to 63 letters/],
  ['port taken', { ports: [port(5432, 80)] }, ConflictError,
    /port 5432\/tcp is published by service "db" already/],
  ['port taken by a host\'s', { ports: [port(5432, 80, { mode: 'host' })] }, ConflictError, /"db"/],
  ['port of a program of the host', { ports: [port(22, 80)] }, ConflictError,
    /port 22\/tcp is in use on node1 by sshd \(pid 1\)/],
  ['port of a program of another node', { ports: [port(25, 80)] }, ConflictError,
    /port 25\/tcp is in use on node2 by smtpd \(pid 9\)/],
  ['port twice', { ports: [port(80, 80), port(80, 81)] }, ConflictError,
    /port 80\/tcp is published twice/],
  ['the port of the mesh', { ports: [port(7946, 80)] }, ConflictError,
    /port 7946\/tcp is one by which the nodes of the cluster speak/],
  ['too many ports', { ports: Array.from({ length: 33 }, (_, n) => port(n + 1, 80)) }, LimitError,
    /publishes 33 ports; 32 fit/],
  ['below zero', { replicas: -1 }, LimitError, /has 0 to 1024 replicas, not -1/],
  ['too many', { replicas: 1025 }, LimitError, /not 1025/],
  ['number of a global one', { mode: 'global', replicas: 2 }, UsageError,
    /--replicas is for --mode replicated/],
  ['unknown constraint', { constraints: ['node.colour==red'] }, NotFoundError,
    /the constraint "node\.colour==red" is not understood/],
  ['network twice', { networks: ['mynet', 'net1'].map(network => ({ network, aliases: [] })) },
    UsageError, /a network is given twice/],
  ['port without VIP', { endpointMode: 'dnsrr', ports: [port(80, 80)] }, ConflictError,
    /with --endpoint-mode dnsrr there is none/],
  ['runtime without files', { runtime: 'crun' }, UsageError, /needs --rootfs/],
  ['files without runtime', { rootfs: '/srv' }, UsageError, /--rootfs is for --runtime crun/],
  ['too large', { env: [`A=${'x'.repeat(4000)}`] }, LimitError,
    /service "web" takes \d+ octets, and 4096 fit/],
]
for (const [name, change, error, line] of refused) {
  test(`refused, and nothing is written: ${name}`, async t => {
    const { services, writes } = bench()
    await services.create(input({ name: 'db', ports: [port(5432, 5432)] }))
    await t.throwsAsync(services.create(input(change)),
      { instanceOf: error as typeof ConflictError, message: line })
    t.is(writes.length, 1)
  })
}

test('the same number by another protocol is another port', async t => {
  const { services } = bench()
  await services.create(input({ name: 'db', ports: [port(53, 53)] }))
  await t.notThrowsAsync(services.create(input({ ports: [port(53, 53, { protocol: 'udp' })] })))
})

test('ports that nobody named are chosen, all different, and stay', async t => {
  const { services } = bench()
  const { service } = await services.create(input({ ports: [port(undefined, 80),
    port(undefined, 81), port(undefined, 80, { protocol: 'udp' })] }))
  const chosen = service.spec.ports.map(({ published }) => published)
  t.true(chosen.every(one => one >= 30_000 && one <= 32_767), chosen.join())
  t.is(new Set(chosen.slice(0, 2)).size, 2)
  const { service: later } = await services.update('web', { replicas: 3 })
  t.deepEqual(later.spec.ports, service.spec.ports)
})

test('workers and nodes without a cluster are told so', async t => {
  const worker = bench(false)
  await t.throwsAsync(worker.services.create(input()), { message: 'only managers create services' })
  t.deepEqual(worker.services.list(), [])
  const { core, parts } = bench()
  const alone = new Services({ ...parts, core: { ...core, link: null } })
  t.throws(() => alone.list(), { instanceOf: ConflictError, message: /in no cluster/ })
})

test('an update changes what is said, and rollback takes it back', async t => {
  const { services, records } = bench()
  await services.create(input({ env: ['A=1', 'B=2'], labels: { a: '1', b: '2' },
    ports: [port(8080, 80), port(8443, 443)], constraints: ['node.id==n1'],
    networks: [{ network: 'mynet', aliases: [] }] }))
  const { service } = await services.update('web', {
    replicas: 3, command: ['x'], envAdd: ['B=3', 'C=4'], envRemove: ['A'],
    labelsAdd: { c: '3' }, labelsRemove: ['a'], portsAdd: [port(81, 81)],
    portsRemove: [{ target: 443, protocol: 'tcp' }], constraintsAdd: ['node.id!=n2'],
    constraintsRemove: ['node.id==n1'], networksAdd: [{ network: 'other', aliases: [] }],
    networksRemove: ['mynet'], restart: { delayMs: 1 }, update: { parallelism: 2 },
    weights: { 1: 5 },
  })
  t.like(service, { version: 2, generation: 2 })
  t.deepEqual(service.spec.labels, { b: '2', c: '3' })
  t.deepEqual(service.spec.ports.map(({ published }) => published), [8080, 81])
  t.deepEqual(service.spec.weights, { 1: 5 })
  t.like(service.spec.task, { command: ['x'], env: ['B=3', 'C=4'], constraints: ['node.id!=n2'],
    networks: [{ id: 'net2', aliases: [] }], restart: { condition: 'any', delayMs: 1 } })
  t.like(service.spec.update, { parallelism: 2, order: 'stop-first' })
  t.is(service.previous?.replicas, 1)
  const back = (await services.rollback('web')).service
  t.like(back, { version: 3, generation: 3 })
  t.deepEqual(back.spec, service.previous!)
  t.deepEqual(back.previous, service.spec)
  t.like(records.rollouts.get(WEB), { generation: 3, state: 'rollback_started', slots: [] })
})

test('another number replaces no tasks, and nothing said writes nothing', async t => {
  const { services, writes } = bench()
  await services.create(input())
  t.like((await services.update('web', { replicas: 0 })).service, { version: 2, generation: 1 })
  t.like((await services.update('web', {})).service, { version: 2 })
  t.is(writes.length, 2)
  t.like((await services.update('web', { force: true })).service, { version: 3, generation: 2 })
})

const refusedChanges: [name: string, change: object, error: Function, line: RegExp][] = [
  ['a network that it is not in', { networksRemove: ['other'] }, ConflictError,
    /service "web" is not in network "other"/],
  ['a port that it does not have', { portsRemove: [{ target: 81, protocol: 'tcp' }] },
    ConflictError, /publishes no port that leads to 81\/tcp/],
  ['a port of another one', { portsAdd: [port(5432, 80)] }, ConflictError, /"db" already/],
  ['below zero', { replicas: -3 }, LimitError, /not -3/],
]
for (const [name, change, error, line] of refusedChanges) {
  test(`an update that is refused: ${name}`, async t => {
    const { services, writes } = bench()
    await services.create(input({ name: 'db', ports: [port(5432, 5432)] }))
    await services.create(input())
    await t.throwsAsync(services.update('web', change),
      { instanceOf: error as typeof ConflictError, message: line })
    t.is(writes.length, 2)
  })
}

test('a global service has no number of replicas', async t => {
  const { services } = bench()
  await services.create(input({ mode: 'global' }))
  await t.throwsAsync(services.update('web', { replicas: 2 }), { message: /"web" is global/ })
})

test('unknown names', async t => {
  const { services } = bench()
  for (const ask of [services.update('none', {}), services.rollback('none'),
    services.remove('none')]) {
    await t.throwsAsync(ask, { instanceOf: NotFoundError, message: 'there is no service "none"' })
  }
  await services.create(input())
  await t.throwsAsync(services.rollback('web'), { instanceOf: ConflictError,
    message: /"web" does not have a previous spec/ })
})

test('a service that is removed leaves nothing', async t => {
  const { services, records } = bench()
  await services.create(input())
  await services.update('web', { force: true })
  await services.rollback('web')
  t.deepEqual(await services.remove(WEB.slice(0, 6)), { pending: [] })
  t.is(records.services.size, 0)
  t.is(records.rollouts.size, 0)
})

test('nodes that are down are told as pending', async t => {
  const { services, put, task } = bench()
  putNode(put, 3, false)
  t.deepEqual((await services.create(input({ mode: 'global' }))).pending,
    ['node3 is down: its task of web starts when it is back'])
  task('n3', 'n3', 'a', {}, true)
  task('n1', 'n1', 'b')
  t.deepEqual((await services.remove('web')).pending,
    ['node3 is down: what it has of web (web.n3) follows when it is back'])
})

test('tasks: newest first in each slot, and what is not here is given up', async t => {
  const { services, task, put } = bench()
  await services.create(input({ replicas: 2, networks: [{ network: 'mynet', aliases: [] }],
    ports: [port(8080, 80, { mode: 'host' })] }))
  putNode(put, 3, false)
  put(TABLE_LEASE, SLOT_1, { address: '10.0.1.3' })
  task('1', 'n3', 'old', { createdAt: NOW - 3000 }, true)
  task('1', 'n2', 'mid', { createdAt: NOW - 2000, state: 'failed', error: 'no program',
    exitCode: 127 })
  task('1', 'n1', 'new')
  const tasks = services.tasks('web')
  t.deepEqual(tasks.map(({ id, slot, node, desired, state, isAway }) =>
    [id, slot, node?.name, desired, state, isAway]), [
    ['new', '1', 'node1', 'running', 'running', false],
    ['mid', '1', 'node2', 'shutdown', 'failed', false],
    ['old', '1', 'node3', 'shutdown', 'running', true],
    ['', '2', undefined, 'running', 'pending', false],
  ])
  t.deepEqual(tasks.map(({ ports }) => ports.length), [1, 0, 0, 0])
  t.is(tasks[3]!.error, '')
  t.like(services.get('web'), { running: 1, wanted: 2 })
})

test('a task that its node brought back stands below the one that has its slot now', async t => {
  const { services, task } = bench()
  await services.create(input())
  task('1', 'n3', 'back', { createdAt: NOW - 5000, claimedAt: NOW + 9000, desired: 'shutdown',
    state: 'shutdown' })
  task('1', 'n1', 'here', { createdAt: NOW, claimedAt: NOW })
  t.deepEqual(services.tasks('web').map(({ id, state }) => [id, state]),
    [['here', 'running'], ['back', 'shutdown']])
})

test('a slot without a node says why', async t => {
  const { services, put } = bench()
  await services.create(input({ constraints: ['node.hostname==none'] }))
  t.regex(services.tasks('web')[0]!.error, /constraints/)
  const drained: NodeSpecRow = { availability: 'drain', labels: {} }
  for (const node of ['n1', 'n2', 'n3']) put(TABLE_NODE_SPEC, node, drained)
  await services.update('web', { constraintsRemove: ['node.hostname==none'] })
  t.not(services.tasks('web')[0]!.error, '')
})

test('work that is done is not begun again', async t => {
  const { records, services, task } = bench()
  await services.create(input({ restart: { condition: 'on-failure', delayMs: 0,
    maxAttempts: null } }))
  const template = templateOf(records.services.get(WEB)!)
  task('1', 'n1', 'a', { state: 'complete', exitCode: 0, template })
  t.deepEqual(services.tasks('web').map(({ state }) => state), ['complete'])
  t.like(services.get('web'), { running: 0, completed: 1 })
})

test('a global service is wanted where a node is here and meets the constraints', async t => {
  const { services, put } = bench()
  await services.create(input({ mode: 'global', constraints: ['node.hostname!=node2'] }))
  t.is(services.get('web').wanted, 2)
  putNode(put, 3, false)
  t.is(services.get('web').wanted, 1)
})

test('of a task that is about to stop the open connections are shown', async t => {
  const { services, task } = bench()
  await services.create(input())
  task('1', 'n1', 'a', { state: 'draining', desired: 'shutdown' })
  task('2', 'n2', 'b')
  t.deepEqual(services.tasks('web').map(({ slot, flows }) => [slot, flows]),
    [['1', 3], ['2', null]])
})
