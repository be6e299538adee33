// Tasks in a root file system, run by crun: what they see, how they end, who may enter them, and
// that they outlive the daemon.
// May run beside another test.
import { type KernelState, kernelState } from './lib/kernel-state.ts'
import { useLab } from './lib/lab.ts'
import { ping } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 1, needs: { tools: ['ping', 'crun'], files: ['/bin/busybox'] } })
const NODE = 'node1'
const ROOT = '/var/lib/box'
const LOOP = 'while :; do sleep 0.05; done'

const tapmesh = (...words: string[]) => lab.tapmesh(NODE, ...words)
const run = (...words: string[]) =>
  lab.run(NODE, 'tapmesh', 'run', '--network', 'mynet', '--rootfs', ROOT, ...words)

async function output(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await run('--rm', ...words)
  if (code !== 0) throw new Error(`${words.join(' ')}: exit ${code}: ${stdout}${stderr}`)
  return stdout.trim()
}

/** What stands in the root file system, by name. */
const rootState = () => lab.sh(NODE, `find ${ROOT} | sort`)

let before: KernelState
let files = ''

lab.test('a root file system of one busybox', async t => {
  await lab.sh(NODE, `mkdir -p ${ROOT}/bin ${ROOT}/etc ${ROOT}/tmp ${ROOT}/srv
    cp /bin/busybox ${ROOT}/bin; chroot ${ROOT} /bin/busybox --install -s /bin
    printf 'root:x:0:0::/root:/bin/sh\\nweb:x:1000:1000::/home/web:/bin/sh\\n' >${ROOT}/etc/passwd
    printf 'root:x:0:\\nweb:x:1000:\\nadm:x:4:web\\n' >${ROOT}/etc/group`)
  await tapmesh('network', 'create', 'mynet')
  before = await kernelState(lab, NODE)
  t.same(before.namespaces, [])
})

lab.test('the command sees that root, its own processes, network and name', async t => {
  t.equal(await output('--', 'ls', '/'), 'bin\ndev\netc\nproc\nsrv\nsys\ntmp')
  files = await rootState()
  t.match(await output('--', 'ps', '-o', 'pid,args'), /^PID +COMMAND\n +1 ps -o pid,args$/)
  t.equal(await output('--', 'ls', '/sys/class/net'), 'eth0\neth1\nlo')
  t.equal(await output('--hostname', 'box', '--', 'hostname'), 'box')
  t.match(await output('--', 'sh', '-c', 'ping -c1 -W2 "$(hostname)"'), '1 packets received')
  t.match(await output('--', 'cat', '/etc/resolv.conf'), /^nameserver 127\.0\.0\.11$/m)
  t.equal(await output('-w', '/srv', '-e', 'A=b', '--', 'sh', '-c', 'echo "$A $PWD $HOME $PATH"'),
    'b /srv /root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
})

lab.test('users and capabilities are those of containers', async t => {
  const caps = await output('--', 'grep', 'Cap[EB]', '/proc/self/status')
  t.equal(caps, 'CapEff:\t00000000a00425fb\nCapBnd:\t00000000a00425fb')
  t.equal(await output('-u', 'web', '--', 'id'),
    'uid=1000(web) gid=1000(web) groups=4(adm),1000(web)')
  t.match(await output('-u', 'web', '--', 'grep', 'CapEff', '/proc/self/status'), /\t0{16}$/)
  t.match(await run('--rm', '--', 'mknod', '/tmp/disk', 'b', '8', '0'), { code: 1 })
})

lab.test('output, exit codes and signals are those of the command', async t => {
  t.match(await run('--rm', '--', 'sh', '-c', 'echo out; echo err >&2; exit 41'),
    { code: 41, stdout: 'out\nerr\n' })
  await run('-d', '--name', 'tidy', '--', 'sh', '-c',
    `trap "echo bye; exit 5" TERM; echo ready; ${LOOP}`)
  await until('it is ready', async () => await tapmesh('logs', 'tidy') === 'ready')
  await tapmesh('stop', 'tidy')
  t.match(await lab.task(NODE, 'tidy'),
    { state: 'exited', exitCode: 5, runtime: 'crun', rootfs: ROOT })
  t.equal(await tapmesh('logs', 'tidy'), 'ready\nbye')
  await run('-d', '--name', 'deaf', '--stop-grace-period', '200ms', '--', 'sh', '-c',
    `trap "" TERM; echo ready; sleep 4330 & ${LOOP}`)
  await until('it is ready', async () => await tapmesh('logs', 'deaf') === 'ready')
  await tapmesh('stop', 'deaf')
  t.match(await lab.task(NODE, 'deaf'), { state: 'exited', exitCode: 137 })
  t.equal((await lab.run(NODE, 'pgrep', '-fx', 'sleep 4330')).code, 1)
  await tapmesh('rm', 'tidy', 'deaf')
})

lab.test('exec enters it', async t => {
  await run('-d', '--name', 'box', '-u', 'web', '-e', 'A=b', '--', 'sleep', '4331')
  const inside = (...words: string[]) => tapmesh('exec', 'box', '--', ...words)
  t.match(await inside('ps', '-o', 'args'), /^COMMAND\nsleep 4331\n/)
  t.equal(await inside('sh', '-c', 'echo "$A $(id -u) $(hostname)"'),
    `b 1000 ${(await lab.task(NODE, 'box')).hostname}`)
  t.equal(await inside('ls', '/sys/class/net'), 'eth0\neth1\nlo')
  t.equal((await lab.run(NODE, 'tapmesh', 'exec', 'box', 'sh', '-c', 'exit 9')).code, 9)
  const { endpoints } = await lab.task(NODE, 'box')
  t.equal((await ping(lab, 'node1/box', endpoints[0]!.address)).received, 1)
})

lab.test('it outlives the daemon, is adopted, and is entered and stopped as before', async t => {
  const { pid } = await lab.task(NODE, 'box')
  await lab.daemon(NODE, 'kill')
  await lab.daemon(NODE, 'start')
  t.match(await lab.task(NODE, 'box'), { state: 'running', pid })
  t.match(await tapmesh('exec', 'box', 'ps', '-o', 'args'), 'sleep 4331')
  await tapmesh('stop', '-t', '0', 'box')
  t.match(await lab.task(NODE, 'box'), { state: 'exited', exitCode: 137 })
  t.equal((await lab.run(NODE, 'pgrep', '-fx', 'sleep 4331')).code, 1)
  await tapmesh('rm', 'box')
})

lab.test('one that ended while no daemon was there is shown with its exit code', async t => {
  await lab.sh(NODE, `mkfifo ${ROOT}/tmp/end`)
  await run('-d', '--name', 'alone', '--', 'sh', '-c', 'read -r code </tmp/end; exit "$code"')
  const { pid } = await lab.task(NODE, 'alone')
  await lab.daemon(NODE, 'kill')
  await lab.sh(NODE, `echo 23 >${ROOT}/tmp/end; while test -e /proc/${pid}; do :; done
    rm ${ROOT}/tmp/end`)
  await lab.daemon(NODE, 'start')
  t.match(await lab.task(NODE, 'alone'), { state: 'exited', exitCode: 23, endpoints: [] })
  await tapmesh('rm', 'alone')
})

lab.test('when crun itself is killed, nothing of the task runs on', async t => {
  await run('-d', '--name', 'orphan', '--', 'sleep', '4332')
  await lab.sh(NODE, 'until pgrep -fx "sleep 4332"; do :; done; pkill -KILL -x crun')
  t.equal(await tapmesh('wait', 'orphan'), '137')
  t.equal((await lab.run(NODE, 'pgrep', '-fx', 'sleep 4332')).code, 1)
  await tapmesh('rm', 'orphan')
})

lab.test('what cannot be run is refused before anything is made', async t => {
  const state = await kernelState(lab, NODE)
  await lab.sh(NODE, `ln -s /no/such ${ROOT}/bin/gone; echo text >${ROOT}/text`)
  type Row = [code: number, says: RegExp, ...words: string[]]
  const command = ['--', 'sleep', '999']
  const rows: Row[] = [
    [125, /"no-such": PATH has no such program in \/var\/lib\/box/, '--rootfs', ROOT, '--',
      'no-such'],
    [125, /"\/usr\/bin\/curl": there is no such executable file in/, '--rootfs', ROOT, '--',
      '/usr/bin/curl'],
    [125, /"gone"/, '--rootfs', ROOT, '--', 'gone'],
    [125, /"\/text"/, '--rootfs', ROOT, '--', '/text'],
    [2, /root file system \/no\/such is no directory/, '--rootfs', '/no/such', ...command],
    [2, /root file system \/etc\/passwd is no directory/, '--rootfs', '/etc/passwd', ...command],
    [2, /no user "nobody" in \/var\/lib\/box\/etc\/passwd/, '--rootfs', ROOT, '-u', 'nobody',
      ...command],
    [2, /\/opt: there is no such directory in/, '--rootfs', ROOT, '-w', '/opt', ...command],
    [2, /--rootfs FOLDER/, '--runtime', 'crun', ...command],
    [2, /--runtime crun/, '--runtime', 'process', '--rootfs', ROOT, ...command],
    [2, /a runtime is "process" or "crun"/, '--runtime', 'runc', '--rootfs', ROOT, ...command],
    [2, /a command to run/, '--rootfs', ROOT],
  ]
  for (const [code, says, ...words] of rows) {
    const answer = await lab.run(NODE, 'tapmesh', 'run', '-d', '--network', 'mynet', ...words)
    t.match(answer, { code, stderr: says }, words.join(' '))
    t.match(answer.stderr, /^tapmesh: [^\n]+\n$/, 'one line')
  }
  await lab.sh(NODE, `rm ${ROOT}/bin/gone ${ROOT}/text`)
  t.same(await kernelState(lab, NODE), state)
})

lab.test('without crun it is said what is missing', async t => {
  await lab.sh(NODE, 'mount --bind /dev/null "$(command -v crun)"')
  const answer = await run('-d', '--', 'sleep', '9')
  t.match(answer, { code: 125, stderr: /"crun" is not installed on this node; .*apt install crun/ })
  await lab.sh(NODE, 'umount "$(command -v crun)"')
})

lab.test('nothing is left, and the root file system is as it was', async t => {
  t.same(await kernelState(lab, NODE), before)
  t.equal(await rootState(), files)
})
