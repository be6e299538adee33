// Services of the directory as rows of the packet path: marks and numbers stay with whom they are.
import test from 'ava'
import { parseIpv4 } from '../base/text.ts'
import type { DirectoryNetwork, DirectoryTask } from '../cluster/services/directory.ts'
import type { PublishedPort } from '../cluster/services/rows.ts'
import { BACKENDS_MAX } from '../path/flow-memory.ts'
import { PUBLISHED_MAX } from '../path/published-image.ts'
import { Balancing } from './balancing.ts'

function task(slot: string, over: Partial<DirectoryTask> = {}): DirectoryTask {
  return { name: `web.${slot}`, hostname: 'h', node: 'n1', slot, address: `10.0.1.${slot}`,
    mac: '02:42:0a:00:01:02', isTaking: true, ...over }
}

type Given = { id: string; vip?: string | null; tasks?: DirectoryTask[];
  weights?: Record<string, number>; ports?: readonly PublishedPort[] }

function directory(services: readonly Given[], id = 'net'): DirectoryNetwork[] {
  return [{ id, name: id, tasks: [], services: services.map(one => ({
    name: one.id, aliases: [], endpointMode: 'vip', scheduler: 'wrr', weights: one.weights ?? {},
    ports: one.ports ?? [],
    id: one.id, vip: one.vip === undefined ? '10.0.1.100' : one.vip, tasks: one.tasks ?? [],
  })) }]
}

const INDEXES = new Map([['net', 0], ['other', 1]])

test('marks begin at 0x100, one for each service in each network, and are not given again', t => {
  const balancing = new Balancing()
  const marks = (...networks: DirectoryNetwork[][]) =>
    balancing.rows(networks.flat(), INDEXES).map(({ mark }) => mark)
  t.deepEqual(marks(directory([{ id: 'a' }]), directory([{ id: 'a' }], 'other')), [256, 257])
  t.deepEqual(marks(directory([{ id: 'b' }, { id: 'a' }])), [258, 256])
  t.deepEqual(marks(directory([{ id: 'c' }])), [259])
})

test('a backend has its number for as long as it is there', t => {
  const balancing = new Balancing()
  const ids = (...tasks: DirectoryTask[]) =>
    balancing.rows(directory([{ id: 'a', tasks }]), INDEXES)[0]!.backends.map(({ id }) => id)
  t.deepEqual(ids(task('3'), task('4')), [0, 1])
  t.deepEqual(ids(task('4')), [1])
  t.deepEqual(ids(task('3'), task('4')), [2, 1], 'it was gone: its flows are not those of now')
})

test('when all numbers were given, those that rest longest are given again', t => {
  const balancing = new Balancing()
  const ids = (from: number, count: number) => balancing.rows(directory([{ id: 'a',
    tasks: Array.from({ length: count }, (_, n) => task(String(from + n),
      { address: `10.${from >> 8 & 255}.${n >> 8}.${n & 255}` })) }]), INDEXES)[0]!.backends
    .map(({ id }) => id)
  t.is(ids(0, BACKENDS_MAX - 1).length, BACKENDS_MAX - 1)
  t.deepEqual(ids(256, 3), [BACKENDS_MAX - 1, 0, 1])
  t.is(balancing.leftOut, 0)
  t.is(ids(512, BACKENDS_MAX + 2).length, BACKENDS_MAX)
  t.is(balancing.leftOut, 2)
})

test('published ports for which there is no room are left out, and counted', t => {
  const balancing = new Balancing()
  const ports = Array.from({ length: PUBLISHED_MAX + 3 }, (_, n): PublishedPort => (
    { mode: 'ingress', protocol: 'tcp', published: n + 1, target: 80, source: 'node' }))
  balancing.rows(directory([{ id: 'a', ports }]), INDEXES, { network: 'net', node: 'n1' })
  t.is(balancing.published.length, PUBLISHED_MAX)
  t.is(balancing.leftOut, 3)
  balancing.rows(directory([{ id: 'a' }]), INDEXES, { network: 'net', node: 'n1' })
  t.deepEqual([balancing.published.length, balancing.leftOut], [0, 0])
})

test('weights come by slot, and who does not take connections has none', t => {
  const [row] = new Balancing().rows(directory([{ id: 'a', weights: { 1: 5, 2: 7 },
    tasks: [task('1'), task('2', { isTaking: false }), task('3')] }]), INDEXES)
  t.deepEqual(row!.backends.map(({ weight }) => weight), [5, 0, 1])
  t.like(row, { scheduler: 'wrr', network: 0, address: parseIpv4('10.0.1.100') })
})

test('without VIP, or in a network that this node does not have, nothing is balanced', t => {
  const balancing = new Balancing()
  t.deepEqual(balancing.rows(directory([{ id: 'a', vip: null }]), INDEXES), [])
  t.deepEqual(balancing.rows(directory([{ id: 'a' }], 'elsewhere'), INDEXES), [])
  t.deepEqual(balancing.all, [])
})

test('what did not change is the same row', t => {
  const balancing = new Balancing()
  const rows = (tasks: DirectoryTask[]) => balancing.rows(directory([{ id: 'a', tasks }]), INDEXES)
  const [first] = rows([task('1')])
  t.is(rows([task('1')])[0], first)
  t.not(rows([task('1', { isTaking: false })])[0], first)
})
