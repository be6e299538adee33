// Tasks that stop, while they are called: no request is lost, connections that last are told in the
// end, and meanwhile people see how many there are.
// May run beside another test.
import type { ServiceTaskView } from '../src/daemon/service-views.ts'
import { useLab } from './lib/lab.ts'
import { underLoad } from './lib/request-load.ts'
import { untilLed, untilRunning, untilSteered } from './lib/services.ts'
import { until } from './lib/wait.ts'

/** Answers each line with itself until it is killed; TERM is nothing to it. */
const STUBBORN = `use IO::Socket::INET; $SIG{TERM} = "IGNORE"; $SIG{CHLD} = "IGNORE";
  my $l = IO::Socket::INET->new(LocalPort => 80, Listen => 9, ReuseAddr => 1) or die "$@";
  while (my $c = $l->accept) { next if fork; while (<$c>) { print $c $_; $c->flush } exit }`
/** One connection; says when it is open, and when it is over. */
const HOLDER = `use IO::Socket::INET; $| = 1;
  my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0]) or die "$@";
  print $s "hello\\n"; my $word = <$s>; print "open\\n";
  while (1) { my $bits = ""; vec($bits, fileno($s), 1) = 1;
    if (select($bits, undef, undef, 0.5)) { sysread($s, my $b, 9) or last }
    else { syswrite($s, "x\\n") or last } }
  print "over\\n"`

const lab = useLab({ nodes: 3, peers: 'cluster', needs: { tools: ['perl', 'ip'] } })
const urls = lab.nodes.map((_, n) => `http://192.168.56.${11 + n}:8080/`)

const tasksOf = (name: string) =>
  lab.api<ServiceTaskView[]>('node1', `services/${name}/tasks`)

/** What the nodes have said to each other about tasks that stop, all of them together. */
async function drainsSum(name: string): Promise<number> {
  const views = await Promise.all(lab.nodes.map(node => lab.status(node)))
  return views.reduce((sum, { cluster }) => sum + (cluster?.counters[`drains.${name}`] ?? 0), 0)
}

lab.test('scaling up and down loses no request', async t => {
  await lab.tapmesh('node1', 'service', 'create', '-d', '--name', 'web', '--replicas', '3', '-p',
    '8080:80', '--', 'tapmesh', 'whoami', '--port', '80')
  await untilRunning(lab, 'node1', 'web', 3, 60_000)
  await untilLed(lab, 'web', 3)
  for (const node of lab.nodes) await untilSteered(lab, node, 8080)
  const load = await underLoad(lab, urls, async () => {
    for (const count of [5, 2]) {
      await lab.tapmesh('node1', 'service', 'scale', '-d', `web=${count}`)
      await untilRunning(lab, 'node1', 'web', count, 60_000)
      await until('those that stop have stopped', async () =>
        (await tasksOf('web')).every(({ state }) => state !== 'draining'), 30_000)
    }
  })
  t.comment(`${load.answers} answers: ${JSON.stringify(load.hosts)}`)
  t.strictSame(load.faults, [])
  const [told, heard, asked] = [await drainsSum('toldOut'), await drainsSum('toldIn'),
    await drainsSum('askedIn')]
  t.comment(`three tasks stopped: ${told} messages said that, ${asked} asked for it`)
  t.ok(heard >= 2 && told <= 3 * 2 + asked, 'each other node tells the node of the task, once')
  await lab.tapmesh('node1', 'service', 'rm', 'web')
})

lab.test('connections that last are counted while their task drains, and then told', async t => {
  await lab.tapmesh('node1', 'service', 'create', '-d', '--name', 'talk', '--replicas', '2', '-p',
    '8081:80', '--stop-grace-period', '4s', '--', 'perl', '-e', STUBBORN)
  await untilRunning(lab, 'node1', 'talk', 2, 60_000)
  await untilSteered(lab, 'node1', 8081)
  const holders = [1, 2, 3, 4].map(() => lab.start('client', 'perl', '-e', HOLDER,
    '192.168.56.11:8081'))
  for (const holder of holders) await until('it is open', () => holder.stdout.includes('open'))
  await lab.tapmesh('node1', 'service', 'scale', '-d', 'talk=1')
  await until('two flows are shown', async () =>
    /Draining, 2 flows/.test(await lab.tapmesh('node1', 'service', 'ps', 'talk')))
  const fresh = lab.start('client', 'perl', '-e', HOLDER, '192.168.56.11:8081')
  await until('a new connection goes elsewhere', () => fresh.stdout.includes('open'))
  t.match(await lab.tapmesh('node1', 'service', 'ps', 'talk'), /Draining, 2 flows/)
  const over = () => holders.filter(({ stdout }) => stdout.includes('over')).length
  await until('the two are told', () => over() === 2, 30_000)
  t.notOk(fresh.stdout.includes('over'))
  for (const one of [...holders, fresh]) await one.stop()
})
