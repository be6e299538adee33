// The commands of nodes, in front of a daemon that is only memory.
import test from 'ava'
import { lab } from './cli.test-kit.ts'
import { nodeText } from './node-text.ts'

test('node update says what is to be different, and prints the node', async t => {
  const { run, asked } = await lab(t)
  const words = ['--availability', 'drain', '--label-add', 'zone=a', '--label-add', 'ssd',
    '--label-rm', 'old']
  t.deepEqual(await run('node', 'update', ...words, 'node2'),
    { code: 0, stdout: 'node2\n', stderr: '' })
  t.is(asked.at(-1), 'update node node2 '
    + '{"availability":"drain","labelsAdd":{"zone":"a","ssd":""},"labelsRemove":["old"]}')
})

const wrong: [words: string[], line: RegExp][] = [
  [['update', 'node2'], /say what to change: --availability, /],
  [['update', '--availability', 'lazy', 'node2'], /an availability is "active", "pause" or /],
  [['update', '--role', 'king', 'node2'], /a role is "worker" or "manager"/],
  [['inspect', '--pretty', '-f', '{{.ID}}', 'node2'], /say either --pretty or --format/],
]
for (const [words, line] of wrong) {
  test(`exit 2 and one line: node ${words.join(' ')}`, async t => {
    const { run } = await lab(t)
    const { code, stdout, stderr } = await run('node', ...words)
    t.deepEqual([code, stdout], [2, ''])
    t.regex(stderr, line)
  })
}

test('node ps lists the tasks of nodes, of its own without a word', async t => {
  const { run } = await lab(t)
  const [heading, row] = (await run('node', 'ps')).stdout.split('\n')
  t.regex(heading ?? '', /^ID +NAME +IMAGE +NODE +DESIRED STATE +CURRENT STATE +ERROR +PORTS$/)
  t.regex(row ?? '', /^tttttttttttt   web\.1 +whoami   node1   Running +Running .* ago$/)
  t.is((await run('node', 'ps', '--format', '{{.Name}} {{.Node}}', 'node2')).stdout,
    'web.1 node2\n')
  t.is((await run('node', 'ps', '-q', '-f', 'desired-state=shutdown')).stdout, '')
})

test('inspect finds nodes, too, in a cluster', async t => {
  const { run } = await lab(t)
  t.is((await run('inspect', 'node2')).code, 1)
  await run('init')
  t.is((await run('inspect', '-f', '{{.Description.Hostname}}', 'node2')).stdout, 'node2\n')
})

test('node inspect takes a template, and --pretty is for people', async t => {
  const { run } = await lab(t)
  const format = '{{.Spec.Role}} {{.ManagerStatus.Leader}}'
  t.is((await run('node', 'inspect', '-f', format, 'node1')).stdout, 'manager true\n')
  t.is((await run('node', 'inspect', '--pretty', 'node2')).stdout, [
    'ID:               n2bbbbbbbbbbbbbbbbbbbbbbb',
    'Hostname:         node2',
    'Joined at:        2026-01-01T00:00:00.000Z',
    'Status:',
    ' State:           Ready',
    ' Availability:    Active',
    ' Address:         192.168.56.12',
    'Gossip Address:   192.168.56.12:7946',
    'Engine Version:   0.1.0', '',
  ].join('\n'))
})

test('a manager with labels, for people', t => {
  const text = nodeText({
    id: 'n1', name: 'node1', self: true, role: 'manager', status: 'Ready', availability: 'Drain',
    managerStatus: 'Unreachable', version: '0.1.0', address: '10.0.0.1', mesh: '10.0.0.1:7946',
    epoch: 1, labels: { zone: 'a' }, joinedAt: '2026-01-01T00:00:00.000Z',
  })
  t.regex(text, /\nLabels:\n - zone=a\nHostname: /)
  t.regex(text, /\n Availability: +Drain\n/)
  t.regex(text, /\nManager Status:\n Address: +10\.0\.0\.1:7946\n Reachability: +Unreachable\n/)
  t.regex(text, /\n Leader: +No\n/)
})

test('info before and after init', async t => {
  const { run } = await lab(t)
  t.regex((await run('info')).stdout, /\n Containers: 1\n  Running: 1\n[^]*\n Swarm: inactive\n K/)
  await run('init')
  t.regex((await run('info')).stdout, new RegExp('\n Swarm: active\n  NodeID: n1a{23}\n'
    + '  Is Manager: true\n  ClusterID: c{25}\n  Managers: 1\n  Nodes: 2\n'
    + '  Node Address: 192.168.56.11\n  Manager Addresses:\n   192.168.56.11:7946\n'))
  t.is((await run('info', '-f', '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}')).stdout,
    'active true\n')
  t.is(JSON.parse((await run('info', '--format', 'json')).stdout).Swarm.Cluster.Name, 'tapmesh')
})
