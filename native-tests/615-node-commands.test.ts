// The commands of the cluster and its nodes, as people know them from Docker Swarm. The rows are
// those of group A of the checklist of behaviours.
// May run beside another test.
import { tokenOf, untilEqual, untilWhole } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { until } from './lib/wait.ts'

const IDENTITY_FILES = ['ca.crt', 'ca.key', 'cluster.json', 'keyring', 'node.crt', 'node.key']

const lab = useLab({ nodes: 3, peers: 'none', needs: { tools: ['openssl'] } })

lab.test('A6: info says that the swarm is inactive before init', async t => {
  t.match(await lab.tapmesh('node1', 'info'), /\n Swarm: inactive\n/)
  t.equal(await lab.tapmesh('node1', 'info', '-f', '{{.Swarm.LocalNodeState}}'), 'inactive')
})

lab.test('A4: init says what the others are to say', async t => {
  t.match(await lab.tapmesh('node1', 'init'), new RegExp(
    '^Cluster initialized: current node \\([0-9a-z]{25}\\) is now a manager\\.\n\n'
    + 'To add a worker to this cluster, run the following command:\n\n'
    + ' {4}tapmesh join --token TMTKN-1-[0-9a-z]{50}-[0-9a-z]{25} 192\\.168\\.56\\.11:7946\n\n'
    + "To add a manager to this cluster, run 'tapmesh join-token manager' and follow the "))
})

lab.test('A2: join-token -q prints only the token', async t => {
  const token = await lab.tapmesh('node1', 'join-token', '-q', 'worker')
  t.match(token, /^TMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/)
  t.equal(token, await tokenOf(lab, 'node1', 'worker'))
})

lab.test('A8: after init there are an authority, a certificate, gossip keys and tokens', async t => {
  t.same((await lab.sh('node1', 'ls /var/lib/tapmesh/identity')).trim().split('\n').sort(),
    IDENTITY_FILES)
  t.match(await lab.sh('node1', 'openssl verify -CAfile /var/lib/tapmesh/identity/ca.crt '
    + '/var/lib/tapmesh/identity/node.crt'), /: OK/)
  for (const role of ['worker', 'manager'] as const) {
    t.match(await tokenOf(lab, 'node1', role), /^TMTKN-1-/)
  }
})

lab.test('A1, A3: two nodes join, and the first is the manager', async t => {
  const token = await tokenOf(lab, 'node1', 'worker')
  for (const node of ['node2', 'node3']) {
    t.match(await lab.tapmesh(node, 'join', '--token', token, '192.168.56.11'),
      /This node joined the cluster "tapmesh" as a worker\./)
  }
  await untilWhole(lab)
  await untilEqual(lab)
  t.match(await lab.tapmesh('node1', 'info'),
    /\n Swarm: active\n  NodeID: [0-9a-z]{25}\n  Is Manager: true\n[^]*\n  Managers: 1\n  Nodes: 3\n/)
  t.match(await lab.tapmesh('node2', 'info'), /\n  Is Manager: false\n/)
})

lab.test('A5: node ls has Docker\'s columns; the own node has a star', async t => {
  const [heading, ...rows] = (await lab.tapmesh('node1', 'node', 'ls')).split('\n')
  t.match(heading,
    /^ID +HOSTNAME +STATUS +AVAILABILITY +MANAGER STATUS +ENGINE VERSION$/)
  t.match(rows[0], /^[0-9a-z]{25} \* +node1 +Ready +Active +Leader +\d+\.\d+\.\d+$/)
  t.match(rows[1], /^[0-9a-z]{25} +node2 +Ready +Active +\d+\.\d+\.\d+$/)
  t.equal(rows.length, 3)
  t.equal(await lab.tapmesh('node3', 'node', 'ls', '--filter', 'role=manager', '--format',
    '{{.Hostname}} {{.Self}}'), 'node1 false')
})

lab.test('node update: availability and labels are known on all nodes', async t => {
  t.equal(await lab.tapmesh('node1', 'node', 'update', '--availability', 'drain', '--label-add',
    'zone=a', '--label-add', 'old=x', 'node2'), 'node2')
  await lab.tapmesh('node1', 'node', 'update', '--label-rm', 'old', 'node2')
  await untilEqual(lab)
  for (const node of lab.nodes) {
    t.equal(await lab.tapmesh(node, 'node', 'inspect', '-f',
      '{{.Spec.Availability}} {{json .Spec.Labels}}', 'node2'), 'drain {"zone":"a"}', node)
  }
  t.match(await lab.tapmesh('node3', 'node', 'ls'), / node2 +Ready +Drain /)
  t.match(await lab.tapmesh('node3', 'node', 'inspect', '--pretty', 'node2'),
    /\nLabels:\n - zone=a\nHostname: +node2\n[^]*\n Availability: +Drain\n/)
  t.equal(await lab.tapmesh('node3', 'node', 'ls', '-f', 'node.label=zone=a', '--format',
    '{{.Hostname}}'), 'node2')
})

lab.test('node update: workers may not, and a role stays', async t => {
  const worker = await lab.run('node2', 'tapmesh', 'node', 'update', '--availability', 'active',
    'self')
  t.equal(worker.code, 1)
  t.match(worker.stderr, /this node is a worker, and only managers change nodes; .*: node1/)
  const role = await lab.run('node1', 'tapmesh', 'node', 'update', '--role', 'manager', 'node2')
  t.equal(role.code, 1)
  t.match(role.stderr, /the role of node node2 stands in its certificate .* join-token manager/)
  t.equal(await lab.tapmesh('node1', 'node', 'inspect', '-f', '{{.Spec.Role}}', 'node2'), 'worker')
})

lab.test('node update: what managers said outlives the daemon', async t => {
  await lab.daemon('node1', 'restart')
  await untilWhole(lab)
  t.equal(await lab.tapmesh('node1', 'node', 'inspect', '-f', '{{.Spec.Availability}}', 'node2'),
    'drain')
})

lab.test('node ps and ps: a node without services has no tasks of them', async t => {
  t.match(await lab.tapmesh('node1', 'node', 'ps'), /^ID +NAME +IMAGE +NODE [^\n]*$/)
  await lab.tapmesh('node1', 'network', 'create', 'mynet')
  await lab.tapmesh('node1', 'run', '-d', '--name', 'blue', '--network', 'mynet', '-l', 'team=blue',
    '--', 'sleep', '600')
  const id = await lab.tapmesh('node1', 'ps', '-q', '--no-trunc', '--filter', 'label=team=blue')
  t.equal(id, (await lab.task('node1', 'blue')).id)
  t.equal(await lab.tapmesh('node1', 'ps', '-q', '--filter', 'label=team=red'), '')
})

lab.test('A7: the last manager leaves only with --force', async t => {
  const refused = await lab.run('node1', 'tapmesh', 'leave')
  t.equal(refused.code, 1)
  t.match(refused.stderr, /--force/)
  await lab.tapmesh('node1', 'leave', '--force')
  t.equal(await lab.tapmesh('node1', 'info', '-f', '{{.Swarm.LocalNodeState}}'), 'inactive')
  await until('the others see it go', async () =>
    (await lab.tapmesh('node2', 'peers', '--format', '{{.Name}} {{.State}}')).includes('node1 left'))
})
