// The way out: eth1 of each task, in the gateway network of its node. What users of Docker Swarm
// see of it, that only what belongs to tasks passes, and that it heals and goes without a trace.
// May run beside another test; takes long.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { exec } from '../src/base/exec.ts'
import type { NetworkView } from '../src/daemon/views.ts'
import { useLab } from './lib/lab.ts'
import { makeOctets, SERVER, sha256 } from './lib/octets-server.ts'
import { curl, ping, untilReached } from './lib/traffic.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { until } from './lib/wait.ts'

const lab = useLab({
  nodes: 2, peers: 'none', needs: { tools: ['ping', 'curl', 'nft', 'tcpdump'] },
})
const NODE = 'node1'
const INET = '198.51.100.8'
/** The address that the router of node1 has there: all of node1 is seen behind it. */
const INET_SEES = '198.51.100.11'
const CLIENT = '192.168.56.1'
const FILE = join(tmpdir(), `tapmesh-way-out-${process.pid}`)
const FORWARDING = 'sysctl -n net.ipv4.ip_forward net.ipv4.conf.eth0.forwarding '
  + 'net.ipv4.conf.eth1.forwarding'

const hostEnd = async (node: string, task: string) =>
  (await lab.task(node, task)).wayOut?.device ?? ''
const networks = (node: string) => lab.api<NetworkView[]>(node, 'networks')
const hears = async (where: string, target: string) => (await ping(lab, where, target,
  '-c1', '-W1')).received === 1

/** Run a command in the namespace of a NAT router of the lab. */
async function inRouter(router: string, ...command: string[]): Promise<void> {
  const [pid = ''] = readFileSync(`/run/tapmesh-lab/${lab.name}/init`, 'utf8').split(' ')
  const { code, stderr } = await exec(['nsenter', '--target', pid, '--mount', '--net', '--',
    'ip', 'netns', 'exec', router, ...command])
  if (code !== 0) throw new Error(`${router}: ${command.join(' ')}: ${stderr}`)
}

writeFileSync(FILE, makeOctets())
t.teardown(() => rmSync(FILE, { force: true }))

lab.test('B3, B4, B6, B7: eth1 is in 172.18.0.0/16, the same on each node', async t => {
  await lab.createNetwork('mynet', lab.nodes)
  for (const node of lab.nodes) {
    await lab.runTask(node, 'web', 'mynet', 'sleep', '1000')
    const links = JSON.parse(await lab.out(`${node}/web`, 'ip', '-d', '-j', 'address')) as {
      ifname: string; mtu: number; address: string; addr_info: { local: string }[]
    }[]
    t.match(links.map(({ ifname, mtu }) => [ifname, mtu]),
      [['lo', 65_536], ['eth0', 1450], ['eth1', 1500]])
    t.match(links[2], { address: '02:42:ac:12:00:03',
      addr_info: [{ local: '172.18.0.3', prefixlen: 16, broadcast: '172.18.255.255' }] })
    t.equal(links[2]!.addr_info.length, 1, 'no IPv6 there')
    const routes = await lab.out(`${node}/web`, 'ip', 'route')
    t.match(routes, /^default via 172\.18\.0\.1 dev eth1 /m)
    t.match(routes, /^10\.0\.1\.0\/24 dev eth0 .*scope link src 10\.0\.1\.2/m)
    t.match(routes, /^172\.18\.0\.0\/16 dev eth1 .*scope link src 172\.18\.0\.3/m)
  }
})

lab.test('B2, B15, E7, E9: host, network ls and inspect show it as Docker does', async t => {
  const { id, wayOut } = await lab.task(NODE, 'web')
  t.match(wayOut, { network: 'tapmesh_gwbridge', interface: 'eth1', address: '172.18.0.3',
    prefix: 16, gateway: '172.18.0.1', mac: '02:42:ac:12:00:03', mtu: 1500 })
  t.match(await lab.out(NODE, 'ip', 'address', 'show', 'tapmesh_gw'),
    /mtu 1500[^]*inet 172\.18\.0\.1\/16/)
  t.match(await lab.tapmesh(NODE, 'network', 'ls'),
    /^[0-9a-f]{12} +tapmesh_gwbridge +bridge +local +172\.18\.0\.0\/16/m)
  const shown = JSON.parse(await lab.tapmesh(NODE, 'network', 'inspect', 'tapmesh_gwbridge'))
  t.match(shown, [{
    Name: 'tapmesh_gwbridge', Scope: 'local', Driver: 'bridge',
    IPAM: { Config: [{ Subnet: '172.18.0.0/16', Gateway: '172.18.0.1' }] },
    Containers: { [id]: { Name: `gateway_${id.slice(0, 12)}`, MacAddress: '02:42:ac:12:00:03',
      IPv4Address: '172.18.0.3/16' } },
    Options: { 'com.docker.network.bridge.enable_icc': 'false' },
  }])
  t.match(await lab.tapmesh(NODE, 'status'), /^Way out +172\.18\.0\.0\/16 by tapmesh_gw, 1 task/m)
  for (const words of [['rm', 'tapmesh_gwbridge'], ['create', 'tapmesh_gwbridge']]) {
    t.match(await lab.run(NODE, 'tapmesh', 'network', ...words),
      { code: 1, stderr: /"tapmesh_gwbridge"/ })
  }
})

lab.test('C15: ping and curl get out, with an address of the host', async t => {
  lab.start('inet', 'tapmesh', 'whoami', '--port', '80')
  const captures = await Promise.all([['inet', 'eth0'], ['client', 'eth1']].map(([where, device]) =>
    tcpdump(lab, where!, device!, 'icmp[icmptype] = icmp-echo')))
  t.match(await ping(lab, `${NODE}/web`, INET, '-c2', '-i0.1', '-W2'), { received: 2 })
  t.match(await ping(lab, `${NODE}/web`, CLIENT), { received: 1 })
  const sources = ([INET_SEES, '192.168.56.11'] as const).entries()
  for (const [n, source] of sources) {
    await captures[n]!.atLeast(1)
    const rows = await captures[n]!.decode(['ip.src'])
    t.same(new Set(rows.flat()), new Set([source]), 'nobody sees 172.18.0.3')
  }
  const page = await until('the page', async () => {
    const { code, stdout } = await lab.run(`${NODE}/web`, 'curl', '-s', `http://${INET}/`)
    return code === 0 && stdout
  })
  t.match(page, /^Hostname: inet$/m)
  t.match(page, new RegExp(`^RemoteAddr: ${INET_SEES}:`, 'm'))
})

lab.test('tasks of a node do not meet there, and nobody comes in', async t => {
  await lab.bareTask(NODE, 'other', 'mynet')
  const { wayOut } = await lab.task(NODE, 'other')
  t.equal(wayOut?.address, '172.18.0.4')
  t.notOk(await hears(`${NODE}/web`, '172.18.0.4'), 'as a neighbour')
  await lab.out(`${NODE}/web`, 'ip', 'route', 'add', '172.18.0.4/32', 'via', '172.18.0.1')
  t.notOk(await hears(`${NODE}/web`, '172.18.0.4'), 'through the host')
  t.ok(await hears(NODE, '172.18.0.4'), 'the host itself reaches it')
  await lab.sh('client', `ip route add 172.18.0.0/16 via 192.168.56.11
    ip route add 198.51.100.0/24 via 192.168.56.11`)
  t.notOk(await hears('client', '172.18.0.4'), 'from outside')
  t.notOk(await hears('client', INET), 'the node is no router for others')
  await lab.out(`${NODE}/web`, 'ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo')
  t.match(await ping(lab, `${NODE}/web`, INET, '-c1', '-W1', '-I', '192.0.2.1'), { received: 0 },
    'from an address that is not its own')
  const dropped = await lab.out(NODE, 'nft', 'list', 'chain', 'ip', 'tapmesh', 'forward')
  for (const rule of ['tasks do not meet here', 'nobody else comes in', 'no routers for others']) {
    t.match(dropped, new RegExp(`packets [1-9].*${rule}`))
  }
})

lab.test('a narrow path is told of, and long transfers pass', async t => {
  await inRouter('nat1', 'ip', 'link', 'set', 'wan', 'mtu', '1300')
  const long = ['-c1', '-W2', '-M', 'do', '-s', '1400']
  await until('fragmentation needed', async () =>
    /Frag needed.*mtu = 1300|mtu=1300/.test((await ping(lab, `${NODE}/web`, INET, ...long)).text))
  t.match(await ping(lab, `${NODE}/web`, INET, '-c1', '-W2', '-M', 'do', '-s', '1272'),
    { received: 1 })
  lab.start('inet', process.execPath, SERVER, '8000')
  const [url, hash] = [`http://${INET}:8000/`, sha256(makeOctets())]
  await until('the server of files', async () =>
    (await lab.run('inet', 'curl', '-sfo', '/dev/null', 'http://127.0.0.1:8000/')).code === 0)
  const got = await lab.sh(`${NODE}/web`, `curl -sS --fail --max-time 20 ${url} | sha256sum`)
  t.equal(got, `${hash}  -\n`)
  t.equal(await curl(lab, `${NODE}/web`, '--upload-file', FILE, url), hash)
  await inRouter('nat1', 'ip', 'link', 'set', 'wan', 'mtu', '1500')
})

lab.test('a task of internal networks has none, until it gets another network', async t => {
  await lab.tapmesh(NODE, 'network', 'create', '--internal', 'inner')
  await lab.bareTask(NODE, 'shy', 'inner')
  t.equal((await lab.task(NODE, 'shy')).wayOut, null)
  t.same((await lab.out(`${NODE}/shy`, 'ls', '/sys/class/net')).trim().split('\n'), ['eth0', 'lo'])
  t.match((await ping(lab, `${NODE}/shy`, INET)).text, 'Network is unreachable')
  await lab.tapmesh(NODE, 'network', 'connect', 'mynet', 'shy')
  t.match(await lab.task(NODE, 'shy'), { endpoints: [{ interface: 'eth0' }, { interface: 'eth1' }],
    wayOut: { interface: 'eth2', address: '172.18.0.5' } })
  t.ok(await hears(`${NODE}/shy`, INET))
  await lab.tapmesh(NODE, 'network', 'disconnect', 'mynet', 'shy')
  t.equal((await lab.task(NODE, 'shy')).wayOut, null)
  t.same((await lab.out(`${NODE}/shy`, 'ls', '/sys/class/net')).trim().split('\n'), ['eth0', 'lo'])
  await lab.tapmesh(NODE, 'rm', 'shy')
})

lab.test('it needs no daemon, and the next one makes anew what is missing', async t => {
  const device = await hostEnd(NODE, 'web')
  await lab.daemon(NODE, 'kill')
  t.ok(await hears(`${NODE}/web`, INET), 'without a daemon')
  await lab.sh(NODE, `nft delete table ip tapmesh; ip link delete ${device}
    ip link delete tapmesh_gw; sysctl -qw net.ipv4.conf.eth0.forwarding=0`)
  t.notOk(await hears(`${NODE}/web`, INET))
  await lab.daemon(NODE, 'start')
  t.ok(await hears(`${NODE}/web`, INET))
  t.match(await lab.task(NODE, 'web'), { wayOut: { address: '172.18.0.3', device } })
  await lab.bareTask(NODE, 'later', 'mynet')
  t.equal((await lab.task(NODE, 'later')).wayOut?.address, '172.18.0.6', 'addresses go on')
  await lab.tapmesh(NODE, 'rm', 'later')
})

lab.test('a daemon that runs makes it anew, too', async () => {
  const device = await hostEnd(NODE, 'web')
  await lab.sh(NODE, `nft flush ruleset; ip link set ${device} name elsewhere
    sysctl -qw net.ipv4.conf.eth0.forwarding=0`)
  await lab.out(`${NODE}/other`, 'ip', 'route', 'delete', 'default')
  for (const task of ['web', 'other']) await untilReached(lab, `${NODE}/${task}`, INET)
  await lab.out(NODE, 'ip', 'link', 'show', 'dev', device)
})

lab.test('without nft it is told, once, and everything else works; it comes with nft', async t => {
  await lab.tapmesh('node2', 'rm', '-f', 'web')
  await lab.daemon('node2', 'stop')
  await lab.sh('node2', `ip address add 172.18.7.1/24 dev eth1
    mount --bind /dev/null /usr/sbin/nft`)
  await lab.daemon('node2', 'start')
  const reason = /nft is not installed; install it with: apt install nftables/
  await until('it says so', async () =>
    reason.test((await lab.status('node2')).wayOut.reason ?? ''))
  for (const name of ['one', 'two']) await lab.bareTask('node2', name, 'mynet')
  const { endpoints: [endpoint], wayOut } = await lab.task('node2', 'two')
  t.ok(await hears('node2/one', endpoint!.address), 'tasks reach each other')
  t.match(wayOut, { address: '172.19.0.4' }, 'beside what the host has')
  t.match((await ping(lab, 'node2/one', INET)).text, 'Network is unreachable')
  t.match(await lab.tapmesh('node2', 'status'), /^Way out +closed: the command nft is not/m)
  const said = (await lab.log('node2')).split('\n').filter(line => reason.test(line))
  t.equal(said.length, 1)
  await lab.sh('node2', 'umount /usr/sbin/nft')
  await untilReached(lab, 'node2/one', INET)
  t.match((await lab.status('node2')).wayOut, { state: 'open', reason: null })
})

lab.test('a device that may not pass on packets is told of', async t => {
  await lab.daemon('node2', 'stop')
  const knob = '/proc/sys/net/ipv4/conf/eth1/forwarding'
  await lab.sh('node2', `echo 0 >/run/zero; mount --bind /run/zero ${knob}
    mount -o remount,bind,ro ${knob}`)
  await lab.daemon('node2', 'start')
  await until('it says so', async () => (await lab.status('node2')).wayOut.state === 'closed')
  t.match((await lab.status('node2')).wayOut.reason, /eth1\/forwarding\): EROFS/)
  t.match(await lab.out('node2', 'ls', '/run/netns'), 'tm-one')
  await lab.sh('node2', `umount ${knob}`)
})

lab.test('a setting turns it off', async t => {
  await lab.tapmesh('node2', 'rm', 'one', 'two')
  await lab.sh('node2', 'echo "wayOut: {enabled: false}" >>/etc/tapmesh/tapmesh.yaml')
  await lab.daemon('node2', 'restart')
  await lab.bareTask('node2', 'plain', 'mynet')
  t.equal((await lab.task('node2', 'plain')).wayOut, null)
  t.match((await lab.status('node2')).wayOut, { state: 'off', tasks: 0 })
  t.notMatch(await lab.tapmesh('node2', 'network', 'ls'), 'tapmesh_gwbridge')
  await lab.tapmesh('node2', 'rm', 'plain')
})

lab.test('nothing is left of a task, and nothing at all when the daemon has ended', async t => {
  const devices = async (node: string) =>
    (await lab.out(node, 'ls', '/sys/class/net')).trim().split('\n')
  const follows = async () => /masquerade|ct state/.test(
    await lab.out(NODE, 'nft', 'list', 'table', 'ip', 'tapmesh'))
  t.ok(await follows())
  await lab.tapmesh(NODE, 'rm', '-f', 'web', 'other')
  await until('connections of the host are not followed', async () => !await follows(), 20_000)
  t.same(await devices(NODE), ['eth0', 'eth1', 'lo', 'tapmesh_gw'])
  t.match((await networks(NODE)).find(({ driver }) => driver === 'bridge'), { endpoints: [] })
  for (const node of lab.nodes) {
    await lab.daemon(node, 'stop')
    t.same(await devices(node), ['eth0', 'eth1', 'lo'], node)
    t.equal(await lab.out(node, 'nft', 'list', 'ruleset'), '', node)
    t.equal(await lab.sh(node, FORWARDING), '0\n0\n0\n', node)
    t.notMatch(await lab.out(node, 'ip', 'route'), '172.19.', node)
  }
})
