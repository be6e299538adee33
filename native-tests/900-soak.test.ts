// Mixed load for half a minute: nothing leaks, nothing is lost that is not counted. SOAK_SECONDS
// makes it longer, SOAK_WORKERS gives each daemon several packet workers.
import t from 'tap'
import type { StatusView } from '../src/daemon/views.ts'
import type { Running } from './lib/running.ts'
import { useLab } from './lib/lab.ts'
import { iperfServer, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 30)
const WORKERS = Number(process.env['SOAK_WORKERS'] ?? 1)
const lab = useLab({ nodes: 3, needs: { tools: ['ping', 'curl', 'iperf3'] } })
const PINGS_PER_SECOND = 10
/** Enough to keep the workers busy, and to leave the machine to others. */
const BITRATE = '100M'
const PINGS_LOST_MAX = 0.02
const FRAMES_LOST_MAX = 0.01
/** What the heap of a daemon may grow by before it is collected. */
const GROWTH_OCTETS_MAX = 48 << 20
/** What memory in use may grow by from the second quarter of the run to the last. */
const CREEP_OCTETS_MAX = 8 << 20
const COMMAND_TIMEOUT_MS = (SECONDS + 30) * 1000

t.setTimeout((SECONDS * 2 + 120) * 1000)

type Cost = { octets: number; descriptors: number }

/** Resident memory and open descriptors of a node's daemon. */
async function costOf(node: string): Promise<Cost> {
  const { pid } = await lab.status(node)
  const [pages = '', descriptors = ''] = (await lab.sh(node,
    `cut -d' ' -f2 /proc/${pid}/statm; ls /proc/${pid}/fd | wc -l`)).trim().split('\n')
  return { octets: Number(pages) * 4096, descriptors: Number(descriptors) }
}

/**
 * Tasks come and go on node3, each of them reached before it goes, until `isOver`.
 * @returns resident memory of each daemon, once for each task
 */
async function comeAndGo(isOver: () => boolean): Promise<number[][]> {
  const looks: number[][] = []
  while (!isOver()) {
    const command = looks.length % 2 === 0 ? [] : ['--', 'sleep', '1000']
    await lab.tapmesh('node3', 'run', '-d', '--name', 'guest', '--network', 'mynet,ip=10.0.1.13',
      ...command)
    await untilReached(lab, 'node1/a', '10.0.1.13')
    await lab.tapmesh('node3', 'rm', '-f', 'guest')
    looks.push((await Promise.all(lab.nodes.map(costOf))).map(({ octets }) => octets))
  }
  return looks
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const megabytes = (octets: number): string => (octets / 2 ** 20).toFixed(1)

/** Drops in front of us, which frames.tap_in and frames.underlay_in know nothing of. */
const OUTSIDE = ['tap_queue_full', 'underlay_receive_full']

/**
 * Frames that came to a node from its tasks and the tunnel, and those that left it or were dropped.
 * Each node has at most one task, and two VTEPs to which a frame for all is copied.
 */
function balance({ counters: c, drops }: StatusView): { came: number; went: number } {
  const copies = c['frames.flooded']! / 2
  const dropped = Object.entries(drops).filter(([reason]) => !OUTSIDE.includes(reason))
    .reduce((sum, [, count]) => sum + count, 0)
  return {
    came: c['frames.tap_in']! + c['frames.segmented']! + copies + c['frames.underlay_in']!
      + c['icmp.too_large_sent']!,
    went: c['frames.tap_out']! + c['frames.underlay_out']! + c['tcp.acks_folded']!
      + c['tcp.fins_folded']! + dropped,
  }
}

function received(pings: Running): { sent: number; received: number } {
  const counted = /(\d+) packets transmitted, (\d+) received/.exec(pings.stdout)
  return { sent: Number(counted?.[1]), received: Number(counted?.[2]) }
}

let before: Cost[]

lab.test('two nodes that talk, and a third that comes and goes', async t => {
  for (const node of WORKERS > 1 ? lab.nodes : []) {
    await lab.sh(node, `printf 'plane:\\n  workers: ${WORKERS}\\n' >>/etc/tapmesh/tapmesh.yaml`)
    await lab.daemon(node, 'restart')
  }
  await lab.createNetwork('mynet', lab.nodes)
  await lab.bareTask('node1', 'a', 'mynet,ip=10.0.1.11')
  await lab.bareTask('node2', 'b', 'mynet,ip=10.0.1.12')
  await untilReached(lab, 'node1/a', '10.0.1.12')
  let warm = false
  const guests = comeAndGo(() => warm)
  await lab.out('node1/a', 'ping', '-q', '-i', '0.002', '-c', '1000', '10.0.1.12')
  warm = true
  t.ok((await guests).length > 0)
  before = await Promise.all(lab.nodes.map(costOf))
})

lab.test(`${SECONDS} s of iperf3 both ways, ping, and endpoints that come and go`, async t => {
  await iperfServer(lab, 'node2/b')
  const streams = lab.start('node1/a', 'iperf3', '--client', '10.0.1.12', '--bidir', '--bitrate',
    BITRATE, '--time', String(SECONDS), '--json')
  const pings = lab.start('node1/a', 'ping', '-q', '-i', String(1 / PINGS_PER_SECOND), '-c',
    String(SECONDS * PINGS_PER_SECOND), '10.0.1.12')
  let over = false
  const guests = comeAndGo(() => over)
  await until('the end of the streams', async () => {
    const ended = await Promise.race([streams.ended, Promise.resolve(null)])
    return ended !== null
  }, COMMAND_TIMEOUT_MS)
  t.equal(await streams.ended, 0, streams.stdout.slice(-300))
  t.equal(await pings.ended, 0)
  over = true
  const looks = await guests
  t.comment(`${looks.length} guests came and went`)
  for (const [n, node] of lab.nodes.entries()) {
    const quarter = (which: number) => median(looks.slice(looks.length * (which - 1) / 4,
      looks.length * which / 4).map(look => look[n]!))
    t.comment(`${node}: ${[1, 2, 3, 4].map(which => megabytes(quarter(which))).join(', ')} MiB`)
    t.ok(SECONDS < 300 || quarter(4) - quarter(2) < CREEP_OCTETS_MAX, `${node} does not grow`)
  }
  const { end } = JSON.parse(streams.stdout) as
    { end: Record<'sum_received' | 'sum_received_bidir_reverse', { bytes: number }> }
  for (const way of ['sum_received', 'sum_received_bidir_reverse'] as const) {
    t.ok(end[way].bytes > 1_000_000 * SECONDS, `${way}: ${end[way].bytes} octets`)
  }
  const counted = received(pings)
  t.equal(counted.sent, SECONDS * PINGS_PER_SECOND)
  t.ok(counted.received >= counted.sent * (1 - PINGS_LOST_MAX),
    `${counted.received} of ${counted.sent} pings`)
}, {})

lab.test('no daemon has grown, and none holds more than before', async t => {
  for (const [n, node] of lab.nodes.entries()) {
    const was = before[n]!
    const is = await until(`${node} holds what it held`, async () => {
      const cost = await costOf(node)
      return cost.descriptors <= was.descriptors && cost
    })
    const grown = is.octets - was.octets
    t.ok(grown < GROWTH_OCTETS_MAX, `${node}: ${megabytes(was.octets)} MiB before, `
      + `${megabytes(grown)} more now`)
    t.equal((await lab.status(node)).plane.ports, node === 'node3' ? 0 : 1)
  }
})

/** Over all nodes: datagrams sent, received, and dropped for a full socket. */
function tunnelOf(statuses: StatusView[]): { sent: number; arrived: number; full: number } {
  const sum = (valueOf: (status: StatusView) => number) =>
    statuses.reduce((all, status) => all + valueOf(status), 0)
  return {
    sent: sum(({ counters }) => counters['frames.underlay_out']!),
    arrived: sum(({ counters }) => counters['frames.underlay_in']!),
    full: sum(({ drops }) => drops['underlay_receive_full']!),
  }
}

lab.test('what was sent into the tunnel has come out of it, or was counted', async t => {
  const statuses = await until('nothing is under way', async () => {
    const seen = await Promise.all(lab.nodes.map(node => lab.status(node)))
    const { sent, arrived, full } = tunnelOf(seen)
    return sent === arrived + full && seen.every(status => {
      const { came, went } = balance(status)
      return came === went
    }) && seen
  }).catch(() => Promise.all(lab.nodes.map(node => lab.status(node))))
  const { sent, arrived, full } = tunnelOf(statuses)
  t.equal(arrived + full, sent, `${sent} frames were sent, ${full} met a full socket`)
  t.ok(arrived >= sent * (1 - FRAMES_LOST_MAX), `${arrived} of ${sent} frames`)
  for (const status of statuses) {
    const { node, drops } = status
    const { came, went } = balance(status)
    t.equal(went, came, `${node}: all that came went on or was dropped for a reason`)
    t.comment(`${node}: ${came} frames, dropped: ${JSON.stringify(Object.fromEntries(
      Object.entries(drops).filter(([, count]) => count > 0)))}`)
    for (const reason of ['malformed', 'bad_flags', 'bad_vni', 'unknown_vtep', 'spoofed_mac',
      'spoofed_address', 'truncated', 'underlay_refused', 'too_large']) {
      t.equal(drops[reason], 0, `${node}: ${reason}`)
    }
  }
  for (const node of lab.nodes) {
    const bad = (await lab.log(node)).split('\n').filter(line => /"level":(50|60)/.test(line))
    t.same(bad, [], `${node} has logged no error`)
  }
})
