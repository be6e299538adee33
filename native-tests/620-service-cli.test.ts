// Services from the command line: the walk that users of Swarm know, row by row, what is said of
// what cannot be, and two managers that create the same services at once.
// May run beside another test; takes long.
import t from 'tap'
import { answerMisfit, operations } from '../src/api/openapi/answers.test-kit.ts'
import { rowsOf, untilEqual, untilWhole } from './lib/cluster.ts'
import { SOCKET, useLab } from './lib/lab.ts'
import { liveTasksOf, serviceOf, untilRunning } from './lib/services.ts'
import { until, within } from './lib/wait.ts'

/** A new task is started 5 s after the end of the one before it, if nothing else is said. */
const RESTARTED_MS = 30_000
const CONVERGED_MS = 60_000
/** To wait until tasks run, and not to watch them for longer. */
const QUICK = ['-q', '--update-monitor', '200ms']
const TIMEOUT_MS = 600_000

t.setTimeout(TIMEOUT_MS)

const lab = useLab({ nodes: 3, peers: 'cluster', needs: { tools: ['ping', 'curl', 'script'] } })

/** The lines of a command's stdout, which must not fail, without spaces at their ends. */
async function lines(node: string, ...words: string[]): Promise<string[]> {
  return (await lab.tapmesh(node, ...words)).split('\n').map(line => line.trimEnd())
}

/** The cells of a table's rows, without its heading. */
async function cells(node: string, ...words: string[]): Promise<string[][]> {
  return (await lines(node, ...words)).slice(1).map(line => line.split(/ {2,}/))
}

async function vipOf(name: string): Promise<string> {
  return until(`${name} has an address`, async () =>
    (await serviceOf(lab, 'node1', name)).vips[0]?.address)
}

lab.test('C1: a service in a network; inspect --pretty lists the id of the network', async t => {
  const network = await lab.tapmesh('node1', 'network', 'create', '-d', 'overlay', 'go-demo')
  await untilEqual(lab)
  const id = await lab.tapmesh('node1', 'service', 'create', ...QUICK, '--name', 'go-demo-db',
    '--network', 'go-demo', '--', 'sleep', '1000000')
  t.match(id, /^[0-9a-z]{25}$/)
  const pretty = await lab.tapmesh('node2', 'service', 'inspect', '--pretty', 'go-demo-db')
  t.match(pretty, `Networks: go-demo (${network})`)
  t.match(pretty, /\nService Mode:\tReplicated\n Replicas:\t1\n/)
  t.equal((await liveTasksOf(lab, 'node3', 'go-demo-db')).length, 1)
})

lab.test('C2: a global service has exactly one task on each node', async t => {
  await lab.tapmesh('node1', 'service', 'create', ...QUICK, '--name', 'util', '--network',
    'go-demo', '--mode', 'global', '--', 'sleep', '1000000000')
  const rows = await cells('node2', 'service', 'ps', 'util')
  t.same(rows.map(row => row[3]).sort(), lab.nodes)
  for (const row of rows) t.match(row[1], /^util\.[0-9a-z]{25}$/)
})

lab.test('C3: two replicas are spread over two nodes', async t => {
  await lab.tapmesh('node1', 'network', 'create', 'mynet')
  await untilEqual(lab)
  await lab.tapmesh('node1', 'service', 'create', ...QUICK, '--network', 'mynet', '--name', 'test',
    '--replicas', '2', '--', 'ping', '127.0.0.1')
  const tasks = await untilRunning(lab, 'node1', 'test', 2)
  t.equal(new Set(tasks.map(task => task.node!.name)).size, 2)
})

lab.test('C4: service ps has the columns of Docker', async t => {
  const [heading, ...rows] = await lines('node3', 'service', 'ps', 'test')
  t.match(heading, new RegExp('^ID +NAME +IMAGE +NODE +DESIRED STATE +CURRENT STATE +ERROR +'
    + 'PORTS$'))
  t.equal(rows.length, 2)
  for (const [n, row] of rows.entries()) {
    t.match(row, new RegExp(`^[0-9a-z]{12} +test\\.${n + 1} +ping +node[123] +Running +`
      + 'Running (less than a second|\\d+ seconds?|about a minute) ago$'))
  }
})

lab.test('C5: create prints the id, then how far the tasks are, until they converge', async t => {
  const [id, ...progress] = await lines('node1', 'service', 'create', '--name', 'web', '--network',
    'mynet', '-p', '8080:80', '--replicas', '2', '--', 'tapmesh', 'whoami', '--port', '80')
  t.match(id, /^[0-9a-z]{25}$/)
  for (const line of ['overall progress: 2 out of 2 tasks', '1/2: running', '2/2: running']) {
    t.ok(progress.includes(line), `${line} in ${progress.join(' | ')}`)
  }
  t.match(progress.at(-2), /^verify: Waiting 5 seconds to verify that tasks are stable\.\.\.$/)
  t.equal(progress.at(-1), 'verify: Service converged')
})

lab.test('C5: on a terminal the tasks have bars', async t => {
  const seen = await lab.sh('node1', 'script -qec "stty cols 120; tapmesh service create '
    + '--update-monitor 100ms --name drawn --replicas 2 -- sleep 1000" /dev/null')
  const bar = '='.repeat(50)
  for (const line of ['overall progress: 2 out of 2 tasks', `1/2: running   [${bar}>]`,
    `2/2: running   [${bar}>]`, 'verify: Service converged']) {
    t.ok(seen.includes(`\u001b[2K${line}\r\n`), line)
  }
  await lab.tapmesh('node1', 'service', 'rm', 'drawn')
})

lab.test('C6: service ls has the columns of Docker', async t => {
  const [heading, ...rows] = await lines('node2', 'service', 'ls')
  t.equal(heading?.replaceAll(/ +/g, ' '), 'ID NAME MODE REPLICAS IMAGE PORTS')
  const web = rows.find(row => / web /.test(row))
  t.match(web, /^[0-9a-z]{12} +web +replicated +2\/2 +tapmesh +\*:8080->80\/tcp$/)
  t.ok(rows.some(row => /^[0-9a-z]{12} +util +global +3\/3 +sleep$/.test(row)), rows.join(' | '))
})

lab.test('C7: update by id to more replicas', async t => {
  const { id } = await serviceOf(lab, 'node1', 'web')
  await lab.tapmesh('node2', 'service', 'update', ...QUICK, id, '--replicas', '3')
  t.equal((await liveTasksOf(lab, 'node3', 'web')).length, 3)
})

lab.test('C8: scaling leaves the VIP as it is, also down to none', async t => {
  const vip = await vipOf('web')
  const scaled = await lines('node3', 'service', 'scale', '-d', 'web=4', 'go-demo-db=0')
  t.same(scaled, ['web scaled to 4', 'go-demo-db scaled to 0'])
  await untilRunning(lab, 'node1', 'web', 4)
  await untilRunning(lab, 'node1', 'go-demo-db', 0)
  t.equal(await vipOf('web'), vip)
  await lab.tapmesh('node3', 'service', 'scale', '-q', 'web=2')
  await untilRunning(lab, 'node1', 'web', 2)
  t.equal(await vipOf('web'), vip)
})

lab.test('C9: a task that is killed by hand is replaced, and stands in the history', async t => {
  const [victim] = await liveTasksOf(lab, 'node1', 'web')
  const node = victim!.node!.name
  await lab.tapmesh(node, 'kill', victim!.container!)
  await until('another task runs in its slot', async () =>
    (await liveTasksOf(lab, 'node1', 'web')).some(task =>
      task.slot === victim!.slot && task.id !== victim!.id), RESTARTED_MS)
  const rows = await lines('node2', 'service', 'ps', 'web')
  t.ok(rows.some(row => row.includes(`\\_ web.${victim!.slot}`)
    && /Failed .* ago +"task: non-zero exit \(137\)"/.test(row)), rows.join('\n'))
})

lab.test('C10: the tasks of a service that is removed stop', async t => {
  const { id } = await serviceOf(lab, 'node1', 'test')
  t.equal(await lab.tapmesh('node2', 'service', 'rm', id), id)
  for (const node of lab.nodes) {
    await until(`${node} has no task of it`, async () =>
      !(await lab.tapmesh(node, 'ps', '-a', '--format', '{{.Names}}')).includes('test.'))
  }
})

lab.test('C11: a service without a name gets one, and is found by its id', async t => {
  const id = await lab.tapmesh('node1', 'service', 'create', '-d', '--', 'sleep', '1000')
  const { name } = await serviceOf(lab, 'node1', id)
  t.match(name, /^[a-z]+_[a-z]+$/)
  await untilRunning(lab, 'node1', id, 1)
  t.match((await cells('node1', 'service', 'ps', id.slice(0, 12)))[0]?.[1], `${name}.1`)
  await lab.tapmesh('node1', 'service', 'rm', id)
})

lab.test('C12: the task of a service on a node is found by its label', async t => {
  for (const node of lab.nodes) {
    const ids = await lines(node, 'ps', '-q', '--filter',
      'label=com.docker.swarm.service.name=util')
    t.equal(ids.length, 1)
    t.match(ids[0], /^[0-9a-f]{12}$/)
  }
})

lab.test('C13: with -d it returns at once, and prints the id alone', async t => {
  const made = await lines('node1', 'service', 'create', '-d', '--name', 'quick', '--replicas',
    '3', '--', 'sleep', '1000')
  t.equal(made.length, 1)
  t.same(await lines('node1', 'service', 'scale', '-d', 'quick=1'), ['quick scaled to 1'])
  t.same(await lines('node1', 'service', 'update', '-d', '--force', 'quick'), ['quick'])
  await lab.tapmesh('node1', 'service', 'rm', 'quick')
})

lab.test('C14: ps on its node shows name and command of a task', async t => {
  await lab.tapmesh('node1', 'service', 'create', ...QUICK, '--name', 'shown', '--constraint',
    'node.hostname==node2', '--', 'ping', '127.0.0.1')
  const format = '{{.Names}} {{.Command}}'
  const rows = await lines('node2', 'ps', '--format', format, '--filter', 'name=shown')
  t.match(rows[0], /^shown\.1\.[0-9a-z]{25} "ping 127\.0\.0\.1"$/)
  await lab.tapmesh('node1', 'service', 'rm', 'shown')
})

lab.test('an update replaces tasks, and rollback brings back what was', async t => {
  const update = await lines('node1', 'service', 'update', '--update-monitor', '500ms', '--args',
    'tapmesh whoami --port 81', '--update-parallelism', '2', 'web')
  t.equal(update[0], 'web')
  t.equal(update.at(-1), 'verify: Service converged')
  for (const { command } of await liveTasksOf(lab, 'node2', 'web')) t.equal(command.at(-1), '81')
  t.match(await lab.tapmesh('node2', 'service', 'inspect', '--pretty', 'web'),
    /\nUpdateStatus:\n State:\t\tcompleted\n/)
  await lab.tapmesh('node2', 'service', 'rollback', '-q', 'web')
  for (const { command } of await liveTasksOf(lab, 'node3', 'web')) t.equal(command.at(-1), '80')
  t.equal((await serviceOf(lab, 'node1', 'web')).update?.state, 'rollback_completed')
})

lab.test('logs come from all nodes, with task and node before each line', async t => {
  await lab.tapmesh('node1', 'service', 'create', ...QUICK, '--name', 'talk', '--mode', 'global',
    '--', 'sh', '-c', 'echo first; echo second; exec sleep 1000')
  const all = await lines('node2', 'service', 'logs', 'talk')
  t.equal(all.length, 6, all.join('\n'))
  for (const node of lab.nodes) {
    const own = all.filter(line => line.includes(`@${node}    | `))
    t.same(own.map(line => line.split(' | ')[1]), ['first', 'second'])
  }
  t.match(all[0], /^talk\.[0-9a-z]{25}\.[0-9a-z]{12}@node[123] {4}\| first$/)
  const last = await lines('node3', 'service', 'logs', '--tail', '1', '--raw', 'talk')
  t.same(last, ['second', 'second', 'second'])
})

lab.test('followed logs bring what comes, from nodes that were not there at first', async t => {
  const command = 'while sleep 0.2; do echo $(hostname) says; done'
  await lab.tapmesh('node1', 'service', 'create', ...QUICK, '--name', 'tick', '--constraint',
    'node.hostname==node2', '--', 'sh', '-c', command)
  const follow = lab.start('node1', 'tapmesh', 'service', 'logs', '-f', 'tick')
  await until('node2 is heard', () => /tick\.1\..*@node2 .*says\n/.test(follow.stdout))
  const heard = follow.stdout.split('\n').length
  await until('it goes on', () => follow.stdout.split('\n').length > heard + 3)
  await lab.tapmesh('node1', 'service', 'update', '-d', '--constraint-rm', 'node.hostname==node2',
    '--constraint-add', 'node.hostname==node3', 'tick')
  await until('node3 is heard', () => /tick\.1\..*@node3 .*says\n/.test(follow.stdout),
    CONVERGED_MS)
  await lab.tapmesh('node1', 'service', 'rm', 'tick', 'talk')
  t.equal(await within('the end of the service ends it', follow.ended, CONVERGED_MS), 0)
  t.equal(follow.stderr, '')
})

const refused: [what: string, words: string[], line: RegExp][] = [
  ['unknown network', ['create', '-d', '--network', 'none', 'x'],
    /^tapmesh: there is no network "none"\n$/],
  ['name taken', ['create', '-d', '--name', 'web', 'x'],
    /^tapmesh: there is a service "web" already; .*\n$/],
  ['port taken on any node', ['create', '-d', '--name', 'w2', '-p', '8080:81', 'x'],
    /^tapmesh: port 8080\/tcp is published by service "web" already; choose another one\n$/],
  ['replicas below zero', ['create', '-d', '--replicas', '-1', 'x'],
    /^tapmesh: a service has 0 to 1024 replicas, not -1\n$/],
  ['scaled below zero', ['scale', '-d', 'web=-1'], /^tapmesh: a service has 0 to 1024 replicas/],
  ['unknown constraint', ['create', '-d', '--constraint', 'node.colour==red', 'x'],
    /^tapmesh: the constraint "node\.colour==red" is not understood; .*\n$/],
  ['unknown service', ['update', '-d', '--force', 'none'],
    /^tapmesh: there is no service "none"\n$/],
  ['nothing to go back to', ['rollback', '-d', 'util'],
    /^tapmesh: service "util" does not have a previous spec.*\n$/],
  ['too large a service', ['create', '-d', '--name', 'big', '-e', `A=${'x'.repeat(4000)}`, 'x'],
    /^tapmesh: service "big" takes \d+ octets, and 4096 fit; .*\n$/],
]
for (const [what, words, line] of refused) {
  lab.test(`bad input, exit 1 and nothing half-made: ${what}`, async t => {
    const before = await rowsOf(lab, 'node2', 'service')
    const { code, stderr, stdout } = await lab.run('node2', 'tapmesh', 'service', ...words)
    t.same([code, stdout], [1, ''])
    t.match(stderr, line)
    t.same(await rowsOf(lab, 'node2', 'service'), before)
  })
}

lab.test('bad input: a command that is not there fails, says why, and is tried again', async t => {
  const { code, stderr } = await lab.run('node1', 'tapmesh', 'service', 'create', '--name', 'bad',
    '--restart-delay', '200ms', '--', 'no-such-program')
  t.equal(code, 1)
  t.match(stderr, /^tapmesh: service bad did not converge: bad\.1 .*no-such-program.*\n$/)
  const rows = await lines('node2', 'service', 'ps', '--no-trunc', 'bad')
  t.ok(rows.some(row => /(Failed|Rejected) .* ago +".*no-such-program.*"/.test(row)),
    rows.join('\n'))
  await lab.tapmesh('node1', 'service', 'rm', 'bad')
})

lab.test('bad input: a full subnet stands in service ps, and who uses it is named', async t => {
  await lab.tapmesh('node1', 'network', 'create', '--subnet', '10.77.0.0/29', 'tiny')
  await untilEqual(lab)
  // Of 6 addresses the gateway has one and the VIP another.
  await lab.tapmesh('node1', 'service', 'create', '-d', '--name', 'full', '--network', 'tiny',
    '--replicas', '5', '--', 'sleep', '1000')
  await untilRunning(lab, 'node1', 'full', 4)
  await until('the fifth says why it waits', async () =>
    (await lines('node2', 'service', 'ps', '--no-trunc', 'full')).some(row =>
      /Running +(Pending|Assigned|Preparing) .* "no address of 10\.77\.0\.0\/29 .*"/.test(row)))
  const used = await lab.run('node1', 'tapmesh', 'network', 'rm', 'tiny')
  t.equal(used.code, 1)
  t.match(used.stderr, /"tiny" is used by .*full/, 'rm of a network in use names who uses it')
  await lab.tapmesh('node1', 'service', 'rm', 'full')
})

/** Routes that only show something, and what stands in their paths and queries here. */
const SHOWN: [route: string, words: string][] = [
  ['GET /v1/nodes/:node', 'node2'], ['GET /v1/nodes/:node/tasks', 'node2'],
  ['GET /v1/nodes/:node/ping', 'node2?count=1'], ['GET /v1/networks/:network', 'mynet'],
  ['GET /v1/networks/:network/services', 'mynet'], ['GET /v1/cluster/tokens/:role', 'worker'],
  ['GET /v1/cluster/tables/:table', 'endpoint'], ['GET /v1/cluster/tables/:table', 'task'],
  ['GET /v1/services/:service', 'web'], ['GET /v1/services/:service/tasks', 'web'],
  ['GET /v1/services/:service/logs', 'web?tail=1'], ['GET /v1/dns/why', '?name=web'],
  ['GET /v1/services/:service', 'none'],
  ...[...operations.keys()].filter(route => /^GET [^:]+$/.test(route)
    && !/dns.why|watch/.test(route)).map(route => [route, ''] as [string, string]),
]

lab.test('what a daemon answers fits docs/openapi.json', async t => {
  for (const [route, words] of SHOWN) {
    const [word = '', query = ''] = words.split(/(?=\?)/)
    const path = route.slice(4).replace(/:\w+/, word) + (route.includes(':') ? query : words)
    const answer = await lab.out('node1', 'curl', '-s', '-w', '\n%{http_code} %{content_type}',
      '--unix-socket', SOCKET, `http://tapmesh${path}`)
    const [, text = '', status, type = ''] = /^([^]*)\n(\d+) ([^;]*)/.exec(answer)!
    t.equal(answerMisfit(route, { status: Number(status), type, text }), '', `${path}: ${text}`)
  }
})

lab.test('a node that is down does not hold up a command, which says what is pending', async t => {
  await lab.daemon('node3', 'kill')
  await until('node3 is down', async () =>
    (await lab.tapmesh('node1', 'node', 'ls', '--format', '{{.Hostname}} {{.Status}}'))
      .includes('node3 Down'), CONVERGED_MS)
  const made = await lab.run('node1', 'tapmesh', 'service', 'create', '-d', '--name', 'late',
    '--mode', 'global', '--', 'sleep', '1000')
  t.equal(made.code, 0)
  t.equal(made.stderr, 'tapmesh: node3 is down: its task of late starts when it is back\n')
  const removed = await lab.run('node1', 'tapmesh', 'service', 'rm', 'util')
  t.equal(removed.code, 0)
  t.match(removed.stderr, /^tapmesh: node3 is down: what it has of util \(util\..*\) follows /)
  const logs = await lab.run('node1', 'tapmesh', 'service', 'logs', 'web')
  t.equal(logs.code, 0)
  await lab.daemon('node3', 'start')
  await untilWhole(lab)
  await untilRunning(lab, 'node1', 'late', 3, CONVERGED_MS)
  await until('node3 has no task of util', async () =>
    !(await lab.tapmesh('node3', 'ps', '-a', '--format', '{{.Names}}')).includes('util.'),
  CONVERGED_MS)
})
