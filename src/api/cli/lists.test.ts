// The ways of every list command, in front of a daemon that is only memory.
import test from 'ava'
import { lab } from './cli.test-kit.ts'

test('network ls: templates, JSON and filters', async t => {
  const { run } = await lab(t)
  await run('network', 'create', '--label', 'team=blue', 'other')
  t.is((await run('network', 'ls', '--format', '{{.Name}}\\t{{.Subnet}}')).stdout,
    'mynet\t10.0.1.0/24\nother\t10.0.1.0/24\n')
  const lines = (await run('network', 'ls', '--format', 'json', '--filter', 'label=team')).stdout
  t.like(JSON.parse(lines), {
    Name: 'other', Driver: 'overlay', Scope: 'swarm', IPv6: 'false', Labels: 'team=blue',
  })
  t.is((await run('network', 'ls', '-q', '-f', 'type=builtin')).stdout, '')
  t.deepEqual(JSON.parse((await run('network', 'ls', '--json', '-f', 'name=my')).stdout)
    .map(({ name }: { name: string }) => name), ['mynet'])
})

test('ps: templates and filters', async t => {
  const { run, end } = await lab(t)
  t.is((await run('ps', '--format', '{{.Names}} {{.Networks}}')).stdout, 'web mynet\n')
  t.is((await run('ps', '--no-trunc', '-q')).stdout, `${'01'.repeat(32)}\n`)
  end('web', 3)
  t.is((await run('ps', '-q')).stdout, '')
  t.is((await run('ps', '-q', '-f', 'exited=3')).stdout, '010101010101\n')
  t.is((await run('ps', '-q', '-f', 'status=exited', '-f', 'name=none')).stdout, '')
})

test('ps: labels', async t => {
  const { run } = await lab(t)
  await run('run', '-d', '--network', 'mynet', '-l', 'team=blue', '--name', 'blue', 'x')
  t.is((await run('ps', '--filter', 'label=team=blue', '--format', '{{.Names}} {{.Label "team"}}'))
    .stdout, 'blue blue\n')
  t.is((await run('ps', '-q', '--filter', 'label=team=red')).stdout, '')
})

test('node ls: the mark is no part of an id', async t => {
  const { run } = await lab(t)
  const format = '{{.ID}}{{if .Self}} self{{end}}'
  t.is((await run('node', 'ls', '--format', format, '-f', 'role=manager')).stdout,
    'n1aaaaaaaaaaaaaaaaaaaaaaa self\n')
  t.is((await run('node', 'ls', '-q', '--filter', 'name=node2')).stdout,
    'n2bbbbbbbbbbbbbbbbbbbbbbb\n')
})

test('inspect: templates', async t => {
  const { run } = await lab(t)
  const shown = await run('network', 'inspect', '-f', '{{.Name}} {{json .IPAM.Config}}', 'mynet')
  t.is(shown.stdout, 'mynet [{"Subnet":"10.0.1.0/24","Gateway":"10.0.1.1"}]\n')
  const format = '{{.name}}{{range .endpoints}} {{.address}}{{end}}'
  t.is((await run('inspect', '--format', format, 'web')).stdout, 'web 10.0.1.2\n')
  t.is(JSON.parse((await run('network', 'inspect', '-f', 'json', 'mynet')).stdout)[0].Name, 'mynet')
  t.deepEqual(await run('network', 'inspect', '-f', '{{.Name}}', 'none', 'mynet'), {
    code: 1, stdout: 'mynet\n', stderr: 'tapmesh: no network named none\n',
  })
})

const wrong: [words: string[], line: RegExp][] = [
  [['network', 'ls', '--format', '{{.Nme}}'], /there is no field \.Nme; there are: \.ID, \.Name, /],
  [['network', 'ls', '--filter', 'scope=moon'], /scope is one of: swarm, global, local; see /],
  [['node', 'ls', '--filter', 'colour=red'], /there is no filter "colour"; there are: id, name, /],
  [['vtep', 'ls', '--format', '{{.Address'], /a "\{\{" has no "\}\}"/],
  [['fdb', 'ls', '--filter', 'mac'], /--filter "mac": write KEY=VALUE/],
  [['peers', '--filter', 'state=well'], /state is one of: alive, suspect/],
  [['cluster', 'tables', '--format', '{{.Key}}'], /there is no field \.Key; there are: \.Table/],
  [['network', 'inspect', '-f', '{{.Nme}}', 'mynet'], /there is no field \.Nme/],
]
for (const [words, line] of wrong) {
  test(`exit 2 and one line: ${words.join(' ')}`, async t => {
    const { run } = await lab(t)
    const { code, stdout, stderr } = await run(...words)
    t.deepEqual([code, stdout, stderr.split('\n').length], [2, '', 2])
    t.regex(stderr, line)
  })
}
