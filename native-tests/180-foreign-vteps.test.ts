// VTEPs that are named by hand: flood and learn with head-end replication, as RFC 7348 has it.
// May run beside another test.
import { BROADCAST, EXPERIMENT, frame, sendFrames } from './lib/frames.ts'
import { useLab } from './lib/lab.ts'
import { tcpdump, type Tcpdump } from './lib/tcpdump.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 3, needs: { tools: ['ping', 'curl', 'tcpdump', 'perl'] } })
const A_MAC = '02:42:0a:00:01:0b'
const ADDRESS = new Map([['node1', '192.168.56.11'], ['node2', '192.168.56.12'],
  ['node3', '192.168.56.13']])
const NOWHERE = '02:42:0a:00:01:77'
/** A datagram of VXLAN around an experimental frame: its EtherType stands 8 + 8 + 12 octets in. */
const ON_THE_WIRE = `udp port 4789 and udp[28:2] = 0x${EXPERIMENT}`

const vtep = (node: string, ...words: string[]) => lab.tapmesh(node, 'vtep', ...words)
const experiment = (to: string, word: string) => frame(to, A_MAC, EXPERIMENT, word)

/** Inner frames of a capture that a certain host sent, in hexadecimal. */
function innerFrames(capture: Tcpdump, from: string): string[] {
  const source = ADDRESS.get(from)!.split('.').map(Number)
  return capture.frames().filter(octets => octets.subarray(26, 30).equals(Buffer.from(source)))
    .map(octets => octets.subarray(14 + 20 + 8 + 8).toString('hex'))
}

/** What arrives at the underlay device of a node from another while `body` runs. */
async function arriving(to: string, from: string, atLeast: number,
  body: () => Promise<void>): Promise<string[]> {
  const capture = await tcpdump(lab, to, 'eth1', ON_THE_WIRE)
  await body()
  await capture.atLeast(atLeast)
  await capture.stop()
  return innerFrames(capture, from)
}

lab.test('vtep add, ls and rm', async t => {
  await lab.createNetwork('mynet', lab.nodes)
  const listed = (await vtep('node1', 'ls')).split('\n').map(line => line.split(/ +/))
  t.same(listed, [
    ['ADDRESS', 'PORT', 'NETWORK', 'CHECKSUM'],
    ['192.168.56.12', '4789', '*', 'ours'],
    ['192.168.56.13', '4789', '*', 'ours'],
  ])
  t.equal(await vtep('node1', 'add', '192.168.56.12'), '192.168.56.12')
  t.equal((await lab.status('node1')).vteps.length, 2, 'once more is no second one')
  await vtep('node1', 'add', '192.168.56.40:8472', '--network', 'mynet')
  t.match(await vtep('node1', 'ls'), /192\.168\.56\.40 +8472 +mynet/)
  await vtep('node1', 'rm', '192.168.56.40', '--network', 'mynet')
  t.notMatch(await vtep('node1', 'ls'), '192.168.56.40')
  const rows = [
    [['add', '192.168.56.11'], 1, "this node's own"], [['add', '239.1.1.1'], 2, 'unicast'],
    [['add', '192.168.56.300'], 2, '"192.168.56.300"'],
    [['add', '192.168.56.12', '--network', 'none'], 1, '"none"'],
    [['rm', '192.168.56.99'], 1, 'no VTEP 192.168.56.99'],
  ] as const
  for (const [words, code, says] of rows) {
    t.match(await lab.run('node1', 'tapmesh', 'vtep', ...words), { code, stderr: says })
  }
})

lab.test('a broadcast goes to every VTEP, once', async t => {
  await lab.bareTask('node1', 'a', 'mynet,ip=10.0.1.11')
  const flooded = await lab.count('node1', 'frames.flooded')
  // Flows of their own, which may overtake each other; a MAC that nobody knows is flooded, too.
  const sent = [experiment(BROADCAST, '666c6f6f64'), experiment(NOWHERE, '756e6b')]
  const both = await Promise.all(['node2', 'node3'].map(node =>
    tcpdump(lab, node, 'eth1', ON_THE_WIRE)))
  await sendFrames(lab, 'node1/a', 'eth0', ...sent)
  for (const capture of both) {
    await capture.atLeast(2)
    await capture.stop()
    t.same(innerFrames(capture, 'node1').toSorted(), sent.toSorted())
  }
  t.ok(await lab.count('node1', 'frames.flooded') >= flooded + 4)
})

lab.test('ARP of node1 is seen on both VTEPs', async t => {
  const captures = await Promise.all(['node2', 'node3'].map(node =>
    tcpdump(lab, node, 'eth1', 'udp port 4789')))
  await ping(lab, 'node1/a', '10.0.1.99', '-c1', '-W1')
  for (const capture of captures) {
    await capture.atLeast(1)
    const rows = await capture.decode(['vxlan.vni', 'arp.opcode', 'arp.dst.proto_ipv4'], 'arp')
    t.ok(rows.length > 0)
    for (const row of rows) t.same(row, ['4097', '1', '10.0.1.99'])
  }
}, { tools: ['tshark'] })

lab.test('what was learned goes to one VTEP only', async t => {
  await lab.bareTask('node2', 'b', 'mynet,ip=10.0.1.12')
  await untilReached(lab, 'node1/a', '10.0.1.12')
  const known = experiment('02:42:0a:00:01:0c', '6f6e65')
  const last = experiment(BROADCAST, '6c617374')
  const seen = await arriving('node3', 'node1', 1, async () => {
    await sendFrames(lab, 'node1/a', 'eth0', known)
    await sendFrames(lab, 'node1/a', 'eth0', last)
  })
  t.same(seen, [last])
  t.match(await lab.tapmesh('node1', 'fdb', 'ls'), /mynet +02:42:0a:00:01:0c +192\.168\.56\.12 /)
})

lab.test('a MAC that moves to another host is followed', async t => {
  const moved = await lab.count('node1', 'fdb.moved')
  await lab.tapmesh('node2', 'rm', 'b')
  await lab.bareTask('node3', 'b', 'mynet,ip=10.0.1.12')
  await untilReached(lab, 'node3/b', '10.0.1.11')
  t.ok(await lab.count('node1', 'fdb.moved') > moved)
  t.match(await lab.tapmesh('node1', 'fdb', 'ls'), /mynet +02:42:0a:00:01:0c +192\.168\.56\.13 /)
  t.equal((await ping(lab, 'node1/a', '10.0.1.12')).received, 1)
})

lab.test('what comes from the tunnel never goes back into it', async t => {
  await lab.bareTask('node2', 'c', 'mynet,ip=10.0.1.14')
  await vtep('node2', 'rm', '192.168.56.13')
  const stray = frame(BROADCAST, '02:42:0a:00:01:0e', EXPERIMENT, '73747261')
  const inside = await tcpdump(lab, 'node1/a', 'eth0', `ether proto 0x${EXPERIMENT}`)
  const last = experiment(BROADCAST, '6c617374')
  const seen = await arriving('node3', 'node1', 1, async () => {
    await sendFrames(lab, 'node2/c', 'eth0', stray)
    await inside.atLeast(1)
    await sendFrames(lab, 'node1/a', 'eth0', last)
  })
  t.same(seen, [last], 'node1 sends its own, and does not pass on that of node2')
  t.equal(inside.frames()[0]?.toString('hex'), stray)
  await inside.stop()
  await vtep('node2', 'add', '192.168.56.13')
})

lab.test('ARP for an endpoint of the same node is answered at home', async t => {
  await lab.bareTask('node1', 'd', 'mynet,ip=10.0.1.15')
  const answered = await lab.count('node1', 'arp.answered')
  const capture = await tcpdump(lab, 'node1', 'eth1', 'udp port 4789 and udp[28:2] = 0x0806')
  t.equal((await ping(lab, 'node1/d', '10.0.1.11')).received, 1)
  t.ok(await lab.count('node1', 'arp.answered') > answered)
  await ping(lab, 'node1/d', '10.0.1.98', '-c1', '-W1')
  await capture.atLeast(1)
  await capture.stop()
  const targets = capture.frames().map(octets => octets.subarray(88, 92).join('.'))
  t.same([...new Set(targets)], ['10.0.1.98'], 'outside only the other is asked for')
})

lab.test('a VTEP may serve one network only', async t => {
  await lab.tapmesh('node1', 'network', 'create', 'other')
  await lab.bareTask('node1', 'o', 'other')
  const mac = (await lab.task('node1', 'o')).endpoints[0]!.mac
  await vtep('node1', 'rm', '192.168.56.13')
  await vtep('node1', 'add', '192.168.56.13', '--network', 'other')
  const own = frame(BROADCAST, mac, EXPERIMENT, '6f74686572')
  const seen = await arriving('node3', 'node1', 1, async () => {
    await sendFrames(lab, 'node1/a', 'eth0', experiment(BROADCAST, '6d79'))
    await sendFrames(lab, 'node1/o', 'eth0', own)
  })
  t.same(seen, [own])
})

lab.test('one that was removed is sent nothing, and not listened to', async t => {
  const unknown = await lab.drops('node1', 'unknown_vtep')
  t.equal((await ping(lab, 'node3/b', '10.0.1.11', '-c1', '-W1')).received, 0)
  t.ok(await lab.drops('node1', 'unknown_vtep') > unknown)
  await vtep('node1', 'rm', '192.168.56.12')
  const none = await lab.drops('node1', 'no_vtep')
  await sendFrames(lab, 'node1/o', 'eth0', experiment(BROADCAST, '6e6f6e65'))
  await sendFrames(lab, 'node1/a', 'eth0', experiment(NOWHERE, '6e6f6e65'))
  await until('it is counted', async () => await lab.drops('node1', 'no_vtep') > none)
  t.match(await vtep('node1', 'ls'), /192\.168\.56\.13 +4789 +other/)
})

lab.test('a VTEP on another UDP port', async t => {
  await lab.sh('client', `
    ip link add vx0 mtu 1450 type vxlan id 4097 local 192.168.56.1 dev eth1 dstport 8472 nolearning
    for mac in 00:00:00:00:00:00 ${A_MAC}; do
      bridge fdb append $mac dst 192.168.56.11 port 4789 dev vx0
    done
    ip address add 10.0.1.101/24 dev vx0
    ip link set vx0 up`)
  await vtep('node1', 'add', '192.168.56.1:8472')
  await untilReached(lab, 'node1/a', '10.0.1.101')
  t.match(await lab.tapmesh('node1', 'fdb', 'ls'), / 192\.168\.56\.1 /)
}, { links: ['vxlan'] })
