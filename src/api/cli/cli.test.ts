// Every command in front of a daemon that is only memory.
import test from 'ava'
import { appendFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { until } from '../control.test-kit.ts'
import { cli, DEADLINE_MS, lab, start } from './cli.test-kit.ts'

test('network create, ls, inspect and rm', async t => {
  const { run, asked } = await lab(t)
  const made = await run('network', 'create', '-d', 'overlay', '--subnet', '10.9.0.0/24', '--vni',
    '5000', '--mtu', '1400', '--label', 'a=b', '--label', 'c', 'other')
  t.deepEqual(made, { code: 0, stdout: 'a1b2c3d4e5f6\n', stderr: '' })
  t.is(asked.at(-1), 'create {"name":"other","subnet":"10.9.0.0/24","vni":5000,"mtu":1400,'
    + '"labels":{"a":"b","c":""},"attachable":true,"internal":false}')
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
    Lacks: [{ Name: 'web.3', Reason: 'no address is free' }],
  })
  const some = await run('network', 'rm', 'none', 'other')
  t.deepEqual(some, { code: 1, stdout: 'other\n', stderr: 'tapmesh: no network named none\n' })
})

test('vtep add, ls and rm; fdb ls', async t => {
  const { run, asked, socketPath } = await lab(t)
  await run('vtep', 'add', '192.168.56.12')
  await cli(t, ['vtep', 'add', '--socket', socketPath, '192.168.56.13:8472', '--network', 'mynet'])
  t.is((await run('vtep', 'ls')).stdout, [
    'ADDRESS         PORT   NETWORK   CHECKSUM',
    '192.168.56.12   4789   *         ours',
    '192.168.56.13   8472   mynet     ours', '',
  ].join('\n'))
  t.like(await run('vtep', 'rm', '192.168.56.13', '--network', 'mynet'), { code: 0 })
  t.is(asked.at(-1), 'remove vtep 192.168.56.13 mynet')
  t.is((await run('fdb', 'ls')).stdout, [
    'NETWORK   MAC                 VIA             AGE',
    'mynet     02:42:0a:00:01:09   192.168.56.12   4 s', '',
  ].join('\n'))
})

test('lb ls, rules and flows', async t => {
  const { run, asked } = await lab(t)
  t.is((await run('lb', 'ls')).stdout, [
    'Prot LocalAddress:Port Scheduler Flags',
    '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
    'FWM  256 rr',
    '  -> 10.0.1.3:0                   Masq    1      0          0',
    '  -> 10.0.1.4:0                   Masq    1      1          0', '',
  ].join('\n'))
  t.is(JSON.parse((await run('lb', 'ls', '--json')).stdout)[0].service, 'web')
  t.is((await run('lb', 'rules')).stdout, [
    'KIND   NETWORK   ADDRESS    PROTOCOLS   PORTS   MARK    SERVICE',
    'vip    mynet     10.0.1.2   tcp,udp     all     0x100   web', '',
  ].join('\n'))
  t.is((await run('lb', 'flows', '--service', 'web', '--limit', '5')).stdout, [
    'PROTOCOL   SERVICE   CLIENT          VIP           BACKEND       STATE         IDLE',
    'tcp        web       10.0.1.9:5000   10.0.1.2:80   10.0.1.4:80   established   3 s', '',
  ].join('\n'))
  t.is(asked.at(-1), 'flows web 5')
  t.like(await run('lb', 'flows', '--service', 'other'), { code: 1,
    stderr: 'tapmesh: no service named other\n' })
  t.is((await run('lb', 'flows', '--limit', '0')).code, 2)
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
    + '"command":["ping","-c","3","10.0.1.2"],"env":["A=b"],"workdir":"/srv","stopGraceMs":10000,'
    + '"labels":{},"runtime":"process","promiscuous":false,"remove":true}')
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
    code: 1, stdout: '[]\n', stderr: 'tapmesh: there is no task, network, service or node "none"\n',
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
  await until(() => seen.stdout === 'hello\n', 'the output', DEADLINE_MS)
  child.kill('SIGINT')
  await until(() => asked.includes(`kill ${'02'.repeat(32)} SIGINT`), 'the signal', DEADLINE_MS)
  await appendFile(logPath, 'bye\n')
  end('task-0202', 7)
  t.deepEqual(await ended, { code: 7, stdout: 'hello\nbye\n', stderr: '' })
  t.is(tasks.length, 1)
})

test('a second Ctrl-C leaves the task alone', async t => {
  const { socketPath, asked, tasks } = await lab(t)
  const words = ['run', '--network', 'mynet', 'server']
  const { child, ended } = start(t, ['--socket', socketPath, ...words])
  await until(() => asked.includes(`wait ${'02'.repeat(32)}`), 'the task', DEADLINE_MS)
  child.kill('SIGINT')
  await until(() => asked.includes(`kill ${'02'.repeat(32)} SIGINT`), 'the signal', DEADLINE_MS)
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
  await until(() => asked.includes('wait web'), 'the wait', DEADLINE_MS)
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
  await until(() => seen.stderr.includes('answers on port'), 'the server', DEADLINE_MS)
  child.kill('SIGTERM')
  t.is((await ended).code, 0)
})
