// A task that is about to stop waits until all nodes have said that they know of it, and not for
// ever; and what a node says.
import test from 'ava'
import { DRAIN_LEAST_MS, DRAIN_MOST_MS, type DrainFacts, tellDrained, unheardBy } from './drains.ts'
import { Orchestrator } from './orchestrator.ts'
import type { ServiceFacts } from './orders.ts'
import { DRAINED_TOLD_MAX } from './rows.ts'
import { nodeOf, serviceOf, taskOf } from './services.test-kit.ts'

const TASK = 'web.1@n1'
const NODES = [nodeOf('n1'), nodeOf('n2'), nodeOf('n3')]

function factsOf(over: Partial<ServiceFacts> = {}): ServiceFacts {
  return { nodes: NODES, services: [serviceOf('web', 1)], tasks: [], rollouts: new Map(),
    rows: new Map(), leases: new Map(), networks: new Map(), isCaughtUp: true,
    drained: new Map(), isFollowed: true, ...over }
}

const toldBy = (...nodes: string[]) => new Map(nodes.map(node => [node, new Set([TASK])]))

/** A node with a task that is not wanted any more from 0 on; what is known at each time. */
function stopOf(known: (nowMs: number) => Partial<ServiceFacts>) {
  const { id: _, node: __, isHidden: ___, ...row } = taskOf(TASK)
  const machine = new Orchestrator({ node: 'n1', makeId: () => 'x', restored: [{ id: TASK, row,
    local: 'running', container: 'c', exitCode: null }] }, { nowMs: 0, wallMs: 0 })
  for (let nowMs = 0; nowMs <= 2 * DRAIN_MOST_MS; nowMs += 100) {
    const facts = factsOf({ services: [serviceOf('web', 0)], ...known(nowMs) })
    const { stops, unheard } = machine.step({ nowMs, wallMs: nowMs }, facts, [])
    if (stops.length > 0) return { nowMs, unheard: unheard.get(TASK) ?? [] }
  }
  return { nowMs: Infinity, unheard: [] }
}

const ROWS: [name: string, known: (nowMs: number) => Partial<ServiceFacts>, stopMs: number,
  unheard: string[]][] = [
  ['all know at once', () => ({ drained: toldBy('n2', 'n3') }), DRAIN_LEAST_MS, []],
  ['one knows late', nowMs => ({ drained: toldBy('n2', ...nowMs < 1700 ? [] : ['n3']) }), 1700, []],
  ['one says nothing', () => ({ drained: toldBy('n2') }), DRAIN_MOST_MS, ['n3']],
  ['one is not there any more', nowMs => ({ drained: toldBy('n2'), nodes: NODES.map(node =>
    node.id === 'n3' ? nodeOf('n3', { isAlive: nowMs < 1500 }) : node) }), 1500, []],
  ['there are no others', () => ({ nodes: [NODES[0]!] }), DRAIN_LEAST_MS, []],
  ['its own packet path is behind', nowMs => ({ drained: toldBy('n2', 'n3'),
    isFollowed: nowMs >= 1200 }), 1200, []],
  ['its service is gone', () => ({ services: [] }), 0, []],
]
for (const [name, known, stopMs, unheard] of ROWS) {
  test(`when a task stops: ${name}`, t => t.deepEqual(stopOf(known), { nowMs: stopMs, unheard }))
}

const drainFacts = (over: Partial<DrainFacts>): DrainFacts => factsOf(over)

/** What n2 tells, and when it looks again. */
function tells(over: Partial<DrainFacts>) {
  let wakeMs = Infinity
  const [write] = tellDrained(drainFacts(over), 'n2', 1000, atMs => { wakeMs = atMs })
  const text = write === undefined ? null : new TextDecoder().decode(write.value!)
  return { key: write?.key ?? null, tasks: text === null ? null
    : (JSON.parse(text) as { tasks: string[] }).tasks, wakeMs }
}

test('a node tells of tasks of others that are about to stop, and only of these', t => {
  const tasks = [taskOf(TASK, 'draining'), taskOf('web.2@n2', 'draining'), taskOf('web.3@n3'),
    taskOf('web.4@n3', 'draining', { isHidden: true })]
  t.deepEqual(tells({ tasks }), { key: 'n2/self', tasks: [TASK], wakeMs: Infinity })
  t.deepEqual(tells({ tasks, drained: toldBy('n2') }), { key: null, tasks: null, wakeMs: Infinity })
  t.deepEqual(tells({ tasks: [], drained: toldBy('n2') }).tasks, [])
})

test('it tells nothing new before its packet path has followed', t => {
  const tasks = [taskOf(TASK, 'draining'), taskOf('web.5@n3', 'draining')]
  const late = tells({ tasks, drained: toldBy('n2'), isFollowed: false })
  t.deepEqual(late, { key: null, tasks: null, wakeMs: 1005 })
  const gone = tells({ tasks: [tasks[1]!], drained: toldBy('n2'), isFollowed: false })
  t.deepEqual(gone, { key: 'n2/self', tasks: [], wakeMs: 1005 })
})

test('it tells no more than fits into its row', t => {
  const tasks = Array.from({ length: DRAINED_TOLD_MAX + 1 }, (_, n) =>
    taskOf(`web.${n}@n1`, 'draining'))
  t.is(tells({ tasks }).tasks?.length, DRAINED_TOLD_MAX)
})

test('who has not said so is named', t => {
  t.deepEqual(unheardBy(drainFacts({ drained: toldBy('n3') }), 'n1', TASK), ['n2'])
  t.deepEqual(unheardBy(drainFacts({ drained: toldBy('n3', 'n2'), isFollowed: false }), 'n1', TASK),
    ['n1'])
})
