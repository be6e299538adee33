// Addresses from the question to the answer: a node asks by a row, a manager gives by a row, and
// both follow what becomes of the task. The tables are one map that both nodes see at once.
import { setImmediate as turn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { pino } from 'pino'
import { ManualClock } from '../base/clock.ts'
import { FREE_DELAY_MS } from '../cluster/services/leases.ts'
import type { Write } from '../cluster/tables/events.ts'
import type { ClusterLink } from './cluster-link.ts'
import { ClusterRecords } from './cluster-records.ts'
import type { Core } from './core.ts'
import { Exclusive } from './exclusive.ts'
import { lacksOf, leaseBook } from './lease-facts.ts'
import { Leases } from './leases.ts'
import type { Networks } from './networks.ts'
import { encodeRow, nodeKey, TABLE_NETWORK, TABLE_NODE } from './shared-rows.ts'
import type { EndpointRecord, TaskRecord } from './state.ts'

const COUNTER_BITS = 16n
const REST_SECONDS = 60
const REQUEST_WAIT_MS = 500

class World {
  readonly records = new ClusterRecords()
  readonly clock = new ManualClock(1_700_000_000_000)
  readonly nodes = new Map<string, Node>()
  #counter = 0n

  constructor(t: ExecutionContext, subnet: string, roles: Record<string, 'manager' | 'worker'>) {
    this.write('m', [{ table: TABLE_NETWORK, key: 'net', value: encodeRow({
      name: 'mynet', subnet, gateway: subnet.replace(/0\/\d+$/, '1'), vni: 4097, mtu: null,
      labels: {}, createdAt: '' }) }])
    for (const [id, role] of Object.entries(roles)) {
      this.write(id, [{ table: TABLE_NODE, key: nodeKey(id), value: encodeRow({ name: `node-${id}`,
        role, version: '', address: '10.9.0.1', port: 4789, meshPort: 7946, joinedAt: id,
        remoteChecksum: false, labels: {} }) }])
      this.nodes.set(id, new Node(this, id, role))
    }
    t.teardown(() => { for (const { leases } of this.nodes.values()) leases.close() })
  }

  write(by: string, writes: readonly Write[], hidden = false): void {
    for (const { key, table, value } of writes) {
      this.#counter += 1n
      const stamp = (BigInt(this.clock.wallMs()) << COUNTER_BITS) + this.#counter
      this.records.apply({ table, key, value, hidden, stamp, writer: by })
    }
    if (writes.length > 0) for (const { leases } of this.nodes.values()) leases.follow()
  }

  /** Time passes, and everybody looks. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    for (const { leases } of this.nodes.values()) leases.follow()
    for (let n = 0; n < 6; n += 1) await turn()
  }

  held(): Record<string, string> {
    return Object.fromEntries([...this.records.leases.values()].filter(({ freed }) => !freed)
      .map(({ address, key }) => [key, address]))
  }
}

class Node {
  readonly leases: Leases
  readonly tasks: TaskRecord[] = []
  isCaughtUp = true

  constructor(world: World, nodeId: string, role: string) {
    const node = this
    const link = {
      nodeId, records: world.records, isManager: role === 'manager',
      get isCaughtUp() { return node.isCaughtUp },
      write: (writes: readonly Write[]) => world.write(nodeId, writes),
    } as unknown as ClusterLink
    const core = { link, log: pino({ level: 'silent' }), state: { tasks: this.tasks },
      config: { addresses: { restSeconds: REST_SECONDS } } } as unknown as Core
    const networks = { find: () => ({ id: 'net', name: 'mynet', scope: 'swarm' }) }
    this.leases = new Leases(core, networks as unknown as Networks, new Exclusive(), world.clock,
      REQUEST_WAIT_MS)
  }

  /** As `tapmesh run` does it; answers the address. */
  run(address?: string): Promise<string> {
    return this.leases.desk.with([{ network: 'mynet', address }], async ([given]) => {
      const endpoint = { network: 'net', address: given!.address, lease: given!.lease }
      this.tasks.push({ endpoints: [endpoint as EndpointRecord] } as TaskRecord)
      return given!.address!
    })
  }
}

const MANAGERS = { m: 'manager', o: 'manager', w: 'worker' } as const

test('nodes ask at the same time, and all addresses differ and follow one another', async t => {
  const world = new World(t, '10.0.1.0/24', MANAGERS)
  const all = await Promise.all(Array.from({ length: 30 }, (_, i) =>
    world.nodes.get('mow'[i % 3]!)!.run()))
  t.deepEqual(all.map(text => Number(text.split('.')[3])).sort((a, b) => a - b),
    Array.from({ length: 30 }, (_, i) => i + 2))
  t.is(world.records.requests.size, 30)
})

test('a task that goes takes its request with it, and its address rests', async t => {
  const world = new World(t, '10.0.1.0/24', MANAGERS)
  const node = world.nodes.get('w')!
  t.is(await node.run(), '10.0.1.2')
  t.is(await node.run(), '10.0.1.3')
  node.tasks.shift()
  await world.pass(0)
  t.is(world.records.requests.size, 1)
  await world.pass(FREE_DELAY_MS)
  t.deepEqual(Object.values(world.held()), ['10.0.1.3'])
  t.is(world.records.leases.size, 2)
  await world.pass(REST_SECONDS * 1000)
  t.is(world.records.leases.size, 1)
})

test('a change that fails gives back what was asked for', async t => {
  const world = new World(t, '10.0.1.0/24', MANAGERS)
  const { desk } = world.nodes.get('w')!.leases
  await t.throwsAsync(desk.with([{ network: 'mynet' }], () => Promise.reject(new Error('no'))),
    { message: 'no' })
  await world.pass(0)
  await world.pass(FREE_DELAY_MS)
  t.is(world.records.requests.size, 0)
  t.deepEqual(world.held(), {})
})

test('an address that is named is given, or it is said why not', async t => {
  const world = new World(t, '10.0.1.0/24', MANAGERS)
  const node = world.nodes.get('w')!
  t.is(await node.run('10.0.1.77'), '10.0.1.77')
  await t.throwsAsync(world.nodes.get('m')!.run('10.0.1.77'),
    { code: 'TM_CONFLICT', message: /address 10\.0\.1\.77 is taken; choose another/ })
  t.is(await node.run(), '10.0.1.2')
})

test('a full network says so on every node, and has room again after the rest', async t => {
  const world = new World(t, '10.0.1.0/29', MANAGERS)
  const node = world.nodes.get('o')!
  for (let n = 0; n < 5; n += 1) await node.run()
  await t.throwsAsync(world.nodes.get('w')!.run(),
    { message: /^no address of 10\.0\.1\.0\/29 is free: of 5, 5 are used and 0 rest/ })
  node.tasks.pop()
  await world.pass(0)
  await world.pass(FREE_DELAY_MS)
  await t.throwsAsync(node.run(), { message: /4 are used and 1 rest/ })
  await world.pass(REST_SECONDS * 1000)
  t.is(await node.run(), '10.0.1.6')
})

test('who gives addresses and does not answer is named, and so is that nobody does', async t => {
  const world = new World(t, '10.0.1.0/24', { m: 'manager', w: 'worker' })
  world.nodes.get('m')!.isCaughtUp = false
  await t.throwsAsync(world.nodes.get('w')!.run(),
    { message: /^node node-m gives the addresses of network "mynet" and has not answered/ })
  const { nodes } = world.records
  nodes.set('m', { ...nodes.get('m')!, hidden: true })
  await t.throwsAsync(world.nodes.get('w')!.run(),
    { message: /^no manager is here to give an address of network mynet/ })
})

test('a node that starts again asks for what it has', async t => {
  const world = new World(t, '10.0.1.0/24', { m: 'manager', w: 'worker' })
  const node = world.nodes.get('w')!
  await node.run()
  await node.run()
  world.records.requests.clear()
  world.records.leases.clear() // and even where no manager knows anything any more
  await world.pass(0)
  t.deepEqual(Object.values(world.held()).sort(), ['10.0.1.2', '10.0.1.3'])
  t.is(lacksOf(leaseBook(world.records), 'net', world.clock.wallMs()).size, 0)
})
