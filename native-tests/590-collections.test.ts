// Forwarding makes no garbage, in the daemon itself: the collector has nothing to do in any packet
// worker while frames of all sizes pass. PACKETS makes it longer, for example to 10000000.
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { SOCKET, useLab } from './lib/lab.ts'
import type { Running } from './lib/running.ts'
import { iperf, iperfServer, ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const PACKETS = Number(process.env['PACKETS'] ?? 1_000_000)
const PACKETS_PER_SECOND_MIN = 20_000
/** Code that was seldom run is interpreted, and boxes its numbers: rounds until it is compiled. */
const WARM_ROUNDS_MAX = 12
/** What the start left may fill the young generation to the brim: then the next window counts. */
const WINDOWS_MAX = 2
const lab = useLab({ nodes: 2, needs: { tools: ['ping', 'iperf3'] } })
const A = 'node1/a'
const B = 'node2/b'
const A_ADDRESS = '10.0.1.11'
const CONFIG = '/etc/tapmesh/tapmesh.yaml'
const MAIN = join(import.meta.dirname, '..', 'src', 'api', 'cli', 'main.ts')
/** As bin/tapmesh starts it, and each collection is a line that names its heap. */
const TRACED = [process.execPath, '--trace-gc', '--max-semi-space-size=1', MAIN, 'daemon',
  '--config', CONFIG]

t.setTimeout((120 + 2 * PACKETS / PACKETS_PER_SECOND_MIN) * 1000)

/** The heaps in order of their first collection, and how often each was collected. */
function collections(text: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [, heap = ''] of text.matchAll(/^\[\d+:(0x[0-9a-f]+)\] .*(?:Scavenge|Mark-Compact)/gm)) {
    counts.set(heap, (counts.get(heap) ?? 0) + 1)
  }
  return counts
}

/** Frames in and out of the tunnel, and breaths, of node1. */
async function work(): Promise<{ frames: number; breaths: number }> {
  const { counters } = await lab.status('node1')
  const frames = counters['frames.underlay_in']! + counters['frames.underlay_out']!
  return { frames, breaths: counters['plane.breaths']! }
}

/** A little of everything: long streams, small datagrams, and frames that come alone. */
async function round(): Promise<void> {
  for (const direction of [[], ['-R']]) {
    await iperf(lab, B, A_ADDRESS, '-t', '2', '-P', '2', ...direction)
    await iperf(lab, B, A_ADDRESS, '--udp', '--length', '64', '--bitrate', '0', '-t', '1',
      ...direction)
  }
  await ping(lab, B, A_ADDRESS, '-q', '-f', '-c', '10000')
}

/** Start the daemon of node1, which does not run, so that its collections are told. */
async function startTraced(workers: number): Promise<Running> {
  await lab.sh('node1', `sed -i '/^plane:/,$d' ${CONFIG}
    printf 'plane:\\n  workers: ${workers}\\n' >>${CONFIG}`)
  const daemon = lab.start('node1', ...TRACED)
  await until('the daemon answers', async () => (await lab.run('node1', 'curl', '-s', '--fail',
    '--unix-socket', SOCKET, 'http://tapmesh/v1/status')).code === 0)
  return daemon
}

/** Collections of each heap, main thread first, while PACKETS and more pass. */
async function collectionsOfWindow(t: Test, daemon: Running, heaps: string[]): Promise<number[]> {
  const begin = daemon.stdout.length
  const before = await work()
  let now = before
  while (now.frames - before.frames < PACKETS) {
    await round()
    now = await work()
  }
  const after = collections(daemon.stdout.slice(begin))
  const counts = heaps.map(heap => after.get(heap) ?? 0)
  t.comment(`${now.frames - before.frames} frames in ${now.breaths - before.breaths} breaths: `
    + `${counts.join(' + ')} collections, main thread first`)
  return counts
}

/** Let traffic pass until a whole round of it leaves the heaps of the workers alone. */
async function warmUp(t: Test, daemon: Running, workers: number): Promise<string[]> {
  for (let rounds = 1; rounds <= WARM_ROUNDS_MAX; rounds++) {
    const begin = daemon.stdout.length
    await round()
    // The first is the main thread's. Each worker has loaded its program, which left garbage.
    const heaps = [...collections(daemon.stdout).keys()]
    const seen = collections(daemon.stdout.slice(begin))
    if (heaps.length === 1 + workers && heaps.slice(1).every(heap => !seen.has(heap))) {
      t.comment(`warm after ${rounds} rounds`)
      return heaps
    }
  }
  t.fail(`the workers still make garbage after ${WARM_ROUNDS_MAX} rounds`)
  return []
}

async function check(t: Test, workers: number): Promise<void> {
  const daemon = await startTraced(workers)
  await untilReached(lab, B, A_ADDRESS)
  const heaps = await warmUp(t, daemon, workers)
  let counts = await collectionsOfWindow(t, daemon, heaps)
  for (let n = 1; n < WINDOWS_MAX && counts.slice(1).some(count => count === 1); n++) {
    t.ok(counts.slice(1).every(count => count <= 1), 'no more than what was left from the start')
    counts = await collectionsOfWindow(t, daemon, heaps)
  }
  for (const [n, count] of counts.slice(1).entries()) t.equal(count, 0, `worker ${n}`)
  await daemon.stop()
}

lab.test('a network with a task on each node', async () => {
  await lab.createNetwork('mynet', lab.nodes)
  await lab.bareTask('node1', 'a', `mynet,ip=${A_ADDRESS}`)
  await lab.bareTask('node2', 'b', 'mynet,ip=10.0.1.12')
  await untilReached(lab, B, A_ADDRESS)
  await iperfServer(lab, A)
  await lab.daemon('node1', 'stop')
})

for (const workers of [1, 2]) {
  lab.test(`no collection in ${workers} workers over ${PACKETS} packets`, t => check(t, workers))
}
