// What one task hears, from the octets of its question to those of the answer: names of this node's
// networks as they are at that moment, and the outside only as far as the task may ask there.
import test, { type ExecutionContext } from 'ava'
import dnsPacket from 'dns-packet'
import { ManualClock } from '../base/clock.ts'
import { makeRandom } from '../base/prng.ts'
import { SEARCH_MEMORY_MS } from '../cluster/services/names-search.ts'
import { ClusterRecords } from './cluster-records.ts'
import { makeDnsCounts } from './dns-counts.ts'
import { NameDirectory } from './dns-directory.ts'
import { Forwarder } from './dns-forwarder.ts'
import { answersWith, FakeUpstream } from './dns-forwarder.test-kit.ts'
import { QUERIES_PER_SECOND_MAX, TASK_FORWARDS_MAX, TaskNames } from './dns-task.ts'
import {
  encodeRow, type EndpointRow, type NetworkRow, TABLE_ENDPOINT, TABLE_NETWORK,
} from './shared-rows.ts'
import { type NetworkRecord, emptyState, type TaskRecord } from './state.ts'

const SEARCH = ['corp.example']
const REFUSED = 5
const NXDOMAIN = 3

/** A node with the networks "net" (shared) and "own" (of this node alone). */
async function world(t: ExecutionContext, parts: { internal?: boolean; silent?: boolean } = {}) {
  const state = emptyState()
  state.networks.push({ id: 'own-id', name: 'own', subnet: '10.9.0.0/24' } as NetworkRecord)
  state.tasks.push({ id: 'c'.repeat(64), name: 'here', endpoints: [
    { network: 'own-id', address: '10.9.0.2', mac: '02:42:0a:09:00:02' }] } as TaskRecord)
  const records = new ClusterRecords()
  const put = (table: string, key: string, value: NetworkRow | EndpointRow | null): void => {
    records.apply({ table, key, value: value === null ? null : encodeRow(value), hidden: false,
      stamp: 1n, writer: 'n1' })
  }
  put(TABLE_NETWORK, 'net-id', { name: 'net', subnet: '10.0.1.0/24', gateway: '10.0.1.1',
    vni: 4097, mtu: null, labels: {}, attachable: true, internal: parts.internal ?? false,
    createdAt: '' })
  const endpoint = (address: string, task: string): EndpointRow => ({ network: 'net-id', address,
    mac: '02:42:0a:00:01:02', task, taskId: 'd'.repeat(64), interface: 'eth0', promiscuous: false })
  const clock = new ManualClock(0)
  const counts = makeDnsCounts()
  const upstream = await FakeUpstream.open(parts.silent === true ? () => null
    : answersWith('192.0.2.1'))
  const servers = [upstream.server]
  const forwarder = new Forwarder({ clock, counts, servers: () => servers, randomId: () => 5 })
  t.teardown(() => {
    forwarder.close()
    upstream.close()
  })
  const names = new TaskNames({ clock, counts, forwarder, random: makeRandom(1),
    host: { search: SEARCH },
    directory: new NameDirectory({ state, link: { records }, generation: 1 }) },
  { endpoints: [{ network: 'net-id' }, ...parts.internal === true ? [] : [{ network: 'own-id' }]] })
  const ask = async (name: string, type: 'A' | 'AAAA' = 'A') => {
    const octets = await names.answer(dnsPacket.encode({ id: 7, questions: [{ name, type }] }),
      false)
    return octets === null ? null : { rcode: octets[3]! & 0xf,
      data: (dnsPacket.decode(octets).answers ?? []).map(one => 'data' in one ? one.data : '') }
  }
  return { ask, clock, counts, endpoint, forwarder, names, put, upstream }
}

test('a row is a name at once, and is none any more when it is gone', async t => {
  const { ask, endpoint, put } = await world(t)
  t.like(await ask('web'), { rcode: NXDOMAIN })
  put(TABLE_ENDPOINT, 'n2/1', endpoint('10.0.1.9', 'web'))
  t.like(await ask('web'), { rcode: 0, data: ['10.0.1.9'] })
  t.like(await ask('web.net'), { rcode: 0, data: ['10.0.1.9'] })
  put(TABLE_ENDPOINT, 'n2/1', endpoint('10.0.1.10', 'web'))
  t.like(await ask('web'), { data: ['10.0.1.10'] })
  put(TABLE_ENDPOINT, 'n2/1', null)
  t.like(await ask('web'), { rcode: NXDOMAIN, data: [] })
})

test('a row of a network that cannot be read takes no name from others', async t => {
  const { ask, put } = await world(t)
  put(TABLE_NETWORK, 'bad-id', { name: 'bad', subnet: '10.0.300.0/24', gateway: '10.0.1.1',
    vni: 4098, mtu: null, labels: {}, attachable: true, internal: false, createdAt: '' })
  t.like(await ask('here'), { rcode: 0, data: ['10.9.0.2'] })
  t.like(await ask('nobody.bad'), { rcode: 0 })
})

test('networks of this node alone have names, too', async t => {
  const { ask, counts } = await world(t)
  t.like(await ask('here'), { rcode: 0, data: ['10.9.0.2'] })
  t.like(await ask('here.own'), { rcode: 0, data: ['10.9.0.2'] })
  t.is(counts.own, 2)
})

test('other names come from outside', async t => {
  const { ask, counts } = await world(t)
  t.like(await ask('example.com'), { rcode: 0, data: ['192.0.2.1'] })
  t.is(counts.forwarded, 1)
})

test('a name of ours with a search domain does not leave, unless it is asked for by itself',
  async t => {
    const { ask, clock, endpoint, put, upstream } = await world(t)
    put(TABLE_ENDPOINT, 'n2/1', endpoint('10.0.1.9', 'web'))
    t.like(await ask('web', 'AAAA'), { rcode: 0, data: [] })
    t.like(await ask('web.corp.example', 'AAAA'), { rcode: NXDOMAIN })
    t.is(upstream.asked.length, 0)
    clock.advance(SEARCH_MEMORY_MS + 1)
    t.like(await ask('web.corp.example'), { rcode: 0, data: ['192.0.2.1'] })
    await ask('unknown')
    t.like(await ask('unknown.corp.example'), { rcode: 0, data: ['192.0.2.1'] })
  })

test('where all networks are internal, nothing is asked outside', async t => {
  const { ask, counts, endpoint, put, upstream } = await world(t, { internal: true })
  put(TABLE_ENDPOINT, 'n2/1', endpoint('10.0.1.9', 'web'))
  t.like(await ask('example.com'), { rcode: REFUSED })
  t.like(await ask('web'), { rcode: 0, data: ['10.0.1.9'] })
  t.is(counts.internal, 1)
  t.is(upstream.asked.length, 0)
})

test('one task asks not for more than its share', async t => {
  const { ask, clock, counts } = await world(t)
  for (let n = 0; n < QUERIES_PER_SECOND_MAX; n++) void ask('web')
  t.is(await ask('web'), null)
  t.is(counts.limited, 1)
  clock.advance(1000)
  t.like(await ask('web'), { rcode: NXDOMAIN })
})

test('nor does it wait for more outside', async t => {
  const { ask, counts, forwarder } = await world(t, { silent: true })
  const waiting = Array.from({ length: TASK_FORWARDS_MAX }, () => ask('example.com'))
  t.like(await ask('example.com'), { rcode: REFUSED })
  t.is(counts.task_forwards_full, 1)
  forwarder.close()
  await Promise.all(waiting)
})

const strange: [what: string, octets: Buffer, rcode: number | null][] = [
  ['half a header', Buffer.from('too short'), null],
  ['no question', Buffer.from('123400000000000000000000', 'hex'), 1],
  ['another class', dnsPacket.encode({ id: 1,
    questions: [{ name: 'web', type: 'A', class: 'CH' }] }), REFUSED],
]
for (const [what, octets, rcode] of strange) {
  test(`what is no question for us: ${what}`, async t => {
    const { names } = await world(t)
    const reply = await names.answer(octets, false)
    t.is(reply === null ? null : reply[3]! & 0xf, rcode)
  })
}
