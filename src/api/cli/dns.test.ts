// The commands of names in front of a daemon that is only memory.
import test from 'ava'
import { lab } from './cli.test-kit.ts'

test('dns why tells the steps and the answer', async t => {
  const { run } = await lab(t)
  const { code, stdout } = await run('dns', 'why', '--task', 'db', 'web')
  t.is(code, 0)
  t.is(stdout, [
    'web A, asked by task db: demo, back',
    '  1. network demo: "web" is service web by its VIP',
    '  2. its address is 10.0.4.2',
    'NOERROR in 0.3 ms',
    '  A 10.0.4.2 (TTL 600 s)',
    '',
  ].join('\n'))
  const none = await run('dns', 'why', '--type', 'AAAA', 'nobody')
  t.regex(none.stdout, /^nobody AAAA, asked by a task on all networks: .*\nNXDOMAIN in 0\.3 ms/s)
  t.like(JSON.parse((await run('dns', 'why', '--json', 'web')).stdout), { rcode: 'NOERROR' })
})

test('dns why: words that are wrong', async t => {
  const { run } = await lab(t)
  t.like(await run('dns', 'why', 'a..b'), { code: 2 })
  t.like(await run('dns', 'why', '--type', 'FOO', 'a'), { code: 2 })
  t.like(await run('dns', 'why', '--task', 'none', 'a'),
    { code: 1, stderr: 'tapmesh: there is no task "none"\n' })
})

test('dns ls lists names', async t => {
  const { run } = await lab(t)
  t.is((await run('dns', 'ls')).stdout, [
    'NETWORK   NAME   KIND      ADDRESSES',
    'demo      web    service   10.0.4.2',
    'demo      db     task      -',
    '',
  ].join('\n'))
  t.is((await run('dns', 'ls', '--filter', 'kind=task', '--task', 'x', '--format', '{{.Name}}'))
    .stdout, 'x\n')
})
