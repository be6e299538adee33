// Published ports, as users meet them: every node answers, whether a task runs there or not; and
// what a node is made to do for that goes again. The rows B12, D11 and E1 to E19 are Docker Swarm's.
// May run beside another test; takes long.
import type { Test } from 'tap'
import type { ServiceTaskView } from '../src/daemon/service-views.ts'
import type { TaskView } from '../src/daemon/views.ts'
import { rowsOf, untilEqual } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { type Device, sizesTold, sumOf, SYNS, whileWide } from './lib/segment-size.ts'
import { placeOf, untilLed, untilRunning, untilSteered } from './lib/services.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { curl } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const CONNECTIONS = 300
const TASKS = 3
const OCTETS = 100_000
/** Each datagram is answered with the host's name. */
const UDP_SERVER = `use Socket; use Sys::Hostname;
  socket(S, AF_INET, SOCK_DGRAM, 0); bind(S, sockaddr_in(5300, INADDR_ANY)) or die "$!";
  while (defined(my $from = recv(S, my $word, 2000, 0))) { send(S, hostname(), 0, $from) }`
/** One datagram, and what is answered to it. */
const UDP_CLIENT = `use IO::Socket::INET;
  my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => $ARGV[0]) or die "$@";
  $s->send("x"); alarm 5; $s->recv(my $name, 99); print $name`
const LONG_SERVER = `use IO::Socket::INET; my $l = IO::Socket::INET->new(LocalPort => 80,
    Listen => 9, ReuseAddr => 1) or die "$@";
  while (my $c = $l->accept) { while (<$c>) { last if /^\\r?$/ }
    print $c "HTTP/1.0 200 OK\\r\\n\\r\\n", "x" x ${OCTETS}; close $c }`
/** Takes a port of the host until it is stopped; prints when it has it, or why not. */
const HOLDER = `use IO::Socket::INET; $| = 1;
  my $l = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 1) or die "taken: $!\\n";
  print "open\\n"; sleep 600`

const lab = useLab({ nodes: 3, peers: 'cluster',
  needs: { rawSocket: true,
    tools: ['curl', 'perl', 'ip', 'nft', 'haproxy', 'tcpdump', 'tshark'] } })

const ADDRESSES = new Map(lab.nodes.map((node, n) => [node, `192.168.56.${11 + n}`]))
const addressOf = (node: string): string => ADDRESSES.get(node)!

async function create(name: string, tasks: number, publish: string, ...words: string[]) {
  await lab.tapmesh('node1', 'service', 'create', '-d', '--name', name, '--replicas',
    String(tasks), '--publish', publish, ...words)
  const running = await untilRunning(lab, 'node1', name, tasks, 60_000)
  if (!publish.includes('mode=host')) await untilLed(lab, name, tasks)
  return running
}

const fieldsOf = (text: string, name: string): string[] =>
  [...text.matchAll(new RegExp(`^${name}: (.+)$`, 'gm'))].map(([, value]) => value!)

function checkEven(t: Test, names: readonly string[], what: string): void {
  const counts = [...Map.groupBy(names, name => name).values()].map(group => group.length)
  t.equal(counts.length, TASKS, `${what}: ${counts.join(', ')}`)
  t.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${what}: ${counts.join(', ')}`)
}

const ask = (from: string, target: string): Promise<string> =>
  lab.out(from, 'perl', '-e', UDP_CLIENT, target)

/** The address that the node has in the network of published ports. */
async function ingressAddressOf(node: string): Promise<string> {
  const rules = await lab.out(node, 'ip', '-br', 'link', 'show', 'dev', 'tm-ingress')
  const mac = /02:42(:[0-9a-f]{2}){4}/.exec(rules)![0]
  return mac.split(':').slice(2).map(octet => parseInt(octet, 16)).join('.')
}

lab.test('E1, E2, E3, E18: every node answers, and a task sees which one was asked', async t => {
  await lab.tapmesh('node1', 'network', 'create', 'mynet')
  lab.start('node3', 'perl', '-e', HOLDER, '8091') // for the test of ports that are taken
  await untilEqual(lab)
  await create('web', 2, '8080:80', '--network', 'mynet', '--', 'tapmesh', 'whoami', '--port', '80')
  for (const node of lab.nodes) {
    await untilSteered(lab, node, 8080)
    const text = await curl(lab, 'client', `http://${addressOf(node)}:8080/`)
    const own = await ingressAddressOf(node)
    t.match(own, /^10\.0\.0\.[234]$/, `${node} has one of the first addresses`)
    const [remote] = fieldsOf(text, 'RemoteAddr')
    t.equal(remote?.split(':')[0], own, `${node}: ${remote}`)
    t.match(text, new RegExp(`^Host: ${addressOf(node).replaceAll('.', '\\.')}:8080$`, 'm'))
    const addresses = fieldsOf(text, 'IP')
    t.ok(addresses.some(one => /^10\.0\.0\.[67]$/.test(one)), addresses.join(', '))
    t.ok(addresses.some(one => one.startsWith('10.0.1.')), addresses.join(', '))
  }
})

lab.test('B12: the network of published ports is 10.0.0.0/24, and its VNI 4096', async t => {
  for (const node of lab.nodes) {
    const [shown] = JSON.parse(await lab.tapmesh(node, 'network', 'inspect', 'ingress')) as object[]
    t.match(shown, { Name: 'ingress', Ingress: true, Attachable: false, Vni: 4096,
      IPAM: { Config: [{ Subnet: '10.0.0.0/24', Gateway: '10.0.0.1' }] },
      Options: { 'com.docker.network.driver.overlay.vxlanid_list': '4096' } }, node)
  }
})

lab.test('E14 to E17: rules set a mark, and the mark names the service', async t => {
  for (const node of lab.nodes) {
    const rules = await lab.tapmesh(node, 'lb', 'rules')
    const [, mark] = /^published +ingress +\* +tcp +8080 +(0x10[01]) +web/m.exec(rules)!
    t.match(rules, new RegExp(`^vip +ingress +10\\.0\\.0\\.5 +tcp,udp +all +${mark} +web`, 'm'))
    const list = await lab.tapmesh(node, 'lb', 'ls')
    const backend = '\\n  -> 10\\.0\\.0\\.[67]:0 +Masq +1 .*'
    t.match(list, new RegExp(`^FWM  ${Number(mark)} rr(${backend}){2}`, 'm'))
  }
  const list = await lab.tapmesh('node2', 'service', 'ls')
  t.match(list, /web .*\*:8080->80\/tcp/)
  t.match(await lab.tapmesh('node1', 'network', 'ls'), /ingress +overlay +swarm/)
})

type Link = { ifname: string; address: string; mtu: number
  addr_info: { family: string; local: string }[] }

async function linksOf(where: string, ...words: string[]): Promise<Link[]> {
  return JSON.parse(await lab.out(where, 'ip', '-j', 'address', ...words)) as Link[]
}

lab.test('E3, E4: a task has its network, the way out and the ingress network', async t => {
  for (const task of await untilRunning(lab, 'node1', 'web', 2)) {
    const links = await linksOf(await placeOf(lab, task))
    const seen = new Map(links.map(({ ifname, address, mtu, addr_info: addresses }) =>
      [ifname, { address, mtu, ip: addresses.find(({ family }) => family === 'inet')!.local }]))
    t.same([...seen.keys()].sort(), ['eth0', 'eth1', 'eth2', 'lo'])
    t.match(seen.get('eth0'), { ip: /^10\.0\.1\./, mtu: 1450, address: /^02:42:0a:00:01:/ })
    t.match(seen.get('eth1'), { ip: /^172\.18\.0\./, mtu: 1500, address: /^02:42:ac:12:00:/ })
    t.match(seen.get('eth2'), { ip: /^10\.0\.0\.[67]$/, mtu: 1450,
      address: /^02:42:0a:00:00:0[67]$/ })
  }
})

lab.test('E5, E6: a rule of routing for each port, and no chain of a packet filter', async t => {
  for (const node of lab.nodes) {
    const rules = await lab.out(node, 'ip', 'rule')
    t.match(rules, /^99:\s+from all ipproto tcp dport 8080 lookup 4096$/m)
    t.match(rules, /^100:\s+from all lookup local\s*$/m, 'the host\'s own addresses come after')
    const routes = await lab.out(node, 'ip', 'route', 'show', 'table', '4096')
    const led = [...routes.matchAll(/^(\S+) dev tm-ingress .*src (\S+)/gm)].map(([, to]) => to)
    const own = (await linksOf(node)).filter(({ ifname }) => ifname !== 'lo')
      .flatMap(({ addr_info: all }) => all).filter(({ family }) => family === 'inet')
    t.same(led.sort(), ['127.0.0.0/8', ...own.map(({ local }) => local)].sort())
    const filter = await lab.out(node, 'nft', 'list', 'ruleset')
    t.notMatch(filter, /8080|dnat|redirect/)
    const hasTask = (await lab.api<TaskView[]>(node, 'tasks')).length > 0
    if (hasTask) t.match(filter, /ip saddr 172\.18\.0\.0\/16 .*masquerade/)
    const others = [...filter.matchAll(/^table (.+) \{$/gm)].filter(([, name]) =>
      name !== 'ip tapmesh')
    t.same(others, [])
  }
})

lab.test('E8, E10: no bridge and no hidden namespace, but one of each task', async t => {
  for (const node of lab.nodes) {
    const tasks = await lab.api<TaskView[]>(node, 'tasks')
    const spaces = (await lab.out(node, 'ip', 'netns')).trim().split('\n').filter(Boolean)
      .map(line => line.split(' ')[0])
    t.same(spaces.sort(), tasks.map(({ netns }) => netns).sort())
    const names = async (...type: string[]) => (JSON.parse(await lab.out(node, 'ip', '-j', 'link',
      'show', 'type', ...type) || '[]') as { ifname?: string }[]).flatMap(one => one.ifname ?? [])
    t.same(await names('bridge'), [])
    t.same((await names('veth')).filter(name => name.startsWith('tmg')).sort(),
      tasks.map(({ wayOut }) => wayOut!.device).sort())
  }
})

lab.test('E11, E12, E13: what a node has in the ingress network', async t => {
  const leases = (await rowsOf(lab, 'node1', 'lease')).map(({ key, value }) =>
    [key.split('/')[1], (value as { address: string }).address] as const)
  const given = (kind: string) => leases.filter(([one, address]) => one === kind
    && address.startsWith('10.0.0.')).map(([, address]) => address).sort()
  const own = await Promise.all(lab.nodes.map(ingressAddressOf))
  t.same(own.toSorted(), given('node'))
  t.same(given('vip'), ['10.0.0.5'])
  for (const node of lab.nodes) {
    const [link] = await linksOf(node, 'show', 'dev', 'tm-ingress')
    t.match(link, { mtu: 1450, address: /^02:42:0a:00:00:0[234]$/, addr_info: [] })
    t.equal(link!.addr_info.length, 0, 'the kernel has none of these addresses')
    t.match(await lab.tapmesh(node, 'lb', 'rules', '--filter', 'network=ingress'), '10.0.0.5')
  }
  const [task] = await untilRunning(lab, 'node1', 'web', 2)
  const where = await placeOf(lab, task!)
  t.match(await lab.out(where, 'ip', 'route'), /^default via 172\.18\.0\.1 dev eth1/m)
  t.match(await lab.out(where, 'ip', 'rule'), /^99:\s+from 10\.0\.0\.[67] lookup 4096/m)
  const answers = await lab.out(where, 'ip', 'route', 'show', 'table', '4096')
  t.match(answers, /^default via 10\.0\.0\.1 dev eth2/m)
  t.match(answers, /^10\.0\.0\.0\/24 dev eth2/m)
})

lab.test('D11: three calls to one node reach three tasks, and many are even', async t => {
  await lab.tapmesh('node1', 'service', 'scale', '-d', `web=${TASKS}`)
  await untilRunning(lab, 'node1', 'web', TASKS, 60_000)
  await untilLed(lab, 'web', TASKS)
  const url = `http://${addressOf('node2')}:8080/`
  const three = fieldsOf(await curl(lab, 'client', '--http1.0', `${url}?[1-3]`), 'Hostname')
  t.equal(new Set(three).size, 3, three.join(', '))
  const many = await curl(lab, 'client', '--http1.0', `${url}?[1-${CONNECTIONS}]`)
  checkEven(t, fieldsOf(many, 'Hostname'), 'from outside')
})

lab.test('the host itself is answered, by each of its addresses', async t => {
  for (const node of lab.nodes) {
    for (const address of ['127.0.0.1', addressOf(node), '10.0.2.15']) {
      const text = await curl(lab, node, '--http1.0', `http://${address}:8080/?[1-3]`)
      t.equal(new Set(fieldsOf(text, 'Hostname')).size, TASKS, `${node} by ${address}`)
    }
    t.match(await curl(lab, node, `http://${addressOf('node1')}:8080/`), /^RemoteAddr: 10\.0\.0\./m)
  }
})

lab.test('datagrams are answered, too, from everywhere', async t => {
  await create('names', 2, '5353:5300/udp', '--', 'perl', '-e', UDP_SERVER)
  for (const node of lab.nodes) {
    await untilSteered(lab, node, 5353, 'udp')
    const names = [await ask('client', `${addressOf(node)}:5353`),
      await ask('client', `${addressOf(node)}:5353`), await ask(node, '127.0.0.1:5353')]
    t.ok(names.every(name => /^[0-9a-f]{12}$/.test(name)), `${node}: ${names.join(', ')}`)
    t.not(names[0], names[1])
  }
  await lab.tapmesh('node1', 'service', 'rm', 'names')
})

lab.test('a task sees its client where that is asked for, from every node', async t => {
  await create('keep', 2, 'published=8081,target=80,source=preserve', '--', 'tapmesh', 'whoami',
    '--port', '80')
  for (const node of lab.nodes) {
    await untilSteered(lab, node, 8081)
    const text = await curl(lab, 'client', '--http1.0', `http://${addressOf(node)}:8081/?[1-4]`)
    t.equal(new Set(fieldsOf(text, 'Hostname')).size, 2, node)
    const seen = fieldsOf(text, 'RemoteAddr').map(one => one.split(':')[0])
    t.strictSame(seen, Array(4).fill('192.168.56.1'), node)
    const own = await curl(lab, node, '--http1.0', `http://${addressOf(node)}:8081/?[1-2]`)
    t.ok(fieldsOf(own, 'RemoteAddr').every(one => one.startsWith(`${addressOf(node)}:`)), own)
    const loop = await curl(lab, node, '--http1.0', 'http://127.0.0.1:8081/?[1-2]')
    t.ok(fieldsOf(loop, 'RemoteAddr').every(one => one.startsWith('10.0.0.')), loop)
  }
  await lab.tapmesh('node1', 'service', 'rm', 'keep')
})

type IngressDevice = Device & Readonly<{ address: string }>

/** Of a task: what leads to the network of published ports. */
async function ingressDeviceOf(task: ServiceTaskView): Promise<IngressDevice> {
  const where = await placeOf(lab, task)
  const [found] = (await linksOf(where)).flatMap(({ ifname, addr_info: addresses }) =>
    addresses.map(({ local }) => ({ where, name: ifname, address: local })))
    .filter(({ address }) => address.startsWith('10.0.0.'))
  return found!
}

/** With devices as wide as before the underlay became narrow, each end is told what fits. */
async function checkSegments(t: Test, devices: IngressDevice[], node: string, port: number) {
  const [{ client, captures, before }, text] = await whileWide(lab, devices, 1450, async () => ({
    client: await tcpdump(lab, 'client', 'eth1', SYNS),
    captures: await Promise.all(devices.map(({ where, name }) => tcpdump(lab, where, name, SYNS))),
    before: await sumOf(lab, 'icmp.too_large_sent'),
  }), () => curl(lab, 'client', '--http1.0', `http://${addressOf(node)}:${port}/?[1-2]`))
  const after = await sumOf(lab, 'icmp.too_large_sent')
  await client.atLeast(4)
  for (const capture of captures) await capture.atLeast(2)
  const [outside, ...inside] = await Promise.all([client, ...captures].map(sizesTold))
  t.equal(text.length, 2 * OCTETS)
  t.equal(after - before, 0, `${node}:${port}: nothing is too large`)
  t.strictSame(outside, ['192.168.56.1 1360', `${addressOf(node)} 1310`])
  const source = port === 8084 ? '192.168.56.1' : await ingressAddressOf(node)
  t.strictSame(inside, devices.map(({ address }) => [`${source} 1310`, `${address} 1410`].sort()))
}

lab.test('long answers pass in both modes, also over a narrow underlay', async t => {
  for (const node of [...lab.nodes, 'client']) await lab.sh(node, 'ip link set eth1 mtu 1400')
  const tasks = await create('long', 2, '8083:80', '--publish',
    'published=8084,target=80,source=preserve', '--', 'perl', '-e', LONG_SERVER)
  await until('the nodes have measured it', async () =>
    (await lab.out('node1', 'ip', 'link', 'show', 'dev', 'tm-ingress')).includes(' mtu 1350 '),
  30_000)
  for (const node of lab.nodes) {
    for (const port of [8083, 8084]) {
      await untilSteered(lab, node, port)
      const url = `http://${addressOf(node)}:${port}/?[1-2]`
      const text = await curl(lab, 'client', '--http1.0', url)
      t.equal(text.length, 2 * OCTETS, `${node}:${port}`)
    }
  }
  const devices = await Promise.all(tasks.map(task => ingressDeviceOf(task)))
  for (const node of lab.nodes) {
    for (const port of [8083, 8084]) await checkSegments(t, devices, node, port)
  }
  await lab.tapmesh('node1', 'service', 'rm', 'long')
  for (const node of [...lab.nodes, 'client']) await lab.sh(node, 'ip link set eth1 mtu 1500')
})

lab.test('a port of mode host is that of nodes with a task, straight to it', async t => {
  const [task] = await create('onhost', 1, 'mode=host,published=8085,target=80', '--', 'tapmesh',
    'whoami', '--port', '80')
  const place = task!.node!.name
  await untilSteered(lab, place, 8085)
  const text = await curl(lab, 'client', `http://${addressOf(place)}:8085/`)
  t.match(text, /^RemoteAddr: 192\.168\.56\.1:/m)
  for (const node of lab.nodes.filter(one => one !== place)) {
    const { code } = await lab.run('client', 'curl', '-s', '--max-time', '5',
      `http://${addressOf(node)}:8085/`)
    t.equal(code, 7, `${node} refuses`)
  }
  t.match(await lab.tapmesh('node1', 'service', 'ps', 'onhost'), /\*:8085->80\/tcp/)
  await lab.tapmesh('node1', 'service', 'rm', 'onhost')
})

lab.test('tasks meet nodes in that network, and not each other', async t => {
  await create('other', 1, '8086:80', '--', 'tapmesh', 'whoami', '--port', '80')
  const tasks = await untilRunning(lab, 'node1', 'other', 1)
  const from = await placeOf(lab, tasks[0]!)
  for (const url of ['10.0.0.6:80', '10.0.0.7:80', '10.0.0.2:8080', '10.0.0.5:8080']) {
    const { code } = await lab.run(from, 'curl', '-s', '--connect-timeout', '1', `http://${url}/`)
    t.equal(code, 28, `${url} does not answer`)
  }
  await lab.tapmesh('node1', 'service', 'rm', 'other')
})

lab.test('a published port is no program\'s, and one of a program is not published', async t => {
  for (const node of lab.nodes) {
    const { code, stderr } = await lab.run(node, 'perl', '-e', HOLDER, '8080')
    t.not(code, 0)
    t.match(stderr, /taken: Address already in use/)
  }
  const holder = lab.start('node1', 'perl', '-e', HOLDER, '8090')
  await until('a program has port 8090', () => holder.stdout.includes('open'))
  const refused = await lab.run('node1', 'tapmesh', 'service', 'create', '-d', '--name', 'late',
    '-p', '8090:80', '--', 'sleep', '600')
  t.equal(refused.code, 1)
  t.match(refused.stderr, /port 8090\/tcp is in use on node1 by perl \(pid \d+\)/)
  await until('node1 knows what node3 has', async () =>
    JSON.stringify(await rowsOf(lab, 'node1', 'ports')).includes('8091'))
  const elsewhere = await lab.run('node1', 'tapmesh', 'service', 'create', '-d', '--name', 'late',
    '-p', '8091:80', '--', 'sleep', '600')
  t.equal(elsewhere.code, 1)
  t.match(elsewhere.stderr, /port 8091\/tcp is in use on node3 by perl \(pid \d+\)/)
  t.notMatch(await lab.tapmesh('node1', 'service', 'ls'), /late/)
  await holder.stop()
})

lab.test('E19: HAProxy before all nodes finds them up, and its requests reach tasks', async t => {
  const servers = lab.nodes.map(node =>
    `  server ${node} ${addressOf(node)}:8080 check inter 200ms`).join('\n')
  await lab.sh('client', `cat > /run/haproxy.cfg <<'END'
defaults
  mode http
  timeout connect 10s
  timeout client 1m
  timeout server 1m
frontend in
  bind *:80
  stats uri /haproxy?stats
  option forwardfor except 127.0.0.0/8
  default_backend nodes
backend nodes
  balance roundrobin
${servers}
END`)
  const proxy = lab.start('client', 'haproxy', '-db', '-f', '/run/haproxy.cfg')
  const states = async () => (await curl(lab, 'client', 'http://127.0.0.1/haproxy?stats;csv'))
    .split('\n').map(line => line.split(',')).filter(([name]) => name === 'nodes')
    .filter(([, server]) => server?.startsWith('node')).map(fields => fields[17])
  await until('HAProxy has three servers up', async () => {
    const { code } = await lab.run('client', 'curl', '-s', 'http://127.0.0.1/haproxy?stats;csv')
    return code === 0 && (await states()).join() === 'UP,UP,UP'
  })
  const text = await curl(lab, 'client', '--http1.0', `http://192.168.56.1/?[1-30]`)
  t.equal(fieldsOf(text, 'Hostname').length, 30)
  t.equal(new Set(fieldsOf(text, 'RemoteAddr').map(one => one.split(':')[0])).size, 3,
    'each node was asked')
  t.match(text, /^X-Forwarded-For: 192\.168\.56\.1$/mi)
  t.strictSame(await states(), ['UP', 'UP', 'UP'])
  await proxy.stop()
})

lab.test('a killed daemon leaves no port that leads nowhere, and the next one heals', async t => {
  await lab.daemon('node3', 'kill')
  const { code } = await lab.run('client', 'curl', '-s', '--max-time', '5',
    `http://${addressOf('node3')}:8080/`)
  t.equal(code, 7, 'refused at once')
  await lab.daemon('node3', 'start')
  await until('node3 answers again', async () => (await lab.run('client', 'curl', '-s',
    '--max-time', '5', `http://${addressOf('node3')}:8080/`)).code === 0, 30_000)
  await lab.sh('node3', 'ip rule del pref 99; ip route flush table 4096; ip rule add pref 99 '
    + 'ipproto tcp dport 9999 lookup 4096')
  await until('node3 has its rules again', async () => {
    const rules = await lab.out('node3', 'ip', 'rule')
    return rules.includes('dport 8080') && !rules.includes('9999')
  }, 30_000)
  t.match(await curl(lab, 'client', `http://${addressOf('node3')}:8080/`), /^Hostname/m)
})

/** What published ports leave on a host. */
async function leftOn(node: string): Promise<string> {
  return lab.sh(node, 'ip rule; ip -br link show dev tm-ingress 2>&1 || true')
}

lab.test('a daemon that stops, and the last service, leave the host as it was', async t => {
  await lab.daemon('node2', 'stop')
  const clean = async (node: string): Promise<boolean> => {
    const left = await leftOn(node)
    return /^0:\s+from all lookup local/m.test(left) && !/4096|100:/.test(left)
      && left.includes('does not exist')
  }
  t.ok(await clean('node2'), await leftOn('node2'))
  await lab.daemon('node2', 'start')
  await untilSteered(lab, 'node2', 8080)
  await lab.tapmesh('node1', 'service', 'rm', 'web')
  for (const node of lab.nodes) {
    await until(`${node} is as it was`, () => clean(node))
    const holder = lab.start(node, 'perl', '-e', HOLDER, '8080')
    await until('a program has the port', () => holder.stdout.includes('open'))
    await holder.stop()
  }
  // A node's device goes a moment before the word of it is with the others.
  await until('node1 knows of nobody in the network', async () =>
    !JSON.stringify(await rowsOf(lab, 'node1', 'endpoint')).includes('ingress-endpoint'))
  await lab.tapmesh('node1', 'network', 'rm', 'ingress')
})
