// The main promise: three nodes, one network, and ordinary programs that reach each other.
// May run beside another test.
import { useLab } from './lib/lab.ts'
import { curl, iperf, iperfServer, iperfUdp, ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 3, needs: { tools: ['ping', 'curl', 'iperf3'] } })
/** Far below what any machine moves in a second. */
const OCTETS_MIN = 1_000_000
const UDP_OCTETS = 2_000_000

/** Each node's web server, and where a user of that node stands. */
const WEB = new Map([['node1', '10.0.1.11'], ['node2', '10.0.1.12'], ['node3', '10.0.1.13']])
const pairs = [...WEB.keys()].flatMap(from => [...WEB.keys()]
  .filter(to => to !== from).map(to => [from, to] as const))

lab.test('a network and a web server on each node', async t => {
  await lab.createNetwork('mesh', lab.nodes)
  for (const [node, address] of WEB) {
    await lab.runTask(node, 'web', `mesh,ip=${address}`, 'tapmesh', 'whoami', '--port', '80')
  }
  const vnis = await Promise.all(lab.nodes.map(async node => (await lab.status(node)).networks[0]))
  t.match(vnis, Array.from({ length: 3 }, () => ({ vni: 4097, subnet: '10.0.1.0/24', mtu: 1450 })))
  for (const node of lab.nodes) {
    await until(`web server of ${node}`, async () =>
      (await lab.run(`${node}/web`, 'curl', '-s', `http://${WEB.get(node)}/`)).code === 0)
  }
})

lab.test('ping reaches every node from every node', async t => {
  for (const [from, to] of pairs) {
    const { received, text } = await ping(lab, `${from}/web`, WEB.get(to)!, '-c3', '-i0.2', '-W2')
    t.equal(received, 3, `${from} to ${to}: ${text}`)
  }
})

lab.test('each node has learned where the others are', async t => {
  const table = await lab.tapmesh('node1', 'fdb', 'ls')
  t.match(table, /mesh +02:42:0a:00:01:0c +192\.168\.56\.12/)
  t.match(table, /mesh +02:42:0a:00:01:0d +192\.168\.56\.13/)
})

lab.test('curl gets the page of every node, and is seen from its own address', async t => {
  for (const [from, to] of pairs) {
    const page = await curl(lab, `${from}/web`, `http://${WEB.get(to)}/path?query`)
    const { hostname } = await lab.task(to, 'web')
    t.equal(page.split('\n')[0], `Hostname: ${hostname}`, `${from} to ${to}`)
    t.match(page, `IP: ${WEB.get(to)}\n`)
    t.match(page, new RegExp(`^RemoteAddr: ${WEB.get(from)}:\\d+$`, 'm'))
    t.match(page, /^GET \/path\?query HTTP\/1\.1$/m)
    t.match(page, `Host: ${WEB.get(to)}\n`)
  }
})

lab.test('iperf3 runs in both directions, and between two pairs at once', async t => {
  const servers = [await iperfServer(lab, 'node1/web'), await iperfServer(lab, 'node2/web')]
  const second = ['--time', '1']
  const results = [
    await iperf(lab, 'node2/web', '10.0.1.11', ...second),
    await iperf(lab, 'node3/web', '10.0.1.11', ...second, '--reverse'),
    ...await Promise.all([
      iperf(lab, 'node3/web', '10.0.1.11', ...second, '--parallel', '4'),
      iperf(lab, 'node1/web', '10.0.1.12', ...second),
    ]),
  ]
  for (const { end } of results) t.ok(end.sum_received.bytes >= OCTETS_MIN)
  await Promise.all(servers.map(server => server.stop()))
})

lab.test('iperf3 with UDP, in packets that fill the MTU', async t => {
  const server = await iperfServer(lab, 'node1/web')
  const packets = await iperfUdp(lab, 'node2/web', '10.0.1.11', 0.01, '--bitrate', '10M',
    '--length', '1422', '--bytes', String(UDP_OCTETS))
  t.ok(packets >= UDP_OCTETS / 1422 - 1)
  await server.stop()
})

lab.test('a node that left the network is not reached, and is when it is back', async t => {
  await lab.tapmesh('node3', 'rm', '-f', 'web')
  t.equal((await ping(lab, 'node1/web', '10.0.1.13', '-c1', '-W1')).received, 0)
  await lab.bareTask('node3', 'web', 'mesh,ip=10.0.1.13')
  await untilReached(lab, 'node1/web', '10.0.1.13')
  await untilReached(lab, 'node3/web', '10.0.1.12')
})
