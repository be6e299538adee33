// Paths of the underlay that are narrower than its devices: they are measured, and tasks that run
// already have the MTU that fits, with and without a word from the router on the way.
// May run beside another test.
import type { PingView } from '../src/daemon/cluster-views.ts'
import { peersOf, untilEqual } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { makeOctets, SERVER, sha256 } from './lib/octets-server.ts'
import { sizesTold, sumOf, SYNS, whileWide } from './lib/segment-size.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({
  nodes: 3, peers: 'cluster',
  needs: { tools: ['ping', 'curl', 'nft', 'tcpdump', 'tshark'], rawSocket: true },
})
/** The hosts of the two tasks, and between them the router, which is a node as well. */
const [NEAR, ROUTER, FAR] = ['node1', 'node2', 'node3'] as const
const [NEAR_ADDRESS, ROUTER_ADDRESS, FAR_ADDRESS] = ['192.168.56.11', '192.168.56.12',
  '192.168.56.13'] as const
const A = 'node1/a'
const B = '10.0.1.13'
const NARROW = 1400
const VXLAN = 50
/** A path is looked at every 5 s, and in silence it takes some time-outs to be sure. */
const FOUND_MS = 30_000

/** Both ways between the two hosts lead through the third, which passes packets of this size. */
async function setRouter(mtu: number): Promise<void> {
  for (const address of [NEAR_ADDRESS, FAR_ADDRESS]) {
    await lab.out(ROUTER, 'ip', 'route', 'replace', `${address}/32`, 'dev', 'eth1', 'mtu', 'lock',
      String(mtu))
  }
}

/** A router that drops what is too long and says nothing: a black hole. */
async function setSilence(isSilent: boolean): Promise<void> {
  await lab.sh(ROUTER, isSilent ? `nft -f - <<'NFT'
table ip silence {
  chain output {
    type filter hook output priority 0
    icmp type destination-unreachable counter drop
  }
}
NFT` : 'nft delete table ip silence')
}

async function untilTasksHave(mtu: number): Promise<number> {
  const beganMs = performance.now()
  await until(`tasks with MTU ${mtu}`, async () => {
    const seen = await Promise.all([A, 'node3/b'].map(task =>
      lab.out(task, 'cat', '/sys/class/net/eth0/mtu')))
    return seen.every(text => Number(text) === mtu)
  }, FOUND_MS)
  return Math.round(performance.now() - beganMs)
}

/** What `node` knows of the ways to the others, by their names. */
async function pathsOf(node: string): Promise<Record<string, number | null>> {
  return Object.fromEntries((await peersOf(lab, node)).map(peer => [peer.name, peer.pathMtuOctets]))
}

const fetchSum = () => lab.sh(A, `curl -sS --fail --max-time 20 http://${B}:8000/ | sha256sum`)

lab.test('a path as wide as the devices changes nothing', async () => {
  await lab.sh(ROUTER, `echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects
    echo 0 > /proc/sys/net/ipv4/conf/eth1/send_redirects`)
  await setRouter(1500)
  await lab.out(NEAR, 'ip', 'route', 'add', `${FAR_ADDRESS}/32`, 'via', ROUTER_ADDRESS)
  await lab.out(FAR, 'ip', 'route', 'add', `${NEAR_ADDRESS}/32`, 'via', ROUTER_ADDRESS)
  await lab.tapmesh(NEAR, 'network', 'create', 'mynet')
  await untilEqual(lab)
  await lab.bareTask(NEAR, 'a', 'mynet,ip=10.0.1.11')
  await lab.runTask(FAR, 'b', `mynet,ip=${B}`, process.execPath, SERVER, '8000')
  await untilReached(lab, A, B)
  await until('all paths are known', async () =>
    Object.values(await pathsOf(NEAR)).every(octets => octets === 1500))
  await untilTasksHave(1450)
})

lab.test('the router gets narrower: running tasks follow, and everything still passes', async t => {
  await setRouter(NARROW)
  t.comment(`tasks have it after ${await untilTasksHave(NARROW - VXLAN)} ms`)
  t.same(await pathsOf(NEAR), { [ROUTER]: 1500, [FAR]: NARROW })
  t.same(await pathsOf(FAR), { [NEAR]: NARROW, [ROUTER]: 1500 })
  t.match(await lab.tapmesh(NEAR, 'network', 'inspect', 'mynet'), /"Mtu": 1350/)
  t.match((await lab.task(NEAR, 'a')).endpoints, [{ mtu: NARROW - VXLAN }])
  const fits = NARROW - VXLAN - 28
  const once = ['-c1', '-W2', '-M', 'do', '-s']
  t.equal((await ping(lab, A, B, ...once, String(fits))).received, 1)
  t.match((await ping(lab, A, B, ...once, String(fits + 1))).text, 'mtu=1350')
  t.equal(await fetchSum(), `${sha256(makeOctets())}  -\n`)
})

lab.test('connections of tasks with a larger MTU begin with what fits: nothing is too large',
  async t => {
    const devices = [A, 'node3/b'].map(where => ({ where, name: 'eth0' }))
    const counts = async () => [await sumOf(lab, 'icmp.too_large_sent'),
      await sumOf(lab, 'tcp.mss_clamped')] as const
    const [{ captures, before }, sum] = await whileWide(lab, devices, 1450, async () => ({
      captures: await Promise.all(devices.map(({ where, name }) =>
        tcpdump(lab, where, name, SYNS))),
      before: await counts(),
    }), fetchSum)
    const after = await counts()
    for (const capture of captures) await capture.atLeast(2)
    const told = await Promise.all(captures.map(sizesTold))
    t.equal(sum, `${sha256(makeOctets())}  -\n`)
    t.strictSame(told, [['10.0.1.11 1410', `${B} 1310`], ['10.0.1.11 1310', `${B} 1410`]])
    t.equal(after[0] - before[0], 0)
    t.equal(after[1] - before[1], 2,
      'the question by the node of the one, the answer by that of the other')
  })

lab.test('tapmesh ping shows it', async t => {
  t.match(await lab.tapmesh(NEAR, 'ping', '-c', '2', FAR), /\nPath MTU: 1400 octets/)
})

lab.test('a task with a larger MTU of its own is told the right one, in ICMP', async t => {
  const told = /Frag needed.*\(mtu = 1350\)/
  await until('fragmentation needed', async () => {
    await lab.sh(A, 'ip link set eth0 mtu 1450; ip route flush cache')
    return told.test((await ping(lab, A, B, '-c1', '-W2', '-M', 'do', '-s', '1400')).text)
  })
  await untilTasksHave(NARROW - VXLAN)
  t.pass('the reconciler gives it its MTU again')
})

lab.test('a new task gets the MTU that fits', async t => {
  await lab.bareTask(NEAR, 'late', 'mynet')
  t.equal(await lab.out('node1/late', 'cat', '/sys/class/net/eth0/mtu'), '1350\n')
})

lab.test('a restart begins with what was known', async t => {
  const watch = lab.start(A, 'ip', 'monitor', 'link')
  await until('changes are seen', async () => {
    await lab.sh(A, 'ip link set lo down; ip link set lo up')
    return watch.stdout.includes('lo:')
  })
  await lab.daemon(NEAR, 'restart')
  await until('the path is known again', async () => (await pathsOf(NEAR))[FAR] === NARROW)
  await lab.out(A, 'ip', 'link', 'set', 'lo', 'mtu', '60000')
  await until('the last change', () => watch.stdout.includes('mtu 60000'))
  await watch.stop()
  t.notMatch(watch.stdout, 'mtu 1450')
})

lab.test('the router gets wider again: so do tasks, and nothing remembers', async () => {
  await setRouter(1500)
  const pinged = async (from: string, to: string) =>
    JSON.parse(await lab.tapmesh(from, 'ping', '--json', '-c', '2', to)) as PingView
  await until('both know it, for it was asked for', async () => (await Promise.all([
    pinged(NEAR, FAR), pinged(FAR, NEAR),
  ])).every(view => view.pathMtuOctets === 1500))
  await untilTasksHave(1450)
  await until('a ping as long as it may be', async () =>
    (await ping(lab, A, B, '-c1', '-W1', '-M', 'do', '-s', '1422')).received === 1)
})

lab.test('a router that is silent about it is found out as well', async t => {
  await setSilence(true)
  await setRouter(NARROW)
  t.comment(`tasks have it after ${await untilTasksHave(NARROW - VXLAN)} ms`)
  t.same(await pathsOf(NEAR), { [ROUTER]: 1500, [FAR]: NARROW })
  t.match(await lab.out(ROUTER, 'nft', 'list', 'table', 'ip', 'silence'),
    /counter packets [1-9]/, 'it had something to say')
  t.equal(await fetchSum(), `${sha256(makeOctets())}  -\n`)
  await setSilence(false)
})

lab.test('a node that leaves the cluster knows of no paths, and has the MTU of its device',
  async t => {
    await lab.tapmesh(NEAR, 'leave', '--force')
    await lab.tapmesh(FAR, 'leave', '--force')
    await untilTasksHave(1450)
    await lab.daemon(NEAR, 'restart')
    t.match((await lab.task(NEAR, 'a')).endpoints, [{ mtu: 1450 }])
  })
