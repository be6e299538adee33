// Super-frames and trains on real traffic, with the offloads of the underlay on (as veth and virtio
// have them) and off (as a plain wire): what is sent arrives, and no checksum on the wire is wrong.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { exec } from '../src/base/exec.ts'
import { EXPERIMENT, frame, hex, sendFrames } from './lib/frames.ts'
import { useLab } from './lib/lab.ts'
import { download, streamHash, streamServer, untilStreams, upload } from './lib/stream-server.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { iperf, iperfServer, iperfUdp, ping, untilReached } from './lib/traffic.ts'

const lab = useLab({ nodes: 2, needs: {
  tools: ['ping', 'curl', 'iperf3', 'tcpdump', 'tshark', 'ethtool', 'nft', 'perl', 'bridge'],
  links: ['vxlan'],
} })
const A = 'node1/a'
const B = 'node2/b'
const A_ADDRESS = '10.0.1.11'
const B_ADDRESS = '10.0.1.12'
const A_MAC = '02:42:0a:00:01:0b'
const B_MAC = '02:42:0a:00:01:0c'
const A_IPV6 = 'fe80::42:aff:fe00:10b'
const PEER = '10.0.1.101'
const PEER_MAC = '02:42:0a:00:01:65'
const URL = `http://${A_ADDRESS}:8000`
/** FILE_MEGABYTES makes the transfers longer, for example 1000. */
const MEGABYTES = Number(process.env['FILE_MEGABYTES'] ?? 200)
const FILE_OCTETS = MEGABYTES * 1_000_000
const SMALL_OCTETS = 20_000_000
const FILE_HASH = streamHash(FILE_OCTETS)
const SMALL_HASH = streamHash(SMALL_OCTETS)

t.setTimeout((120 + MEGABYTES) * 1000)

type Setting = 'on' | 'off'

/** What a wire between machines has, or what a veth pair has. */
async function setOffloads(setting: Setting, ...hosts: string[]): Promise<void> {
  const features = ['tso', 'gso', 'gro', 'tx', 'rx', 'tx-udp-segmentation']
  for (const host of hosts) {
    await lab.out(host, 'ethtool', '-K', 'eth1', ...features.flatMap(name => [name, setting]))
  }
}

/** iperf3 ends when the sender has written all, so what is still under way then is not counted. */
async function checkIperf(t: Test, from: string, ...words: string[]): Promise<void> {
  const { end } = await iperf(lab, from, A_ADDRESS, '-n', String(FILE_OCTETS), ...words)
  const { sum_sent: { bytes: sent }, sum_received: { bytes: received } } = end
  t.ok(sent >= FILE_OCTETS && received >= FILE_OCTETS / 2, `${sent} sent, ${received} received`)
}

/** Fails for drops that no traffic of these tests should meet. */
async function checkDrops(t: Test): Promise<void> {
  for (const node of lab.nodes) {
    const { drops } = await lab.status(node)
    for (const reason of ['malformed', 'too_large', 'bad_flags', 'truncated', 'tap_down',
      'underlay_too_large', 'underlay_refused', 'spoofed_mac', 'spoofed_address']) {
      t.equal(drops[reason], 0, `${node}: ${reason}`)
    }
  }
}

lab.test('a network with a task on each node', async () => {
  await lab.createNetwork('mynet', lab.nodes)
  await lab.runTask('node1', 'a', `mynet,ip=${A_ADDRESS}`, ...streamServer(8000))
  await lab.bareTask('node2', 'b', `mynet,ip=${B_ADDRESS}`)
  await untilStreams(lab, B, URL)
})

for (const setting of ['on', 'off'] as const) {
  const where = `offloads of the underlay ${setting}`

  lab.test(`${MEGABYTES} MB both ways, held to their checksum: ${where}`, async t => {
    await setOffloads(setting, ...lab.nodes)
    const before = await lab.status('node1')
    t.equal(await download(lab, B, URL, FILE_OCTETS), FILE_HASH)
    t.equal(await upload(lab, B, URL, FILE_OCTETS), FILE_HASH)
    const after = await lab.status('node1')
    const grown = (name: string) => after.counters[name]! - before.counters[name]!
    // 1398 octets are in a segment: most left in super-frames, and most came in a write with others
    const segments = FILE_OCTETS / 1398
    t.ok(grown('frames.segmented') > segments / 2, `${grown('frames.segmented')} segmented`)
    t.ok(grown('frames.coalesced') > segments / 2, `${grown('frames.coalesced')} coalesced`)
    await checkDrops(t)
  })

  for (const streams of [1, 8]) {
    lab.test(`iperf3 with ${streams} streams both ways: ${where}`, async t => {
      await setOffloads(setting, ...lab.nodes)
      const server = await iperfServer(lab, A)
      await checkIperf(t, B, '-P', String(streams))
      await checkIperf(t, B, '-P', String(streams), '-R')
      await server.stop()
    })
  }

  lab.test(`IPv6 inside: ${where}`, async t => {
    await setOffloads(setting, ...lab.nodes)
    const url = `http://[${A_IPV6}%25eth0]:8000`
    t.equal(await download(lab, B, url, SMALL_OCTETS), SMALL_HASH)
    t.equal(await upload(lab, B, url, SMALL_OCTETS), SMALL_HASH)
    t.equal((await ping(lab, B, `${A_IPV6}%eth0`, '-c1', '-W2', '-s', '4000')).received, 1)
    t.equal((await ping(lab, B, `${A_IPV6}%eth0`, '-c1', '-W2', '-s', '60000')).received, 1)
  })

  lab.test(`pings of 4 and of 60 KB, in fragments: ${where}`, async t => {
    await setOffloads(setting, ...lab.nodes)
    for (const [octets, count] of [['4000', '20'], ['60000', '5']] as const) {
      const { received, text } = await ping(lab, B, A_ADDRESS, '-c', count, '-i0.05', '-W2', '-s',
        octets)
      t.equal(received, Number(count), text)
    }
  })

  lab.test(`UDP in super-frames, of datagrams and of fragments: ${where}`, async t => {
    await setOffloads(setting, ...lab.nodes)
    const server = await iperfServer(lab, A)
    for (const length of ['1400', '8000', '200']) {
      const words = ['--bitrate', '40M', '--length', length, '--bytes', '2M']
      for (const direction of [[], ['-R']]) {
        t.ok(await iperfUdp(lab, B, A_ADDRESS, 0.02, ...words, ...direction) > 100)
      }
    }
    await server.stop()
  })
}

// ---- the kernel's VXLAN device as the other end ----

lab.test('the kernel\'s device joins', async () => {
  for (const node of lab.nodes) await lab.tapmesh(node, 'vtep', 'add', '192.168.56.1')
  await lab.sh('client', `
    ip link add vx0 address ${PEER_MAC} mtu 1450 type vxlan id 4097 local 192.168.56.1 dev eth1 \
      dstport 4789 udpcsum
    bridge fdb append 00:00:00:00:00:00 dst 192.168.56.11 dev vx0
    bridge fdb append 00:00:00:00:00:00 dst 192.168.56.12 dev vx0
    ip address add ${PEER}/24 dev vx0
    ip link set vx0 up`)
  await untilReached(lab, 'client', A_ADDRESS)
})

for (const setting of ['on', 'off'] as const) {
  lab.test(`${MEGABYTES} MB to and from the kernel's device: offloads of all ${setting}`, async t => {
    await setOffloads(setting, ...lab.nodes, 'client')
    t.equal(await download(lab, 'client', URL, FILE_OCTETS), FILE_HASH)
    t.equal(await upload(lab, 'client', URL, FILE_OCTETS), FILE_HASH)
    const server = await iperfServer(lab, A)
    for (const streams of ['1', '8']) {
      await checkIperf(t, 'client', '-P', streams)
      await checkIperf(t, 'client', '-P', streams, '-R')
    }
    await server.stop()
    await checkDrops(t)
  })
}

/** What tcpdump -vv says of a capture. */
async function inWords(pcap: Buffer): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tapmesh-offloads-'))
  try {
    writeFileSync(join(folder, 'all.pcap'), pcap)
    return (await exec(['tcpdump', '-vv', '-n', '-r', join(folder, 'all.pcap')])).stdout
  } finally {
    rmSync(folder, { recursive: true })
  }
}

lab.test('tcpdump finds no checksum wrong that leaves us, outside or inside', async t => {
  await setOffloads('off', ...lab.nodes, 'client')
  const capture = await tcpdump(lab, 'client', 'eth1', 'udp port 4789 and src host 192.168.56.11')
  const octets = 3_000_000
  t.equal(await download(lab, 'client', URL, octets), streamHash(octets))
  const url6 = `http://[${A_IPV6}%25vx0]:8000`
  t.equal(await download(lab, 'client', url6, octets), streamHash(octets))
  const server = await iperfServer(lab, 'client')
  await iperf(lab, A, PEER, '--udp', '--bitrate', '40M', '--length', '1300', '--bytes', '1M')
  await iperf(lab, A, PEER, '-n', '1M')
  await server.stop()
  await capture.stop()
  const text = await inWords(capture.file())
  const count = (pattern: RegExp) => [...text.matchAll(pattern)].length
  const wrong = /.*(?:\[bad |bad cksum|incorrect).*/.exec(text)?.[0]
  t.equal(wrong, undefined)
  // A busy tcpdump misses some, so what it must have seen at least is not all there was.
  t.ok(count(/^ +192\.168\.56\.11.*\[udp sum ok\] VXLAN/gm) > 1000, 'outer UDP')
  t.ok(count(/^ +10\.0\.1\.11\..*Flags.*cksum 0x\w+ \(correct\)/gm) > 300, 'TCP over IPv4')
  t.ok(count(/^IP6 .*Flags.*cksum 0x\w+ \(correct\)/gm) > 300, 'TCP over IPv6')
  t.ok(count(/^ +10\.0\.1\.11\..*\[udp sum ok\] UDP, length 1300/gm) > 100, 'UDP over IPv4')
})

// ---- loss ----

for (const setting of ['on', 'off'] as const) {
  // With offloads the unit of loss is a train, without it is a datagram.
  lab.test(`1 % of what comes is lost, TCP completes: offloads ${setting}`, async t => {
    await setOffloads(setting, ...lab.nodes)
    for (const node of lab.nodes) {
      await lab.sh(node, `nft 'table netdev loss { chain lossy {
        type filter hook ingress device eth1 priority 0
        udp dport 4789 numgen random mod 100 0 counter drop
        }
        }'`)
    }
    t.equal(await download(lab, B, URL, SMALL_OCTETS), SMALL_HASH)
    t.equal(await upload(lab, B, URL, SMALL_OCTETS), SMALL_HASH)
    for (const node of lab.nodes) {
      const lost = /counter packets (\d+)/.exec(await lab.out(node,
        'nft', 'list', 'table', 'netdev', 'loss'))?.[1]
      t.ok(Number(lost) > 0, `${lost} lost at ${node}`)
      await lab.out(node, 'nft', 'delete', 'table', 'netdev', 'loss')
    }
  })
}

// ---- what is neither TCP nor UDP ----

/** SCTP's INIT (RFC 9260 section 3.3.2), its checksum one that no hardware may touch. */
function sctpPacket(octets: number): string {
  const total = (20 + octets).toString(16).padStart(4, '0')
  return hex('4500', total, '0001', '4000', '40', '84', '0000', '0a00010b', '0a00010c',
    '0bb80bb9', '00000000', 'deadbeef', '01000014').padEnd((20 + octets) * 2, '5a')
}

lab.test('SCTP and odd EtherTypes arrive as they were sent', async t => {
  await setOffloads('on', ...lab.nodes)
  const sent = [
    ...[46, 47, 500, 1450].map(octets => frame(B_MAC, A_MAC, EXPERIMENT, 'ab'.repeat(octets))),
    ...[32, 333, 1430].map(octets => frame(B_MAC, A_MAC, '0800', sctpPacket(octets))),
  ]
  const capture = await tcpdump(lab, B, 'eth0', `ether proto 0x${EXPERIMENT} or ip proto 132`)
  await sendFrames(lab, A, 'eth0', ...sent)
  await capture.atLeast(sent.length)
  await capture.stop()
  t.same(capture.frames().map(octets => octets.toString('hex')), sent)
})
