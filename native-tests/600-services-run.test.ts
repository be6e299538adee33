// Services on three nodes: tasks are spread, replaced, moved when a node dies or is drained, taken
// up by a daemon that starts anew, and updated some at a time.
// May run beside another test; takes long.
import type { ServiceTaskView, ServiceView } from '../src/daemon/service-views.ts'
import { untilEqual, untilWhole } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { until } from './lib/wait.ts'

/** What the issue allows from a node's death until its tasks run elsewhere. */
const MOVED_MS = 15_000
/** A restart waits 5 s, an update for its monitor; and machines are slow. */
const SETTLED_MS = 40_000

const lab = useLab({ nodes: 3, peers: 'cluster' })

const tasksOf = (name: string, node = 'node1') =>
  lab.api<ServiceTaskView[]>(node, `services/${name}/tasks`)
const serviceOf = (name: string, node = 'node1') => lab.api<ServiceView>(node, `services/${name}`)

async function running(name: string, node = 'node1'): Promise<ServiceTaskView[]> {
  return (await tasksOf(name, node)).filter(task => task.state === 'running'
    && task.desired === 'running' && !task.isAway)
}

/** The tasks that run when as many do as is wanted, by slot. */
function untilRunning(name: string, count: number, timeoutMs = SETTLED_MS,
): Promise<ServiceTaskView[]> {
  return until(`${count} tasks of ${name} run`, async () => {
    const tasks = await running(name)
    return tasks.length === count && tasks
  }, timeoutMs)
}

const nodesOf = (tasks: readonly ServiceTaskView[]) =>
  tasks.map(task => task.node!.name).sort()

async function pidOf(task: ServiceTaskView): Promise<number> {
  return (await lab.task(task.node!.name, task.container!)).pid!
}

/** As kill -9 of all that these tasks of a node are; their numbers are those of that node. */
async function killTasks(node: string, tasks: readonly ServiceTaskView[]): Promise<void> {
  const groups = await Promise.all(tasks.map(async task => -await pidOf(task)))
  await lab.out(node, 'kill', '-KILL', '--', ...groups.map(String))
}

lab.test('C3, C4: replicas are spread over the nodes', async t => {
  await lab.tapmesh('node1', 'service', 'create', '-d', '--name', 'web', '--replicas', '3', '--',
    'sleep', '100000')
  const tasks = await untilRunning('web', 3)
  t.same(nodesOf(tasks), ['node1', 'node2', 'node3'])
  for (const node of lab.nodes) t.equal((await running('web', node)).length, 3)
  const [first] = tasks
  const local = await lab.task(first!.node!.name, first!.container!)
  t.equal(local.name, `web.${first!.slot}.${first!.id}`)
})

lab.test('C7, C8: scaled up and down; a slot that goes leaves nothing behind', async t => {
  await lab.tapmesh('node2', 'service', 'scale', '-d', 'web=6')
  t.same(nodesOf(await untilRunning('web', 6)),
    ['node1', 'node1', 'node2', 'node2', 'node3', 'node3'])
  await lab.tapmesh('node3', 'service', 'scale', '-d', 'web=3')
  await until('three tasks are left', async () => (await tasksOf('web')).length === 3, SETTLED_MS)
  t.same((await tasksOf('web')).map(task => task.slot), ['1', '2', '3'])
})

lab.test('C9: a task that is killed by hand is replaced, and stands in the history', async t => {
  const victim = (await running('web')).find(task => task.slot === '2')!
  await killTasks(victim.node!.name, [victim])
  const next = await until('another task runs in its slot', async () => (await running('web'))
    .find(task => task.slot === '2' && task.id !== victim.id), SETTLED_MS)
  const dead = (await tasksOf('web')).find(task => task.id === victim.id)!
  t.match(dead, { state: 'failed', exitCode: 137, error: 'task: non-zero exit (137)' })
  t.ok(Date.parse(next.stateAt) - Date.parse(dead.stateAt) >= 5000, 'after the restart delay')
})

lab.test('C2: a global service has exactly one task on each node', async t => {
  await lab.tapmesh('node3', 'service', 'create', '-d', '--name', 'util', '--mode', 'global', '--',
    'sleep', '100000')
  t.same(nodesOf(await untilRunning('util', 3)), ['node1', 'node2', 'node3'])
})

lab.test('a daemon that starts anew takes its tasks up, and starts none twice', async t => {
  const before = (await running('web')).find(task => task.node!.name === 'node2')!
  const pid = await pidOf(before)
  await lab.daemon('node2', 'kill')
  await lab.daemon('node2', 'start')
  await untilWhole(lab)
  await untilEqual(lab)
  const tasks = await untilRunning('web', 3)
  t.same(nodesOf(tasks), ['node1', 'node2', 'node3'])
  const here = tasks.find(task => task.node!.name === 'node2')!
  t.equal(here.id, before.id)
  t.equal(await pidOf(here), pid)
})

lab.test('kill -9 of a node: its tasks run elsewhere in time, and do not move back', async t => {
  const all = [...await running('web'), ...await running('util')]
  const groups = (await Promise.all(all.filter(task => task.node!.name === 'node3').map(pidOf)))
    .map(pid => String(-pid))
  const beganMs = performance.now()
  await lab.daemon('node3', 'kill')
  await lab.out('node3', 'kill', '-KILL', '--', ...groups)
  const moved = await until('all of web runs on the others', async () => {
    const tasks = await running('web')
    return tasks.length === 3 && tasks.every(task => task.node!.name !== 'node3') && tasks
  }, MOVED_MS)
  t.comment(`its tasks run elsewhere after ${Math.round(performance.now() - beganMs)} ms`)
  await lab.daemon('node3', 'start')
  await untilWhole(lab)
  t.same(nodesOf(await untilRunning('util', 3)), ['node1', 'node2', 'node3'])
  t.same((await running('web')).map(task => task.id).sort(), moved.map(task => task.id).sort())
})

lab.test('drain: the tasks of a node move away, and new ones do not come', async t => {
  await lab.tapmesh('node1', 'node', 'update', '--availability', 'drain', 'node2')
  await until('nothing runs on node2', async () =>
    (await lab.api<{ service: unknown; state: string }[]>('node2', 'tasks'))
      .every(task => task.service === null || task.state === 'exited'), SETTLED_MS)
  const tasks = await untilRunning('web', 3)
  t.notOk(nodesOf(tasks).includes('node2'), nodesOf(tasks).join())
  t.same(nodesOf(await untilRunning('util', 2)), ['node1', 'node3'])
  await lab.tapmesh('node1', 'node', 'update', '--availability', 'active', 'node2')
  t.same(nodesOf(await untilRunning('util', 3)), ['node1', 'node2', 'node3'])
})

lab.test('a rolling update replaces all tasks, one after the other', async t => {
  const before = await running('web')
  await lab.tapmesh('node1', 'service', 'update', '-d', '--args', 'sleep 200000', 'web')
  let fewest = before.length
  await until('the update is over', async () => {
    fewest = Math.min(fewest, (await running('web')).length)
    return (await serviceOf('web')).update?.state === 'completed'
  }, SETTLED_MS)
  const after = await running('web')
  t.equal(after.length, 3)
  t.ok(after.every(task => before.every(old => old.id !== task.id)))
  t.ok(fewest >= 2, `at least 2 of 3 ran all the while, not ${fewest}`)
  t.ok(await runs(after[0]!, 'sleep 200000'))
})

lab.test('a rollback goes back to what was there before', async t => {
  await lab.tapmesh('node2', 'service', 'rollback', '-d', 'web')
  await until('the rollback is over', async () =>
    (await serviceOf('web')).update?.state === 'rollback_completed', SETTLED_MS)
  const [task] = await untilRunning('web', 3)
  t.ok(await runs(task!, 'sleep 100000'))
})

lab.test('a constraint that no node meets: the task waits, and says why', async t => {
  await lab.tapmesh('node1', 'service', 'create', '-d', '--name', 'picky', '--constraint',
    'node.labels.disk==ssd', '--', 'sleep', '100000')
  const [task] = await tasksOf('picky')
  t.match(task, { state: 'pending', node: null })
  t.match(task!.error, /no suitable node/)
  await lab.tapmesh('node1', 'node', 'update', '--label-add', 'disk=ssd', 'node3')
  t.same(nodesOf(await untilRunning('picky', 1)), ['node3'])
})

lab.test('a command that is not there is refused with its reason, and tried later', async t => {
  await lab.tapmesh('node1', 'service', 'create', '-d', '--name', 'typo', '--', 'no-such-program')
  const refused = await until('a task was refused', async () => (await tasksOf('typo'))
    .find(task => task.state === 'rejected'))
  t.match(refused.error, /cannot run "no-such-program": PATH has no such program/)
  await until('and another', async () => (await tasksOf('typo'))
    .filter(task => task.state === 'rejected').length >= 2, SETTLED_MS)
})

lab.test('templates are filled for each task', async t => {
  await lab.tapmesh('node1', 'service', 'create', '-d', '--name', 'named', '--replicas', '2',
    '--hostname', '{{.Service.Name}}-{{.Task.Slot}}', '--env', 'WHERE={{.Node.Hostname}}', '--',
    'sleep', '100000')
  for (const task of await untilRunning('named', 2)) {
    const node = task.node!.name
    t.equal((await lab.task(node, task.container!)).hostname, `named-${task.slot}`)
    t.match(await lab.sh(node, `tr '\\0' '\\n' </proc/${await pidOf(task)}/environ`),
      new RegExp(`^WHERE=${node}$`, 'm'))
  }
})

lab.test('C10: what is removed is gone everywhere', async t => {
  for (const name of ['web', 'util', 'picky', 'typo', 'named']) {
    await lab.tapmesh('node1', 'service', 'rm', name)
  }
  for (const node of lab.nodes) {
    await until(`no task of a service is left on ${node}`, async () =>
      (await lab.api<unknown[]>(node, 'tasks')).length === 0, SETTLED_MS)
    t.notMatch(await lab.out(node, 'ip', 'netns', 'list'), /tm-/)
  }
  await untilEqual(lab)
})

/** Whether the task's node runs this command. */
async function runs({ node }: ServiceTaskView, command: string): Promise<boolean> {
  return (await lab.run(node!.name, 'pgrep', '-fx', command)).code === 0
}
