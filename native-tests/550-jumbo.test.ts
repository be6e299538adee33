// An underlay with an MTU of 9000: tasks have 8950, and segments and trains are of that size.
// May run beside another test.
import { readFileSync } from 'node:fs'
import { exec } from '../src/base/exec.ts'
import { useLab } from './lib/lab.ts'
import { download, streamHash, streamServer, untilStreams, upload } from './lib/stream-server.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { iperfServer, iperfUdp, ping } from './lib/traffic.ts'

const lab = useLab({ nodes: 2, needs: {
  tools: ['ping', 'curl', 'iperf3', 'ethtool', 'tcpdump', 'nsenter'],
} })
const UNDERLAY_MTU = 9000
const MTU = 8950
const A = 'node1/a'
const B = 'node2/b'
const A_ADDRESS = '10.0.1.11'
const A_IPV6 = 'fe80::42:aff:fe00:10b'
const URL = `http://${A_ADDRESS}:8000`
const OCTETS = 100_000_000
const HASH = streamHash(OCTETS)

/** The switch and its ports, in the room around the hosts (scripts/lab.d/anchor). */
async function setSwitchMtu(): Promise<void> {
  const anchor = readFileSync(`/run/tapmesh-lab/${lab.name}/init`, 'utf8').split(' ')[0] ?? ''
  for (const device of [...lab.nodes, 'client', 'lan']) {
    const words = ['ip', 'link', 'set', device, 'mtu', String(UNDERLAY_MTU)]
    const { code, stderr } = await exec(['nsenter', '--target', anchor, '--net', ...words])
    if (code !== 0) throw new Error(`${device}: ${stderr}`)
  }
}

lab.test('tasks have the MTU of the underlay less 50', async t => {
  await setSwitchMtu()
  for (const node of lab.nodes) {
    await lab.out(node, 'ip', 'link', 'set', 'eth1', 'mtu', String(UNDERLAY_MTU))
    await lab.daemon(node, 'restart')
    t.equal((await lab.status(node)).underlay.mtu, UNDERLAY_MTU)
  }
  await lab.createNetwork('mynet', lab.nodes)
  await lab.runTask('node1', 'a', `mynet,ip=${A_ADDRESS}`, ...streamServer(8000))
  await lab.bareTask('node2', 'b', 'mynet,ip=10.0.1.12')
  t.match(await lab.out(A, 'ip', 'link', 'show', 'eth0'), `mtu ${MTU}`)
  await untilStreams(lab, B, URL)
})

lab.test('8950 octets pass in one piece, and no more', async t => {
  for (const [target, most] of [[A_ADDRESS, MTU - 28], [`${A_IPV6}%eth0`, MTU - 48]] as const) {
    const sent = (octets: number) =>
      ping(lab, B, target, '-c1', '-W2', '-M', 'do', '-s', String(octets))
    t.equal((await sent(most)).received, 1, `${most} to ${target}`)
    t.equal((await sent(most + 1)).received, 0)
    t.equal((await ping(lab, B, target, '-c1', '-W2', '-s', '60000')).received, 1)
  }
})

for (const setting of ['on', 'off']) {
  lab.test(`100 MB both ways, by checksum: offloads of the underlay ${setting}`, async t => {
    for (const node of lab.nodes) {
      const features = ['tso', 'gso', 'gro', 'tx', 'rx', 'tx-udp-segmentation']
      await lab.out(node, 'ethtool', '-K', 'eth1', ...features.flatMap(name => [name, setting]))
    }
    const before = await lab.status('node1')
    t.equal(await download(lab, B, URL, OCTETS), HASH)
    t.equal(await upload(lab, B, URL, OCTETS), HASH)
    t.equal(await download(lab, B, `http://[${A_IPV6}%25eth0]:8000`, OCTETS), HASH)
    const after = await lab.status('node1')
    for (const name of ['frames.segmented', 'frames.coalesced'] as const) {
      const grown = after.counters[name]! - before.counters[name]!
      t.ok(grown > OCTETS / MTU / 2, `${grown} ${name}`)
    }
    const server = await iperfServer(lab, A)
    for (const direction of [[], ['-R']]) {
      const packets = await iperfUdp(lab, B, A_ADDRESS, 0.02, '--bitrate', '100M', '--length',
        String(MTU - 28), '--bytes', '5M', ...direction)
      t.ok(packets > 500, `${packets} packets`)
    }
    await server.stop()
    for (const node of lab.nodes) {
      t.match((await lab.status(node)).drops, { malformed: 0, too_large: 0, truncated: 0,
        underlay_too_large: 0, underlay_refused: 0, tap_down: 0 })
    }
  })
}

lab.test('datagrams fill the wire: 9000 octets each', async t => {
  const filter = 'udp dst port 4789 and src host 192.168.56.11'
  const capture = await tcpdump(lab, 'node2', 'eth1', filter)
  await download(lab, B, URL, 1_000_000)
  await capture.stop()
  const lengths = capture.frames().map(frame => frame.readUInt16BE(16))
  t.equal(Math.max(...lengths), UNDERLAY_MTU)
  t.ok(lengths.filter(length => length === UNDERLAY_MTU).length > 20)
})
