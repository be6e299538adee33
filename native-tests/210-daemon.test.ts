// The daemon as a process: what it leaves in /run, its signals, its configuration, and how it
// chooses subnets.
// May run beside another test.
import { useLab } from './lib/lab.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 2, needs: { tools: ['ping', 'curl'] } })
const NODE = 'node1'
const RUN = '/run/tapmesh'
const CONFIG = '/etc/tapmesh/tapmesh.yaml'

const tapmesh = (...words: string[]) => lab.tapmesh(NODE, ...words)

type LogLine = { level: number; time: string; node: string; msg: string; settings?: string }

/** Lines of the log that say this. */
async function logged(message: string): Promise<LogLine[]> {
  const lines = (await lab.log(NODE)).split('\n').filter(line => line.startsWith('{'))
  return lines.map(line => JSON.parse(line) as LogLine).filter(line => line.msg === message)
}

/** Write the configuration with some lines added, and have the daemon read it. */
async function reload(added: string, message: string): Promise<void> {
  const before = (await logged(message)).length
  await lab.sh(NODE, `test -e ${CONFIG}.first || cp ${CONFIG} ${CONFIG}.first
    { cat ${CONFIG}.first; printf '${added}'; } >${CONFIG}
    kill -HUP "$(cat ${RUN}/tapmesh.pid)"`)
  await until(`"${message}" in the log`, async () => (await logged(message)).length > before)
}

lab.test('pid file, socket and log', async t => {
  const { pid } = await lab.status(NODE)
  t.equal(await lab.out(NODE, 'cat', `${RUN}/tapmesh.pid`), `${pid}\n`)
  t.match(await lab.sh(NODE, `tr '\\0' ' ' </proc/${pid}/cmdline`), /main\.ts daemon/)
  t.equal(await lab.out(NODE, 'stat', '-c', '%a %F', `${RUN}/tapmesh.sock`), '660 socket\n')
  const [ready] = await logged('daemon ready')
  t.match(ready, { level: 30, node: NODE, time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ })
})

lab.test('status --json has what the API has', async t => {
  await tapmesh('network', 'create', 'mynet')
  await lab.runTask(NODE, 'web', 'mynet', 'sleep', '1000')
  const status = JSON.parse(await tapmesh('status', '--json')) as Record<string, object>
  t.same(Object.keys(status), Object.keys(await lab.status(NODE)))
  t.match(status, {
    node: NODE, version: /^\d+\.\d+\.\d+$/, pid: Number, startedAt: /Z$/,
    underlay: { device: 'eth1', address: '192.168.56.11', port: 4789, mtu: 1500 },
    networks: [{ name: 'mynet', driver: 'overlay', subnet: '10.0.1.0/24', vni: 4097, mtu: 1450 }],
    endpoints: [{ task: 'web', network: 'mynet', address: '10.0.1.2' }],
    vteps: [{ address: '192.168.56.12', port: 4789, network: null }],
    counters: { 'frames.tap_in': Number, 'frames.underlay_out': Number },
    drops: { unknown_vtep: Number, bad_vni: Number, spoofed_mac: Number },
  })
  const text = await tapmesh('status')
  t.match(text, /^Node +node1 [^]*^Underlay +eth1 192\.168\.56\.11/m)
  t.match(text, /mynet +10\.0\.1\.0\/24[^]*web +mynet +eth0 +10\.0\.1\.2\/24/)
  t.match(text, /192\.168\.56\.12 +4789/)
})

lab.test('a second daemon is refused, and the first goes on', async t => {
  const { pid } = await lab.status(NODE)
  const second = await lab.run(NODE, 'tapmesh', 'daemon', '--config', CONFIG)
  t.match(second, { code: 1, stderr: new RegExp(`^tapmesh: .*node1, pid ${pid}.*\n$`) })
  t.equal((await lab.status(NODE)).pid, pid)
  t.equal(await lab.out(NODE, 'cat', `${RUN}/tapmesh.pid`), `${pid}\n`)
})

lab.test('SIGHUP: the log level changes at once', async t => {
  const { pid } = await lab.status(NODE)
  await reload('', 'configuration reloaded')
  await lab.bareTask(NODE, 'loud', 'mynet')
  t.equal((await logged('task removed')).length, 0)
  await tapmesh('rm', 'loud')
  t.equal((await logged('task removed')).length, 1)
  await lab.sh(NODE, `printf 'log:\\n  level: warn\\n' >>${CONFIG}; kill -HUP ${pid}`)
  await until('it is quiet', async () => {
    const before = (await logged('task started')).length
    await lab.bareTask(NODE, 'quiet', 'mynet')
    await tapmesh('rm', 'quiet')
    return (await logged('task started')).length === before
  })
  t.equal((await lab.status(NODE)).pid, pid)
})

lab.test('SIGHUP: what only a restart brings is said, and a fault changes nothing', async t => {
  await reload('  port: 4790\\n', 'settings wait for a restart')
  t.match((await logged('settings wait for a restart')).at(-1), { settings: 'underlay.port' })
  t.equal((await lab.status(NODE)).underlay.port, 4789)
  await reload('  ttl: none\\n', 'configuration not changed')
  t.equal((await lab.status(NODE)).node, NODE)
  await reload('', 'configuration reloaded')
})

lab.test('SIGTERM stops it cleanly and leaves tasks running', async t => {
  await lab.createNetwork('mynet', ['node2'])
  await lab.bareTask('node2', 'user', 'mynet,ip=10.0.1.12')
  await untilReached(lab, 'node2/user', '10.0.1.2')
  const { pid } = await lab.task(NODE, 'web')
  const waiting = lab.start(NODE, 'tapmesh', 'wait', 'web')
  const following = lab.start(NODE, 'tapmesh', 'logs', '-f', 'web')
  await until('two commands wait', async () =>
    Number(await lab.sh(NODE, `ss -xH state established src ${RUN}/tapmesh.sock | wc -l`)) >= 2)
  await lab.daemon(NODE, 'stop')
  t.equal((await logged('daemon stopped')).length, 1)
  for (const command of [waiting, following]) {
    t.equal(await command.ended, 1)
    t.match(command.stderr, /^tapmesh: [^\n]+\n$/, 'who waits is told in one line')
  }
  t.equal(await lab.out(NODE, 'ls', RUN), '', 'no socket and no pid file')
  t.equal((await lab.run(NODE, 'test', '-e', `/proc/${pid}`)).code, 0)
  t.match(await lab.out('node1/web', 'ip', 'address'), '10.0.1.2/24', 'its device is still there')
  t.equal((await ping(lab, 'node2/user', '10.0.1.2', '-c1', '-W1')).received, 0)
  await lab.daemon(NODE, 'start')
  await untilReached(lab, 'node2/user', '10.0.1.2')
  t.match(await lab.task(NODE, 'web'), { pid, state: 'running' })
  t.equal((await lab.status(NODE)).vteps.length, 1, 'VTEPs are remembered, too')
})

lab.test('a task that has switched IPv6 off is taken up again, and keeps it off', async t => {
  const where = `${NODE}/web`
  await lab.out(where, 'sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=1')
  await lab.daemon(NODE, 'kill')
  await lab.daemon(NODE, 'start')
  const { plane, endpoints } = await lab.status(NODE)
  t.equal(plane.ports, endpoints.length, 'the packet path has every endpoint')
  t.same(await logged('task not taken up'), [])
  t.notMatch(await lab.out(where, 'ip', 'address', 'show', 'dev', 'eth0'), /inet6/)
})

lab.test('subnets from 10.0.1.0/24 upwards, around what the host has', async t => {
  await lab.out(NODE, 'ip', 'route', 'add', '10.0.4.0/24', 'dev', 'eth1')
  for (const name of ['second', 'third']) await tapmesh('network', 'create', name)
  const [second, third] = JSON.parse(await tapmesh('network', 'inspect', 'second', 'third')) as
    { IPAM: { Config: object[] }; Vni: number; Skipped: object[] }[]
  t.match(second, {
    IPAM: { Config: [{ Subnet: '10.0.3.0/24', Gateway: '10.0.3.1' }] }, Vni: 4098, Mtu: 1450,
    Skipped: [
      { Subnet: '10.0.1.0/24', Reason: 'network mynet' },
      { Subnet: '10.0.2.0/24', Reason: /10\.0\.2\.(0|15)\/24.*eth0/ },
    ],
  })
  t.match(third, { IPAM: { Config: [{ Subnet: '10.0.5.0/24' }] }, Vni: 4099 })
  t.match(third?.Skipped.at(-1),
    { Subnet: '10.0.4.0/24', Reason: /route 10\.0\.4\.0\/24 dev eth1/ })
  await tapmesh('network', 'rm', 'second')
  await tapmesh('network', 'create', 'again')
  t.match((await lab.status(NODE)).networks.at(-1), { name: 'again', vni: 4098 }, 'the next free')
})

lab.test('without a configuration: the device of the default route', async t => {
  await lab.sh(NODE, `echo 'node: {}' >${CONFIG}`)
  await lab.daemon(NODE, 'restart')
  t.match(await lab.status(NODE), {
    node: NODE, underlay: { device: 'eth0', address: '10.0.2.15', mtu: 1500 },
  })
  t.equal((await lab.status(NODE)).networks.length, 3, 'networks are remembered')
})

lab.test('the MTU of a network is that of the underlay less 50', async t => {
  await lab.sh(NODE, `cp ${CONFIG}.first ${CONFIG}; ip link set eth1 mtu 1400`)
  await lab.daemon(NODE, 'restart')
  await tapmesh('network', 'create', 'narrow')
  t.match((await lab.status(NODE)).networks.at(-1), { name: 'narrow', mtu: 1350 })
})

lab.test('it starts where another file system lies over the control groups', async t => {
  await lab.daemon(NODE, 'stop')
  await lab.sh(NODE, `mkdir /run/sys && mount -t sysfs sysfs /run/sys
    mount --bind /run/sys/fs/cgroup /sys/fs/cgroup`)
  await lab.daemon(NODE, 'start')
  t.equal((await lab.run(NODE, 'tapmesh', 'status')).code, 0)
  await lab.daemon(NODE, 'stop')
  await lab.sh(NODE, 'umount /sys/fs/cgroup /run/sys')
  await lab.daemon(NODE, 'start')
})
