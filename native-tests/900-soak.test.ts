// Mixed load for half a minute: nothing leaks, nothing is lost that is not counted. SOAK_SECONDS
// makes it longer.
import type { Running } from './lib/running.ts'
import { useLab } from './lib/lab.ts'
import { iperfServer, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 30)
const lab = useLab({ nodes: 3, needs: { tools: ['ping', 'curl', 'iperf3'] } })
const PINGS_PER_SECOND = 10
/** Enough to keep the workers busy, and to leave the machine to others. */
const BITRATE = '100M'
const PINGS_LOST_MAX = 0.02
const FRAMES_LOST_MAX = 0.01
/** What the heap of a daemon may grow by before it is collected. */
const GROWTH_OCTETS_MAX = 48 << 20
const COMMAND_TIMEOUT_MS = (SECONDS + 30) * 1000

type Cost = { octets: number; descriptors: number }

/** Resident memory and open descriptors of a node's daemon. */
async function costOf(node: string): Promise<Cost> {
  const { pid } = await lab.status(node)
  const [pages = '', descriptors = ''] = (await lab.sh(node,
    `cut -d' ' -f2 /proc/${pid}/statm; ls /proc/${pid}/fd | wc -l`)).trim().split('\n')
  return { octets: Number(pages) * 4096, descriptors: Number(descriptors) }
}

/** Tasks come and go on node3, each of them reached before it goes, until `isOver`. */
async function comeAndGo(isOver: () => boolean): Promise<number> {
  let rounds = 0
  while (!isOver()) {
    const command = rounds % 2 === 0 ? [] : ['--', 'sleep', '1000']
    await lab.tapmesh('node3', 'run', '-d', '--name', 'guest', '--network', 'mynet,ip=10.0.1.13',
      ...command)
    await untilReached(lab, 'node1/a', '10.0.1.13')
    await lab.tapmesh('node3', 'rm', '-f', 'guest')
    rounds += 1
  }
  return rounds
}

function received(pings: Running): { sent: number; received: number } {
  const counted = /(\d+) packets transmitted, (\d+) received/.exec(pings.stdout)
  return { sent: Number(counted?.[1]), received: Number(counted?.[2]) }
}

let before: Cost[]

lab.test('two nodes that talk, and a third that comes and goes', async t => {
  await lab.createNetwork('mynet', lab.nodes)
  await lab.bareTask('node1', 'a', 'mynet,ip=10.0.1.11')
  await lab.bareTask('node2', 'b', 'mynet,ip=10.0.1.12')
  await untilReached(lab, 'node1/a', '10.0.1.12')
  let warm = false
  const guests = comeAndGo(() => warm)
  await lab.out('node1/a', 'ping', '-q', '-i', '0.002', '-c', '1000', '10.0.1.12')
  warm = true
  t.ok(await guests > 0)
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
  t.comment(`${await guests} guests came and went`)
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
    t.ok(grown < GROWTH_OCTETS_MAX, `${node}: ${(was.octets / 2 ** 20).toFixed(0)} MiB before, `
      + `${(grown / 2 ** 20).toFixed(1)} more now`)
    t.equal((await lab.status(node)).plane.ports, node === 'node3' ? 0 : 1)
  }
})

lab.test('what was sent into the tunnel has come out of it, or was counted', async t => {
  const statuses = await Promise.all(lab.nodes.map(node => lab.status(node)))
  const sum = (name: string) =>
    statuses.reduce((all, status) => all + status.counters[name]!, 0)
  const [sent, arrived] = [sum('frames.underlay_out'), sum('frames.underlay_in')]
  t.ok(arrived <= sent && arrived >= sent * (1 - FRAMES_LOST_MAX), `${arrived} of ${sent} frames`)
  for (const { node, drops } of statuses) {
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
