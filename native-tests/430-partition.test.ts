// A network that falls apart and heals: both sides go on, and are one again soon after.
// May run beside another test; takes long.
import { cut, digestsOf, nodesOf, untilEqual, untilWhole } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 3, peers: 'cluster', needs: { tools: ['ping', 'nft'] } })
/** Longer than memberlist gossips to its dead; PARTITION_SECONDS makes it shorter or longer. */
const SPLIT_MS = Number(process.env['PARTITION_SECONDS'] ?? 60) * 1000
const EQUAL_MS = 2000

lab.test('a network with a task on each node', async () => {
  await lab.tapmesh('node1', 'network', 'create', 'before')
  await untilEqual(lab)
  for (const [n, node] of lab.nodes.entries()) {
    await lab.bareTask(node, `t${n + 1}`, `before,ip=10.0.1.1${n + 1}`)
  }
  await untilReached(lab, 'node1/t1', '10.0.1.13')
})

lab.test('both sides of a split go on', async t => {
  await cut(lab, 'node3', true)
  const endMs = performance.now() + SPLIT_MS
  await until('node1 sees node3 dead', async () => (await nodesOf(lab, 'node1'))
    .some(node => node.name === 'node3' && node.status === 'Down'))
  await until('node3 sees both others dead', async () => (await nodesOf(lab, 'node3'))
    .filter(node => node.status === 'Down').length === 2)
  await lab.tapmesh('node1', 'network', 'create', 'both')
  await lab.tapmesh('node3', 'network', 'create', 'both')
  await lab.tapmesh('node1', 'network', 'create', 'here')
  await lab.tapmesh('node3', 'network', 'create', 'there')
  await lab.tapmesh('node3', 'network', 'rm', 'there')
  t.equal((await ping(lab, 'node1/t1', '10.0.1.12', '-c3', '-i0.2', '-W2')).received, 3)
  await until('the split has lasted', () => performance.now() > endMs, SPLIT_MS + 1000)
})

lab.test('after the split all tables are equal within two seconds', async t => {
  await cut(lab, 'node3', false)
  const beganMs = performance.now()
  await untilWhole(lab, lab.nodes, EQUAL_MS * 5)
  const seenMs = performance.now() - beganMs
  await untilEqual(lab, lab.nodes, EQUAL_MS * 5)
  const tookMs = performance.now() - beganMs
  t.comment(`members after ${Math.round(seenMs)} ms, tables after ${Math.round(tookMs)} ms`)
  t.ok(tookMs - seenMs <= EQUAL_MS, `${Math.round(tookMs - seenMs)} ms`)
  const digests = await digestsOf(lab, 'node1')
  t.ok(digests.some(({ table }) => table === 'network'))
})

lab.test('what both sides made alike is one, and nothing that was removed is back', async t => {
  for (const node of lab.nodes) {
    const networks = (await lab.status(node)).networks
    t.same(networks.map(({ name }) => name).sort(), ['before', 'both', 'here'], node)
  }
  const both = await Promise.all(lab.nodes.map(async node => (await lab.status(node)).networks
    .find(network => network.name === 'both')))
  t.equal(new Set(both.map(network => `${network?.id} ${network?.vni} ${network?.subnet}`)).size, 1)
  await untilReached(lab, 'node1/t1', '10.0.1.13')
})
