// A node that dies without a word, and comes back: what it had is hidden, and then there again.
import { aliveFor, nodesOf, peersOf, rowsOf, untilEqual, untilWhole } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 3, peers: 'cluster', needs: { tools: ['ping'] } })
/** Probe interval, then the suspicion time of three nodes (GOSSIP: 4 s), then what gossip takes. */
const DEAD_MS = 8000
const BACK_MS = 1000

lab.test('a network with a task on each node', async () => {
  await lab.tapmesh('node1', 'network', 'create', 'mynet')
  await untilEqual(lab)
  for (const [n, node] of lab.nodes.entries()) {
    await lab.bareTask(node, `t${n + 1}`, `mynet,ip=10.0.1.1${n + 1}`)
  }
  await untilEqual(lab)
  await untilReached(lab, 'node1/t1', '10.0.1.13')
})

lab.test('kill -9 of a node: doubted at once, dead in time, its endpoints hidden', async t => {
  const beganMs = performance.now()
  await lab.daemon('node3', 'kill')
  await until('node1 doubts node3', async () => (await peersOf(lab, 'node1'))
    .some(peer => peer.name === 'node3' && (peer.doubtful || peer.state !== 'alive')), 3000)
  const doubtedMs = performance.now() - beganMs
  for (const node of ['node1', 'node2']) {
    await until(`node3 is dead for ${node}`, async () => (await peersOf(lab, node))
      .some(peer => peer.name === 'node3' && peer.state === 'dead'), DEAD_MS)
  }
  t.comment(`doubted after ${Math.round(doubtedMs)} ms, `
    + `dead everywhere after ${Math.round(performance.now() - beganMs)} ms`)
  const rows = await rowsOf(lab, 'node1', 'endpoint')
  t.same(rows.filter(row => row.hidden && !row.deleted).map(row => row.node), ['node3'])
  t.same((await nodesOf(lab, 'node1')).find(node => node.name === 'node3')?.status, 'Down')
  t.equal((await ping(lab, 'node1/t1', '10.0.1.12', '-c3', '-i0.2', '-W2')).received, 3,
    'the others go on')
})

lab.test('it is back within a second of its start, and nothing of it is stale', async t => {
  await lab.daemon('node3', 'start')
  const beganMs = performance.now()
  await untilWhole(lab, lab.nodes, BACK_MS * 5)
  t.comment(`all see node3 ${Math.round(performance.now() - beganMs)} ms after its API answered`)
  await untilEqual(lab)
  const rows = (await rowsOf(lab, 'node1', 'endpoint')).filter(row => !row.deleted)
  t.equal(rows.length, 3)
  t.same(rows.filter(row => row.hidden), [])
  await untilReached(lab, 'node1/t1', '10.0.1.13')
})

lab.test('traffic flows all the while a node rejoins', async t => {
  const watch = lab.start('node1/t1', 'ping', '-O', '-i0.1', '10.0.1.12')
  await until('ping runs', () => watch.stdout.includes('icmp_seq=5'))
  await lab.daemon('node3', 'kill')
  await lab.daemon('node3', 'start')
  await untilWhole(lab)
  const seen = watch.stdout.split('\n').length
  await until('ping goes on', () => watch.stdout.split('\n').length > seen + 10)
  await watch.stop('SIGINT')
  t.notMatch(watch.stdout, /no answer yet/, 'not one ping between the others was lost')
})

lab.test('all lose power at once: the same networks, keys and addresses', async t => {
  const before = await Promise.all(lab.nodes.map(async node => (await lab.status(node)).networks
    .map(({ id, name, vni, subnet }) => ({ id, name, vni, subnet }))))
  const ids = (await nodesOf(lab, 'node1')).map(node => node.id).sort()
  await Promise.all(lab.nodes.map(node => lab.daemon(node, 'kill')))
  for (const node of lab.nodes) await lab.daemon(node, 'start')
  await untilWhole(lab)
  await untilEqual(lab)
  for (const [n, node] of lab.nodes.entries()) {
    t.same((await lab.status(node)).networks.map(({ id, name, vni, subnet }) =>
      ({ id, name, vni, subnet })), before[n])
    t.equal((await lab.task(node, `t${n + 1}`)).endpoints[0]?.address, `10.0.1.1${n + 1}`)
  }
  t.same((await nodesOf(lab, 'node2')).map(node => node.id).sort(), ids)
  await untilReached(lab, 'node1/t1', '10.0.1.13')
})

lab.test('a node that leaves is not waited for', async t => {
  await lab.tapmesh('node3', 'rm', '-f', 't3')
  await lab.tapmesh('node3', 'leave')
  await until('node1 sees it gone', async () => await aliveFor(lab, 'node1') === 1, 2000)
  t.same((await rowsOf(lab, 'node1', 'endpoint')).filter(row => !row.deleted).length, 2)
})
