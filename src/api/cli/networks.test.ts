// The commands of networks, in front of a daemon that is only memory.
import test from 'ava'
import { lab, start } from './cli.test-kit.ts'
import { momentMs } from './words.ts'

test('network create: who may join, and whether there is a way out', async t => {
  const { run, asked } = await lab(t)
  await run('network', 'create', '--attachable', '--internal', 'x')
  t.regex(asked.at(-1) ?? '', /"name":"x",.*"attachable":true,"internal":true/)
  await run('network', 'create', '--attachable=false', 'y')
  t.regex(asked.at(-1) ?? '', /"name":"y",.*"attachable":false,"internal":false/)
  const format = '{{.Name}} {{.Attachable}} {{.Internal}}'
  t.is((await run('network', 'inspect', '-f', format, 'x', 'y')).stdout,
    'x true true\ny false false\n')
})

test('network inspect -v has services with their tasks', async t => {
  const { run } = await lab(t)
  const [shown] = JSON.parse((await run('network', 'inspect', '-v', 'mynet')).stdout)
  t.deepEqual(shown.Services, {
    web: {
      VIP: '10.0.1.2', Ports: ['Target: 80, Publish: 8080'],
      Tasks: [{
        Name: 'web.1.x in mynet', EndpointID: 'n1/1', EndpointIP: '10.0.1.3',
        Info: { 'Host IP': '192.168.56.11' },
      }],
    },
  })
  const plain = await run('network', 'inspect', '-f', '{{.Services}}', 'mynet')
  t.is(plain.code, 2)
})

test('network inspect: peers are named by node and id', async t => {
  const { run, networks } = await lab(t)
  networks[0]!.peers.push({ node: 'node2', id: 'n2bbbbbbbbbbbbbbbbbbbbbbb', address: '10.9.0.2' })
  t.is((await run('network', 'inspect', '-f', '{{json .Peers}}', 'mynet')).stdout,
    '[{"Name":"node2-n2bbbbbbbbbb","IP":"10.9.0.2"},'
    + '{"Name":"192.168.56.12","IP":"192.168.56.12"}]\n')
})

test('network connect and disconnect', async t => {
  const { run, asked } = await lab(t)
  t.deepEqual(await run('network', 'connect', '--ip', '10.0.1.9', 'mynet', 'web'),
    { code: 0, stdout: '', stderr: '' })
  t.is(asked.at(-1), 'connect mynet {"task":"web","address":"10.0.1.9"}')
  await run('network', 'disconnect', 'mynet', 'web')
  t.is(asked.at(-1), 'disconnect mynet web')
  t.like(await run('network', 'connect', 'mynet', 'none'), {
    code: 1, stderr: 'tapmesh: no task named none\n',
  })
})

test('network prune: with --force there is no question', async t => {
  const { run, asked } = await lab(t)
  const words = ['-f', '--filter', 'label!=keep', '--filter', 'label=team=blue', '--filter',
    'until=2026-01-02T03:04:05Z']
  t.deepEqual(await run('network', 'prune', ...words),
    { code: 0, stdout: 'Deleted Networks:\nmynet\n', stderr: '' })
  t.is(asked.at(-1), `prune {"untilMs":${Date.parse('2026-01-02T03:04:05Z')},`
    + '"labels":["team=blue"],"labelsNot":["keep"]}')
  const wrong = await run('network', 'prune', '-f', '--filter', 'name=a')
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /--filter "name=a": write until=TIME, label=KEY or label!=KEY/)
})

for (const [answer, code] of [['y\n', 0], ['n\n', 1], ['', 1]] as const) {
  test(`network prune: the answer is ${JSON.stringify(answer)}`, async t => {
    const { socketPath, asked } = await lab(t)
    const { child, ended } = start(t, ['--socket', socketPath, 'network', 'prune'])
    child.stdin.end(answer)
    const { stdout, ...rest } = await ended
    t.is(rest.code, code)
    t.regex(stdout, /^WARNING! This will remove all networks .*\nAre you sure .* \[y\/N\] /)
    t.is(asked.some(line => line.startsWith('prune')), code === 0)
  })
}

const moments: [text: string, ms: number][] = [
  ['24h', 1e12 - 86_400_000], ['10m', 1e12 - 600_000], ['1700000000', 1_700_000_000_000],
  ['2026-01-02T03:04:05Z', Date.UTC(2026, 0, 2, 3, 4, 5)],
]
for (const [text, ms] of moments) {
  test(`until=${text}`, t => t.is(momentMs(text, 1e12), ms))
}
for (const text of ['yesterday', '2026-13-45', '']) {
  test(`until=${text} is refused`, t => {
    t.throws(() => momentMs(text, 1e12), { code: 'TM_USAGE' })
  })
}
