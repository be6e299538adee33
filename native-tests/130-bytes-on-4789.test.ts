// What is on the wire, as tcpdump and tshark see it: plain VXLAN (RFC 7348) and nothing else.
// May run beside another test.
import { readFileSync } from 'node:fs'
import type { Test } from 'tap'
import { useLab } from './lib/lab.ts'
import { tcpdump, tsharkFields } from './lib/tcpdump.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { quiet, until } from './lib/wait.ts'

const lab = useLab({ nodes: 2, needs: { tools: ['ping', 'tcpdump', 'tshark', 'ethtool', 'nft'] } })
const A = 'node1/a'
const B = '10.0.1.12'
const FOUR_PINGS = ['-c4', '-i0.2', '-W2']
const FLOWS = 8
/** Longer than the pause before a host says again which groups it has joined: RFC 9777, 9.11. */
const QUIET_MS = 1500
const FIELDS = ['ip.src', 'ip.dst', 'udp.srcport', 'udp.dstport', 'vxlan.flags', 'vxlan.vni',
  'icmp.type', 'icmp.seq', 'ip.ttl', 'ip.flags.df', 'udp.checksum.status', 'frame.len']
/** tshark says 1 for a good checksum, 3 for one that is not there. */
const CHECKSUM_GOOD = '1'
const CHECK = ['-o', 'udp.check_checksum:TRUE']

/** Both sides know each other's MAC, so that a ping is nothing but echo request and reply. */
async function untilNeighbours(): Promise<void> {
  for (const [where, other] of [[A, B], ['node2/b', '10.0.1.11']] as const) {
    // Who asks itself knows at once; who was only asked would make sure later.
    await lab.out(where, 'ip', 'neigh', 'flush', 'all')
    await untilReached(lab, where, other)
    await until(`${other} is a neighbour`, async () =>
      (await lab.out(where, 'ip', 'neigh', 'show', other)).includes('REACHABLE'))
  }
}

/** Nothing is on udp/4789 but what a test sends from now on. */
async function settle(): Promise<void> {
  const capture = await tcpdump(lab, 'node1', 'eth1', 'udp port 4789')
  await quiet('udp port 4789', () => capture.frames().length, QUIET_MS)
  await capture.stop()
  await untilNeighbours()
}

/** Four pings, and all that was on udp/4789 of node1 meanwhile and until it was quiet again. */
async function capturePings(t: Test) {
  await settle()
  const capture = await tcpdump(lab, 'node1', 'eth1', 'udp port 4789')
  t.equal((await ping(lab, A, B, ...FOUR_PINGS)).received, 4)
  await capture.atLeast(8)
  await quiet('udp port 4789', () => capture.frames().length, QUIET_MS)
  return capture.decode(FIELDS, '', ...CHECK)
}

lab.test('two nodes whose devices leave no checksum undone', async t => {
  await lab.createNetwork('mynet', lab.nodes)
  await lab.bareTask('node1', 'a', 'mynet,ip=10.0.1.11')
  await lab.bareTask('node2', 'b', `mynet,ip=${B}`)
  // A veth pair hands packets over with their checksum left to hardware that is not there.
  for (const node of lab.nodes) await lab.out(node, 'ethtool', '-K', 'eth1', 'tx', 'off')
  t.equal((await lab.status('node1')).networks[0]?.vni, 4097)
})

lab.test('four pings are four requests and four replies in VXLAN 4097', async t => {
  const rows = await capturePings(t)
  t.equal(rows.length, 8, 'nothing else is on udp/4789')
  const outer = { there: '192.168.56.11,10.0.1.11', back: '192.168.56.12,10.0.1.12' }
  for (const [n, row] of rows.entries()) {
    const [source, , from, to, flags, vni, type, sequence, ttl, df, checksum, octets] = row
    t.equal(source, n % 2 === 0 ? outer.there : outer.back, 'request and reply in turn')
    t.match({ to, flags, vni }, { to: '4789', flags: '0x0800', vni: '4097' })
    t.equal(type, n % 2 === 0 ? '8' : '0')
    t.equal(sequence?.split(',')[0], String(Math.floor(n / 2) + 1))
    t.match(ttl, /^64,64$/, 'outer and inner')
    t.match(df, /^1,/, 'a VTEP does not fragment')
    t.equal(checksum, CHECKSUM_GOOD, 'the outer UDP checksum is real')
    const port = Number(from)
    t.ok(port >= 49_152 && port <= 65_535, `source port ${port}`)
    t.equal(octets, '148', '14 + 20 + 8 + 8 around 98')
  }
})

lab.test('the outer source port is of the flow: steady within, different between', async t => {
  await untilNeighbours()
  const capture = await tcpdump(lab, 'node1', 'eth1', 'udp port 4789 and src host 192.168.56.11')
  await lab.sh(A, `for port in {1..${FLOWS}}; do
    for n in 1 2 3; do echo "$n" >/dev/udp/${B}/$port; done; done`)
  const rows = () => capture.frames().length >= FLOWS * 3
  await until('all of the flows', rows)
  const fields = await capture.decode(['udp.srcport', 'udp.dstport'], 'udp.dstport <= 8')
  const portsOf = new Map<string, Set<string>>()
  for (const [sources = '', destinations = ''] of fields) {
    const [outer = '', inner = ''] = sources.split(',')
    const flow = `${inner} ${destinations}`
    portsOf.set(flow, (portsOf.get(flow) ?? new Set()).add(outer))
  }
  t.equal(fields.length, FLOWS * 3)
  const outer = new Set<string>()
  for (const [flow, ports] of portsOf) {
    t.equal(ports.size, 1, flow)
    for (const port of ports) outer.add(port)
  }
  t.ok(outer.size > 1, `${portsOf.size} flows over ports ${[...outer].join(' ')}`)
  const known = (await lab.status('node1')).underlay.sourcePorts
  for (const port of outer) t.ok(known.includes(Number(port)) && Number(port) >= 49_152)
})

lab.test('DSCP and ECN of the inner packet are on the outer one', async t => {
  const capture = await tcpdump(lab, 'node1', 'eth1', 'udp port 4789 and src host 192.168.56.11')
  const tos = [0xb8, 0x02, 0x01, 0x03, 0x28]
  for (const one of tos) {
    t.equal((await ping(lab, A, B, '-c1', '-W2', '-Q', String(one))).received, 1)
  }
  const rows = await capture.decode(['ip.dsfield'], 'icmp.type == 8')
  t.same(rows.map(([both]) => both), tos.map(one => {
    const hex = `0x${one.toString(16).padStart(2, '0')}`
    return `${hex},${hex}`
  }))
})

lab.test('congestion on the way is told inside, or the packet is dropped', async t => {
  // A router on the way marks what node1 sends: its own output is a good place to do so.
  const nft = (words: string) => lab.out('node1', 'nft', words)
  await nft('add table ip jam')
  await nft('add chain ip jam out { type filter hook output priority mangle ; }')
  await nft('add rule ip jam out udp dport 4789 ip ecn set ce')
  const capture = await tcpdump(lab, 'node2/b', 'eth0', 'icmp')
  const dropped = await lab.drops('node2', 'ecn_congestion')
  t.equal((await ping(lab, A, B, '-c1', '-W2', '-Q', '2')).received, 1)
  t.equal((await ping(lab, A, B, '-c1', '-W1')).received, 0, 'not ECN-capable: RFC 6040, 4.2')
  t.equal(await lab.drops('node2', 'ecn_congestion'), dropped + 1)
  await nft('delete table ip jam')
  const rows = await capture.decode(['ip.dsfield.ecn'], 'icmp.type == 8')
  t.same(rows, [['3']], 'congestion experienced')
})

lab.test('an outer UDP checksum of zero is sent when so configured, and always taken', async t => {
  await lab.sh('node1', "echo '  udpChecksum: false' >>/etc/tapmesh/tapmesh.yaml")
  await lab.daemon('node1', 'restart')
  t.equal((await lab.status('node1')).underlay.udpChecksum, false)
  await untilReached(lab, A, B)
  const capture = await tcpdump(lab, 'node2', 'eth1', 'udp port 4789')
  t.equal((await ping(lab, A, B, ...FOUR_PINGS)).received, 4)
  const rows = await capture.decode(['ip.src', 'udp.checksum'], 'icmp', ...CHECK)
  for (const [source = '', checksum = ''] of rows) {
    const fromNode1 = source.startsWith('192.168.56.11')
    t.equal(checksum === '0x0000', fromNode1, `${source}: ${checksum}`)
  }
  t.equal(rows.length, 8)
})

lab.test('dscp: zero and ttl are used, and ECN is carried all the same', async t => {
  await lab.sh('node1', "printf '  dscp: zero\\n  ttl: 7\\n' >>/etc/tapmesh/tapmesh.yaml")
  await lab.daemon('node1', 'restart')
  const capture = await tcpdump(lab, 'node1', 'eth1', 'udp port 4789 and src host 192.168.56.11')
  t.equal((await ping(lab, A, B, '-c1', '-W2', '-Q', '0xba')).received, 1)
  const rows = await capture.decode(['ip.dsfield', 'ip.ttl'], 'icmp.type == 8')
  t.same(rows, [['0x02,0xba', '7,64']])
})

lab.test('tapmesh capture sees the same, through libpcap', async t => {
  await settle()
  const capture = lab.start('node1', 'tapmesh', 'capture', '-c', '8', 'udp', 'port', '4789')
  await until('it captures', () => capture.stderr.includes('capturing on eth1'))
  t.equal((await ping(lab, A, B, ...FOUR_PINGS)).received, 4)
  t.equal(await capture.ended, 0)
  const lines = capture.stdout.trim().split('\n')
  t.equal(lines.length, 8)
  const way = (from: number, to: number) => new RegExp(`192\\.168\\.56\\.${from}[.:]\\d+ > `
    + `192\\.168\\.56\\.${to}[.:]4789.*vni 4097.*10\\.0\\.1\\.${from} > 10\\.0\\.1\\.${to}`, 'i')
  for (const [n, line] of lines.entries()) t.match(line, n % 2 === 0 ? way(11, 12) : way(12, 11))
  t.match(capture.stderr, '8 packets captured')
}, { cap: true })

lab.test('tapmesh capture writes what tshark reads', async t => {
  await settle()
  const capture = lab.start('node1', 'bash', '-c',
    'tapmesh capture -c 8 -w - | tshark -n -r - -T fields '
    + '-e vxlan.vni -e icmp.type')
  await until('it captures', () => capture.stderr.includes('capturing on eth1'))
  t.equal((await ping(lab, A, B, ...FOUR_PINGS)).received, 4)
  t.equal(await capture.ended, 0, capture.stderr)
  t.same(capture.stdout.trim().split('\n'),
    Array.from({ length: 8 }, (_, n) => `4097\t${n % 2 === 0 ? 8 : 0}`))
  const file = `/tmp/tapmesh-${lab.name}.pcap`
  const written = lab.start('node1', 'tapmesh', 'capture', '-c', '2', '-w', file)
  await until('it captures', () => written.stderr.includes('capturing on eth1'))
  t.equal((await ping(lab, A, B)).received, 1)
  t.equal(await written.ended, 0)
  const rows = await tsharkFields(readFileSync(file), ['vxlan.vni', 'icmp.type'])
  t.same(rows, [['4097', '8'], ['4097', '0']])
  await lab.out('node1', 'rm', file)
}, { cap: true })
