// The command line as its users have it: a child process, in front of a daemon that is only memory.
import test, { type ExecutionContext } from 'ava'
import { spawn } from 'node:child_process'
import { appendFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { serveFake, until } from '../control.test-kit.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const DEADLINE_MS = 15_000

type Ended = { code: number | null; stdout: string; stderr: string }

function start(t: ExecutionContext, words: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [MAIN, ...words], { env: { ...process.env, ...env } })
  const seen: Ended = { code: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', text => (seen.stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (seen.stderr += text))
  const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  const ended = new Promise<Ended>(resolve => child.on('close', code => {
    clearTimeout(timer)
    resolve({ ...seen, code })
  }))
  t.teardown(() => child.kill('SIGKILL'))
  return { child, seen, ended }
}

function cli(t: ExecutionContext, words: string[], env?: NodeJS.ProcessEnv): Promise<Ended> {
  return start(t, words, env).ended
}

/** A daemon with the network "mynet" and the running task "web", and the words that lead to it. */
async function lab(t: ExecutionContext) {
  const fake = await serveFake()
  t.teardown(fake.close)
  await fake.client.createNetwork({ name: 'mynet' })
  const body = { name: 'web', networks: [{ network: 'mynet' }], command: ['sleep', '600'] }
  await fake.client.runTask(body)
  const run = (...words: string[]) => cli(t, ['--socket', fake.socketPath, ...words])
  return { ...fake, run }
}

const usage: [what: string, words: string, line: RegExp][] = [
  ['an unknown command', 'staus', /^tapmesh: unknown command 'staus' \(did you mean status\?\); /],
  ['an unknown subcommand', 'network lss', /unknown command 'lss'.*see 'tapmesh network --help'$/],
  ['an unknown option', 'ps --colour', /unknown option '--colour'; see 'tapmesh ps --help'$/],
  ['a missing name', 'network create', /argument 'name'; see 'tapmesh network create --help'$/],
  ['an excess argument', 'network create a b', /too many arguments.*; see 'tapmesh network c/],
  ['a number that is none', 'network create --vni x a', /--vni "x" is not a whole number from 0/],
  ['a label without key', 'network create --label =v a', /--label "=v" has no key/],
  ['a wrong network option', 'run --network a,mac=b x', /--network "a,mac=b": write NETWORK or/],
  ['two addresses', 'run --network a,ip=1.2.3.4,ip=1.2.3.5 x', /--network "a,ip=.*: write/],
  ['exec without command', 'exec web --', /missing required argument 'command'/],
  ['a port out of range', 'whoami --port 65536', /--port "65536" is not a whole number from 0 to/],
]
for (const [what, words, line] of usage) {
  test(`exit 2 and one line: ${what}`, async t => {
    const { code, stdout, stderr } = await cli(t, words.split(' '), { TAPMESH_SOCKET: '/none' })
    t.is(code, 2)
    t.is(stdout, '')
    t.is(stderr.split('\n').length, 2, stderr)
    t.regex(stderr.trimEnd(), line)
  })
}

test('what the daemon calls wrong words is a usage error, too', async t => {
  const { run } = await lab(t)
  const words = ['network', 'create', '--subnet', '10.0.0.0/33', '--vni', '0', 'b']
  const { code, stderr } = await run(...words)
  t.is(code, 2)
  t.regex(stderr, /^tapmesh: subnet: "10\.0\.0\.0\/33" is not .*; vni: .*; see 'tapmesh network cr/)
})

test('exit 1 and one line: no daemon', async t => {
  const { code, stderr } = await cli(t, ['ps'], { TAPMESH_SOCKET: '/tmp/no-such.sock' })
  t.is(code, 1)
  t.is(stderr, 'tapmesh: no daemon answers on /tmp/no-such.sock; start it with: tapmesh daemon\n')
})

test('exit 1: no such network', async t => {
  const { run } = await lab(t)
  const { code, stderr } = await run('network', 'rm', 'none')
  t.is(code, 1)
  t.is(stderr, 'tapmesh: no network named none\n')
})

test('help and version: everywhere, with an example, exit 0', async t => {
  const { stdout } = await cli(t, ['--help'])
  const commands = [...stdout.matchAll(/^  ([a-z]+) +[A-Z]/gm)].map(([, word]) => word ?? '')
  t.true(commands.includes('network') && commands.includes('whoami'))
  t.regex((await cli(t, ['--version'])).stdout, /^tapmesh \d+\.\d+\.\d+\n$/)
  const leaves = commands.flatMap(word => ({
    network: ['network create', 'network ls', 'network inspect', 'network rm'],
    vtep: ['vtep add', 'vtep ls', 'vtep rm'],
    fdb: ['fdb ls'],
  })[word] ?? [word])
  for (const leaf of leaves) {
    const help = await cli(t, [...leaf.split(' '), '--help'])
    t.is(help.code, 0, leaf)
    t.regex(help.stdout, new RegExp(`^Usage: tapmesh ${leaf}[^]*\nExample:\n  tapmesh `), leaf)
  }
  const [first, second] = [['help', 'network', 'ls'], ['network', 'ls', '-h']]
  t.is((await cli(t, first)).stdout, (await cli(t, second)).stdout)
})

test('a group without a command shows its help and fails', async t => {
  const { code, stdout, stderr } = await cli(t, ['network'])
  t.deepEqual([code, stdout], [2, ''])
  t.regex(stderr, /^Usage: tapmesh network/)
})

test('network create, ls, inspect and rm', async t => {
  const { run, asked } = await lab(t)
  const made = await run('network', 'create', '-d', 'overlay', '--subnet', '10.9.0.0/24', '--vni',
    '5000', '--mtu', '1400', '--label', 'a=b', '--label', 'c', 'other')
  t.deepEqual(made, { code: 0, stdout: 'a1b2c3d4e5f6\n', stderr: '' })
  t.is(asked.at(-1), 'create {"name":"other","subnet":"10.9.0.0/24","vni":5000,"mtu":1400,'
    + '"labels":{"a":"b","c":""}}')
  t.is((await run('network', 'ls')).stdout, [
    'NETWORK ID     NAME    DRIVER    SCOPE   SUBNET        VNI',
    'a1b2c3d4e5f6   mynet   overlay   swarm   10.0.1.0/24   4097',
    'a1b2c3d4e5f6   other   overlay   swarm   10.9.0.0/24   5000', '',
  ].join('\n'))
  t.is((await run('network', 'ls', '-q')).stdout, 'a1b2c3d4e5f6\n'.repeat(2))
  const [shown] = JSON.parse((await run('network', 'inspect', 'mynet')).stdout)
  t.like(shown, {
    Name: 'mynet', Driver: 'overlay', EnableIPv6: false, Peers: [{ IP: '192.168.56.12' }],
    IPAM: { Driver: 'default', Config: [{ Subnet: '10.0.1.0/24', Gateway: '10.0.1.1' }] },
    Options: { 'com.docker.network.driver.overlay.vxlanid_list': '4097' },
    Vni: 4097, Mtu: 1450, Skipped: [{ Subnet: '10.0.2.0/24', Reason: 'route of eth0' }],
  })
  const some = await run('network', 'rm', 'none', 'other')
  t.deepEqual(some, { code: 1, stdout: 'other\n', stderr: 'tapmesh: no network named none\n' })
})

test('vtep add, ls and rm; fdb ls', async t => {
  const { run, asked, socketPath } = await lab(t)
  await run('vtep', 'add', '192.168.56.12')
  await cli(t, ['vtep', 'add', '--socket', socketPath, '192.168.56.13:8472', '--network', 'mynet'])
  t.is((await run('vtep', 'ls')).stdout, [
    'ADDRESS         PORT   NETWORK',
    '192.168.56.12   4789   *',
    '192.168.56.13   8472   mynet', '',
  ].join('\n'))
  t.like(await run('vtep', 'rm', '192.168.56.13', '--network', 'mynet'), { code: 0 })
  t.is(asked.at(-1), 'remove vtep 192.168.56.13 mynet')
  t.is((await run('fdb', 'ls')).stdout, [
    'NETWORK   MAC                 VIA             AGE',
    'mynet     02:42:0a:00:01:09   192.168.56.12   4 s', '',
  ].join('\n'))
})

test('status leaves out what is zero, and --json leaves out nothing', async t => {
  const { run } = await lab(t)
  const { stdout } = await run('status')
  t.regex(stdout, /^Node       node1 \(tapmesh 0\.1\.0, pid \d+, up less than a second\)\n/)
  t.regex(stdout, /\nUnderlay   eth1 192\.168\.56\.11, UDP port 4789, MTU 1500, checksum on\n/)
  t.regex(stdout, /\nENDPOINT   NETWORK .*\nweb        mynet     eth0        10\.0\.1\.2\/24/)
  t.regex(stdout, /\nDROPPED +COUNT\nunknown_vtep   7\n$/)
  t.notRegex(stdout, /bad_vni|tap_out/)
  t.is(JSON.parse((await run('status', '--json')).stdout).drops.bad_vni, 0)
})

test('run -d, ps, stop, inspect and rm', async t => {
  const { run, asked } = await lab(t)
  const made = await run('run', '-d', '--rm', '--name', 'job', '--network', 'mynet,ip=10.0.1.8',
    '-e', 'A=b', '--workdir', '/srv', '--', 'ping', '-c', '3', '10.0.1.2')
  t.deepEqual(made, { code: 0, stdout: `${'02'.repeat(32)}\n`, stderr: '' })
  t.is(asked.at(-1), 'run {"name":"job","networks":[{"network":"mynet","address":"10.0.1.8"}],'
    + '"command":["ping","-c","3","10.0.1.2"],"env":["A=b"],"workdir":"/srv","promiscuous":false,'
    + '"remove":true}')
  t.is((await run('run', '--network', 'mynet')).stdout, `${'03'.repeat(32)}\n`)
  t.is((await run('stop', '-t', '3', 'job')).stdout, 'job\n')
  t.true(asked.includes('stop job 3000'))
  const [heading, web, ...others] = (await run('ps')).stdout.trimEnd().split('\n')
  t.regex(heading ?? '', /^ID +NAME +COMMAND +STATUS +NETNS +ADDRESSES$/)
  t.regex(web ?? '', /^010101010101   web +"sleep 600" +Up .* +tm-010101010101   10\.0\.1\.2\/24$/)
  t.is(others.length, 1)
  t.regex((await run('ps', '-a')).stdout, /job +"ping -c 3 10\.0\.1\.2" +Exited \(143\) .* ago/)
  t.is((await run('ps', '-aq')).stdout.split('\n').length, 4)
  t.like(JSON.parse((await run('inspect', 'web', 'mynet')).stdout), [
    { name: 'web', state: 'running' }, { Name: 'mynet' },
  ])
  t.like(await run('inspect', 'none'), {
    code: 1, stdout: '[]\n', stderr: 'tapmesh: there is no task or network "none"\n',
  })
  t.deepEqual(await run('rm', 'job', 'web'), {
    code: 1, stdout: 'job\n', stderr: 'tapmesh: task web runs; stop it first or use --force\n',
  })
})

test('run in the foreground: output, signals, exit code, --rm', async t => {
  const { socketPath, asked, logPath, tasks, end } = await lab(t)
  await writeFile(logPath, 'hello\n')
  const words = ['run', '--rm', '--network', 'mynet', 'server', '--port', '80']
  const { child, seen, ended } = start(t, ['--socket', socketPath, ...words])
  await until(() => seen.stdout === 'hello\n', 'the output')
  child.kill('SIGINT')
  await until(() => asked.includes(`kill ${'02'.repeat(32)} SIGINT`), 'the signal')
  await appendFile(logPath, 'bye\n')
  end('task-0202', 7)
  t.deepEqual(await ended, { code: 7, stdout: 'hello\nbye\n', stderr: '' })
  t.is(tasks.length, 1)
})

test('a second Ctrl-C leaves the task alone', async t => {
  const { socketPath, asked, tasks } = await lab(t)
  const words = ['run', '--network', 'mynet', 'server']
  const { child, ended } = start(t, ['--socket', socketPath, ...words])
  await until(() => asked.includes(`wait ${'02'.repeat(32)}`), 'the task')
  child.kill('SIGINT')
  await until(() => asked.includes(`kill ${'02'.repeat(32)} SIGINT`), 'the signal')
  child.kill('SIGINT')
  t.like(await ended, {
    code: 130, stderr: 'tapmesh: left task-0202 running; stop it with: tapmesh rm -f task-0202\n',
  })
  t.is(tasks.length, 2)
})

test('logs, kill and wait', async t => {
  const { run, asked, logPath } = await lab(t)
  await writeFile(logPath, 'one\ntwo\n')
  t.is((await run('logs', '--tail', '1', 'web')).stdout, 'two\n')
  t.is((await run('kill', '-s', 'hup', 'web')).stdout, 'web\n')
  t.is(asked.at(-1), 'kill web SIGHUP')
  const waiting = run('wait', 'web')
  await until(() => asked.includes('wait web'), 'the wait')
  t.is((await run('kill', 'web')).stdout, 'web\n')
  t.is((await waiting).stdout, '143\n')
})

test('a reader that has enough is no failure', async t => {
  const { socketPath, logPath } = await lab(t)
  await writeFile(logPath, 'x'.repeat(1 << 20))
  const { child, ended } = start(t, ['--socket', socketPath, 'logs', 'web'])
  child.stdout.once('data', () => child.stdout.destroy())
  t.like(await ended, { code: 0, stderr: '' })
})

test('whoami: a port in use is named', async t => {
  const taken = createServer()
  await new Promise<void>(resolve => taken.listen(0, resolve))
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  t.like(await cli(t, ['whoami', '--port', String(port)]), {
    code: 1, stderr: `tapmesh: port ${port} is in use; choose another with --port\n`,
  })
})

test('whoami ends at once on SIGTERM, with exit 0', async t => {
  const { child, seen, ended } = start(t, ['whoami', '--port', '0'])
  await until(() => seen.stderr.includes('answers on port'), 'the server')
  child.kill('SIGTERM')
  t.is((await ended).code, 0)
})
