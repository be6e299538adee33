// A cluster from nothing: init, join with a token, who may do what, and leave.
import type { Test } from 'tap'
import { clusterOf, nodesOf, peersOf, tokenOf, untilEqual, untilWhole } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 3, peers: 'none', needs: { tools: ['curl'] } })
/** Three nodes are one cluster within this time, all commands included. */
const JOINED_MS = 2000
const SEED = '192.168.56.11:7946'

/** The command fails with one line, and the node is as it was. */
async function refuses(test: Test, node: string, code: number, says: RegExp,
  ...words: string[]): Promise<void> {
  const before = JSON.stringify((await clusterOf(lab, node))?.id)
  const answer = await lab.run(node, 'tapmesh', ...words)
  test.equal(answer.code, code, `${words.join(' ')}: exit code ${answer.code}`)
  test.match(answer.stderr, says, words[0]!)
  test.match(answer.stderr, /^tapmesh: [^\n]+\n$/, 'one line')
  test.equal(JSON.stringify((await clusterOf(lab, node))?.id), before, 'nothing has changed')
}

lab.test('without a cluster there is none to look at', async t => {
  t.equal(await clusterOf(lab, 'node1'), null)
  t.match(await lab.tapmesh('node1', 'status'), /\nCluster +inactive\n/)
  await refuses(t, 'node1', 1, /in no cluster.*tapmesh init/, 'join-token', 'worker')
  await refuses(t, 'node1', 1, /in no cluster/, 'node', 'ls')
  await refuses(t, 'node1', 1, /in no cluster/, 'leave')
})

lab.test('init prints what Docker prints, with our words', async t => {
  const said = await lab.tapmesh('node1', 'init', '--cluster', 'lab')
  t.match(said, /^Cluster initialized: current node \([0-9a-z]{25}\) is now a manager\.\n\n/)
  t.match(said, /\n {4}tapmesh join --token TMTKN-1-[0-9a-z]{50}-[0-9a-z]{25} 192\.168\.56\.11:7946/)
  t.match(said, /run 'tapmesh join-token manager' and follow the instructions\.$/)
  await refuses(t, 'node1', 1, /in the cluster "lab" already/, 'init')
})

lab.test('two more join with a token, in less than two seconds', async t => {
  const token = await tokenOf(lab, 'node1', 'worker')
  const manager = await tokenOf(lab, 'node1', 'manager')
  const beganMs = performance.now()
  const said = await Promise.all([
    lab.tapmesh('node2', 'join', '--token', manager, SEED),
    lab.tapmesh('node3', 'join', '--token', token, SEED),
  ])
  await untilWhole(lab)
  const tookMs = performance.now() - beganMs
  t.comment(`joined in ${Math.round(tookMs)} ms`)
  t.ok(tookMs < JOINED_MS, `${Math.round(tookMs)} ms`)
  t.equal(said[0], 'This node joined the cluster "lab" as a manager.')
  t.equal(said[1], 'This node joined the cluster "lab" as a worker.')
  await untilEqual(lab)
})

lab.test('every node lists the same nodes', async t => {
  for (const node of lab.nodes) {
    const nodes = await nodesOf(lab, node)
    t.same(nodes.map(({ name }) => name).sort(), [...lab.nodes])
    t.same(nodes.filter(({ self }) => self).map(({ name }) => name), [node])
    t.same(nodes.map(({ status }) => status), ['Ready', 'Ready', 'Ready'])
    t.same(nodes.filter(({ managerStatus }) => managerStatus === 'Leader').length, 1)
  }
  const table = await lab.tapmesh('node1', 'node', 'ls')
  t.match(table, /^ID +HOSTNAME +STATUS +AVAILABILITY +MANAGER STATUS +ENGINE VERSION\n/)
  t.match(table, /\n[0-9a-z]{25} \* +node1 +Ready +Active +(Leader|Reachable) +\d/)
  t.match(table, /\n[0-9a-z]{25} +node3 +Ready +Active +\d/)
})

lab.test('peers are measured, and their tables compared', async t => {
  await until('every peer has a round trip and equal tables', async () =>
    (await peersOf(lab, 'node1')).every(peer => peer.rttMs !== null && peer.tables === 'equal'))
  t.match(await lab.tapmesh('node1', 'peers'),
    /\nnode2 +192\.168\.56\.12:7946 +alive +\d+\.\d+ ms +equal +\d+\.\d s ago/)
})

lab.test('joins that cannot be are refused, and change nothing', async t => {
  const token = await tokenOf(lab, 'node1', 'worker')
  await refuses(t, 'node2', 1, /in the cluster "lab" already/, 'join', '--token', token, SEED)
  await lab.tapmesh('node3', 'leave')
  t.equal(await clusterOf(lab, 'node3'), null)
  const wrong = `${token.slice(0, -3)}${token.endsWith('abc') ? 'xyz' : 'abc'}`
  await refuses(t, 'node3', 1, /token/i, 'join', '--token', wrong, SEED)
  const other = token.replace(/-([0-9a-z])([0-9a-z]{49})-/, (_, a, rest) =>
    `-${a === '0' ? '1' : '0'}${rest}-`)
  await refuses(t, 'node3', 1, /token|cluster|certificate/i, 'join', '--token', other, SEED)
  await refuses(t, 'node3', 2, /token/i, 'join', '--token', 'SWMTKN-1-a-b', SEED)
  await refuses(t, 'node3', 1, /192\.168\.56\.11:7947 refuses connections/, 'join', '--token', token,
    '192.168.56.11:7947')
  await refuses(t, 'node3', 1, /192\.168\.56\.99/, 'join', '--token', token, '192.168.56.99')
})

lab.test('a token that was rotated admits nobody, the new one does', async t => {
  const old = await tokenOf(lab, 'node1', 'worker')
  const fresh = await lab.tapmesh('node1', 'join-token', '-q', '--rotate', 'worker')
  t.not(fresh, old)
  await refuses(t, 'node3', 1, /token/i, 'join', '--token', old, SEED)
  await lab.sh('node3', `echo ${fresh} >/run/token; tapmesh join --token-file /run/token ${SEED}`)
  await untilWhole(lab)
  await untilEqual(lab)
})

lab.test('a worker changes nothing that all act on', async t => {
  await refuses(t, 'node3', 1, /worker.*manager/, 'network', 'create', 'mine')
  await refuses(t, 'node3', 1, /worker.*manager/, 'join-token', 'worker')
  t.notMatch(await lab.tapmesh('node1', 'network', 'ls'), /mine/)
})
