// Each feature of the packet path switched off: all works without it, as on a kernel that lacks it,
// and status says so. The other node keeps all of them.
import type { Test } from 'tap'
import { useLab } from './lib/lab.ts'
import { download, streamHash, streamServer, untilStreams, upload } from './lib/stream-server.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { iperf, iperfServer, iperfUdp, ping } from './lib/traffic.ts'
import type { StatusView } from '../src/daemon/views.ts'

const lab = useLab({ nodes: 2, needs: {
  tools: ['ping', 'curl', 'iperf3', 'tcpdump', 'tshark', 'ethtool'],
} })
const A = 'node1/a'
const B = 'node2/b'
const A_ADDRESS = '10.0.1.11'
const URL = `http://${A_ADDRESS}:8000`
const OCTETS = 20_000_000
const HASH = streamHash(OCTETS)
const CONFIG = '/etc/tapmesh/tapmesh.yaml'

type Feature = keyof StatusView['plane']['features']
const FEATURES: readonly Feature[] = ['tcpSegmentation', 'udpSegmentation', 'udpSegment', 'udpGro',
  'multiQueue']

/** Restart a daemon with these features off and the others as they are by default. */
async function restartWithout(node: string, off: readonly Feature[]): Promise<void> {
  const lines = off.map(feature => `  ${feature}: false\\n`).join('')
  await lab.sh(node, `[ -e ${CONFIG}.first ] || cp ${CONFIG} ${CONFIG}.first
    { cat ${CONFIG}.first; printf '${off.length > 0 ? 'plane:\\n' : ''}${lines}'; } >${CONFIG}`)
  await lab.daemon(node, 'restart')
}

/** What `tapmesh status --json` says of each feature. */
async function featuresOf(node: string): Promise<Record<string, boolean>> {
  return (JSON.parse(await lab.tapmesh(node, 'status', '--json')) as StatusView).plane.features
}

function without(off: readonly Feature[]): Record<string, boolean> {
  return Object.fromEntries(FEATURES.map(feature => [feature, !off.includes(feature)]))
}

async function checkTraffic(t: Test): Promise<void> {
  for (const octets of ['56', '4000', '60000']) {
    const { received, text } = await ping(lab, B, A_ADDRESS, '-c2', '-i0.1', '-W2', '-s', octets)
    t.equal(received, 2, text)
  }
  t.equal(await download(lab, B, URL, OCTETS), HASH)
  t.equal(await upload(lab, B, URL, OCTETS), HASH)
  const server = await iperfServer(lab, A)
  for (const direction of [[], ['-R']]) {
    const tcp = await iperf(lab, B, A_ADDRESS, '-n', String(OCTETS), '-P', '2', ...direction)
    t.ok(tcp.end.sum_sent.bytes >= OCTETS, `${tcp.end.sum_sent.bytes} octets`)
    const packets = await iperfUdp(lab, B, A_ADDRESS, 0.02, '--bitrate', '40M', '--length', '1400',
      '--bytes', '1M', ...direction)
    t.ok(packets > 700, `${packets} packets`)
  }
  await server.stop()
  for (const node of lab.nodes) {
    const { drops } = await lab.status(node)
    t.match(drops, { malformed: 0, tap_down: 0, underlay_refused: 0, underlay_too_large: 0 })
  }
}

/** Whether the underlay of node1 sees a whole train, which is longer than any datagram may be. */
async function sendsTrains(): Promise<boolean> {
  const capture = await tcpdump(lab, 'node1', 'eth1', 'src host 192.168.56.11 and greater 1600')
  await download(lab, B, URL, OCTETS)
  await capture.stop()
  return capture.frames().length > 0
}

/** How many frames of a transfer node1 cut from, and put into, super-frames. */
async function inSuperFrames(): Promise<[segmented: number, coalesced: number]> {
  const before = await lab.status('node1')
  await download(lab, B, URL, OCTETS)
  await upload(lab, B, URL, OCTETS)
  const after = await lab.status('node1')
  const grown = (name: string) => after.counters[name]! - before.counters[name]!
  return [grown('frames.segmented'), grown('frames.coalesced')]
}

lab.test('with all features: status shows them, and they are used', async t => {
  await lab.createNetwork('mynet', lab.nodes)
  await lab.runTask('node1', 'a', `mynet,ip=${A_ADDRESS}`, ...streamServer(8000))
  await lab.bareTask('node2', 'b', 'mynet,ip=10.0.1.12')
  await untilStreams(lab, B, URL)
  t.same(await featuresOf('node1'), without([]), 'this kernel has them all')
  t.ok(await sendsTrains())
  const [segmented, coalesced] = await inSuperFrames()
  t.ok(segmented > 5000 && coalesced > 5000, `${segmented} segmented, ${coalesced} coalesced`)
})

for (const off of [...FEATURES.map(feature => [feature]), [...FEATURES]]) {
  lab.test(`without ${off.join(', ')}`, async t => {
    await restartWithout('node1', off)
    t.same(await featuresOf('node1'), without(off))
    t.match(await lab.tapmesh('node1', 'status'), new RegExp(`off: ${off.join(', ')}`))
    await untilStreams(lab, B, URL)
    await checkTraffic(t)
    if (off.includes('tcpSegmentation')) {
      t.same(await inSuperFrames(), [0, 0])
      t.match(await lab.out(A, 'ethtool', '-k', 'eth0'), /^tcp-segmentation-offload: off/m)
    }
    if (off.includes('udpSegment')) t.notOk(await sendsTrains())
  })
}

lab.test('without any on both nodes', async t => {
  await restartWithout('node2', FEATURES)
  t.same(await featuresOf('node2'), without(FEATURES))
  await untilStreams(lab, B, URL)
  await checkTraffic(t)
})

lab.test('with all again', async t => {
  for (const node of lab.nodes) await restartWithout(node, [])
  t.same(await featuresOf('node1'), without([]))
  await untilStreams(lab, B, URL)
  await checkTraffic(t)
  t.ok(await sendsTrains())
})

// ---- checksums that the other end finishes ----

for (const setting of ['on', 'off']) {
  lab.test(`checksums left to the other node: offloads of the underlay ${setting}`, async t => {
    for (const node of lab.nodes) {
      await lab.out(node, 'ethtool', '-K', 'eth1', 'tx', setting, 'gso', setting, 'gro', setting)
    }
    await lab.tapmesh('node1', 'vtep', 'add', '--remote-checksum', '192.168.56.12')
    await lab.tapmesh('node2', 'vtep', 'add', '--remote-checksum', '192.168.56.11')
    const before = await lab.count('node2', 'checksum.partial')
    await checkTraffic(t)
    t.ok(await lab.count('node2', 'checksum.partial') > before)
  })
}
