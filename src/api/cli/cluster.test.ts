// The commands of the cluster in front of a daemon that is only memory.
import test from 'ava'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli, lab } from './cli.test-kit.ts'

test('init says what the others are to say, once', async t => {
  const { run, asked } = await lab(t)
  const { code, stdout } = await run('init', '--cluster', 'lab', '--advertise-addr', 'eth1')
  t.is(code, 0)
  t.regex(stdout, /^Cluster initialized: current node \(n1a{23}\) is now a manager\.\n\nTo add a /)
  t.regex(stdout, /\n {4}tapmesh join --token TMTKN-1-0{50}-1{25} 192\.168\.56\.11:7946\n\n/)
  t.regex(stdout, /run 'tapmesh join-token manager' and follow the instructions\.\n\n$/)
  t.is(asked.at(-1), 'init {"advertise":"eth1","name":"lab","insecure":false}')
  t.like(await run('init'), {
    code: 1, stderr: 'tapmesh: this node is in the cluster "lab" already\n',
  })
})

test('join takes its token from a word or a file, from one of them', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'tapmesh-join-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const { run, asked } = await lab(t)
  await writeFile(join(folder, 'token'), 'TMTKN-1-file\n')
  const { stdout } = await run('join', '--token-file', join(folder, 'token'), '10.1.1.1', 'h:79')
  t.is(stdout, 'This node joined the cluster "lab" as a worker.\n')
  t.is(asked.at(-1), 'join {"token":"TMTKN-1-file","seeds":["10.1.1.1","h:79"]}')
  const neither = await cli(t, ['join', 'h'])
  t.is(neither.code, 2)
  t.regex(neither.stderr, /say either --token or --token-file/)
})

test('join-token prints the command, or only the token', async t => {
  const { run, asked } = await lab(t)
  t.like(await run('join-token', 'worker'), {
    code: 1, stderr: 'tapmesh: this node is in no cluster\n',
  })
  await run('init')
  t.regex((await run('join-token', 'worker')).stdout, /^To add a worker to this cluster, run the /)
  t.regex((await run('join-token', '-q', '--rotate', 'manager')).stdout, /^TMTKN-1-\d+-\d+\n$/)
  t.is(asked.at(-1), 'rotate manager')
  t.like(await run('join-token', 'king'), { code: 2 })
})

test('node ls has the columns of Docker; inspect and rm', async t => {
  const { run, asked } = await lab(t)
  t.is((await run('node', 'ls')).stdout, [
    'ID                            HOSTNAME   STATUS   AVAILABILITY   MANAGER STATUS   '
      + 'ENGINE VERSION',
    'n1aaaaaaaaaaaaaaaaaaaaaaa *   node1      Ready    Active         Leader           0.1.0',
    'n2bbbbbbbbbbbbbbbbbbbbbbb     node2      Ready    Active                          0.1.0', '',
  ].join('\n'))
  t.is((await run('node', 'ls', '-q')).stdout.split('\n').length, 3)
  t.like(JSON.parse((await run('node', 'inspect', 'n2')).stdout)[0], {
    Self: false, Spec: { Labels: {}, Role: 'worker', Availability: 'active' },
    Description: { Hostname: 'node2' }, Status: { State: 'ready', Addr: '192.168.56.12' },
  })
  t.is((await run('node', 'rm', '-f', 'node2')).stdout, 'node2\n')
  t.is(asked.at(-1), 'remove node node2 true')
})

test('peers, tables, watch, ping, keys, leave', async t => {
  const { run } = await lab(t)
  await run('init')
  t.regex((await run('peers')).stdout, /\nnode2 +192\.168\.56\.12:7946 +doubtful +0\.25 ms +equal/)
  t.regex((await run('cluster', 'tables')).stdout, /\nnetwork +2 +1 +00c0ffee\n/)
  t.regex((await run('cluster', 'tables', 'network')).stdout, /\na1 +node1 .*\{"name":"mynet"\}/)
  t.is((await run('cluster', 'watch')).stdout, '2026-01-02T03:04:05.000Z member alive node2 null\n')
  const ping = (await run('ping', '-c', '4', 'node2')).stdout
  t.regex(ping, /\nunderlay +25 % +0\.10 ms +0\.20 ms +0\.30 ms\nmesh +- /)
  t.regex(ping, /\nPath MTU: 1500 octets\nthe mesh was not asked\n$/)
  t.is((await run('cluster', 'rotate-keys')).stdout, 'Gossip keys rotated: generation 4.\n')
  t.like(await run('leave'), { code: 1 })
  t.is((await run('leave', '--force')).stdout, 'Node left the cluster.\n')
})
