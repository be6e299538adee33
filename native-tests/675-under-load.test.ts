// Published ports and virtual addresses while much is asked of them, and while tasks are replaced,
// scaled, or gone with their node: who is served, and for how long somebody is not.
import { join } from 'node:path'
import type { BalancedView } from '../src/daemon/lb-views.ts'
import type { ServiceTaskView } from '../src/daemon/service-views.ts'
import { peersOf, untilEqual } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { type Held, NAMING_SERVER } from './lib/long-connections.ts'
import { PER_SECOND, underLoad } from './lib/request-load.ts'
import { serviceOf, untilLed, untilRunning, untilSteered } from './lib/services.ts'
import { download, streamHash, streamServer } from './lib/stream-server.ts'
import { curl } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const TASKS = 3
const CONNECTIONS = 3000
const LONG = 100
const OCTETS = 100_000
const NARROW = 1400
const VXLAN = 50
/** A path is looked at every 5 s, and in silence it takes some time-outs to be sure. */
const MEASURED_MS = 30_000
/** Until a node without a word is dead for the others: twice as long as in 420-node-dies. */
const DEAD_MS = 16_000
const HOLDERS = join(import.meta.dirname, 'lib', 'long-connections.ts')
/** Each datagram is answered with the host's name. */
const UDP_SERVER = `use Socket; use Sys::Hostname;
  socket(S, AF_INET, SOCK_DGRAM, 0); bind(S, sockaddr_in(5300, INADDR_ANY)) or die "$!";
  while (defined(my $from = recv(S, my $word, 2000, 0))) { send(S, hostname(), 0, $from) }`
/** From one port, again and again: when it asked, and who answered within 200 ms. */
const UDP_CLIENT = `use Socket; use Time::HiRes qw(time sleep); $| = 1;
  socket(S, AF_INET, SOCK_DGRAM, 0); bind(S, sockaddr_in(4444, INADDR_ANY)) or die "$!";
  my $to = sockaddr_in(5353, inet_aton($ARGV[0]));
  while (1) { my ($name, $bits) = ("-", ""); my $at = time; send(S, "x", 0, $to);
    vec($bits, fileno(S), 1) = 1;
    select($bits, undef, undef, 0.2) and (defined(recv(S, $name, 99, 0)) or $name = "-");
    printf "%d %s\\n", $at * 1000, $name; sleep 0.05 }`

const lab = useLab({ nodes: 3, peers: 'cluster',
  needs: { tools: ['curl', 'perl', 'ip', 'sha256sum'], rawSocket: true } })

const addressOf = (node: string): string => `192.168.56.${10 + Number(node.slice(4))}`
const urlsOf = (nodes: readonly string[]): string[] =>
  nodes.map(node => `http://${addressOf(node)}:8080/`)
/** What a task calls itself. */
const hostnameOf = ({ container }: ServiceTaskView): string => container!.slice(0, 12)

async function create(name: string, tasks: number, ...words: string[]): Promise<void> {
  await lab.tapmesh('node1', 'service', 'create', '-d', '--name', name, '--replicas',
    String(tasks), ...words)
  await untilRunning(lab, 'node1', name, tasks, 60_000)
  await untilLed(lab, name, tasks)
}

lab.test('3,000 connections to one node are even to one over three tasks', async t => {
  await create('web', TASKS, '-p', '8080:80', '--update-monitor', '200ms', '--', 'tapmesh',
    'whoami', '--port', '80')
  for (const node of lab.nodes) await untilSteered(lab, node, 8080)
  const text = await curl(lab, 'client', '--http1.0', '--max-time', '60', '-Z',
    '--parallel-max', '16', `http://${addressOf('node2')}:8080/?[1-${CONNECTIONS}]`)
  const names = [...text.matchAll(/^Hostname: (.+)$/gm)].map(([, name]) => name!)
  const counts = [...Map.groupBy(names, name => name).values()].map(group => group.length)
  t.equal(counts.length, TASKS)
  t.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join(', '))
  t.equal(names.length, CONNECTIONS)
})

lab.test('an update of all tasks loses no request of 200 a second', async t => {
  const before = await untilRunning(lab, 'node1', 'web', TASKS)
  const load = await underLoad(lab, urlsOf(lab.nodes), async () => {
    await lab.tapmesh('node1', 'service', 'update', '-d', '--force', 'web')
    await until('the update is done', async () =>
      (await serviceOf(lab, 'node1', 'web')).update?.state === 'completed', 60_000)
    await untilLed(lab, 'web', TASKS)
  })
  t.comment(`${load.answers} answers, ${load.perSecond.toFixed(0)} a second`)
  const after = await untilRunning(lab, 'node1', 'web', TASKS)
  t.notOk(after.some(({ id }) => before.some(one => one.id === id)), 'all tasks are new')
  t.strictSame(load.faults, [])
  for (const node of lab.nodes) {
    t.notMatch(await lab.log(node), 'not all nodes have said', 'all nodes knew before a task stopped')
  }
  t.ok(load.perSecond > PER_SECOND * 0.95, `${load.perSecond} a second`)
  t.ok(Object.keys(load.hosts).length > TASKS + 1, 'old and new tasks have answered')
})

lab.test('scaled from 3 to 6 to 2, no connection to a task that stays is broken', async t => {
  await create('talk', TASKS, '-p', '8081:80', '--stop-grace-period', '1s', '--', ...NAMING_SERVER)
  for (const node of lab.nodes) await untilSteered(lab, node, 8081)
  const holder = lab.start('client', process.execPath, HOLDERS, String(LONG),
    ...lab.nodes.map(node => `${addressOf(node)}:8081`))
  await until('all connections are open', () => holder.stdout.includes('open'), 30_000)
  for (const count of [6, 2]) {
    await lab.tapmesh('node1', 'service', 'scale', '-d', `talk=${count}`)
    await untilRunning(lab, 'node1', 'talk', count, 60_000)
    await untilLed(lab, 'talk', count)
  }
  await until('those that stop have stopped', async () =>
    (await lab.api<ServiceTaskView[]>('node1', 'services/talk/tasks'))
      .every(({ state }) => state !== 'draining'), 30_000)
  const staying = (await untilRunning(lab, 'node1', 'talk', 2)).map(hostnameOf)
  holder.write('enough\n')
  await holder.ended
  const { open, over } = JSON.parse(holder.stdout.split('\n')[1]!) as Held
  t.comment(`open: ${JSON.stringify(open)}, over: ${JSON.stringify(over)}`)
  t.same(Object.keys(open).sort(), staying.sort())
  t.notOk(staying.some(name => name in over), 'none of these is over')
  const sum = (of: Record<string, number>) => Object.values(of).reduce((all, one) => all + one, 0)
  t.equal(sum(open) + sum(over), LONG)
  t.ok(sum(open) >= Math.floor(LONG / TASKS) * 2)
  await lab.tapmesh('node1', 'service', 'rm', 'talk')
})

/** An open connection, by which a long answer is asked for when a line is written to it. */
async function waitingClient(port: number) {
  const client = lab.start('client', 'bash', '-euc', `
    exec 3<>/dev/tcp/${addressOf('node1')}/${port}
    printf 'GET /1 HTTP/1.1\\r\\nHost: node1\\r\\n\\r\\n' >&3
    head -c 1 <&3 >/dev/null; echo open; read -r
    printf 'GET /${OCTETS} HTTP/1.0\\r\\n\\r\\n' >&3
    timeout 40 cat <&3 | tail -c ${OCTETS} | sha256sum`)
  await until('it is open', () => client.stdout.includes('open'))
  return client
}

lab.test('long answers pass when the underlay becomes narrow, in both modes', async t => {
  await create('long', TASKS, '-p', '8083:80', '-p', 'published=8084,target=80,source=preserve',
    '--', ...streamServer(80))
  const ports = [8083, 8084]
  for (const port of ports) await untilSteered(lab, 'node1', port)
  const clients = []
  for (const port of [...ports, ...ports, ...ports]) clients.push(await waitingClient(port))
  for (const node of lab.nodes) await lab.sh(node, `ip link set eth1 mtu ${NARROW}`)
  const beganMs = performance.now()
  for (const client of clients) client.write('\n')
  const fresh = await Promise.all(ports.map(port =>
    download(lab, 'client', `http://${addressOf('node1')}:${port}`, OCTETS)))
  t.comment(`new connections: ${Math.round(performance.now() - beganMs)} ms`)
  t.same(fresh, ports.map(() => streamHash(OCTETS)), 'at once, by new connections')
  for (const client of clients) {
    t.equal(await client.ended, 0)
    t.match(client.stdout, streamHash(OCTETS), 'by connections from before')
  }
  t.comment(`all: ${Math.round(performance.now() - beganMs)} ms`)
  for (const node of lab.nodes) {
    await until(`${node} has measured it`, async () => (await lab.out(node, 'ip', 'link', 'show',
      'dev', 'tm-ingress')).includes(` mtu ${NARROW - VXLAN} `), MEASURED_MS)
  }
  for (const node of lab.nodes) {
    for (const port of ports) {
      t.equal(await download(lab, 'client', `http://${addressOf(node)}:${port}`, OCTETS),
        streamHash(OCTETS), `${node}:${port}`)
    }
  }
  for (const node of lab.nodes) await lab.sh(node, 'ip link set eth1 mtu 1500')
  await lab.tapmesh('node1', 'service', 'rm', 'long')
})

lab.test('of a path to a client that is narrower than the tunnels tasks hear', async t => {
  await create('wide', TASKS, '-p', '8083:80', '-p', 'published=8084,target=80,source=preserve',
    '--', ...streamServer(80))
  const node = 'node1'
  await lab.out(node, 'ip', 'route', 'add', '192.168.56.1/32', 'dev', 'eth1', 'mtu', 'lock', '1200')
  for (const port of [8083, 8084]) {
    await untilSteered(lab, node, port)
    const sums = await Promise.all(Array.from({ length: TASKS }, () =>
      download(lab, 'client', `http://${addressOf(node)}:${port}`, OCTETS)))
    t.same(new Set(sums), new Set([streamHash(OCTETS)]), `port ${port}`)
  }
  await lab.out(node, 'ip', 'route', 'del', '192.168.56.1/32', 'dev', 'eth1')
  await lab.tapmesh('node1', 'service', 'rm', 'wide')
})

type Datagram = { at: number; name: string }

const datagramsOf = (text: string): Datagram[] => text.trim().split('\n')
  .map(line => line.split(' ')).map(([at, name = '-']) => ({ at: Number(at), name }))

lab.test('a node is killed: requests fail until that is known, and none after', async t => {
  await create('names', 2, '-p', '5353:5300/udp', '--constraint', 'node.hostname!=node1', '--',
    'perl', '-e', UDP_SERVER)
  await untilSteered(lab, 'node1', 5353, 'udp')
  await untilEqual(lab)
  const asking = lab.start('client', 'perl', '-e', UDP_CLIENT, addressOf('node1'))
  const first = await until('datagrams are answered', () =>
    datagramsOf(asking.stdout).find(({ name }) => /^[0-9a-f]{12}$/.test(name))?.name)
  const tasks = await untilRunning(lab, 'node1', 'names', 2)
  const victim = tasks.find(task => hostnameOf(task) === first)!.node!.name
  const others = lab.nodes.filter(node => node !== victim)
  const [killedAt, knownAt] = [[0], [0]]
  const load = await underLoad(lab, urlsOf(others), async () => {
    await until('it answers', async () => asking.stdout.split('\n').length > 5)
    killedAt[0] = Date.now()
    await lab.daemon(victim, 'kill')
    for (const node of others) {
      await until(`${node} knows of it`, async () => (await peersOf(lab, node))
        .some(({ name, state }) => name === victim && state === 'dead'), DEAD_MS)
    }
    for (const node of others) {
      await until(`${node} leads nothing to ${victim}`, async () =>
        (await lab.api<BalancedView[]>(node, 'lb/services')).every(({ backends }) =>
          backends.every(backend => backend.node !== victim)))
    }
    knownAt[0] = Date.now()
    await untilRunning(lab, 'node1', 'web', TASKS, 30_000)
  })
  await asking.stop()
  const [killed, known] = [killedAt[0]!, knownAt[0]!]
  t.comment(`known after ${known - killed} ms; ${load.answers} answers, `
    + `${load.faults.length} faults: ${JSON.stringify(load.faults.slice(0, 3))}`)
  t.strictSame(load.faults.filter(({ beganAt, endedAt }) =>
    beganAt > known || endedAt < killed), [])
  const later = datagramsOf(asking.stdout).filter(({ at }) => at > known).map(({ name }) => name)
  t.ok(later.length > 0, 'the next datagram goes elsewhere, and so do all others')
  t.same([...new Set(later)].map(name => /^[0-9a-f]{12}$/.test(name) && name !== first), [true],
    later.join(' '))
})
