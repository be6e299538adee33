// The lab itself: hosts that reach each other, that have what a host has, and that leave nothing.
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { exec } from '../src/base/exec.ts'

const LAB = join(import.meta.dirname, '..', 'scripts', 'lab')
const NAME = `a${process.pid.toString(36)}`
const OTHER = `b${process.pid.toString(36)}`
const STATE_ROOT = '/run/tapmesh-lab'
const UP_MAX_MS = 10_000
const SOON_MS = 5_000

const lab = (...words: string[]) => exec([LAB, ...words, '--name', NAME])
const run = (host: string, ...command: string[]) =>
  exec([LAB, 'exec', '--name', NAME, host, '--', ...command])
const ping = (host: string, target: string, ...options: string[]) =>
  run(host, 'ping', '-n', '-c1', '-W2', ...options, target)

function initPid(name: string, host: string): number {
  return Number(readFileSync(join(STATE_ROOT, name, host, 'init'), 'utf8').split(' ')[0])
}

const namespace = (pid: number | 'self', kind: string) => readlinkSync(`/proc/${pid}/ns/${kind}`)

/** Pids of all processes of the machine that live in one of these network namespaces. */
function dwellers(netNamespaces: readonly string[]): string[] {
  return readdirSync('/proc').filter(pid => /^\d+$/.test(pid)).filter(pid => {
    try {
      return netNamespaces.includes(readlinkSync(`/proc/${pid}/ns/net`))
    } catch {
      return false // ended meanwhile, or a zombie, which has no namespace
    }
  })
}

async function soon(holds: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadlineMs = Date.now() + SOON_MS
  while (!await holds()) {
    if (Date.now() > deadlineMs) return false
    await wait(20)
  }
  return true
}

const HOSTS = ['node1', 'node2', 'node3', 'client', 'inet']

t.teardown(async () => {
  await lab('down')
  await exec([LAB, 'down', '--name', OTHER])
})

t.test('up makes three nodes, client and inet in time', async t => {
  const startedMs = Date.now()
  const { code, stdout, stderr } = await lab('up', '--no-daemon')
  t.equal(code, 0, stderr)
  t.ok(Date.now() - startedMs < UP_MAX_MS, 'up is quick')
  for (const host of HOSTS) t.match(stdout, host)
  const again = await lab('up', '--no-daemon')
  t.equal(again.code, 0)
  t.match(again.stdout, 'already')
})

t.test('status shows every host with its addresses', async t => {
  const { code, stdout } = await lab('status')
  t.equal(code, 0)
  t.match(stdout, /^node3 +10\.0\.2\.15\/24 +192\.168\.56\.13\/24 +\d+ +down$/m)
  t.match(stdout, /^client +- +192\.168\.56\.1\/24 +\d+ +-$/m)
  t.match(stdout, /^inet +198\.51\.100\.8\/24 +- +\d+ +-$/m)
})

t.test('hosts reach each other by name', async t => {
  const rows = [
    ['node1', 'node2'], ['node2', 'node3'], ['node3', 'node1'], ['node1', 'client'],
    ['client', 'node3'], ['node1', 'inet'], ['node2', 'inet'], ['node3', 'inet'],
  ] as const
  for (const [from, to] of rows) {
    const { code, stdout, stderr } = await ping(from, to)
    t.equal(code, 0, `${from} to ${to}: ${stdout}${stderr}`)
  }
})

t.test('a node is a host: names, routes, MTU, IPv6', async t => {
  t.equal((await run('node2', 'hostname')).stdout.trim(), 'node2')
  t.match((await run('node2', 'ip', 'route', 'show', 'default')).stdout, 'via 10.0.2.2 dev eth0')
  t.match((await run('node2', 'ip', '-4', 'addr', 'show', 'eth0')).stdout, '10.0.2.15/24')
  t.equal((await run('node2', 'cat', '/proc/sys/net/ipv4/ip_forward')).stdout, '0\n')
  t.match((await run('node2', 'ip', '-6', 'addr', 'show', 'eth1')).stdout, 'fe80::')
  t.equal((await run('node2', 'ls', '/sys/class/net')).stdout, 'eth0\neth1\nlo\n')
  t.equal((await ping('node1', 'node2', '-Mdo', '-s1472')).code, 0, '1500 octets pass')
  t.equal((await ping('node1', 'node2', '-Mdo', '-s1473')).code, 1, '1501 octets do not')
  t.equal((await run('node2', 'test', '-c', '/dev/net/tun')).code, 0)
  t.match((await run('node2', 'sh', '-c', 'command -v tapmesh')).stdout, 'bin/tapmesh')
  t.match((await run('node2', 'cat', '/etc/tapmesh/tapmesh.yaml')).stdout,
    'node:\n  name: node2\nunderlay:\n  address: 192.168.56.12\n')
})

t.test('each host has namespaces of its own', async t => {
  for (const kind of ['net', 'mnt', 'uts', 'pid']) {
    const own = HOSTS.map(host => namespace(initPid(NAME, host), kind))
    t.equal(new Set([...own, namespace('self', kind)]).size, HOSTS.length + 1, kind)
  }
})

t.test('what a node writes is its own', async t => {
  for (const folder of ['/run', '/etc/netns', '/etc/tapmesh', '/var/lib/tapmesh']) {
    const file = `${folder}/of-${NAME}`
    t.equal((await run('node1', 'sh', '-c', `echo 1 >${file}`)).code, 0, folder)
    t.equal((await run('node1', 'cat', file)).stdout, '1\n')
    t.equal((await run('node2', 'test', '-e', file)).code, 1, `${folder} is not node2's`)
    t.notOk(existsSync(file), `${folder} is not the machine's`)
  }
  t.equal((await run('node1', 'ip', 'netns', 'add', `of-${NAME}`)).code, 0)
  t.match((await run('node1', 'ip', 'netns')).stdout, `of-${NAME}`)
  t.equal((await run('node2', 'ip', 'netns')).stdout, '')
  t.notOk(existsSync(`/run/netns/of-${NAME}`))
})

t.test('the first process of a node takes in orphans', async t => {
  const orphan = await run('node1', 'sh', '-c', 'sleep 0.1 >/dev/null 2>&1 & echo $!')
  const pid = orphan.stdout.trim()
  t.match(pid, /^\d+$/)
  t.ok(await soon(async () => (await run('node1', 'test', '-e', `/proc/${pid}`)).code === 1),
    'no zombie stays')
})

t.test('exec hands over input, folder and exit code', async t => {
  t.equal((await exec(['sh', '-c', `echo hello | ${LAB} exec --name ${NAME} node1 -- cat`])).stdout,
    'hello\n')
  t.equal((await run('node1', 'sh', '-c', 'exit 41')).code, 41)
  t.equal((await run('node1', 'pwd')).stdout.trim(), process.cwd())
  const absent = await run('node1', 'no-such-command')
  t.equal(absent.code, 127)
  t.match(absent.stderr, 'no command "no-such-command"')
})

t.test('a command ends when its exec is killed', async t => {
  const late = await exec([LAB, 'exec', '--name', NAME, 'node3', '--', 'sleep', '4321'], 500)
  t.equal(late.code, 124)
  t.ok(await soon(async () => !(await run('node3', 'ps', '-eo', 'stat,args')).stdout
    .split('\n').some(line => line.includes('4321') && !line.startsWith('Z'))))
})

t.test('two labs run side by side', async t => {
  t.equal((await exec([LAB, 'up', '--no-daemon', '--nodes', '1', '--name', OTHER])).code, 0)
  const there = (...command: string[]) =>
    exec([LAB, 'exec', '--name', OTHER, 'node1', '--', ...command])
  t.equal((await there('ping', '-c1', '-W2', 'client')).code, 0)
  t.not((await there('ping', '-c1', '-W1', '192.168.56.12')).code, 0, 'node2 is not in this lab')
  t.equal((await ping('node1', 'node2')).code, 0)
  t.equal((await exec([LAB, 'down', '--name', OTHER])).code, 0)
  t.equal((await ping('node1', 'inet')).code, 0, 'the first lab is as before')
})

t.test('up heals a lab of which one host died', async t => {
  process.kill(initPid(NAME, 'node2'), 'SIGKILL')
  t.ok(await soon(async () => (await lab('status')).code === 1))
  t.match((await lab('status')).stdout, /^node2 .* dead +down$/m)
  t.match((await run('node2', 'true')).stderr, 'node2 is dead')
  t.equal((await lab('up', '--no-daemon')).code, 0)
  t.equal((await ping('node1', 'node2')).code, 0)
})

t.test('up heals what is left after everything was killed', async t => {
  const own = ['', ...HOSTS].map(host => namespace(initPid(NAME, host), 'net'))
  for (const pid of dwellers(own)) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch (error) {
      // The kernel ends the others together with the first process of their namespace.
      t.equal((error as NodeJS.ErrnoException).code, 'ESRCH')
    }
  }
  t.ok(await soon(() => dwellers(own).length === 0))
  t.equal((await lab('status')).code, 1)
  t.equal((await lab('up', '--no-daemon')).code, 0)
  for (const host of ['node2', 'client', 'inet']) t.equal((await ping('node1', host)).code, 0, host)
})

t.test('up starts daemons that know each other, and they can be stopped and killed', async t => {
  const { code, stderr } = await lab('up')
  t.equal(code, 0, stderr)
  t.match((await lab('status')).stdout, /^node3 .* up, pid \d+ inside$/m)
  const nodes = (await run('node1', 'tapmesh', 'node', 'ls')).stdout
  for (const node of ['node1 ', 'node2 ', 'node3 ']) t.match(nodes, new RegExp(`${node} *Ready`))
  t.equal((await run('node1', 'tapmesh', 'vtep', 'ls')).stdout.split('\n').length, 2, 'no VTEP')
  for (const way of ['kill', 'stop']) {
    t.match(await lab('daemon', 'node2', way), { code: 0, stdout: 'down' })
    t.match((await lab('status')).stdout, /^node2 .* down$/m)
    t.not((await run('node2', 'tapmesh', 'status')).code, 0)
    t.match(await lab('daemon', 'node2', 'start'), { code: 0, stdout: 'up' })
    t.equal((await run('node2', 'tapmesh', 'status')).code, 0)
  }
  t.match(await lab('daemon', 'node2', 'start'), { code: 1, stderr: 'runs already' })
  t.match((await lab('logs', 'node2')).stdout, 'daemon stopped')
  t.match(await lab('daemon', 'node2', 'restart'), { code: 0, stdout: 'up' })
})

t.test('a daemon that cannot start is shown with its log', async t => {
  t.equal((await run('node3', 'sh', '-c', 'echo nonsense: 1 >>/etc/tapmesh/tapmesh.yaml')).code, 0)
  const { code, stderr } = await lab('daemon', 'node3', 'restart')
  t.equal(code, 1)
  t.match(stderr, 'node3: the daemon ended; the end of its log:')
  t.match(stderr, 'nonsense')
})

t.test('down leaves nothing', async t => {
  const own = ['', ...HOSTS].map(host => namespace(initPid(NAME, host), 'net'))
  t.not(dwellers(own).length, 0)
  t.equal((await lab('down')).code, 0)
  t.same(dwellers(own), [], 'no process, so no namespace and no device in one')
  t.notOk(existsSync(join(STATE_ROOT, NAME)), 'no state')
  t.notMatch(readFileSync('/proc/self/mountinfo', 'utf8'), `/${NAME}`, 'no mount')
  t.notMatch(readdirSync('/sys/class/net'), /^(node|nat|lan|wan)/, 'no device')
  const again = await lab('down')
  t.equal(again.code, 0)
  t.match(again.stdout, 'nothing to take down')
  t.equal((await lab('status')).code, 1)
})

t.test('bad input gets one line that names the thing', async t => {
  const rows: [words: string[], code: number, says: string][] = [
    [['dance'], 2, 'unknown verb "dance"'],
    [['up', '--fast'], 2, 'unknown option "--fast"'],
    [['up', '--nodes', '10'], 2, '--nodes 10'],
    [['up', '--nodes'], 2, 'needs a value'],
    [['up', '--name', 'Two Words'], 2, '"Two Words"'],
    [['up', '--name', 'ninechars'], 2, '"ninechars"'],
    [['exec', 'node1'], 2, 'exec HOST -- CMD'],
    [['status', '--nodes', '2'], 2, 'belong to "up"'],
    [['exec', '--name', OTHER, 'node1', '--', 'true'], 1, `no lab "${OTHER}"`],
    [['logs', '--name', OTHER, 'node1'], 1, `no lab "${OTHER}"`],
  ]
  for (const [words, code, says] of rows) {
    const answer = await exec([LAB, ...words])
    t.equal(answer.code, code, words.join(' '))
    t.match(answer.stderr, says)
    t.equal(answer.stderr.trim().split('\n').length, 1, 'one line')
  }
  t.equal((await lab('up', '--no-daemon', '--nodes', '1')).code, 0)
  t.match(await run('node7', 'true'), { code: 1, stderr: 'it has: node1 client inet' })
  t.match(await lab('daemon', 'client', 'start'), { code: 1, stderr: 'client is a plain host' })
  t.match(await lab('daemon', 'node1', 'jump'), { code: 2, stderr: '"jump"' })
  t.match(await lab('daemon', 'node1', 'stop'), { code: 1, stderr: 'does not run' })
  t.match(await lab('logs', 'node1'), { code: 1, stderr: 'no daemon has run' })
  t.match(await lab('up', '--nodes', '2'), { code: 1, stderr: 'up with 1 nodes' })
})
