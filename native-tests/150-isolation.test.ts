// Two networks with the same addresses, and even the same MACs, stay apart: only the VXLAN network
// identifier tells them from each other.
//
//   red,  VNI 5001   node1 10.9.0.8   node2  10.9.0.9
//   blue, VNI 5002   node3 10.9.0.8   client 10.9.0.9 (a kernel VXLAN device)
//
// Every node is a VTEP of every other, so each broadcast reaches all of them.
// May run beside another test.
import { BROADCAST, EXPERIMENT, frame, sendFrames } from './lib/frames.ts'
import { useLab } from './lib/lab.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { curl, ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({
  nodes: 3,
  needs: { tools: ['ping', 'curl', 'tcpdump', 'bridge', 'perl'], links: ['vxlan'] },
})
const EIGHT = '10.9.0.8'
const EIGHT_MAC = '02:42:0a:09:00:08'
const NINE = '10.9.0.9'
const NINE_MAC = '02:42:0a:09:00:09'
const SUBNET = ['--subnet', '10.9.0.0/24']
const BLUE = '626c7565'
const RED = '726564'

lab.test('red and blue have the same subnet, on different hosts', async t => {
  await lab.createNetwork('red', ['node1', 'node2'], ...SUBNET, '--vni', '5001')
  await lab.createNetwork('blue', ['node3'], ...SUBNET, '--vni', '5002')
  for (const node of lab.nodes) await lab.tapmesh(node, 'vtep', 'add', '192.168.56.1')
  for (const [node, network, address] of [
    ['node1', 'red', EIGHT], ['node2', 'red', NINE], ['node3', 'blue', EIGHT],
  ] as const) {
    await lab.runTask(node, 'web', `${network},ip=${address}`, 'tapmesh', 'whoami', '--port', '80')
  }
  await lab.sh('client', `
    ip link add vx0 address ${NINE_MAC} mtu 1450 type vxlan id 5002 local 192.168.56.1 dev eth1 \
      dstport 4789
    for node in 1 2 3; do
      bridge fdb append 00:00:00:00:00:00 dst "192.168.56.1$node" dev vx0
    done
    ip address add ${NINE}/24 dev vx0
    ip link set vx0 up`)
  lab.start('client', 'tapmesh', 'whoami', '--port', '80')
  t.equal((await lab.task('node1', 'web')).endpoints[0]?.mac, EIGHT_MAC)
  t.equal((await lab.task('node3', 'web')).endpoints[0]?.mac, EIGHT_MAC)
})

lab.test('one node cannot have both, and says why', async t => {
  const refused = await lab.run('node1', 'tapmesh', 'network', 'create', ...SUBNET, 'blue')
  t.match(refused, { code: 1, stderr: /10\.9\.0\.0\/24.*red/ })
})

lab.test('each gets the page of its own network', async t => {
  const hostname = async (node: string) => (await lab.task(node, 'web')).hostname
  const rows = [
    ['node1/web', NINE, await hostname('node2')], ['node2/web', EIGHT, await hostname('node1')],
    ['node3/web', NINE, 'client'], ['client', EIGHT, await hostname('node3')],
  ] as const
  for (const [from, to, name] of rows) {
    await untilReached(lab, from, to)
    await until(`a web server for ${from}`, async () =>
      (await lab.run(from, 'curl', '-s', `http://${to}/`)).code === 0)
    t.match(await curl(lab, from, `http://${to}/`), `Hostname: ${name}\n`, `${from} to ${to}`)
  }
})

lab.test('a broadcast of blue reaches the nodes of red, which drop and count it', async t => {
  const captures = await Promise.all(['node1/web', 'node2/web'].map(where =>
    tcpdump(lab, where, 'eth0', `ether proto 0x${EXPERIMENT}`)))
  const before = await Promise.all(['node1', 'node2'].map(node => lab.drops(node, 'bad_vni')))
  const blue = frame(BROADCAST, EIGHT_MAC, EXPERIMENT, BLUE)
  await sendFrames(lab, 'node3/web', 'eth0', blue, blue, blue)
  await sendFrames(lab, 'client', 'vx0', frame(BROADCAST, NINE_MAC, EXPERIMENT, BLUE))
  for (const [n, node] of ['node1', 'node2'].entries()) {
    await until(`${node} has dropped four`, async () =>
      await lab.drops(node, 'bad_vni') >= before[n]! + 4)
  }
  // What comes later shows that the capture would have seen what came before.
  await sendFrames(lab, 'node1/web', 'eth0', frame(BROADCAST, EIGHT_MAC, EXPERIMENT, RED))
  for (const capture of captures) {
    await capture.atLeast(1)
    await capture.stop()
    t.same(capture.frames().map(octets => octets.toString('hex')),
      [frame(BROADCAST, EIGHT_MAC, EXPERIMENT, RED)])
  }
})

lab.test('what blue sends is not learned in red', async t => {
  const learned = (node: string) => lab.tapmesh(node, 'fdb', 'ls')
  t.notMatch(await learned('node1'), /192\.168\.56\.(13|1) /)
  t.match(await learned('node1'), new RegExp(`red +${NINE_MAC} +192\\.168\\.56\\.12 `))
  t.match(await learned('node3'), new RegExp(`blue +${NINE_MAC} +192\\.168\\.56\\.1 `))
})

lab.test('two networks of one node do not mix either', async t => {
  await lab.createNetwork('green', ['node1', 'node2'], '--subnet', '10.10.0.0/24')
  await lab.bareTask('node1', 'green', 'green,ip=10.10.0.8')
  await lab.bareTask('node2', 'green', 'green,ip=10.10.0.9')
  const greenMac = '02:42:0a:0a:00:08'
  const captures = await Promise.all(['node1/web', 'node2/web'].map(where =>
    tcpdump(lab, where, 'eth0', `ether proto 0x${EXPERIMENT}`)))
  const green = await tcpdump(lab, 'node2/green', 'eth0', `ether proto 0x${EXPERIMENT}`)
  const stray = [BROADCAST, EIGHT_MAC, NINE_MAC].map(to => frame(to, greenMac, EXPERIMENT, BLUE))
  await sendFrames(lab, 'node1/green', 'eth0', ...stray)
  await green.atLeast(1)
  await green.stop()
  t.equal(green.frames()[0]?.toString('hex'), stray[0], 'green gets its broadcast')
  await sendFrames(lab, 'node1/web', 'eth0', frame(BROADCAST, EIGHT_MAC, EXPERIMENT, RED))
  for (const capture of captures) {
    await capture.atLeast(1)
    await capture.stop()
    t.same(capture.frames().map(octets => octets.toString('hex')),
      [frame(BROADCAST, EIGHT_MAC, EXPERIMENT, RED)], 'red sees only red')
  }
  const across = await ping(lab, 'node1/green', EIGHT, '-c1', '-W1')
  t.equal(across.received, 0, 'there is no route between them')
})
