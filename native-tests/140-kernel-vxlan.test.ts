// The kernel's own VXLAN device as the third VTEP. It was not made by us, so what it takes and
// answers is VXLAN.
// May run beside another test.
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { EXPERIMENT, frame, sendFrames, udpPacket } from './lib/frames.ts'
import { useLab } from './lib/lab.ts'
import { makeOctets, SERVER, sha256 } from './lib/octets-server.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { curl, ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({
  nodes: 2,
  needs: { tools: ['ping', 'curl', 'tcpdump', 'ethtool', 'bridge', 'perl'], links: ['vxlan'] },
})
const PEER = '10.0.1.101'
const PEER_MAC = '02:42:0a:00:01:65'
const TASK = '10.0.1.11'
const TASK_MAC = '02:42:0a:00:01:0b'
const TASK_IPV6 = 'fe80::42:aff:fe00:10b'
const FILE = join(tmpdir(), `tapmesh-octets-${process.pid}`)
const HASH = sha256(makeOctets())
/** VLAN 7, priority 7. */
const TAG = '8100e007'

/** The device, with the two nodes as the VTEPs that it floods to. */
async function makeDevice(checksum: 'udpcsum' | 'noudpcsum'): Promise<void> {
  await lab.sh('client', `
    ip link delete vx0 2>/dev/null || true
    ip link add vx0 address ${PEER_MAC} mtu 1450 type vxlan id 4097 local 192.168.56.1 dev eth1 \
      dstport 4789 ${checksum}
    bridge fdb append 00:00:00:00:00:00 dst 192.168.56.11 dev vx0
    bridge fdb append 00:00:00:00:00:00 dst 192.168.56.12 dev vx0
    ip address add ${PEER}/24 dev vx0
    ip link set vx0 up`)
}

async function flushNeighbours(): Promise<void> {
  await lab.out('client', 'ip', 'neigh', 'flush', 'dev', 'vx0')
  await lab.out('node1/files', 'ip', 'neigh', 'flush', 'all')
}

lab.test('two nodes know the kernel device as a VTEP', async t => {
  writeFileSync(FILE, makeOctets())
  await lab.createNetwork('mynet', lab.nodes)
  for (const node of lab.nodes) await lab.tapmesh(node, 'vtep', 'add', '192.168.56.1')
  await lab.runTask('node1', 'files', `mynet,ip=${TASK}`, process.execPath, SERVER, '8000')
  await lab.runTask('node2', 'web', 'mynet,ip=10.0.1.12', 'tapmesh', 'whoami', '--port', '80')
  await makeDevice('udpcsum')
  t.match(await lab.tapmesh('node1', 'vtep', 'ls'), /192\.168\.56\.1 +4789/)
})
t.teardown(() => rmSync(FILE, { force: true }))

lab.test('ARP is asked and answered both ways', async t => {
  const neighbour = (where: string, address: string) =>
    lab.out(where, 'ip', 'neigh', 'show', address)
  for (const [where, other, mac] of [
    ['client', TASK, TASK_MAC], ['node1/files', PEER, PEER_MAC],
  ] as const) {
    await flushNeighbours()
    t.equal((await ping(lab, where, other)).received, 1)
    t.match(await neighbour(where, other), new RegExp(`lladdr ${mac} REACHABLE`))
  }
  t.match(await lab.tapmesh('node1', 'fdb', 'ls'), /02:42:0a:00:01:65 +192\.168\.56\.1 /)
})

lab.test('IPv6 finds its neighbours, both ways', async t => {
  const shown = await lab.out('client', 'ip', '-6', '-o', 'address', 'show', 'dev', 'vx0')
  const peer = /fe80:[0-9a-f:]+/.exec(shown)?.[0]
  await until('the address is not tentative', async () =>
    (await lab.out('client', 'ip', '-6', 'address', 'show', 'dev', 'vx0', 'tentative')) === '')
  t.equal((await ping(lab, 'client', `${TASK_IPV6}%vx0`)).received, 1)
  t.equal((await ping(lab, 'node1/files', `${peer}%eth0`)).received, 1)
  const url = `http://[${TASK_IPV6}%25vx0]:8000/`
  t.equal(await lab.sh('client', `curl -sSg --max-time 20 '${url}' | sha256sum`), `${HASH}  -\n`)
})

lab.test('a page is got both ways', async t => {
  const peer = lab.start('client', 'tapmesh', 'whoami', '--port', '8080')
  await until('the web server of the peer', async () =>
    (await lab.run('client', 'curl', '-s', `http://${PEER}:8080/`)).code === 0)
  t.match(await curl(lab, 'node2/web', `http://${PEER}:8080/`),
    /^Hostname: client\n[^]*RemoteAddr: 10\.0\.1\.12:/)
  const { hostname } = await lab.task('node2', 'web')
  t.match(await curl(lab, 'client', 'http://10.0.1.12/'),
    new RegExp(`^Hostname: ${hostname}\n[^]*RemoteAddr: ${PEER}:`))
  await peer.stop()
})

/** The file goes and comes whole. @returns frames whose checksum the peer left to hardware */
async function moveFile(t: Test): Promise<number> {
  await untilReached(lab, 'client', TASK)
  const before = await lab.count('node1', 'checksum.partial')
  const url = `http://${TASK}:8000/`
  const got = await lab.sh('client', `curl -sS --fail --max-time 20 ${url} | sha256sum`)
  t.equal(got, `${HASH}  -\n`)
  t.equal(await curl(lab, 'client', '--upload-file', FILE, url), HASH)
  return await lab.count('node1', 'checksum.partial') - before
}

for (const checksum of ['udpcsum', 'noudpcsum'] as const) {
  for (const offload of ['on', 'off']) {
    const name = `a file of 1 MiB both ways: ${checksum}, checksum offload ${offload}`
    lab.test(name, async t => {
      await makeDevice(checksum)
      await lab.out('client', 'ethtool', '-K', 'eth1', 'tx', offload)
      const partial = await moveFile(t)
      t.equal(partial > 0, offload === 'on', `${partial} inner checksums were partial`)
    })
  }
}

lab.test('frames with a VLAN tag, and of any type, arrive as they were sent', async t => {
  await untilReached(lab, 'client', TASK)
  const rows = [
    ['client', 'vx0', 'node1/files', 'eth0', TASK_MAC, PEER_MAC, PEER, TASK],
    ['node1/files', 'eth0', 'client', 'vx0', PEER_MAC, TASK_MAC, TASK, PEER],
  ] as const
  for (const [from, out, to, into, mac, own, source, destination] of rows) {
    const sent = [
      frame(mac, own, EXPERIMENT, '74686973'),
      frame(mac, own, EXPERIMENT, '74686973', TAG),
      frame(mac, own, '0800', udpPacket(source, destination), TAG),
      frame(mac, own, '0800', udpPacket(source, destination), `88a80064${TAG}`),
      frame('ff:ff:ff:ff:ff:ff', own, EXPERIMENT, '616c6c', TAG),
    ]
    const capture = await tcpdump(lab, to, into, `ether proto 0x${EXPERIMENT} or vlan`)
    await sendFrames(lab, from, out, ...sent)
    await capture.atLeast(sent.length)
    await capture.stop()
    // Each of them is a flow of its own, and only within one is there an order.
    const got = capture.frames().map(octets => octets.toString('hex'))
    t.same(got.sort(), sent.sort(), `${from} to ${to}`)
  }
})

lab.test('ping between VLAN devices on both sides', async t => {
  const vlan = (where: string, device: string, address: string) => lab.sh(where, `
    ip link add link ${device} name tagged mtu 1400 type vlan id 7
    ip address add ${address}/24 dev tagged
    ip link set tagged up`)
  await lab.bareTask('node1', 'trunk', 'mynet,ip=10.0.1.14', '--promiscuous')
  await vlan('node1/trunk', 'eth0', '10.7.0.14')
  await vlan('client', 'vx0', '10.7.0.101')
  t.equal((await ping(lab, 'client', '10.7.0.14')).received, 1)
  t.equal((await ping(lab, 'node1/trunk', '10.7.0.101')).received, 1)
}, { links: ['vlan'] })
