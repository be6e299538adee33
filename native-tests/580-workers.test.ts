// Several packet workers: all that passes with one passes, no flow is ever out of order, what one
// worker learned all know, and a task survives every change of their number.
// May run beside another test; takes long.
import type { Test } from 'tap'
import { useLab } from './lib/lab.ts'
import { download, streamHash, streamServer, untilStreams, upload } from './lib/stream-server.ts'
import { iperf, iperfServer, ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 2, needs: {
  tools: ['ping', 'curl', 'iperf3', 'tc', 'nstat', 'perl', 'ip', 'setpriv'],
} })
const A = 'node1/a'
const B = 'node2/b'
const A_ADDRESS = '10.0.1.11'
const B_ADDRESS = '10.0.1.12'
const URL = `http://${A_ADDRESS}:8000`
const OCTETS = 100_000_000
const HASH = streamHash(OCTETS)
const CONFIG = '/etc/tapmesh/tapmesh.yaml'
const FLOWS = 64

/** Start a daemon anew with that many workers; `how` is how the one before ends. */
async function restart(node: string, workers: number, how: 'stop' | 'kill' = 'stop',
  ...settings: string[]): Promise<void> {
  const plane = [`workers: ${workers}`, ...settings].map(line => `  ${line}\\n`).join('')
  await lab.daemon(node, how)
  await lab.sh(node, `[ -e ${CONFIG}.first ] || cp ${CONFIG} ${CONFIG}.first
    { cat ${CONFIG}.first; printf 'plane:\\n${plane}'; } >${CONFIG}`)
  await lab.daemon(node, 'start')
}

/** What TCP of a task has seen since it is there. */
async function tcpCounters(where: string): Promise<Record<string, number>> {
  const { kernel } = JSON.parse(await lab.out(where, 'nstat', '-asjz')) as
    { kernel: Record<string, number> }
  return kernel
}

/** How many threads of the daemon run with that nice value: proc(5), stat, field 19. */
async function threadsOf(node: string, nice: number): Promise<number> {
  const { pid } = await lab.status(node)
  const stats = await lab.sh(node, `cat /proc/${pid}/task/*/stat`)
  return stats.trim().split('\n')
    .filter(stat => Number(stat.replace(/.*\) /, '').split(' ')[16]) === nice).length
}

/** Neither end has seen a segment overtake another. What is lost is another matter. */
async function checkOrder(t: Test): Promise<void> {
  for (const where of [A, B]) {
    const seen = await tcpCounters(where)
    for (const name of ['TcpExtTCPSACKReorder', 'TcpExtTCPTSReorder']) {
      t.equal(seen[name], 0, `${where}: ${name}`)
    }
  }
}

/** Frames that the task's device has handed to each worker's queue. */
async function queueFrames(where: string): Promise<number[]> {
  const text = await lab.out(where, 'tc', '-s', 'qdisc', 'show', 'dev', 'eth0')
  return [...text.matchAll(/ parent :\w+ .*\n Sent \d+ bytes (\d+) pkt/g)]
    .map(found => Number(found[1])).filter(count => count > 0)
}

/** One datagram of each of FLOWS flows from a to b. */
async function sendFlows(): Promise<void> {
  await lab.out(A, 'perl', '-MSocket', '-e', `for (1..${FLOWS}) {
    socket(S, AF_INET, SOCK_DGRAM, 0);
    defined(send(S, "x", 0, sockaddr_in(9, inet_aton("${B_ADDRESS}")))) or die "send: $!" }`)
}

lab.test('two workers on each node, and a queue for each', async t => {
  for (const node of lab.nodes) await restart(node, 2)
  await lab.createNetwork('mynet', lab.nodes)
  await lab.runTask('node1', 'a', `mynet,ip=${A_ADDRESS}`, ...streamServer(8000))
  await lab.bareTask('node2', 'b', `mynet,ip=${B_ADDRESS}`)
  // A kernel solicits routers and reports its groups at times of its own: frames for all, and here
  // those of the test are counted.
  for (const where of [A, B]) {
    await lab.out(where, 'sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=1')
  }
  await untilStreams(lab, B, URL)
  const { plane } = await lab.status('node1')
  t.match(plane, { workers: 2, ports: 1, multiQueuePorts: 1, features: { multiQueue: true } })
  t.match(await lab.tapmesh('node1', 'status'), /, 2 workers\n/)
  t.match(await lab.out(A, 'ip', '-d', 'link', 'show', 'eth0'), /multi_queue/)
  const receivers = await lab.sh('node1', 'ss -ulnH sport = :4789 | wc -l')
  t.equal(Number(receivers), 2)
})

lab.test('workers come before tasks, the rest of the daemon does not, and plane.nice changes it',
  async t => {
    t.equal(await threadsOf('node1', -7), 2)
    await restart('node2', 2, 'stop', 'nice: 5')
    t.equal(await threadsOf('node2', 5), 2)
    t.equal(await threadsOf('node2', -7), 0)
    await restart('node2', 2)
  })

lab.test('a daemon that may not raise its priority says so, and runs all the same', async t => {
  await lab.daemon('node2', 'stop')
  const daemon = lab.start('node2', 'setpriv', '--bounding-set=-sys_nice', 'tapmesh', 'daemon')
  await until('it answers', async () => (await lab.run('node2', 'tapmesh', 'status')).code === 0)
  t.match(daemon.stdout + daemon.stderr, /another priority than plane\.nice: is CAP_SYS_NICE/)
  t.equal(await threadsOf('node2', -7), 0)
  await daemon.stop()
  await lab.daemon('node2', 'start')
  t.equal(await threadsOf('node2', -7), 2)
})

lab.test('both workers carry flows, and what one learned the other knows', async t => {
  await sendFlows()
  await until('both queues were used', async () => (await queueFrames(A)).length === 2)
  const before = await lab.status('node1')
  await sendFlows()
  const after = await until('all are sent', async () => {
    const status = await lab.status('node1')
    const sent = status.counters['frames.tap_in']! - before.counters['frames.tap_in']!
    return sent >= FLOWS && status
  })
  t.equal(after.counters['frames.flooded'], before.counters['frames.flooded'])
  t.equal(after.counters['fdb.learned'], 1)
  t.equal(after.plane.learned, 1)
  t.equal(JSON.parse(await lab.tapmesh('node1', 'fdb', 'ls', '--json')).length, 1)
})

lab.test('pings of all sizes, and 100 MB both ways', async t => {
  for (const octets of ['56', '4000', '60000']) {
    const { received, text } = await ping(lab, B, A_ADDRESS, '-c5', '-i0.05', '-W2', '-s', octets)
    t.equal(received, 5, text)
  }
  t.equal(await download(lab, B, URL, OCTETS), HASH)
  t.equal(await upload(lab, B, URL, OCTETS), HASH)
  await checkOrder(t)
})

for (const streams of ['1', '8']) {
  lab.test(`TCP of ${streams} streams both ways stays in order`, async t => {
    const server = await iperfServer(lab, A)
    for (const direction of [[], ['-R']]) {
      const { end } = await iperf(lab, B, A_ADDRESS, '-t', '2', '-P', streams, ...direction)
      t.ok(end.sum_received.bytes > 1_000_000)
    }
    await server.stop()
    await checkOrder(t)
  })
}

type UdpStreams = { end: { streams: { udp: { packets: number; out_of_order: number } }[] } }

// Longer than the 3 s after which the kernel would choose another queue by itself.
lab.test('UDP both ways stays in order, also while its answers are rare', async t => {
  const server = await iperfServer(lab, A)
  for (const words of [['-P', '1'], ['-P', '4'], ['-P', '4', '-R'], ['-P', '2', '--bidir']]) {
    const { end } = await iperf(lab, B, A_ADDRESS, '--udp', '-t', '5', '--bitrate', '50M',
      '--length', '1200', ...words) as unknown as UdpStreams
    for (const { udp } of end.streams) {
      t.ok(udp.packets > 10_000, `${udp.packets} packets`)
      t.equal(udp.out_of_order, 0)
    }
  }
  await server.stop()
})

lab.test('nothing was dropped for a reason that traffic does not give', async t => {
  for (const node of lab.nodes) {
    const { drops } = await lab.status(node)
    for (const reason of ['malformed', 'too_large', 'bad_flags', 'truncated', 'tap_down',
      'underlay_too_large', 'underlay_refused', 'spoofed_mac', 'spoofed_address']) {
      t.equal(drops[reason], 0, `${node}: ${reason}`)
    }
  }
})

// ---- other numbers ----

const ECHO = 'require("node:net").createServer(peer => peer.pipe(peer)).listen(7)'
const TALK = `exec 3<>/dev/tcp/${A_ADDRESS}/7; while read -r line; do echo "$line" >&3; `
  + 'read -r answer <&3; echo "$answer"; done'

lab.test('a task and its connections outlive kills and other numbers of workers', async t => {
  const echo = lab.start(A, process.execPath, '-e', ECHO)
  await until('the echo server', async () => (await lab.run(B, 'bash', '-c',
    `exec 3<>/dev/tcp/${A_ADDRESS}/7`)).code === 0)
  const talk = lab.start(B, 'bash', '-c', TALK)
  await lab.out(A, 'ip', 'route', 'add', '10.99.0.0/16', 'via', B_ADDRESS)
  for (const workers of [4, 1, 3, 2]) {
    await restart('node1', workers, 'kill')
    await untilReached(lab, B, A_ADDRESS)
    talk.write(`with ${workers}\n`)
    await until('an answer', () => talk.stdout.includes(`with ${workers}\n`))
    const { plane } = await lab.status('node1')
    t.match(plane, { workers, ports: 1, multiQueuePorts: workers > 1 ? 1 : 0 })
    t.equal(await download(lab, B, URL, OCTETS / 10), streamHash(OCTETS / 10))
    await sendFlows()
  }
  t.match(await lab.out(A, 'ip', 'route'), /10\.99\.0\.0/, 'the task\'s own routes are there')
  await talk.stop()
  await echo.stop()
})

lab.test('a device of one queue stays so: one worker reads it, and all write to it', async t => {
  await restart('node2', 1)
  await lab.bareTask('node2', 'old', 'mynet,ip=10.0.1.13')
  t.notMatch(await lab.out('node2/old', 'ip', '-d', 'link', 'show', 'eth0'), /multi_queue/)
  await restart('node2', 2, 'kill')
  const { plane } = await lab.status('node2')
  t.match(plane, { workers: 2, ports: 2, multiQueuePorts: 1 })
  t.match(await lab.tapmesh('node2', 'status'), /2 workers \(1 port with one\)/)
  for (const where of ['node2/old', B]) await untilReached(lab, where, A_ADDRESS)
  await untilReached(lab, B, '10.0.1.13')
  t.equal(await download(lab, 'node2/old', URL, OCTETS), HASH)
  t.equal(await upload(lab, 'node2/old', URL, OCTETS), HASH)
  await lab.tapmesh('node2', 'rm', '-f', 'old')
  await lab.bareTask('node2', 'old', 'mynet,ip=10.0.1.13')
  t.equal((await lab.status('node2')).plane.multiQueuePorts, 2, 'until it is made anew')
})

lab.test('without queues in the TAPs each task has one worker, and status says so', async t => {
  await restart('node2', 2, 'stop', 'multiQueue: false')
  const { plane } = await lab.status('node2')
  t.match(plane, { workers: 2, ports: 2, multiQueuePorts: 0, features: { multiQueue: false } })
  t.match(await lab.tapmesh('node2', 'status'), /off: multiQueue/)
  await untilStreams(lab, B, URL)
  for (const where of ['node2/old', B]) {
    t.equal(await download(lab, where, URL, OCTETS), HASH)
    t.equal(await upload(lab, where, URL, OCTETS), HASH)
  }
  await checkOrder(t)
})

lab.test('a device that is taken away from all workers comes back once', async t => {
  await restart('node2', 2)
  await untilReached(lab, B, A_ADDRESS)
  await lab.out(B, 'ip', 'link', 'delete', 'eth0')
  await untilReached(lab, B, A_ADDRESS)
  t.match((await lab.status('node2')).plane, { ports: 2, multiQueuePorts: 2 })
  const log = await lab.log('node2')
  t.equal([...log.matchAll(/the device of an endpoint is gone/g)].length, 1)
})

lab.test('a second daemon is refused the port that several sockets share', async t => {
  const { code, stderr, stdout } = await lab.run('node1', 'sh', '-c',
    `sed 's|/run/tapmesh|/run/other|; s|/var/lib/tapmesh|/var/lib/other|' ${CONFIG} >/run/o.yaml
     printf 'paths: {run: /run/other, state: /run/other-state}\n' >>/run/o.yaml
     timeout 20 tapmesh daemon --config /run/o.yaml`)
  t.not(code, 0)
  t.match(stderr + stdout, /UDP 192\.168\.56\.11:4789 is in use/)
})
