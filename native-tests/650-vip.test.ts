// Virtual addresses, as users meet them: every task of a network reaches all tasks of a service by
// one address, evenly, itself among them, and is told the truth when there is nobody.
// May run beside another test.
import type { Test } from 'tap'
import type { BalancedView, FlowsView } from '../src/daemon/lb-views.ts'
import type { ServiceTaskView } from '../src/daemon/service-views.ts'
import type { TaskView } from '../src/daemon/views.ts'
import { untilEqual } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { placeOf } from './lib/services.ts'
import { curl, iperf, ping } from './lib/traffic.ts'
import { until, within } from './lib/wait.ts'

/** Connections of one curl, each of its own: HTTP/1.0 closes after one answer. */
const CONNECTIONS = 60
const TASKS = 3
const UDP_PORT = 5353
/** A datagram is answered with the host's name, its sender and nothing else. */
const UDP_SERVER = `use Socket; use Sys::Hostname;
  socket(S, AF_INET, SOCK_DGRAM, 0); bind(S, sockaddr_in(${UDP_PORT}, INADDR_ANY)) or die "$!";
  while (defined(my $from = recv(S, my $word, 2000, 0))) { send(S, hostname(), 0, $from) }`
const CLIENT_PORT = 4444

const lab = useLab({ nodes: 3, peers: 'cluster',
  needs: { tools: ['ping', 'curl', 'iperf3', 'perl', 'ip'] } })

const clientOn = (node: string): string => `${node}/client-${node}`

async function tasksOf(service: string): Promise<ServiceTaskView[]> {
  const tasks = await lab.api<ServiceTaskView[]>('node1', `services/${service}/tasks`)
  return tasks.filter(task => task.state === 'running' && task.desired === 'running')
}

async function balanced(node: string, service: string): Promise<BalancedView | undefined> {
  const all = await lab.api<BalancedView[]>(node, 'lb/services')
  return all.find(one => one.service === service)
}

/** Waits until every node balances the service over as many tasks. Answers its address. */
async function untilBalanced(service: string, tasks: number): Promise<string> {
  for (const node of lab.nodes) {
    await until(`${node} balances ${service} over ${tasks}`, async () =>
      (await balanced(node, service))?.backends.filter(({ weight }) => weight > 0).length === tasks,
    60_000)
  }
  return (await balanced('node1', service))!.vip
}

async function create(name: string, tasks: number, ...words: string[]): Promise<string> {
  await lab.tapmesh('node1', 'service', 'create', '-d', '--name', name, '--network', 'mynet',
    '--replicas', String(tasks), ...words)
  return untilBalanced(name, tasks)
}

/** Names of the hosts that answered, in order. */
async function hostnames(where: string, vip: string, count: number): Promise<string[]> {
  const text = await curl(lab, where, '--http1.0', `http://${vip}/?[1-${count}]`)
  return [...text.matchAll(/^Hostname: (.+)$/gm)].map(([, name]) => name!)
}

function checkEven(t: Test, names: readonly string[], what: string): void {
  const counts = [...Map.groupBy(names, name => name).values()].map(group => group.length)
  t.equal(counts.length, TASKS, `${what}: ${counts.join(', ')}`)
  t.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${what}: ${counts.join(', ')}`)
}

let vip = ''

lab.test('a service has an address, which all nodes balance', async t => {
  await lab.tapmesh('node1', 'network', 'create', 'mynet')
  await untilEqual(lab)
  for (const node of lab.nodes) {
    await lab.runTask(node, `client-${node}`, 'mynet', 'sleep', '1000000')
  }
  vip = await create('web', TASKS, '--', 'tapmesh', 'whoami', '--port', '80')
  for (const node of lab.nodes) {
    const text = await lab.tapmesh(node, 'lb', 'ls')
    t.match(text, /^FWM {2}256 rr$/m)
    t.equal(text.match(/^ {2}-> 10\.0\.1\.\d+:0 +Masq +1 +0 +0$/gm)?.length, TASKS, text)
    t.match(await lab.tapmesh(node, 'lb', 'rules'),
      new RegExp(`^vip +mynet +${vip.replaceAll('.', '\\.')} +tcp,udp +all +0x100 +web`, 'm'))
  }
})

lab.test('three calls reach three tasks, from every node, and many are even', async t => {
  for (const node of lab.nodes) {
    const names = await hostnames(clientOn(node), vip, 3)
    t.equal(new Set(names).size, TASKS, `${node}: ${names.join(', ')}`)
    checkEven(t, await hostnames(clientOn(node), vip, CONNECTIONS), node)
  }
  const { flows, capacity } = await lab.api<FlowsView>('node2', 'lb/flows?service=web')
  t.ok(flows.length >= CONNECTIONS + 3, `${flows.length} flows`)
  t.equal(capacity, 262_144)
  t.ok(flows.every(({ state, vip: to }) => state === 'closing' && to === `${vip}:80`))
  t.match(await lab.tapmesh('node2', 'lb', 'flows', '--limit', '5'), /^tcp +web +10\.0\.1\.\d+:/m)
  for (const node of lab.nodes) {
    for (const drop of ['vip_no_flow', 'vip_no_backend', 'wrong_vtep', 'spoofed_address']) {
      t.equal(await lab.drops(node, drop), 0, `${node}: ${drop}`)
    }
  }
})

lab.test('a task of the service meets all of them, itself too', async t => {
  for (const task of await tasksOf('web')) {
    const where = await placeOf(lab, task)
    checkEven(t, await hostnames(where, vip, CONNECTIONS), where)
  }
})

lab.test('the address is pinged, and a long answer comes whole', async t => {
  for (const node of lab.nodes) {
    const { received, text } = await ping(lab, clientOn(node), vip, '-c3', '-i0.2', '-W2')
    t.equal(received, 3, text)
    const long = await ping(lab, clientOn(node), vip, '-c1', '-W2', '-s', '4000')
    t.equal(long.received, 1, long.text)
  }
})

lab.test('much data passes, in both directions, and its checksums hold', async t => {
  const address = await create('perf', 1, '--', 'iperf3', '--server')
  const [task] = await tasksOf('perf')
  for (const node of lab.nodes) {
    for (const words of [[], ['-R']]) {
      const { end } = await iperf(lab, clientOn(node), address, '-t', '2', ...words)
      const gbits = (end.sum_received.bits_per_second / 1e9).toFixed(2)
      t.comment(`${node}${node === task!.node!.name ? ' (same host)' : ''} ${words.join('')}: `
        + `${gbits} Gbit/s through the virtual address`)
      t.ok(end.sum_received.bytes > 10_000_000, `${node} ${words.join('')}: ${gbits} Gbit/s`)
    }
  }
  const place = await placeOf(lab, task!)
  for (const where of [place, ...lab.nodes.map(clientOn)]) {
    const { kernel } = JSON.parse(await lab.out(where, 'nstat', '-asjz')) as
      { kernel: Record<string, number> }
    t.equal(kernel['TcpInCsumErrors'], 0, where)
  }
  await lab.tapmesh('node1', 'service', 'rm', 'perf')
}, { tools: ['nstat'] })

lab.test('a datagram from a port that stays the same leaves a backend that is gone', async t => {
  const address = await create('names', 2, '--', 'perl', '-e', UDP_SERVER)
  const watch = lab.start(clientOn('node1'), 'perl', '-e', `use Socket; $| = 1;
    socket(S, AF_INET, SOCK_DGRAM, 0); bind(S, sockaddr_in(${CLIENT_PORT}, INADDR_ANY));
    my $to = sockaddr_in(${UDP_PORT}, inet_aton("${address}"));
    while (1) { my $name; send(S, "x", 0, $to); my $bits = ""; vec($bits, fileno(S), 1) = 1;
      select($bits, undef, undef, 0.1) and defined(recv(S, $name, 99, 0)) and print "$name\\n";
      select(undef, undef, undef, 0.02) }`)
  await until('the service answers', () => watch.stdout.includes('\n'))
  const first = watch.stdout.split('\n')[0]!
  const tasks = await tasksOf('names')
  const asked = await Promise.all(tasks.map(async task => {
    const all = await lab.api<TaskView[]>(task.node!.name, 'tasks')
    return { node: task.node!.name, view: all.find(one => one.name.endsWith(task.id))! }
  }))
  const gone = asked.find(({ view }) => view.id.startsWith(first))!
  await lab.tapmesh(gone.node, 'kill', gone.view.name)
  await until('the other one answers', () =>
    watch.stdout.trim().split('\n').at(-1) !== first)
  await watch.stop()
  t.ok(watch.stdout.trim().split('\n').length > 1)
  await lab.tapmesh('node1', 'service', 'rm', 'names')
})

lab.test('without tasks the address says that nobody is there', async t => {
  await lab.tapmesh('node1', 'service', 'scale', '-d', 'web=0')
  await untilBalanced('web', 0)
  for (const node of lab.nodes) {
    const { received, text } = await ping(lab, clientOn(node), vip, '-c1', '-W2')
    t.equal(received, 0)
    t.match(text, /Destination Host Unreachable/)
    const refused = await lab.run(clientOn(node), 'curl', '-v', '--max-time', '5',
      `http://${vip}/`)
    t.match(refused.stderr, /No route to host|Host is unreachable/)
  }
  await lab.tapmesh('node1', 'service', 'scale', '-d', 'web=3')
  await untilBalanced('web', 3)
  checkEven(t, await hostnames(clientOn('node2'), vip, CONNECTIONS), 'again')
})

lab.test('a daemon that starts anew resets what it does not know, and serves at once', async t => {
  // It says nothing before it is told to: a web server would end what is no request.
  const hold = lab.start(clientOn('node2'), 'perl', '-e', `use IO::Socket::INET; $| = 1;
    my $s = IO::Socket::INET->new(PeerAddr => "${vip}:80") or die "$@"; print "open\n";
    <STDIN>; syswrite($s, "x"); my $got = sysread($s, my $b, 9);
    print defined $got ? "answered\n" : "$!\n"`)
  await until('a connection is open', () => hold.stdout.includes('open'))
  await until('it is known', async () => (await lab.api<FlowsView>('node2', 'lb/flows')).flows
    .some(({ state }) => state === 'established'))
  await until('its backend has it', async () =>
    (await balanced('node2', 'web'))!.backends.some(({ active }) => active >= 1))
  await lab.daemon('node2', 'restart')
  await untilBalanced('web', 3)
  checkEven(t, await hostnames(clientOn('node2'), vip, CONNECTIONS), 'after the restart')
  hold.write('go on\n')
  await within('it ends', hold.ended)
  t.match(hold.stdout, 'Connection reset by peer')
  t.ok(await lab.count('node2', 'flows.reset') > 0)
})
