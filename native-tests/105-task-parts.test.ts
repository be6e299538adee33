// What a task is made of: files of its own in /etc, a user, a host name, a control group, a time to
// stop in.
// May run beside another test.
import { type KernelState, kernelState } from './lib/kernel-state.ts'
import { useLab } from './lib/lab.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 1, needs: { tools: ['curl', 'python3'] } })
const NODE = 'node1'
const TERM_IGNORED = 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
/** Where a task looks for programs, with one of our own before the others. */
const OWN_PATH = '/var/lib/own:/usr/bin:/bin'
const tapmesh = (...words: string[]) => lab.tapmesh(NODE, ...words)

/** Run a command as a task to its end. @returns what it printed */
async function output(options: string[], ...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await lab.run(NODE, 'tapmesh', 'run', '--rm',
    '--network', 'mynet', ...options, '--', ...command)
  if (code !== 0) throw new Error(`${command.join(' ')}: exit ${code}: ${stdout}${stderr}`)
  return stdout.trim()
}

let before: KernelState

lab.test('two networks', async t => {
  await tapmesh('network', 'create', 'mynet')
  await tapmesh('network', 'create', 'second')
  before = await kernelState(lab, NODE)
  t.same(before.namespaces, [])
})

lab.test('a task finds itself by its host name, and asks 127.0.0.11 for all others', async t => {
  const host = await lab.sh(NODE, 'sha256sum /etc/hosts /etc/hostname /etc/resolv.conf')
  await lab.tapmesh(NODE, 'run', '-d', '--name', 'web', '--network', 'mynet,ip=10.0.1.8',
    '--network', 'second,ip=10.0.3.9', '--', 'sleep', '1000')
  const inside = (...words: string[]) => tapmesh('exec', 'web', '--', ...words)
  const { hostname } = await lab.task(NODE, 'web')
  const found = await inside('getent', 'ahostsv4', hostname)
  t.match(found, /^10\.0\.1\.8 /m)
  t.match(found, /^10\.0\.3\.9 /m)
  t.match(await inside('python3', '-c',
    'import socket; print(socket.gethostbyname(socket.gethostname()))'), /^10\.0\.(1\.8|3\.9)$/)
  t.equal(await inside('cat', '/etc/hostname'), hostname)
  t.match(await inside('cat', '/etc/resolv.conf'), /^nameserver 127\.0\.0\.11$/m)
  t.match(await inside('getent', 'hosts', 'localhost'), /^::1/)
  t.notMatch(await inside('cat', '/etc/hosts'), 'node1', 'hosts of the machine are not its own')
  await tapmesh('network', 'disconnect', 'second', 'web')
  t.notMatch(await inside('getent', 'ahostsv4', hostname), '10.0.3.9', 'it follows at once')
  t.equal(await lab.sh(NODE, 'sha256sum /etc/hosts /etc/hostname /etc/resolv.conf'), host)
  await tapmesh('rm', '-f', 'web')
})

lab.test('a bare namespace has the same files for whoever enters it', async t => {
  await tapmesh('run', '-d', '--name', 'bare', '--hostname', 'box.example.com',
    '--network', 'mynet,ip=10.0.1.7')
  t.match(await tapmesh('exec', 'bare', '--', 'getent', 'ahostsv4', 'box'), /^10\.0\.1\.7 /)
  t.equal(await tapmesh('exec', 'bare', '--', 'hostname', '-f'), 'box.example.com')
  t.match(await tapmesh('exec', 'bare', 'cat', '/etc/resolv.conf'), /^nameserver 127\.0\.0\.11$/m)
  await tapmesh('rm', 'bare')
})

lab.test('a resolv.conf that is a link, as systemd has it, keeps its file', async t => {
  await lab.sh(NODE, `mkdir -p /run/resolve; echo 'nameserver 192.0.2.1' >/run/resolve/stub.conf
    ln -sf /run/resolve/stub.conf /etc/resolv.conf`)
  t.match(await output([], 'cat', '/etc/resolv.conf'), /^nameserver 127\.0\.0\.11$/m)
  t.equal(await lab.out(NODE, 'cat', '/etc/resolv.conf'), 'nameserver 192.0.2.1\n')
  await lab.sh(NODE, `rm /etc/resolv.conf; echo 'nameserver 198.51.100.8' >/etc/resolv.conf`)
})

lab.test('--user: by name, by number, with a group; its home, and what root need not allow',
  async t => {
    const script = 'id -u; id -g; id -G; echo "$HOME"'
    const lines = async (user: string) =>
      (await output(['-u', user], 'sh', '-c', script)).split('\n')
    t.same(await lines('nobody'), ['65534', '65534', '65534', '/nonexistent'])
    t.same(await lines('4242:4343'), ['4242', '4343', '4343', '/'])
    t.same(await lines('daemon:adm'), ['1', '4', '4', '/usr/sbin'])
    const pings = 'cat /etc/hostname >/dev/null && ping -c1 -W2 "$(hostname)" >/dev/null '
      + '&& grep CapEff /proc/self/status'
    t.equal(await output(['-u', 'nobody'], 'sh', '-c', pings), 'CapEff:\t0000000000000000')
    t.equal(await output(['-u', 'nobody'], 'python3', '-c', 'import socket; s = socket.socket(); '
      + 's.bind(("", 80)); print(s.getsockname()[1])'), '80')
  })

lab.test('--hostname, --label: what it is called', async t => {
  await tapmesh('run', '-d', '--name', 'named', '--hostname', 'front', '-l', 'tier=web', '-l', 'x',
    '--network', 'mynet', '--', 'sleep', '1000')
  t.equal(await tapmesh('exec', 'named', 'hostname'), 'front')
  t.match(await lab.task(NODE, 'named'),
    { hostname: 'front', labels: { tier: 'web', x: '' }, service: null, runtime: 'process' })
  await tapmesh('rm', '-f', 'named')
})

lab.test('programs are looked for where PATH of the task says, and are never the shell\'s own',
  async t => {
    await lab.sh(NODE, `mkdir -p /var/lib/own; cp /bin/echo /var/lib/own/exit
      printf '#!/bin/sh\\necho "own $1"; exit 17\\n' >/var/lib/own/sleep
      chmod +x /var/lib/own/sleep`)
    t.equal(await output(['-e', `PATH=${OWN_PATH}`], 'exit', '3'), '3')
    const own = await lab.run(NODE, 'tapmesh', 'run', '--rm', '--network', 'mynet',
      '-e', 'PATH=/var/lib/own:/bin', '--', 'sleep', '9')
    t.match(own, { code: 17, stdout: 'own 9\n' })
    const nowhere = await lab.run(NODE, 'tapmesh', 'run', '--rm', '--network', 'mynet',
      '-e', 'PATH=/var/lib', '--', 'sleep', '9')
    t.match(nowhere, { code: 125, stderr: /"sleep": PATH has no such program/ })
  })

lab.test('names of service tasks are names of namespaces', async t => {
  const name = `tm-${'a'.repeat(63)}.${'b'.repeat(25)}.${'c'.repeat(25)}`
  await lab.sh(NODE, `ip netns add ${name}; ip netns exec ${name} true; ip -n ${name} link`)
  t.match(await lab.out(NODE, 'ip', 'netns'), name)
  await lab.out(NODE, 'ip', 'netns', 'delete', name)
})

lab.test('stop waits as long as the task was given, unless told otherwise', async t => {
  const stopped = async (options: string[], ...words: string[]) => {
    await tapmesh('run', '-d', '--name', 'deaf', '--network', 'mynet', ...options, '--',
      'sh', '-c', TERM_IGNORED)
    await until('it is ready', async () => await tapmesh('logs', 'deaf') === 'ready')
    const began = performance.now()
    await tapmesh('stop', ...words, 'deaf')
    const tookMs = performance.now() - began
    t.match(await lab.task(NODE, 'deaf'), { state: 'exited', exitCode: 137 })
    await tapmesh('rm', 'deaf')
    return tookMs
  }
  const own = await stopped(['--stop-grace-period', '1500ms'])
  t.ok(own >= 1500 && own < 9000, `${Math.round(own)} ms`)
  const seconds = await stopped(['--stop-timeout', '1'])
  t.ok(seconds >= 1000 && seconds < 9000, `${Math.round(seconds)} ms`)
  t.ok(await stopped(['--stop-grace-period', '1h'], '-t', '0') < 9000)
})

lab.test('a child that left group, session and namespaces ends with its task', async t => {
  const left = async () => (await lab.sh(NODE, "pgrep -fx 'sleep 432[4-6]' || true")).trim()
  await lab.runTask(NODE, 'parent', 'mynet', 'sh', '-c', 'setsid sleep 4324 & '
    + 'unshare --net --uts setsid sleep 4325 & '
    + 'setsid nsenter -t 1 --net --uts sleep 4326 & exec sleep 1000')
  await until('all of them run', async () => (await left()).split('\n').length === 3)
  await tapmesh('rm', '-f', 'parent')
  t.equal(await left(), '')
  t.same(await kernelState(lab, NODE), before)
}, { cgroup2: true })

/** Let the daemon start anew with control groups that it may write, or may not. */
async function remountGroups(mode: 'ro' | 'rw'): Promise<void> {
  await lab.daemon(NODE, 'stop')
  await lab.sh(NODE, `groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    test -z "$groups" || mount -o remount,bind,${mode} "$groups"`)
  await lab.daemon(NODE, 'start')
}

lab.test('without control groups those in its namespace end', async t => {
  await remountGroups('ro')
  await lab.runTask(NODE, 'parent', 'mynet', 'sh', '-c', 'setsid sleep 4327 & exec sleep 1000')
  await until('both run', async () =>
    (await lab.run(NODE, 'pgrep', '-fx', 'sleep 4327')).code === 0)
  await tapmesh('rm', '-f', 'parent')
  t.equal((await lab.run(NODE, 'pgrep', '-fx', 'sleep 4327')).code, 1)
  await remountGroups('rw')
})

lab.test('another process that got the number of a task is left alone', async t => {
  await lab.runTask(NODE, 'old', 'mynet', 'sleep', '1000')
  const { pid } = await lab.task(NODE, 'old')
  await lab.daemon(NODE, 'kill')
  // The next process gets the number after the last one: what was the task's is taken by another.
  await lab.sh(NODE, `kill -KILL -${pid}; while test -e /proc/${pid}; do :; done
    for try in $(seq 200); do
      echo $((${pid} - 1)) >/proc/sys/kernel/ns_last_pid
      setsid sleep 4328 </dev/null >/dev/null 2>&1 &
      test $! != ${pid} || break
      kill $!; wait $! || true
    done
    test $! = ${pid}`)
  await lab.daemon(NODE, 'start')
  t.match(await lab.task(NODE, 'old'), { state: 'exited', exitCode: 137, pid: null })
  await tapmesh('rm', '-f', 'old')
  t.equal((await lab.sh(NODE, `tr '\\0' ' ' </proc/${pid}/cmdline`)).trim(), 'sleep 4328')
  await lab.out(NODE, 'kill', String(pid))
})

lab.test('nothing is left', async t => {
  t.same(await kernelState(lab, NODE), before)
})
