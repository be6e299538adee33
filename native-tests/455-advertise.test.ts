// Where a node says that it is to be found: without a word in the configuration its tunnels begin at
// the device of the default route, and --advertise-addr moves them, tasks and all.
// May run beside another test.
import { clusterOf, tokenOf, untilEqual, untilWhole } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { ping, untilReached } from './lib/traffic.ts'

const lab = useLab({ nodes: 2, peers: 'none', needs: { tools: ['ping', 'ip'] } })
const CONFIG = '/etc/tapmesh/tapmesh.yaml'
const NAT = '10.0.2.15'
const FIRST = '192.168.56.11'
const SECOND = '192.168.56.12'

const underlayOf = async (node: string): Promise<string> =>
  (await lab.status(node)).underlay.address

lab.test('without a configured underlay it is that of the default route', async t => {
  for (const node of lab.nodes) {
    await lab.sh(node, `sed -i '/^underlay:/,/^  address:/d' ${CONFIG}`)
    await lab.daemon(node, 'restart')
    t.equal(await underlayOf(node), NAT, 'the same address on every node, as in VirtualBox')
  }
})

lab.test('what this machine does not have is refused, and nothing is moved', async t => {
  for (const wanted of ['eth9', '192.168.56.99', 'lo0']) {
    const answer = await lab.run('node1', 'tapmesh', 'init', '--advertise-addr', wanted)
    t.equal(answer.code, 2, wanted)
    t.match(answer.stderr, new RegExp(`^tapmesh: --advertise-addr ${wanted}: this machine has no`))
  }
  t.equal(await underlayOf('node1'), NAT)
  t.equal(await clusterOf(lab, 'node1'), null)
})

lab.test('init and join move the tunnels, and the tasks that are there go with them', async t => {
  await lab.tapmesh('node1', 'network', 'create', 'before')
  await lab.bareTask('node1', 'a', 'before,ip=10.0.1.11')
  await lab.bareTask('node1', 'b', 'before,ip=10.0.1.12')
  await untilReached(lab, 'node1/a', '10.0.1.12')
  t.match(await lab.tapmesh('node1', 'init', '--advertise-addr', 'eth1'), /192\.168\.56\.11:7946/)
  t.equal(await underlayOf('node1'), FIRST)
  const { plane } = await lab.status('node1')
  t.equal(plane.ports, 2)
  const { received, text } = await ping(lab, 'node1/a', '10.0.1.12', '-c3', '-i0.1', '-W2')
  t.equal(received, 3, text)
  const token = await tokenOf(lab, 'node1', 'worker')
  await lab.tapmesh('node2', 'join', '--advertise-addr', SECOND, '--token', token, FIRST)
  t.equal(await underlayOf('node2'), SECOND)
  await untilWhole(lab)
  await untilEqual(lab)
})

lab.test('frames go between the advertised addresses, also after a restart', async t => {
  await lab.tapmesh('node1', 'network', 'create', 'mynet')
  await lab.bareTask('node1', 'web', 'mynet')
  await lab.bareTask('node2', 'client', 'mynet')
  const { endpoints } = await lab.status('node1')
  const { address } = endpoints.find(one => one.task === 'web')!
  await untilReached(lab, 'node2/client', address)
  await lab.daemon('node2', 'kill')
  await lab.daemon('node2', 'start')
  t.equal(await underlayOf('node2'), SECOND)
  await untilReached(lab, 'node2/client', address)
})
