// Paths of the underlay that are narrower than its devices: they are measured, and tasks that run
// already have the MTU that fits, with and without a word from the router on the way.
import { join } from 'node:path'
import { useLab } from './lib/lab.ts'
import { makeOctets, sha256 } from './lib/octets-server.ts'
import { ProbingDaemon } from './lib/probing-daemon.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({
  nodes: 3, needs: { tools: ['ping', 'curl', 'nft', 'tcpdump'], rawSocket: true },
})
const SERVER = join(import.meta.dirname, 'lib', 'octets-server.ts')
/** The hosts of the two tasks, and between them the router. */
const [NEAR, ROUTER, FAR] = ['node1', 'node2', 'node3'] as const
const [NEAR_ADDRESS, ROUTER_ADDRESS, FAR_ADDRESS] = ['192.168.56.11', '192.168.56.12',
  '192.168.56.13'] as const
const A = 'node1/a'
const B = '10.0.1.13'
const NARROW = 1400
const VXLAN = 50
const daemons: ProbingDaemon[] = []

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

async function untilTasksHave(mtu: number): Promise<void> {
  await until(`tasks with MTU ${mtu}`, async () => {
    const seen = await Promise.all([A, 'node3/b'].map(task =>
      lab.out(task, 'cat', '/sys/class/net/eth0/mtu')))
    return seen.every(text => Number(text) === mtu)
  }, 30_000)
}

async function smallest(): Promise<(number | null)[]> {
  return (await Promise.all(daemons.map(one => one.view()))).map(view => view.smallestMtuOctets)
}

lab.test('a path as wide as the devices changes nothing', async t => {
  await lab.sh(ROUTER, `echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects
    echo 0 > /proc/sys/net/ipv4/conf/eth1/send_redirects`)
  await lab.out(NEAR, 'ip', 'route', 'add', `${FAR_ADDRESS}/32`, 'via', ROUTER_ADDRESS)
  await lab.out(FAR, 'ip', 'route', 'add', `${NEAR_ADDRESS}/32`, 'via', ROUTER_ADDRESS)
  await setRouter(1500)
  daemons.push(await ProbingDaemon.start(lab, NEAR, ROUTER_ADDRESS, FAR_ADDRESS))
  daemons.push(await ProbingDaemon.start(lab, FAR, ROUTER_ADDRESS, NEAR_ADDRESS))
  await lab.createNetwork('mynet', [NEAR, FAR])
  await lab.bareTask(NEAR, 'a', 'mynet,ip=10.0.1.11')
  await lab.runTask(FAR, 'b', `mynet,ip=${B}`, process.execPath, SERVER, '8000')
  await untilReached(lab, A, B)
  await until('both paths are known', async () =>
    (await smallest()).every(octets => octets === 1500))
  await untilTasksHave(1450)
  const view = await daemons[0]!.view()
  t.equal(view.absent, null)
  t.strictSame(view.paths.map(path => path.pathMtuOctets), [1500, 1500])
  for (const path of view.paths) {
    t.match(path, { last: 'reply', lossPercent: 0 })
    t.ok(path.rttMs! > 0 && path.rttMs! < 1000)
  }
})

lab.test('the router gets narrower: running tasks follow, and everything still passes', async t => {
  await setRouter(NARROW)
  await untilTasksHave(NARROW - VXLAN)
  t.strictSame(await smallest(), [NARROW, NARROW])
  t.match(await lab.tapmesh(NEAR, 'network', 'inspect', 'mynet'), /"Mtu": 1350/)
  t.match((await lab.task(NEAR, 'a')).endpoints, [{ mtu: NARROW - VXLAN }])
  const fits = NARROW - VXLAN - 28
  const once = ['-c1', '-W2', '-M', 'do', '-s']
  t.equal((await ping(lab, A, B, ...once, String(fits))).received, 1)
  t.match((await ping(lab, A, B, ...once, String(fits + 1))).text, 'mtu=1350')
  const got = await lab.sh(A, `curl -sS --fail --max-time 20 http://${B}:8000/ | sha256sum`)
  t.equal(got, `${sha256(makeOctets())}  -\n`)
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

lab.test('the router gets wider again: so do tasks, and nothing remembers', async t => {
  await setRouter(1500)
  await until('both are known', async () => {
    const views = await Promise.all(daemons.map(one => one.view('rise')))
    return views.every(view => view.smallestMtuOctets === 1500)
  })
  await untilTasksHave(1450)
  await until('a ping as long as it may be', async () =>
    (await ping(lab, A, B, '-c1', '-W1', '-M', 'do', '-s', '1422')).received === 1)
  t.match(await lab.out(NEAR, 'ip', 'route', 'get', FAR_ADDRESS), `via ${ROUTER_ADDRESS}`)
})

lab.test('a router that is silent about it is found out as well', async t => {
  await setSilence(true)
  await setRouter(NARROW)
  await untilTasksHave(NARROW - VXLAN)
  t.strictSame(await smallest(), [NARROW, NARROW])
  t.match(await lab.out(ROUTER, 'nft', 'list', 'table', 'ip', 'silence'),
    /counter packets [1-9]/, 'it had something to say')
  const got = await lab.sh(A, `curl -sS --fail --max-time 20 http://${B}:8000/ | sha256sum`)
  t.equal(got, `${sha256(makeOctets())}  -\n`)
  await setSilence(false)
})

lab.test('a restart begins with what was known, also where nobody probes any more', async t => {
  for (const one of daemons.splice(0)) await one.stop()
  await lab.daemon(NEAR, 'start')
  t.match((await lab.task(NEAR, 'a')).endpoints, [{ mtu: NARROW - VXLAN }])
  t.equal(await lab.out(A, 'cat', '/sys/class/net/eth0/mtu'), '1350\n')
})
