// Who has each slot, and where the next task goes: the same on every node.
import test from 'ava'
import { makeRandom, pick } from '../../base/prng.ts'
import { meetsAll, parseConstraint } from './constraints.ts'
import { decide, Decider, type SlotPlan } from './decide.ts'
import type { NodeFact, ServiceFact, TaskFact } from './facts.ts'
import { restartAfter } from './restarts.ts'
import type { RolloutRow } from './rows.ts'
import { nodeOf, serviceOf, taskOf } from './services.test-kit.ts'
import { leaseSlots, wantedSlots } from './slots.ts'
import { templateOf } from './templates.ts'

const NODES = ['n1', 'n2', 'n3'].map(id => nodeOf(id))

function plansOf(services: ServiceFact[], tasks: TaskFact[] = [], nodes: NodeFact[] = NODES,
  rollouts = new Map<string, RolloutRow>()): SlotPlan[] {
  return [...decide({ nodes, services, rollouts,
    tasks: tasks.map(task => started(task, services.find(one => one.id === task.service)!)),
  }).values()].flat()
}

/** A task of the service's generation was started with its template. */
function started(task: TaskFact, service: ServiceFact | undefined): TaskFact {
  return task.generation === service?.generation ? { ...task, template: templateOf(service) }
    : task
}

const nodesOf = (plans: readonly SlotPlan[]) => plans.map(plan => plan.node)

test('tasks are spread: one on each node, then another on each', t => {
  const plans = plansOf([serviceOf('web', 6)])
  t.deepEqual(plans.map(plan => plan.slot), ['1', '2', '3', '4', '5', '6'])
  for (const part of [plans.slice(0, 3), plans.slice(3)]) {
    t.deepEqual(nodesOf(part).sort(), ['n1', 'n2', 'n3'])
  }
})

test('the answer does not change while the claims come in, in whatever order', t => {
  const services = [serviceOf('web', 9), serviceOf('db', 2)]
  const first = plansOf(services)
  for (const kept of [0, 3, 5, 10]) {
    const claims = first.slice(0, kept)
      .map(plan => taskOf(`${plan.service.id}.${plan.slot}@${plan.node}`, 'assigned'))
    const then = plansOf(services, claims)
    t.deepEqual(then.map(plan => plan.node ?? plan.holder!.node), nodesOf(first))
  }
})

test('fewest tasks of the service come before fewest tasks', t => {
  const tasks = [taskOf('web.1@n1'), taskOf('db.1@n2'), taskOf('db.2@n2'), taskOf('db.3@n3')]
  const [, second, third] = plansOf([serviceOf('web', 3)], tasks)
  t.deepEqual([second!.node, third!.node], ['n3', 'n2'])
})

const unfit: [name: string, nodes: NodeFact[], constraints: string[], reason: string][] = [
  ['no node at all', [], [], 'no suitable node'],
  ['constraints', NODES, ['node.hostname==other'],
    'no suitable node (scheduling constraints not satisfied on 3 nodes)'],
  ['all drained, paused or away', [nodeOf('n1', { availability: 'drain' }),
    nodeOf('n2', { availability: 'pause' }), nodeOf('n3', { isAlive: false })], [],
  'no suitable node (3 nodes not available for new tasks)'],
  ['both', [nodeOf('n1', { availability: 'drain' }), nodeOf('n2')], ['node.role==worker'],
    'no suitable node (scheduling constraints not satisfied on 1 node; '
      + '1 node not available for new tasks)'],
]
for (const [name, nodes, constraints, reason] of unfit) {
  test(`a slot that no node fits says why: ${name}`, t => {
    const [plan] = plansOf([serviceOf('web', 1, { constraints })], [], nodes)
    t.like(plan, { node: null, reason })
  })
}

test('a global service has one task on each node that is active, and none moves', t => {
  const nodes = [nodeOf('n1'), nodeOf('n2', { availability: 'pause' }),
    nodeOf('n3', { availability: 'drain' }), nodeOf('n4', { isAlive: false })]
  const plans = plansOf([serviceOf('util', null)], [taskOf('util.n3@n3')], nodes)
  t.deepEqual(plans.map(({ slot, isWanted, node }) => [slot, isWanted, node]),
    [['n1', true, 'n1'], ['n2', true, null], ['n3', false, null]])
  t.deepEqual(wantedSlots(serviceOf('util', null), nodes), ['n1', 'n2', 'n4'],
    'addresses of nodes that are away are kept')
})

test('a service that was made smaller: the highest slots are not wanted', t => {
  const tasks = ['1', '2', '10'].map(slot => taskOf(`web.${slot}@n1`))
  t.deepEqual(plansOf([serviceOf('web', 2)], tasks).map(plan => [plan.slot, plan.isWanted]),
    [['1', true], ['2', true], ['10', false]])
})

const early = taskOf('web.1@n2', 'assigned', { createdAt: 5 })
const contests: [name: string, others: TaskFact[], holder: string][] = [
  ['the earlier claim', [taskOf('web.1@n1', 'assigned', { createdAt: 6 })], 'n2'],
  ['of equal ones the first node', [taskOf('web.1@n1', 'assigned', { createdAt: 5 })], 'n1'],
  ['one that runs', [taskOf('web.1@n1', 'running', { createdAt: 6 })], 'n1'],
  ['what a majority gave away', [taskOf('web.1@n3', 'assigned', { createdAt: 7, term: 1 })], 'n3'],
  ['not one that is to stop', [taskOf('web.1@n1', 'draining', { desired: 'shutdown' })], 'n2'],
  ['not one whose node is away', [taskOf('web.1@n1', 'running', { isHidden: true })], 'n2'],
]
for (const [name, others, holder] of contests) {
  test(`of two tasks in a slot it has: ${name}`, t => {
    for (const tasks of [[early, ...others], [...others, early]]) {
      const [plan] = plansOf([serviceOf('web', 1)], tasks)
      t.is(plan!.holder?.node, holder)
      t.is(plan!.node, null, 'and nobody starts a third')
      t.true(plan!.losers.every(task => task.node !== holder))
    }
  })
}

test('a slot whose task is about to stop waits for that; after it, it is given anew', t => {
  const leaving = taskOf('web.1@n1', 'draining', { desired: 'shutdown' })
  t.is(plansOf([serviceOf('web', 1)], [leaving])[0]!.node, null)
  t.not(plansOf([serviceOf('web', 1)], [{ ...leaving, state: 'shutdown' }])[0]!.node, null)
})

const rollout: RolloutRow = { generation: 2, state: 'updating', slots: ['1'], startedAt: 0,
  finishedAt: null, message: '' }

test('start-first: a second task in the slot that is named, with the address of the other side',
  t => {
    const web = serviceOf('web', 2, {}, { update: { ...serviceOf('x', 1).spec.update,
      order: 'start-first' } }, 2)
    const tasks = [taskOf('web.1@n1'), taskOf('web.2@n2')]
    const rollouts = new Map([['web', rollout]])
    const [first, second] = plansOf([web], tasks, NODES, rollouts)
    t.deepEqual([first!.node, second!.node], ['n3', null])
    t.deepEqual(leaseSlots(web, NODES, tasks, rollout), ['1', '1+', '2'])
    const next = taskOf('web.1@n3', 'starting', { generation: 2, side: 1, createdAt: 9 })
    const [during] = plansOf([web], [...tasks, next], NODES, rollouts)
    t.is(during!.holder?.node, 'n1')
    t.is(during!.successor?.node, 'n3')
    t.deepEqual(during!.losers, [])
    const [after] = plansOf([web], [...tasks, { ...next, state: 'running' }], NODES, rollouts)
    t.is(after!.holder?.node, 'n3')
    t.deepEqual(after!.losers.map(task => task.node), ['n1'])
    t.deepEqual(leaseSlots(web, NODES, [{ ...next, state: 'running' }, tasks[1]!],
      { ...rollout, slots: [] }), ['1+', '2'])
  })

test('a node that refused a command comes last, and so does one where it failed often', t => {
  const refused = [taskOf('web.1@n1', 'rejected'), taskOf('web.2@n2', 'rejected')]
  const plans = plansOf([serviceOf('web', 2)], refused)
  t.deepEqual(nodesOf(plans), ['n3', 'n3'])
  t.deepEqual(nodesOf(plansOf([serviceOf('web', 3, {}, {}, 2)], refused)).sort(),
    ['n1', 'n2', 'n3'], 'what failed in an earlier generation says nothing')
})

const restarts: [name: string, restart: object, last: TaskFact, delayMs: number | null][] = [
  ['failed', {}, taskOf('web.1@n1', 'failed'), 5000],
  ['complete, any', {}, taskOf('web.1@n1', 'complete'), 5000],
  ['complete, on-failure', { condition: 'on-failure' }, taskOf('web.1@n1', 'complete'), null],
  ['failed, on-failure', { condition: 'on-failure' }, taskOf('web.1@n1', 'failed'), 5000],
  ['failed, none', { condition: 'none' }, taskOf('web.1@n1', 'failed'), null],
  ['stopped', { condition: 'none' }, taskOf('web.1@n1', 'shutdown'), 0],
  ['an earlier generation', {}, taskOf('web.1@n1', 'failed', { generation: 7 }), 0],
  ['one attempt left', { maxAttempts: 2 }, taskOf('web.1@n1', 'failed', { attempt: 1 }), 5000],
  ['no attempt left', { maxAttempts: 2 }, taskOf('web.1@n1', 'failed', { attempt: 2 }), null],
  ['refused twice', {}, taskOf('web.1@n1', 'rejected', { attempt: 1 }), 10_000],
  ['refused often', {}, taskOf('web.1@n1', 'rejected', { attempt: 50 }), 60_000],
]
for (const [name, restart, last, delayMs] of restarts) {
  test(`restart: ${name}`, t => {
    const { spec } = serviceOf('web', 1)
    const service = serviceOf('web', 1, { restart: { ...spec.task.restart, ...restart } })
    t.is(restartAfter(service, started(last, service)).delayMs, delayMs)
  })
}

const constraints: [text: string, isMet: boolean][] = [
  ['node.hostname==n1', true], ['node.hostname == N1', true], ['node.id!=n1', false],
  ['node.role==manager', true], ['node.role!=worker', true], ['node.labels.zone==b', true],
  ['node.labels.zone!=b', false], ['node.labels.other!=b', true], ['node.labels.other==b', false],
]
for (const [text, isMet] of constraints) {
  test(`constraint ${text}`, t => {
    t.notThrows(() => parseConstraint(text))
    t.is(meetsAll([text], nodeOf('n1', { labels: { zone: 'b' } })), isMet)
  })
}

for (const text of ['', 'node.hostname', 'node.hostname=n1', 'hostname==n1', 'node.os==linux',
  'node.labels.==x', 'node.role==boss', 'node.hostname==']) {
  test(`no constraint: "${text}"`, t => {
    t.throws(() => parseConstraint(text), { message: /is not understood; write node\.hostname/ })
    t.false(meetsAll([text], nodeOf('n1')))
  })
}

test('who asks after each change is answered as who asks once', t => {
  const random = makeRandom(5)
  const decider = new Decider()
  const states = ['assigned', 'running', 'draining', 'failed', 'shutdown'] as const
  let services = [serviceOf('web', 4), serviceOf('db', null), serviceOf('api', 12)]
  let nodes = NODES
  let rollouts = new Map<string, RolloutRow>()
  const tasks = new Map<string, TaskFact>()
  for (let round = 0; round < 500; round += 1) {
    const service = services[pick(random, services.length)]!
    const slot = service.spec.replicas === null ? `n${1 + pick(random, 3)}` : 1 + pick(random, 12)
    const id = `${service.id}.${slot}@n${1 + pick(random, 3)}`
    const dice = pick(random, 20)
    if (dice === 0) {
      const { generation } = service
      const { replicas } = service.spec
      const next = serviceOf(service.id, replicas, { force: round }, {}, generation + 1)
      services = services.map(one => one === service ? next : one)
    } else if (dice === 1) {
      rollouts = new Map(rollouts).set(service.id, { generation: service.generation, slots: ['2'],
        state: 'updating', startedAt: 1, finishedAt: null, message: '' })
    } else if (dice === 2) nodes = nodes.toReversed()
    else if (dice < 6) tasks.delete(id)
    else {
      const more = { isHidden: pick(random, 6) === 0, createdAt: pick(random, 5) }
      tasks.set(id, started(taskOf(id, states[pick(random, states.length)], more), service))
    }
    const facts = { nodes, services, rollouts, tasks: [...tasks.values()] }
    t.deepEqual(decider.decide(facts), decide(facts), `round ${round}`)
  }
})

test('of a slot that is as before the state is the same object', t => {
  const decider = new Decider()
  const facts = { nodes: NODES, services: [serviceOf('web', 3)], rollouts: new Map(),
    tasks: [taskOf('web.1@n1', 'failed'), taskOf('web.2@n2', 'failed')] }
  const [one, two] = decider.decide(facts).get('web')!
  const changed = [facts.tasks[0]!, taskOf('web.2@n2', 'complete')]
  const [oneAfter, twoAfter] = decider.decide({ ...facts, tasks: changed }).get('web')!
  t.is(oneAfter!.ended, one!.ended)
  t.not(twoAfter!.ended, two!.ended)
})
