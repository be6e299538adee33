// Members of the mesh over real sockets on the loopback: they find each other, talk and leave.
import test from 'ava'
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../base/clock.ts'
import { makeRandom } from '../base/prng.ts'
import { Mesh } from './mesh.ts'
import type { MeshAddress } from './mesh-address.ts'
import { MeshDriver } from './mesh-driver.ts'
import type { MeshKeys, MeshNews } from './mesh-events.ts'
import { NodeTransport } from './transport.node.ts'

const DEADLINE_MS = 10_000
const HOST = '127.0.0.1'
const keyOf = (seed: string) => createHash('sha256').update(seed).digest().subarray(0, 16)
const KEY = keyOf('the mesh')
const KEYS: MeshKeys = { primary: KEY, all: [KEY] }

type Node = { driver: MeshDriver; mesh: Mesh; news: MeshNews[]; address: MeshAddress }

/** Takes a port first: a member has to know its address before it says anything. */
async function freeAddress(): Promise<MeshAddress> {
  const probe = new NodeTransport({ address: { host: HOST, port: 0 } })
  await probe.open({
    datagram: () => {}, reader: () => { throw new Error('nobody knows it') }, stream: () => {},
    exchanged: () => {},
  })
  await probe.close()
  return probe.address
}

async function start(name: string, keys: MeshKeys, label = 'test'): Promise<Node> {
  const address = await freeAddress()
  const transport = new NodeTransport({ address })
  const mesh = new Mesh({
    nowMs: systemClock.nowMs(), random: makeRandom(randomBytes(4).readInt32LE()),
    randomOctets: randomBytes, name, address, epoch: 1_790_000_000,
    meta: new TextEncoder().encode(`meta of ${name}`), label, keys,
  })
  const news: MeshNews[] = []
  const driver = new MeshDriver({
    mesh, transport, clock: systemClock, onNews: item => { news.push(item) },
  })
  await driver.open()
  return { driver, mesh, news, address }
}

async function until(holds: () => boolean): Promise<boolean> {
  const endMs = systemClock.nowMs() + DEADLINE_MS
  while (!holds() && systemClock.nowMs() < endMs) await sleep(5)
  return holds()
}

const close = (nodes: Node[]) => Promise.all(nodes.map(({ driver }) => driver.close()))
const aliveNames = ({ mesh }: Node) => mesh.swim.members()
  .filter(({ state }) => state === 'alive').map(({ name }) => name).sort()

for (const [name, keys, label] of [
  ['sealed', KEYS, 'test'], ['in the clear', { primary: null, all: [] }, ''],
] as [string, MeshKeys, string][]) {
  test(`three members find each other, talk and part: ${name}`, async t => {
    const nodes = await Promise.all(['a', 'b', 'c'].map(node => start(node, keys, label)))
    const [a, b, c] = nodes as [Node, Node, Node]
    t.teardown(() => close(nodes))
    b.driver.handle({ type: 'join', seeds: [a.address] })
    c.driver.handle({ type: 'join', seeds: [a.address] })
    t.true(await until(() => nodes.every(node => aliveNames(node).length === 3)))
    t.is(String(Buffer.from(a.mesh.swim.member('b')?.meta ?? [])), 'meta of b')

    const octets = Uint8Array.of(0x55, 1, 2, 3)
    b.driver.handle({ type: 'send', to: 'c', octets })
    b.driver.handle({ type: 'send', to: 'a', octets: new Uint8Array(100_000), reliable: true })
    const heard = (node: Node, length: number) => node.news
      .find(item => item.type === 'user' && item.octets.length === length)
    t.true(await until(() => heard(c, 4) !== undefined && heard(a, 100_000) !== undefined))
    t.like(heard(c, 4), { from: 'b', address: b.address })

    a.driver.handle({ type: 'meta', meta: Uint8Array.of(7) })
    t.true(await until(() => c.mesh.swim.member('a')?.meta[0] === 7))

    t.true(await until(() => (a.mesh.tunnel('b')?.roundTripMs ?? 1e9) < 1e3))
    b.driver.handle({ type: 'leave' })
    t.true(await until(() => [a, c].every(({ mesh }) => mesh.swim.member('b')?.state === 'left')))
    t.true(await until(() => b.news.some(item => item.type === 'gone')))
    t.is(a.mesh.swim.counters.suspicions, 0)
  })
}

test('who has another key or label is refused, and it is said once', async t => {
  const other = keyOf('another mesh')
  const nodes = await Promise.all([
    start('a', KEYS), start('b', { primary: other, all: [other] }), start('c', KEYS, 'other'),
  ])
  const [a, b, c] = nodes as [Node, Node, Node]
  t.teardown(() => close(nodes))
  const failed = (node: Node) => node.news.filter(item => item.type === 'join-failed').length > 1
  b.driver.handle({ type: 'join', seeds: [a.address] })
  c.driver.handle({ type: 'join', seeds: [a.address] })
  t.true(await until(() => failed(b) && failed(c)))
  t.deepEqual(aliveNames(a), ['a'])
  t.true(a.mesh.refused['no-key-fits'] > 1 && a.mesh.refused['other-label'] > 1)
  t.is(a.news.filter(item => item.type === 'refusal').length, 1)
})
