// The worst case: every daemon and every task of every node is killed at once, and then a node
// loses all that a reboot takes. Starting the daemons again is all that it needs.
// May run beside another test.
import { kernelState } from './lib/kernel-state.ts'
import { useLab } from './lib/lab.ts'
import { lacking } from './lib/needs.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 3, needs: { tools: ['ping', 'curl'] } })
/** A process has a control group where there are any. */
const GROUPED = lacking({ cgroup2: true }) === false ? 1 : 0
const addressOf = (node: string) => `10.0.1.1${node.slice(-1)}`

/** Kill the daemon and everything that lives in a task's namespace, at once. */
async function killAll(node: string): Promise<void> {
  await lab.sh(node, `
    pids="$(cat /run/tapmesh/tapmesh.pid) $(for name in $(ls /run/netns); do
      ip netns pids "$name"; done)"
    kill -KILL $pids
    for pid in $pids; do while test -e "/proc/$pid"; do :; done; done`)
}

/** What a daemon holds in the kernel of its node. */
async function held(node: string) {
  const pid = (await lab.status(node)).pid
  return {
    namespaces: (await lab.out(node, 'ls', '/run/netns')).split('\n').filter(name => name !== ''),
    taps: Number(await lab.sh(node, `readlink /proc/${pid}/fd/* | grep -c net/tun || true`)),
    groups: (await kernelState(lab, node)).groups.length,
    left: (await lab.sh(node, "pgrep -fx 'sleep 7777' || true")).trim(),
  }
}

lab.test('tasks and bare namespaces on three nodes', async t => {
  await lab.createNetwork('mynet', lab.nodes)
  for (const node of lab.nodes) {
    await lab.bareTask(node, 'bare', `mynet,ip=${addressOf(node)}`)
    await lab.runTask(node, 'work', 'mynet', 'sh', '-c', 'setsid sleep 7777 & sleep 7777')
    await until('its processes', async () =>
      (await lab.sh(node, "pgrep -fxc 'sleep 7777' || true")).trim() === '2')
  }
  for (const node of lab.nodes) {
    for (const other of lab.nodes) await untilReached(lab, `${node}/bare`, addressOf(other))
    t.match(await held(node), { namespaces: ['tm-bare', 'tm-work'], taps: 2, groups: GROUPED })
  }
})

lab.test('kill -9 of all, and a start heals', async t => {
  await Promise.all(lab.nodes.map(killAll))
  for (const node of lab.nodes) await lab.daemon(node, 'start')
  for (const node of lab.nodes) {
    t.match(await lab.task(node, 'work'), { state: 'exited', exitCode: 137, pid: null })
    t.match(await lab.task(node, 'bare'), { endpoints: [{ address: addressOf(node) }] })
    t.same(await held(node), { namespaces: ['tm-bare'], taps: 1, groups: 0, left: '' })
    for (const other of lab.nodes) await untilReached(lab, `${node}/bare`, addressOf(other))
  }
})

lab.test('what was killed can be started again under its name', async t => {
  for (const node of lab.nodes) {
    await lab.tapmesh(node, 'rm', 'work')
    await lab.runTask(node, 'work', 'mynet', 'sleep', '7777')
    t.match(await lab.task(node, 'work'), { state: 'running' })
  }
})

lab.test('after a reboot only what stands in /var/lib is left, and that is enough', async t => {
  await killAll('node2')
  await lab.sh('node2', `
    for name in $(ls /run/netns); do ip netns delete "$name"; done
    rm -rf /run/tapmesh`)
  await lab.daemon('node2', 'start')
  t.match(await lab.task('node2', 'work'), { state: 'exited', exitCode: 137 })
  t.same(await held('node2'), { namespaces: ['tm-bare'], taps: 1, groups: 0, left: '' })
  await untilReached(lab, 'node1/bare', addressOf('node2'))
  t.equal((await ping(lab, 'node2/bare', addressOf('node3'))).received, 1)
})

lab.test('nothing is left when all is removed', async t => {
  for (const node of lab.nodes) {
    await lab.tapmesh(node, 'rm', '-f', 'work', 'bare')
    await lab.tapmesh(node, 'network', 'rm', 'mynet')
    t.same(await held(node), { namespaces: [], taps: 0, groups: 0, left: '' })
  }
})
