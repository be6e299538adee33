// A TAP's own queue that is full: nothing blocks, and what the kernel dropped in front of the daemon
// is counted, to the frame.
// May run beside another test.
import { useLab } from './lib/lab.ts'
import { untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 2, needs: { tools: ['ping', 'perl', 'ip'] } })
const A = 'node1/a'
const B_ADDRESS = '10.0.1.12'
const B_MAC = '02:42:0a:00:01:0c'
/** Frames that the queue of a device holds: its length when we made it. */
const QUEUE_FRAMES = 1000
const SENT = 3000
/** What the kernel of the task may say of its own accord meanwhile. */
const STRAY_FRAMES_MAX = 10

/** Send datagrams from node1/a to node2/b as fast as it goes. */
async function send(count: number): Promise<void> {
  await lab.out(A, 'perl', '-MSocket', '-e', `socket(S, AF_INET, SOCK_DGRAM, 0);
    my $to = sockaddr_in(9, inet_aton("${B_ADDRESS}"));
    for (1..${count}) { defined(send(S, "x$_", 0, $to)) or die "send: $!" }`)
}

type Counted = { sent: number; dropped: number; left: number }

async function counted(): Promise<Counted> {
  const { counters, drops } = await lab.status('node1')
  return {
    sent: counters['frames.tap_in']!, dropped: drops['tap_queue_full']!,
    left: counters['frames.underlay_out']!,
  }
}

lab.test('a network with a task on each node', async t => {
  await lab.createNetwork('mynet', lab.nodes)
  await lab.bareTask('node1', 'a', 'mynet,ip=10.0.1.11')
  await lab.bareTask('node2', 'b', `mynet,ip=${B_ADDRESS}`)
  await untilReached(lab, A, B_ADDRESS)
  await lab.out(A, 'ip', 'neigh', 'replace', B_ADDRESS, 'lladdr', B_MAC, 'dev', 'eth0')
  t.equal((await counted()).dropped, 0)
})

lab.test('what a full queue drops is counted, and nothing else is lost', async t => {
  const { pid } = await lab.status('node1')
  const before = await counted()
  await lab.out('node1', 'kill', '-STOP', String(pid))
  await send(SENT)
  await lab.out('node1', 'kill', '-CONT', String(pid))
  const after = await until('all frames are accounted for', async () => {
    const now = await counted()
    return now.sent - before.sent + now.dropped - before.dropped >= SENT && now
  })
  const dropped = after.dropped - before.dropped
  t.ok(dropped >= SENT - QUEUE_FRAMES && dropped < SENT - QUEUE_FRAMES + STRAY_FRAMES_MAX,
    `${dropped} of ${SENT} dropped`)
  const left = after.left - before.left
  t.ok(left > QUEUE_FRAMES - STRAY_FRAMES_MAX, `${left} went into the tunnel`)
})

lab.test('it stays counted when the task is gone, and begins at zero with a new one', async t => {
  const { dropped } = await counted()
  await lab.tapmesh('node1', 'rm', '-f', 'a')
  t.equal((await counted()).dropped, dropped)
  await lab.bareTask('node1', 'a', 'mynet,ip=10.0.1.11')
  await untilReached(lab, A, B_ADDRESS)
  t.equal((await counted()).dropped, dropped)
})

lab.test('what was dropped while no daemon ran is not the new one\'s to count', async t => {
  await lab.daemon('node1', 'kill')
  await lab.run(A, 'ping', '-c3', '-i0.01', '-W0.1', B_ADDRESS)
  await lab.daemon('node1', 'start')
  await untilReached(lab, A, B_ADDRESS)
  t.equal((await counted()).dropped, 0)
})
