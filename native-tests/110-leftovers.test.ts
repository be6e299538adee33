// A daemon that is killed with -9: its tasks go on, the next daemon takes them up, and what was
// only half made is undone.
// May run beside another test; takes long.
import { makeRandom, pick } from '../src/base/prng.ts'
import type { TaskView } from '../src/daemon/views.ts'
import { SOCKET, useLab } from './lib/lab.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 2, needs: { tools: ['ping', 'curl'] } })
const NODE = 'node1'
const KILLS = 20
const SEED = 20_260_101
const ECHO = 'require("node:net").createServer(peer => peer.pipe(peer)).listen(7)'
/** Sends each line of its input over one TCP connection, and prints what comes back. */
const TALK = 'exec 3<>/dev/tcp/10.0.1.11/7; while read -r line; do echo "$line" >&3; '
  + 'read -r answer <&3; echo "$answer"; done'

const pidOf = async (name: string) => (await lab.task(NODE, name)).pid

lab.test('endpoints answer again, and processes and connections have not noticed', async t => {
  await lab.createNetwork('mynet', lab.nodes)
  await lab.runTask(NODE, 'echo', 'mynet,ip=10.0.1.11', process.execPath, '-e', ECHO)
  await lab.bareTask('node2', 'user', 'mynet,ip=10.0.1.12')
  await untilReached(lab, 'node2/user', '10.0.1.11')
  await until('the echo server', async () => (await lab.run('node2/user', 'bash', '-c',
    'exec 3<>/dev/tcp/10.0.1.11/7')).code === 0)
  const talk = lab.start('node2/user', 'bash', '-c', TALK)
  const pid = await pidOf('echo')
  for (const killed of ['node1', 'node2']) {
    talk.write(`before ${killed}\n`)
    await until('an answer', () => talk.stdout.includes(`before ${killed}\n`))
    await lab.daemon(killed, 'kill')
    t.equal((await ping(lab, 'node2/user', '10.0.1.11', '-c1', '-W1')).received, 0,
      'without a daemon nothing passes')
    await lab.daemon(killed, 'start')
    await untilReached(lab, 'node2/user', '10.0.1.11')
    talk.write(`after ${killed}\n`)
    await until('an answer on the same connection', () => talk.stdout.includes(`after ${killed}\n`))
  }
  t.equal(talk.stdout, 'before node1\nafter node1\nbefore node2\nafter node2\n')
  t.equal(await pidOf('echo'), pid)
  t.equal((await lab.status(NODE)).endpoints.length, 1)
  await talk.stop()
})

lab.test('a task that ended meanwhile is shown with its exit code', async t => {
  await lab.sh(NODE, 'mkfifo /run/kept /run/removed')
  const command = (name: string) => ['sh', '-c', `read -r code </run/${name}; exit "$code"`]
  await lab.runTask(NODE, 'kept', 'mynet', ...command('kept'))
  await lab.tapmesh(NODE, 'run', '-d', '--rm', '--name', 'removed', '--network', 'mynet', '--',
    ...command('removed'))
  const pids = [await pidOf('kept'), await pidOf('removed')]
  await lab.daemon(NODE, 'kill')
  await lab.sh(NODE, 'echo 23 >/run/kept; echo 24 >/run/removed')
  for (const pid of pids) {
    await until(`end of ${pid}`, async () =>
      (await lab.run(NODE, 'test', '-e', `/proc/${pid}`)).code !== 0)
  }
  await lab.daemon(NODE, 'start')
  t.match(await lab.task(NODE, 'kept'), { state: 'exited', exitCode: 23, pid: null, endpoints: [] })
  t.equal((await lab.run(NODE, 'tapmesh', 'inspect', 'removed')).code, 1, '--rm was kept, too')
  t.same((await lab.out(NODE, 'ls', '/run/netns')).trim().split('\n'), ['tm-echo'])
  await lab.tapmesh(NODE, 'rm', 'kept')
})

lab.test('a task is stopped by a daemon that did not start it', async t => {
  await lab.runTask(NODE, 'old', 'mynet', 'sh', '-c',
    'trap "exit 6" TERM; echo ready; while :; do sleep 0.05; done')
  await until('it is ready', async () => await lab.tapmesh(NODE, 'logs', 'old') === 'ready')
  await lab.daemon(NODE, 'kill')
  await lab.daemon(NODE, 'start')
  t.match(await lab.task(NODE, 'old'), { state: 'running' })
  await lab.tapmesh(NODE, 'stop', 'old')
  t.match(await lab.task(NODE, 'old'), { state: 'exited', exitCode: 6 })
  await lab.tapmesh(NODE, 'rm', 'old')
})

lab.test('a device that somebody took away is made again', async t => {
  await lab.out(NODE, 'ip', '-n', 'tm-echo', 'link', 'delete', 'eth0')
  await untilReached(lab, 'node2/user', '10.0.1.11')
  t.match(JSON.parse(await lab.out('node1/echo', 'ip', '-j', 'link', 'show', 'eth0')),
    [{ address: '02:42:0a:00:01:0b', mtu: 1450 }])
})

const inode = (where: string) => lab.out(where, 'readlink', '/proc/self/ns/net')

lab.test('a namespace whose name somebody took away has it again, with all that is in it',
  async t => {
    await lab.bareTask(NODE, 'bare', 'mynet,ip=10.0.1.13')
    await lab.out('node1/bare', 'sysctl', '-w', 'net.ipv4.ip_default_ttl=77')
    const pid = await pidOf('echo')
    const before = [await inode('node1/echo'), await inode('node1/bare')]
    const takings = [
      'ip netns del tm-echo; ip netns del tm-bare',
      'ip netns del tm-echo; ip netns add tm-echo; umount /run/netns/tm-bare',
    ]
    for (const taking of takings) {
      await lab.sh(NODE, taking)
      await until(`the names are back after: ${taking}`, async () => {
        const now = await Promise.all(['tm-echo', 'tm-bare'].map(netns =>
          lab.run(NODE, 'ip', 'netns', 'exec', netns, 'readlink', '/proc/self/ns/net')))
        return now.every(({ stdout }, n) => stdout === before[n])
      })
    }
    await lab.daemon(NODE, 'kill')
    await lab.out(NODE, 'ip', 'netns', 'del', 'tm-echo')
    await lab.daemon(NODE, 'start')
    t.equal(await inode('node1/echo'), before[0], 'a new daemon finds it by the process')
    t.equal(await pidOf('echo'), pid)
    t.match(await lab.out('node1/bare', 'cat', '/proc/sys/net/ipv4/ip_default_ttl'), '77')
    for (const address of ['10.0.1.11', '10.0.1.13']) {
      await untilReached(lab, 'node2/user', address)
    }
    await lab.tapmesh(NODE, 'rm', 'bare')
  })

lab.test('what runs in a namespace without a name ends with its task', async t => {
  await lab.runTask(NODE, 'parent', 'mynet', 'sh', '-c', 'setsid sleep 4322 & sleep 4323')
  const left = async () => (await lab.run(NODE, 'pgrep', '-f', 'sleep 432[23]')).stdout
  await until('both run', async () => (await left()).trim().split('\n').length >= 2)
  await lab.out(NODE, 'ip', 'netns', 'del', 'tm-parent')
  await lab.tapmesh(NODE, 'rm', '-f', 'parent')
  t.equal(await left(), '')
  t.equal((await lab.out(NODE, 'ls', '/run/netns')).trim(), 'tm-echo')
})

lab.test('devices that go while tasks come and go cost the daemon nothing', async t => {
  const { pid } = await lab.status(NODE)
  await lab.sh(NODE, `
    api() { curl -s --unix-socket ${SOCKET} -H 'content-type: application/json' "$@"; }
    taking() { for i in {1..100}; do ip -n tm-echo link delete eth0 2>/dev/null || true; done; }
    coming() {
      for i in {1..20}; do
        api -d '{"name":"come","networks":[{"network":"mynet"}]}' http://tapmesh/v1/tasks
        api -X DELETE http://tapmesh/v1/tasks/come
      done
    }
    taking & coming >/dev/null
    wait`)
  t.equal((await lab.status(NODE)).pid, pid)
  await untilReached(lab, 'node2/user', '10.0.1.11')
  t.match(await lab.tapmesh(NODE, 'ps', '-a'), /echo/)
  t.same((await lab.out(NODE, 'ls', '/run/netns')).trim(), 'tm-echo')
  const held = await lab.sh(NODE, `readlink /proc/${pid}/fd/* | grep -c net/tun`)
  t.equal(Number(held), 1, 'one descriptor for one device')
})

/** Ids of tasks that have a folder or a control group. */
async function foldersAndGroups(): Promise<string[]> {
  const found = await lab.sh(NODE, `
    groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)/tapmesh.slice
    for place in /var/lib/tapmesh/tasks "$groups"; do
      find "$place" -mindepth 1 -maxdepth 1 -type d -printf '%f\\n' 2>/dev/null || true
    done | sort -u`)
  return found.split('\n').filter(id => id !== '')
}

/** The host's ends of ways out. */
async function waysOut(): Promise<string[]> {
  const devices = await lab.out(NODE, 'ls', '/sys/class/net')
  return devices.split('\n').filter(name => name.startsWith('tmg'))
}

/** The command that asks for a task. */
function asking(name: string, seconds: number): string {
  const body = { name, networks: [{ network: 'mynet' }], command: ['sleep', String(seconds)] }
  return `curl -s --unix-socket ${SOCKET} -H 'content-type: application/json' \
    -d '${JSON.stringify(body)}' http://tapmesh/v1/tasks >/dev/null`
}

/** How long it takes to make a task here and now, the command that asks included. */
async function makingMs(): Promise<number> {
  const took = await lab.sh(NODE, `began=$(date +%s%N); ${asking('whole', 4999)}
    echo $(($(date +%s%N) - began))`)
  await removeTask('whole')
  return Math.ceil(Number(took) / 1e6)
}

async function removeTask(name: string): Promise<void> {
  await lab.out(NODE, 'curl', '-sS', '--unix-socket', SOCKET, '-X', 'DELETE',
    `http://tapmesh/v1/tasks/${name}?force=true`)
}

/** Ask for a task, kill the daemon `afterMs` later, and start it again. */
async function killWhileMaking(name: string, seconds: number, afterMs: number): Promise<void> {
  // The pause is the moment of the kill, which is what this is about.
  await lab.sh(NODE, `pid=$(cat /run/tapmesh/tapmesh.pid)
    ${asking(name, seconds)} &
    sleep ${afterMs / 1000}
    kill -KILL "$pid"
    wait || true
    while test -e "/proc/$pid"; do :; done`)
  await lab.daemon(NODE, 'start')
}

lab.test('what was half made is undone, whenever the daemon was killed', async t => {
  const random = makeRandom(SEED)
  const allMs = await makingMs()
  let made = 0
  for (let round = 0; round < KILLS; round += 1) {
    const seconds = 5000 + round
    const afterMs = pick(random, allMs)
    await killWhileMaking(`half${round}`, seconds, afterMs)
    const tasks = await lab.api<TaskView[]>(NODE, 'tasks')
    const half = tasks.find(task => task.name === `half${round}`)
    const [sleeping, namespaces] = (await lab.sh(NODE,
      `pgrep -fxc 'sleep ${seconds}' || true; ls /run/netns`)).split(/\n(.*)/s)
    const when = `killed after ${afterMs} ms`
    t.equal(Number(sleeping), half === undefined ? 0 : 1, `${when}: a process with a task only`)
    t.same(namespaces!.trim().split('\n'), tasks.map(task => `tm-${task.name}`).toSorted(), when)
    t.same(await foldersAndGroups(), tasks.map(task => task.id).toSorted(), when)
    t.same(await waysOut(), tasks.map(task => task.wayOut?.device).toSorted(), when)
    if (half === undefined) continue
    made += 1
    t.match(half, { state: 'running' })
    t.equal((await ping(lab, `node1/half${round}`, '10.0.1.11')).received, 1, 'it is whole')
    await removeTask(`half${round}`)
  }
  const undone = (await lab.log(NODE)).split('\n').filter(line => line.includes('half-made')).length
  t.comment(`seed ${SEED}, within ${allMs} ms: ${made} tasks were whole, ${undone} half made`)
  t.ok(made + undone > 0 && made < KILLS, 'the kills came at the right time')
  t.same((await lab.out(NODE, 'ls', '/run/netns')).trim(), 'tm-echo')
  t.same((await lab.out(NODE, 'ls', '/var/lib/tapmesh/tasks')).trim().split('\n').length, 1)
})
