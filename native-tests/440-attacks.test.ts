// What somebody on the underlay can do without a key, or with what was heard before: nothing.
// May run beside another test; takes long.
import { clusterOf, peersOf, rowsOf, untilEqual, untilWhole } from './lib/cluster.ts'
import { sendFrames, sendToPort } from './lib/frames.ts'
import { useLab } from './lib/lab.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 3, peers: 'cluster', needs: { tools: ['ping', 'tcpdump', 'perl'] } })
const NODE1 = '192.168.56.11'
const MESH_PORT = 7946
/** Frames of gossip that are kept, and said again. */
const RECORDED_MAX = 40

const stateOf = async (of: string) =>
  (await peersOf(lab, 'node1')).find(peer => peer.name === of)?.state
const sum = (counters: Record<string, number>, prefix: string) => Object.entries(counters)
  .filter(([name]) => name.startsWith(prefix)).reduce((total, [, count]) => total + count, 0)

lab.test('a network with a task on two nodes', async () => {
  await lab.tapmesh('node1', 'network', 'create', 'mynet')
  await untilEqual(lab)
  await lab.bareTask('node1', 'a', 'mynet,ip=10.0.1.11')
  await lab.bareTask('node2', 'b', 'mynet,ip=10.0.1.12')
  await untilReached(lab, 'node1/a', '10.0.1.12')
})

/** What ends other programs that speak this gossip, and some that only looks like it. */
const FORGED: [name: string, octets: string][] = [
  ['a compound without a part', '07010000'],
  ['a compound with an empty part', '0701000000'],
  ['a checksum without anything behind', '0c'],
  ['an alive with a short version',
    '0486a441646472a40a000001ab496e6361726e6174696f6e01a44d657461c0a44e6f6465a26e31a4506f7274cd1f0aa3'
    + '56736ea101'],
  ['a dead about node2', '0383a446726f6da56e6f646531ab496e6361726e6174696f6ecf7fffffffffffffff'
    + 'a44e6f6465a56e6f646532'],
  ['a label of somebody else', 'f405776f726c6400'],
  ['a type that there is not', 'ff'],
  ['an encrypted one with no key of ours', `01${'5a'.repeat(80)}`],
]

lab.test('forged gossip is counted and has no effect', async t => {
  const before = sum((await clusterOf(lab, 'node1'))!.counters, 'refused.')
  await sendToPort(lab, 'client', NODE1, MESH_PORT, ...FORGED.map(([, octets]) => octets))
  await until('all are counted', async () =>
    sum((await clusterOf(lab, 'node1'))!.counters, 'refused.') - before >= FORGED.length)
  t.equal(await stateOf('node2'), 'alive')
  t.equal(await stateOf('node3'), 'alive')
  t.match(await lab.log('node1'), /gossip refused/)
  const lines = (await lab.log('node1')).split('\n').filter(line => line.includes('gossip refused'))
  t.ok(lines.length <= 3, `${lines.length} lines: said once a minute for each source`)
})

lab.test('a stream of rubbish on the port of the mesh ends, and nothing with it', async t => {
  await lab.sh('client', `
    head -c 200000 /dev/urandom | timeout 5 curl -s --max-time 4 -T - telnet://${NODE1}:${MESH_PORT} || true
    printf '\\x16\\x03\\x01\\x00\\x05hello' | timeout 5 curl -s --max-time 3 -T - telnet://${NODE1}:${MESH_PORT} || true`)
  t.equal(await stateOf('node2'), 'alive')
  t.equal((await ping(lab, 'node1/a', '10.0.1.12', '-c2', '-i0.2', '-W2')).received, 2)
})

lab.test('gossip of a node that is said again does not bring it back, nor evict it', async t => {
  const watch = await tcpdump(lab, 'node1', 'eth1',
    `udp port ${MESH_PORT} and src host 192.168.56.12`)
  await until('enough was heard', () => watch.frames().length >= RECORDED_MAX)
  await watch.stop()
  const recorded = watch.frames().slice(0, RECORDED_MAX).map(octets => octets.toString('hex'))
  const dying = await tcpdump(lab, 'node1', 'eth1',
    `udp port ${MESH_PORT} and src host 192.168.56.13 and dst host ${NODE1}`)
  await lab.daemon('node2', 'kill')
  await until('node2 is dead', async () => await stateOf('node2') === 'dead')
  await dying.stop()
  await sendFrames(lab, 'client', 'eth1', ...recorded)
  t.equal(await stateOf('node2'), 'dead', 'an old "alive" counts for nothing')
  t.ok((await rowsOf(lab, 'node1', 'endpoint')).some(row => row.hidden && !row.deleted))
  await lab.daemon('node2', 'start')
  await untilWhole(lab)
  const said = dying.frames().map(octets => octets.toString('hex'))
  t.ok(said.length > 0, 'what node3 said of the death of node2')
  await sendFrames(lab, 'client', 'eth1', ...said)
  await untilEqual(lab)
  t.equal(await stateOf('node2'), 'alive', 'nor does an old "dead"')
  await untilReached(lab, 'node1/a', '10.0.1.12')
})

lab.test('a node that was removed is shut out, and its name is free', async t => {
  const refused = await lab.run('node1', 'tapmesh', 'node', 'rm', 'node3')
  t.equal(refused.code, 1)
  t.match(refused.stderr, /node3 is alive/)
  await lab.tapmesh('node1', 'node', 'rm', '--force', 'node3')
  await until('node3 has left', async () => await clusterOf(lab, 'node3') === null)
  for (const node of ['node1', 'node2']) {
    await until(`${node} has forgotten node3`, async () =>
      !(await peersOf(lab, node)).some(peer => peer.name === 'node3' && peer.state === 'alive'))
  }
  await untilEqual(lab, ['node1', 'node2'])
  const token = await lab.tapmesh('node1', 'join-token', '-q', 'worker')
  await lab.tapmesh('node3', 'join', '--token', token, NODE1)
  await untilWhole(lab)
  await untilEqual(lab)
})
