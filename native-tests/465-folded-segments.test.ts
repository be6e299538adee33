// Segments that need not travel: acknowledgments and FINs without data that go with the segment
// next to them. No connection notices, what is sent is right, and it can be switched off.
// May run beside another test.
import { join } from 'node:path'
import type { Test } from 'tap'
import { useLab } from './lib/lab.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { settled, until } from './lib/wait.ts'

const lab = useLab({ nodes: 2, peers: 'cluster',
  needs: { tools: ['python3', 'tcpdump', 'tshark', 'ethtool', 'nstat', 'ip'] } })
const PROGRAM = join(import.meta.dirname, 'lib', 'endings.py')
const CONFIG = '/etc/tapmesh/tapmesh.yaml'
/** The client and the server; and a server on the node of the client. */
const [A, B, NEAR] = ['node1/a', 'node2/b', 'node1/near'] as const
const [A_ADDRESS, B_ADDRESS, NEAR_ADDRESS] = ['10.0.1.11', '10.0.1.12', '10.0.1.13'] as const
const NODE_ADDRESS: Record<string, string> = { node1: '192.168.56.11', node2: '192.168.56.12' }
const [FIN, SYN, ACK] = [0x01, 0x02, 0x10] as const
/** tshark says 1 for a good checksum, and shows what it is, and should be, of one that is not. */
const CHECKSUM = ['tcp.checksum.status', 'tcp.checksum', 'tcp.checksum_calculated']
/** Both are zero (RFC 1071), and as kernels do it, UDP's way to write it is that of all. */
const ZERO = '0 0xffff 0x0000'
const DECODE = ['-o', 'tcp.check_checksum:TRUE', '-o', 'tcp.desegment_tcp_streams:FALSE']
/** pcap-filter(7): flags of inner TCP, behind the headers of UDP, VXLAN, Ethernet and IP. */
const FINS = 'udp dst port 4789 and udp[8 + 8 + 14 + 20 + 13] & 1 != 0'
/** By inner addresses and ports, each direction is one: some FINs are sent more than once. */
const countFlows = (frames: Buffer[]) =>
  new Set(frames.map(frame => frame.toString('hex', 76, 88))).size
/** What passes is not lost: room for 32 MiB of whole frames. */
const ROOMY = ['-s', '1600', '-B', '32768']

type Kind = 'short' | 'half' | 'slow' | 'first'
type Counts = Record<'read' | 'acks' | 'fins' | 'sent' | 'delivered' | 'drops', number>
type Segment = Readonly<{ from: string; stream: string; flags: number; octets: number
  isNew: boolean; checksum: string }>

/** Ask `count` times, and see that every octet of every answer is right. */
async function ask(t: Test, kind: Kind, host: string, count: number, atOnce = 1): Promise<void> {
  const text = await lab.out(A, 'python3', PROGRAM, kind, host, String(count), String(atOnce))
  t.same(JSON.parse(text), { good: count, bad: [] })
}

async function countsOf(node: string): Promise<Counts> {
  const { counters, drops } = await lab.status(node)
  const of = (name: string) => counters[name] ?? Number.NaN
  return { read: of('frames.tap_in'), acks: of('tcp.acks_folded'), fins: of('tcp.fins_folded'),
    sent: of('frames.underlay_out'), delivered: of('frames.tap_out'),
    drops: Object.values(drops).reduce((sum, drop) => sum + drop, 0) }
}

/** The counts of both nodes when nothing is under way. */
const settledCounts = () =>
  settled('what nodes count', () => Promise.all(lab.nodes.map(countsOf)))

/** What `fn` adds to the counts of each node. */
async function added(fn: () => Promise<void>): Promise<[Counts, Counts]> {
  const before = await settledCounts()
  await fn()
  const after = await settledCounts()
  const [one, two] = after.map((counts, node) => Object.fromEntries(Object.entries(counts)
    .map(([name, count]) => [name, count - before[node]![name as keyof Counts]])) as Counts)
  return [one!, two!]
}

/** Start to look at the tunnel; what it answers is whole, or it throws. */
async function capture(filter = 'udp port 4789', countOf = (frames: Buffer[]) => frames.length) {
  const seen = await tcpdump(lab, 'node1', 'eth1', filter, ...ROOMY)
  return async (count: number) => {
    await until(`${count} frames, or flows`, () => countOf(seen.frames()) >= count)
    const rows = await seen.decode(['ip.src', 'udp.srcport', 'tcp.stream', 'tcp.flags',
      'tcp.seq_raw', 'tcp.len', ...CHECKSUM], 'vxlan', ...DECODE)
    return { rows, segments: segmentsOf(rows) }
  }
}

function segmentsOf(rows: readonly string[][]): Segment[] {
  const known = new Set<string>()
  return rows.filter(row => row[2] !== '').map(row => {
    const [sources = '', , stream = '', flags = '', sequence = '', octets = '', ...sums] = row
    const [, from = ''] = sources.split(',')
    const place = `${from} ${stream} ${sequence} ${octets === '0'}`
    const isNew = !known.has(place)
    known.add(place)
    return { from, stream, flags: Number(flags), octets: Number(octets), isNew,
      checksum: sums.join(' ') }
  })
}

/**
 * Data that a FIN came with when they were sent first: a kernel that sends data again may put what
 * follows into the same segment.
 */
const withFin = (segments: readonly Segment[], from: string) => segments.filter(segment =>
  segment.isNew && segment.from === from && segment.octets > 0 && (segment.flags & FIN) !== 0)

/** The outer source ports that `node` used. */
function sourcePorts(rows: readonly string[][], node: string): number[] {
  const ports = rows.filter(([sources = '']) => sources.split(',')[0] === NODE_ADDRESS[node])
    .map(([, port]) => Number(port))
  return [...new Set(ports)].sort((a, b) => a - b)
}

/** Whether all connections are there, and have ended from both sides. */
function checkEnds(t: Test, segments: readonly Segment[], count: number): void {
  for (const from of [A_ADDRESS, B_ADDRESS]) {
    const ended = new Set(segments.filter(segment => segment.from === from
      && (segment.flags & FIN) !== 0).map(({ stream }) => stream))
    t.equal(ended.size, count, `${from} has ended ${count} connections`)
  }
  t.equal(new Set(segments.map(({ stream }) => stream)).size, count)
}

function checkSums(t: Test, segments: readonly Segment[]): void {
  t.same(segments.filter(({ checksum }) => !checksum.startsWith('1 ') && checksum !== ZERO), [])
}

/** All that was read from tasks and not folded was sent, and seen. */
function checkSent(t: Test, counts: readonly Counts[], rows: readonly string[][]): void {
  counts.forEach(({ read, acks, fins, sent, drops }, n) => {
    const node = lab.nodes[n]!
    t.equal(read - acks - fins, sent, `${node}: ${read} frames, folded ${acks} and ${fins}`)
    t.equal(drops, 0)
    t.equal(rows.filter(([from = '']) => from.startsWith(`${NODE_ADDRESS[node]},`)).length, sent)
  })
}

async function restart(...lines: string[]): Promise<void> {
  for (const node of lab.nodes) {
    await lab.daemon(node, 'stop')
    await lab.sh(node, `[ -e ${CONFIG}.first ] || cp ${CONFIG} ${CONFIG}.first
      sed 's/^underlay:/${lines.join('\\n')}/' ${CONFIG}.first >${CONFIG}`)
    await lab.daemon(node, 'start')
  }
  await untilAnswered(B_ADDRESS)
}

async function untilAnswered(host: string): Promise<void> {
  await until(`the server of ${host}`, async () =>
    (await lab.run(A, 'python3', PROGRAM, 'first', host, '1', '1')).stdout.includes('"good": 1'))
}

lab.test('a client, and a server on each node', async () => {
  // A veth pair hands trains over whole, with their checksums undone: these are to be seen.
  for (const node of lab.nodes) await lab.out(node, 'ethtool', '-K', 'eth1', 'tx', 'off')
  await lab.tapmesh('node1', 'network', 'create', 'mynet')
  await lab.bareTask('node1', 'a', `mynet,ip=${A_ADDRESS}`)
  await lab.runTask('node1', 'near', `mynet,ip=${NEAR_ADDRESS}`, 'python3', PROGRAM, 'serve')
  await until('node2 knows the network', async () =>
    (await lab.run('node2', 'tapmesh', 'network', 'inspect', 'mynet')).code === 0)
  await lab.runTask('node2', 'b', `mynet,ip=${B_ADDRESS}`, 'python3', PROGRAM, 'serve')
  // What kernels say at times of their own is not to be counted.
  for (const where of [A, B, NEAR]) {
    await lab.out(where, 'sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=1')
  }
  const known: [string, string, string][] = [[A, B_ADDRESS, '0c'], [B, A_ADDRESS, '0b'],
    [A, NEAR_ADDRESS, '0d'], [NEAR, A_ADDRESS, '0b']]
  for (const [where, address, end] of known) {
    await lab.out(where, 'ip', 'neigh', 'replace', address, 'lladdr', `02:42:0a:00:01:${end}`,
      'dev', 'eth0', 'nud', 'permanent')
  }
  for (const address of [B_ADDRESS, NEAR_ADDRESS]) await untilAnswered(address)
})

lab.test('thousands of short connections: none fails, and what is folded is right', async t => {
  const stop = await capture()
  const counts = await added(() => ask(t, 'short', B_ADDRESS, 3000, 32))
  const [one, two] = counts
  t.ok(one.acks > 0, `${one.acks} acknowledgments of the client are folded`)
  t.ok(two.fins > 0, `${two.fins} FINs of the server are folded`)
  t.equal(one.fins, 0, 'the client sends its FIN long after its question')
  const { rows, segments } = await stop(one.sent + two.sent)
  checkSent(t, counts, rows)
  t.equal(withFin(segments, B_ADDRESS).length, two.fins, 'segments with data and FIN')
  t.equal(withFin(segments, A_ADDRESS).length, 0)
  checkEnds(t, segments, 3000)
  checkSums(t, segments)
  for (const node of lab.nodes) {
    const { underlay } = await lab.status(node)
    t.equal(underlay.sourcePorts.length, 4)
    t.same(sourcePorts(rows, node), underlay.sourcePorts.toSorted((a, b) => a - b))
  }
})

lab.test('between two tasks of one node it is the same', async t => {
  const [one, two] = await added(() => ask(t, 'short', NEAR_ADDRESS, 1000, 32))
  t.ok(one.acks > 0 && one.fins > 0, `folded are ${one.acks} and ${one.fins}`)
  t.equal(one.read - one.acks - one.fins, one.delivered)
  t.match([one, two], [{ sent: 0, drops: 0 }, { read: 0, sent: 0, drops: 0 }])
})

lab.test('when the server speaks first, the handshake has its three segments', async t => {
  const stop = await capture()
  const counts = await added(() => ask(t, 'first', B_ADDRESS, 30))
  const { rows, segments } = await stop(counts[0].sent + counts[1].sent)
  checkSent(t, counts, rows)
  checkEnds(t, segments, 30)
  const handshake = [[A_ADDRESS, SYN, 0], [B_ADDRESS, SYN | ACK, 0], [A_ADDRESS, ACK, 0]]
  for (const begun of Map.groupBy(segments, ({ stream }) => stream).values()) {
    t.same(begun.slice(0, 3).map(({ from, flags, octets }) => [from, flags, octets]), handshake)
  }
})

lab.test('who says that it is done, and then receives, gets everything', async t => {
  const stop = await capture(FINS, countFlows)
  const [one, two] = await added(() => ask(t, 'half', B_ADDRESS, 400, 8))
  const { segments } = await stop(800)
  checkEnds(t, segments, 400)
  checkSums(t, segments)
  // Kernels put a FIN into data themselves, where some still waits to be sent.
  for (const [from, { fins, acks }] of [[A_ADDRESS, one], [B_ADDRESS, two]] as const) {
    t.ok(acks <= 400, `${acks} folded: of those that others follow, none`)
    t.ok(fins > 0, `${fins} FINs of ${from} are folded`)
    t.ok(withFin(segments, from).length >= fins, 'segments with data and FIN')
  }
})

lab.test('so it does when the window of the server closes and opens', async t => {
  const closed = async () => {
    const { kernel } = JSON.parse(await lab.out(B, 'nstat', '-asjz')) as
      { kernel: Record<string, number> }
    return kernel['TcpExtTCPToZeroWindowAdv']!
  }
  const before = await closed()
  await ask(t, 'slow', B_ADDRESS, 10)
  t.ok(await closed() - before >= 10, 'once for each connection at least')
})

lab.test('with foldSegments off, and with two source ports, all travels', async t => {
  await restart('plane: {foldSegments: false}', 'underlay:', '  sourcePorts: 2')
  const stop = await capture()
  const counts = await added(() => ask(t, 'short', B_ADDRESS, 1000, 64))
  t.match(await settledCounts(), [{ acks: 0, fins: 0 }, { acks: 0, fins: 0 }])
  const { rows, segments } = await stop(counts[0].sent + counts[1].sent)
  checkSent(t, counts, rows)
  t.same(withFin(segments, B_ADDRESS), [])
  checkEnds(t, segments, 1000)
  for (const node of lab.nodes) {
    const { underlay } = await lab.status(node)
    t.equal(underlay.sourcePorts.length, 2)
    t.same(sourcePorts(rows, node), underlay.sourcePorts.toSorted((a, b) => a - b))
  }
  await ask(t, 'half', B_ADDRESS, 64, 64)
})
