// Bad input: one line that names the thing and says what to do, exit code 1 (2 for usage), and
// nothing of what was asked for is left in the kernel.
// May run beside another test; takes long.
import type { Test } from 'tap'
import { useLab } from './lib/lab.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 1, needs: { tools: ['curl', 'ss', 'setpriv'] } })
const NODE = 'node1'
const CONFIG = '/etc/tapmesh/test.yaml'
const LONG = 'a'.repeat(64)
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--']

/** All that a failed command could have left in the kernel and on disk. */
function state(): Promise<string> {
  return lab.sh(NODE, `
    ip -o link; ip -o address | sed 's, tentative,,'; ip netns; ss -Hulpn | awk '{ print $4, $NF }'
    find /sys/class/net /run/netns /run/tapmesh /var/lib/tapmesh -printf '%p %y\\n' | sort
    pgrep -fxc 'sleep 999' || true`)
}

/** The command fails as it should, in one line, and changes nothing. */
async function refuses(t: Test, code: number, says: RegExp | string,
  ...command: string[]): Promise<void> {
  const before = await state()
  const answer = await lab.run(NODE, ...command)
  const name = command.map(word => word.slice(0, 40)).join(' ')
  t.equal(answer.code, code, `${name}: exit code ${answer.code}`)
  t.match(answer.stderr, says, name)
  t.match(answer.stderr, /^tapmesh: [^\n]+\n$/, `${name}: one line`)
  t.equal(await state(), before, `${name}: nothing is left`)
}

type Row = [words: string[], code: number, says: RegExp | string]
function rowsTest(name: string, rows: Row[]): void {
  lab.test(name, async t => {
    for (const [words, code, says] of rows) await refuses(t, code, says, 'tapmesh', ...words)
  })
}

lab.test('a network, and a task with an address of it', async t => {
  await lab.tapmesh(NODE, 'network', 'create', 'mynet')
  await lab.runTask(NODE, 'web', 'mynet,ip=10.0.1.8', 'sleep', '1000')
  t.match(await state(), /tm-web/)
})

rowsTest('words that are no command', [
  [['dance'], 2, /unknown command 'dance'.*--help/],
  [['network', 'dance'], 2, /unknown command 'dance'/],
  [['staus'], 2, /did you mean status\?/i],
  [['status', '--dance'], 2, /unknown option '--dance'/],
  [['run', '--dance', '--network', 'mynet'], 2, /unknown option '--dance'/],
  [['network', 'create'], 2, /missing required argument 'name'/],
  [['network', 'create', 'a', 'b'], 2, /too many arguments/],
  [['stop', '--time', 'soon', 'web'], 2, /--time.*soon/],
])

rowsTest('networks that cannot be', [
  [['network', 'create', '--subnet', '10.0.9.0', 'x'], 2, /"10\.0\.9\.0" is not an IPv4 subnet/],
  [['network', 'create', '--subnet', '10.0.9.0/33', 'x'], 2, /"10\.0\.9\.0\/33"/],
  [['network', 'create', '--subnet', '10.0.1.128/25', 'x'], 1, /10\.0\.1\.128\/25.*mynet/],
  [['network', 'create', '--subnet', '10.0.0.0/8', 'x'], 1, /10\.0\.0\.0\/8/],
  [['network', 'create', '--subnet', '10.0.2.0/24', 'x'], 1, /10\.0\.2\.0\/24.*eth0/],
  [['network', 'create', '--subnet', '192.168.56.0/24', 'x'], 1, /192\.168\.56\.0\/24.*eth1/],
  [['network', 'create', '--vni', '4097', 'x'], 1, /4097.*mynet/],
  [['network', 'create', '--vni', '0', 'x'], 2, /vni.*1/i],
  [['network', 'create', '--vni', '16777216', 'x'], 2, /vni.*16777215/i],
  [['network', 'create', '--vni', 'red', 'x'], 2, /--vni.*red/],
  [['network', 'create', '--mtu', '9000', 'x'], 2, /--mtu 9000.*1450/],
  [['network', 'create', '--gateway', '10.7.0.1', 'x'], 2, /10\.7\.0\.1/],
  [['network', 'create', '--driver', 'bridge', 'x'], 2, /overlay/],
  [['network', 'create', 'mynet'], 1, /"mynet"/],
  [['network', 'create', 'bad name'], 2, /name.*1 to 63/],
  [['network', 'create', '.hidden'], 2, /name.*1 to 63/],
  [['network', 'create', 'a/b'], 2, /name.*1 to 63/],
  [['network', 'create', LONG], 2, /name.*1 to 63/],
  [['network', 'create', ''], 2, /name.*1 to 63/],
  [['network', 'rm', 'mynet'], 1, /used by web/],
  [['network', 'rm', 'none'], 1, /"none"/],
  [['network', 'inspect', 'none'], 1, /"none"/],
])

const run = (...words: string[]) => ['run', '-d', ...words]
const command = ['--', 'sleep', '999']
rowsTest('tasks that cannot be', [
  [run(...command), 2, /--network/],
  [run('--network', 'none', ...command), 1, /"none"/],
  [run('--network', 'mynet,ip=10.0.9.9', ...command), 2, /10\.0\.9\.9 is not in 10\.0\.1\.0\/24/],
  [run('--network', 'mynet,ip=10.0.1.8', ...command), 1, /10\.0\.1\.8 is taken/],
  [run('--network', 'mynet,ip=10.0.1.1', ...command), 2, /10\.0\.1\.1 is the gateway/],
  [run('--network', 'mynet,ip=10.0.1.0', ...command), 2, /10\.0\.1\.0 is the network address/],
  [run('--network', 'mynet,ip=10.0.1.255', ...command), 2, /10\.0\.1\.255 is the broadcast/],
  [run('--network', 'mynet,ip=ten', ...command), 2, /"ten"/],
  [run('--network', 'mynet,mac=1', ...command), 2, /mac=1/],
  [run('--network', 'mynet', '--network', 'mynet', ...command), 2, /mynet is given twice/],
  [run('--network', 'mynet', '--name', 'web', ...command), 1, /"web"/],
  [run('--network', 'mynet', '--name', 'bad name', ...command), 2, /name.*1 to 63/],
  [run('--network', 'mynet', '--name', LONG, ...command), 2, /name.*1 to 63/],
  [run('--network', 'mynet', '-w', '/no/such', ...command), 2, /\/no\/such: .*no such directory/],
  [['rm', 'none'], 1, /"none"/],
  [['stop', 'none'], 1, /"none"/],
  [['logs', 'none'], 1, /"none"/],
  [['wait', 'none'], 1, /"none"/],
  [['kill', '-s', 'NONE', 'web'], 2, /"NONE"/],
  [['exec', 'none', 'true'], 1, /"none"/],
  [['inspect', 'none'], 1, /"none"/],
])

lab.test('a program that is not there', async t => {
  await refuses(t, 125, /"no-such-program"/, 'tapmesh', 'run', '--network', 'mynet', '--',
    'no-such-program')
  await refuses(t, 125, /"\/etc\/passwd"/, 'tapmesh', ...run('--network', 'mynet', '--',
    '/etc/passwd'))
})

lab.test('an address that was refused is not lost', async t => {
  await lab.tapmesh(NODE, 'network', 'create', 'second')
  await refuses(t, 1, /10\.0\.1\.8 is taken/, 'tapmesh', ...run('--network', 'second,ip=10.0.3.77',
    '--network', 'mynet,ip=10.0.1.8', ...command))
  await lab.bareTask(NODE, 'again', 'second,ip=10.0.3.77')
  t.match(await lab.task(NODE, 'again'), { endpoints: [{ address: '10.0.3.77' }] })
  await lab.tapmesh(NODE, 'rm', 'again')
})

lab.test('a namespace of somebody else is not taken', async t => {
  await lab.out(NODE, 'ip', 'netns', 'add', 'tm-theirs')
  await refuses(t, 1, /"tm-theirs"/, 'tapmesh', ...run('--network', 'mynet', '--name', 'theirs'))
  await lab.out(NODE, 'ip', 'netns', 'delete', 'tm-theirs')
})

lab.test('a capture that cannot be', async t => {
  await refuses(t, 1, /"?none"?/, 'tapmesh', 'capture', '-i', 'none')
  await refuses(t, 2, /filter/, 'tapmesh', 'capture', 'no such filter')
}, { cap: true })

lab.test('somebody who is not root', async t => {
  await refuses(t, 1, /tapmesh\.sock.*(root|permission|EACCES)/i, ...NOBODY, 'tapmesh', 'status')
  await refuses(t, 1, /root/, ...NOBODY, 'tapmesh', 'exec', 'web', 'true')
})

lab.test('no daemon', async t => {
  await lab.tapmesh(NODE, 'rm', '-f', 'web')
  await lab.daemon(NODE, 'stop')
  for (const words of [['status'], ['ps'], ['network', 'ls'], run('--network', 'mynet')]) {
    await refuses(t, 1, /tapmesh\.sock.*daemon/, 'tapmesh', ...words)
  }
  await refuses(t, 1, /\/tmp\/none/, 'tapmesh', '--socket', '/tmp/none', 'status')
})

/** A daemon with this configuration does not start. */
async function refusesConfig(t: Test, yaml: string, says: RegExp): Promise<void> {
  await lab.sh(NODE, `cat >${CONFIG} <<'YAML'\n${yaml}\nYAML`)
  await refuses(t, 1, says, 'tapmesh', 'daemon', '--config', CONFIG)
}

lab.test('a configuration that cannot be read or used', async t => {
  const daemon = (path: string) => ['tapmesh', 'daemon', '--config', path]
  await refuses(t, 1, /\/no\/such\.yaml: ENOENT/, ...daemon('/no/such.yaml'))
  await refuses(t, 1, /\/etc: EISDIR/, ...daemon('/etc'))
  await refusesConfig(t, 'node: [', /test\.yaml: not YAML/)
  await refusesConfig(t, 'nodes: 3\nunderlay:\n  port: 99999\n  ttl: many\nlog:\n  level: loud',
    /test\.yaml: (?=.*nodes)(?=.*underlay\.port)(?=.*underlay\.ttl)(?=.*log\.level)/)
  await refusesConfig(t, 'underlay:\n  address: 192.168.56.300', /underlay\.address/)
  await refusesConfig(t, 'underlay:\n  address: 192.168.56.77', /192\.168\.56\.77 is on no device/)
  await refusesConfig(t, 'underlay:\n  device: eth7', /eth7/)
  await refusesConfig(t, 'underlay:\n  address: 192.168.56.11\n  device: eth0', /eth1.*eth0/)
  await refusesConfig(t, 'underlay:\n  address: 192.168.56.11\npaths:\n  run: /etc/passwd/run',
    /\/etc\/passwd\/run/)
  for (const setting of ['run', 'state']) {
    await refusesConfig(t, `underlay:\n  address: 192.168.56.11\npaths:\n  ${setting}: /proc/x/y`,
      new RegExp(`paths\\.${setting} /proc/x/y cannot be used: .*no directory can be made in /proc`))
  }
})

lab.test('port 4789 in use', async t => {
  const other = lab.start(NODE, process.execPath, '-e', 'const socket = '
    + 'require("node:dgram").createSocket("udp4").bind(4789, () => console.log("bound"))')
  await until('the other program', () => other.stdout.includes('bound'))
  await refuses(t, 1, /192\.168\.56\.11:4789 is in use/, 'tapmesh', 'daemon')
  await other.stop()
})

lab.test('port 4789 in use by a kernel VXLAN device', async t => {
  await lab.sh(NODE, 'ip link add vx0 type vxlan id 1 dstport 4789 && ip link set vx0 up')
  await refuses(t, 1, /192\.168\.56\.11:4789 is in use/, 'tapmesh', 'daemon')
  await lab.out(NODE, 'ip', 'link', 'delete', 'vx0')
}, { links: ['vxlan'] })

lab.test('no /dev/net/tun', async t => {
  const without = ['unshare', '--mount', 'sh', '-c',
    'mount -t tmpfs none /dev/net && exec "$@"', 'sh']
  await refuses(t, 1, /\/dev\/net\/tun.*modprobe tun/, ...without, 'tapmesh', 'daemon')
})

lab.test('a daemon that is not started by root', async t => {
  await refuses(t, 1, /root/, ...NOBODY, 'tapmesh', 'daemon')
})

lab.test('a state file that is damaged is left as it is', async t => {
  const path = '/var/lib/tapmesh/state.json'
  await lab.sh(NODE, `cp ${path} /tmp/state-${lab.name}; echo '{"format":' >${path}`)
  await refuses(t, 1, /state\.json is damaged.*move it away/, 'tapmesh', 'daemon')
  t.equal(await lab.out(NODE, 'cat', path), '{"format":\n')
  await lab.sh(NODE, `mv /tmp/state-${lab.name} ${path}`)
})

lab.test('after all of that the daemon starts, and knows what it knew', async t => {
  await lab.daemon(NODE, 'start')
  t.same((await lab.status(NODE)).networks.map(network => network.name), ['mynet', 'second'])
  await lab.runTask(NODE, 'web', 'mynet,ip=10.0.1.8', 'sleep', '1000')
})
