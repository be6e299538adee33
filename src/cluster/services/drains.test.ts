// A task that is about to stop waits until all nodes have said that they know of it, and not for
// ever; and what a node says, how often, and what of it is heard.
import test from 'ava'
import { makeRandom, pick } from '../../base/prng.ts'
import { QUIET_NETWORK, World } from '../tables/simulation.test-kit.ts'
import { decodeDrain, DRAINED_TOLD_MAX, type DrainMessage, encodeDrain } from './drain-message.ts'
import {
  DRAIN_ASK_MS, DRAIN_LEAST_MS, DRAIN_MOST_MS, type DrainCounters, type DrainFacts, Drains,
  makeDrainCounters,
} from './drains.ts'
import type { TaskFact } from './facts.ts'
import { Orchestrator } from './orchestrator.ts'
import type { ServiceFacts } from './orders.ts'
import { OwnTasks } from './own-tasks.ts'
import { SERVICE_TABLES, TABLE_SERVICE } from './rows.ts'
import { rowWrite, ServiceHost } from './service-host.test-kit.ts'
import { nodeOf, serviceOf, specOf, taskOf } from './services.test-kit.ts'
import { firstVersion, nextVersion } from './versions.ts'

const TASK = 'web.1@n1'
const NODES = [nodeOf('n1'), nodeOf('n2'), nodeOf('n3')]

function factsOf(over: Partial<ServiceFacts> = {}): ServiceFacts {
  return { nodes: NODES, services: [serviceOf('web', 1)], tasks: [], rollouts: new Map(),
    rows: new Map(), leases: new Map(), networks: new Map(), isCaughtUp: true, isFollowed: true,
    ...over }
}

function message(kind: DrainMessage['kind'], from: string, ...tasks: string[]): Uint8Array {
  return encodeDrain({ kind, from, tasks })
}

/** Node n1 with a task that is not wanted any more from its first step on. */
function machineWith(more: Partial<TaskFact> = {}) {
  const { id: _, node: __, isHidden: ___, ...row } = taskOf(TASK, 'running', more)
  const drainCounters = makeDrainCounters()
  const machine = new Orchestrator({ node: 'n1', makeId: () => 'x', drainCounters,
    restored: [{ id: TASK, row, local: 'running', container: 'c', exitCode: null }],
  }, { nowMs: 0, wallMs: 0 })
  const step = (nowMs: number, over: Partial<ServiceFacts> = {}) => machine.step(
    { nowMs, wallMs: nowMs }, factsOf({ services: [serviceOf('web', 0)], ...over }), [])
  return { machine, step, drainCounters }
}

/** What is known at a time: facts, and who has told by then. */
type KnownAt = (nowMs: number) => Partial<ServiceFacts> & { told?: string[] }

function stopOf(known: KnownAt) {
  const { machine, step } = machineWith()
  for (let nowMs = 0; nowMs <= 2 * DRAIN_MOST_MS; nowMs += 100) {
    const { told = [], ...over } = known(nowMs)
    for (const node of told) machine.hear(nowMs, node, message('told', node, TASK))
    const { stops, unheard } = step(nowMs, over)
    if (stops.length > 0) return { nowMs, unheard: unheard.get(TASK) ?? [] }
  }
  return { nowMs: Infinity, unheard: [] }
}

const ROWS: [name: string, known: KnownAt, stopMs: number, unheard: string[]][] = [
  ['all know at once', () => ({ told: ['n2', 'n3'] }), DRAIN_LEAST_MS, []],
  ['one knows late', nowMs => ({ told: ['n2', ...nowMs < 1700 ? [] : ['n3']] }), 1700, []],
  ['one says nothing', () => ({ told: ['n2'] }), DRAIN_MOST_MS, ['n3']],
  ['one is not there any more', nowMs => ({ told: ['n2'], nodes: NODES.map(node =>
    node.id === 'n3' ? nodeOf('n3', { isAlive: nowMs < 1500 }) : node) }), 1500, []],
  ['there are no others', () => ({ nodes: [NODES[0]!] }), DRAIN_LEAST_MS, []],
  ['its own packet path is behind', nowMs => ({ told: ['n2', 'n3'],
    isFollowed: nowMs >= 1200 }), 1200, []],
  ['its service is gone', () => ({ services: [] }), 0, []],
]
for (const [name, known, stopMs, unheard] of ROWS) {
  test(`when a task stops: ${name}`, t => t.deepEqual(stopOf(known), { nowMs: stopMs, unheard }))
}

/** What n2 says of tasks of others, and when it looks again. */
class Teller {
  readonly counters: DrainCounters = makeDrainCounters()
  wakeMs = Infinity
  readonly #drains: Drains

  constructor() {
    const own = new OwnTasks('n2', [], { nowMs: 0, wallMs: 0 })
    this.#drains = new Drains('n2', own, this.counters)
  }

  says(over: Partial<DrainFacts>): (DrainMessage & { to: string })[] {
    this.wakeMs = Infinity
    return this.#drains.takeWords(factsOf(over), 1000, atMs => { this.wakeMs = atMs })
      .map(({ to, octets }) => ({ to, ...decodeDrain(octets)! }))
  }

  hear(from: string | null, octets: Uint8Array): boolean {
    return this.#drains.hear(1000, from, octets)
  }
}

test('a node tells of tasks of others that are about to stop, of each once', t => {
  const teller = new Teller()
  const tasks = [taskOf(TASK, 'draining'), taskOf('web.2@n2', 'draining'), taskOf('web.3@n3'),
    taskOf('web.4@n3', 'draining', { isHidden: true }), taskOf('web.5@n1', 'draining')]
  t.deepEqual(teller.says({ tasks }), [{ to: 'n1', kind: 'told', from: 'n2',
    tasks: [TASK, 'web.5@n1'] }])
  t.deepEqual(teller.says({ tasks }), [])
  t.is(teller.wakeMs, Infinity)
  t.deepEqual(teller.says({ tasks: [] }), [])
  t.is(teller.says({ tasks: [tasks[0]!] }).length, 1, 'it may have come back with its node')
})

test('it tells nothing before its packet path has followed', t => {
  const teller = new Teller()
  const tasks = [taskOf(TASK, 'draining')]
  t.deepEqual(teller.says({ tasks, isFollowed: false }), [])
  t.is(teller.wakeMs, 1005)
  t.is(teller.says({ tasks }).length, 1)
})

test('it tells no more than fits into a datagram at once', t => {
  const tasks = Array.from({ length: DRAINED_TOLD_MAX + 1 }, (_, n) =>
    taskOf(`web.${n}@n1`, 'draining'))
  const said = new Teller().says({ tasks })
  t.deepEqual(said.map(one => one.tasks.length), [DRAINED_TOLD_MAX, 1])
  t.deepEqual(said.flatMap(one => one.tasks), tasks.map(({ id }) => id))
})

test('who is asked tells again, and the node of the task alone may ask', t => {
  const teller = new Teller()
  const tasks = [taskOf(TASK, 'draining')]
  t.false(teller.hear('n1', message('asked', 'n1', TASK)), 'it is not known here yet')
  t.is(teller.says({ tasks }).length, 1)
  t.false(teller.hear('n3', message('asked', 'n3', TASK)))
  t.deepEqual(teller.says({ tasks }), [])
  t.true(teller.hear('n1', message('asked', 'n1', TASK)))
  t.like(teller.says({ tasks })[0], { to: 'n1', kind: 'told', tasks: [TASK] })
  t.like(teller.counters, { askedIn: 3, ignored: 2, toldOut: 2 })
})

test('only what a member says of a task of this node that is about to stop is heard', t => {
  const { machine, step, drainCounters } = machineWith()
  const hear = (from: string | null, octets: Uint8Array) =>
    machine.hear(DRAIN_LEAST_MS, from, octets)
  t.false(hear('n2', message('told', 'n2', TASK)), 'it does not stop yet')
  step(0)
  t.false(hear('n2', message('told', 'n2', 'web.9@n1')), 'no such task')
  t.false(hear(null, message('told', 'n2', TASK)), 'nobody is known there')
  t.false(hear('n3', message('told', 'n2', TASK)), 'sent again from elsewhere')
  t.false(hear('n2', message('told', 'n2', TASK).subarray(1)))
  t.deepEqual(step(DRAIN_LEAST_MS).stops, [])
  t.true(hear('n2', message('told', 'n2', TASK)))
  t.true(hear('n3', message('told', 'n3', TASK)))
  t.deepEqual(step(DRAIN_LEAST_MS).stops, [TASK])
  t.false(hear('n3', message('told', 'n3', TASK)), 'it is being stopped')
  t.like(drainCounters, { toldIn: 5, ignored: 3, strangers: 2, malformed: 1 })
})

test('who has not told is asked, not too often, and not before the time has come', t => {
  const { machine, step } = machineWith()
  const asked = (nowMs: number) => step(nowMs).words.map(({ to }) => to)
  t.deepEqual(asked(0), [])
  t.deepEqual(asked(DRAIN_LEAST_MS - 1), [])
  t.deepEqual(asked(DRAIN_LEAST_MS), ['n2', 'n3'])
  machine.hear(DRAIN_LEAST_MS, 'n2', message('told', 'n2', TASK))
  t.deepEqual(asked(DRAIN_LEAST_MS + DRAIN_ASK_MS - 1), [])
  t.deepEqual(asked(DRAIN_LEAST_MS + DRAIN_ASK_MS), ['n3'])
})

test('a task that was draining when its daemon ended drains anew, and the others are asked', t => {
  const { machine, step } = machineWith({ state: 'draining', desired: 'shutdown' })
  t.deepEqual(step(0).stops, [])
  const { stops, words } = step(DRAIN_LEAST_MS)
  t.deepEqual({ stops, asked: words.map(({ to }) => to) }, { stops: [], asked: ['n2', 'n3'] })
  for (const node of ['n2', 'n3']) {
    machine.hear(DRAIN_LEAST_MS + 1, node, message('told', node, TASK))
  }
  t.deepEqual(step(DRAIN_LEAST_MS + 2).stops, [TASK])
})

/** A cluster whose only task of a service stops. @param passes whether a word arrives */
class Stop {
  readonly counters: DrainCounters
  waitedMs = NaN
  isUnheard = false
  readonly #world: World
  readonly #hosts: ServiceHost[] = []

  constructor(nodes: number, passes: (from: string) => boolean) {
    this.#world = new World(7, nodes, QUIET_NETWORK, SERVICE_TABLES)
    for (const node of this.#world.nodes) {
      const host = new ServiceHost(this.#world, node, this.#hosts, node.index < 3)
      host.onStop = (id, isUnheard) => this.#stopped(host, id, isUnheard)
      this.#hosts.push(host)
    }
    this.#world.onChange = (node, changes) => this.#hosts[node.index]!.changed(changes)
    this.#world.onWord = (to, from, octets) => {
      if (passes(from.name)) this.#hosts[to.index]!.hear(from, octets)
    }
    for (const host of this.#hosts) host.boot()
    this.#world.runFor(3000)
    const created = firstVersion(specOf('web', 1), 1)
    this.#hosts[0]!.write(rowWrite(TABLE_SERVICE, 'web', created))
    this.#until(() => this.#hosts.some(host => host.facts.tasks
      .some(task => task.state === 'running')))
    this.#hosts[0]!.write(rowWrite(TABLE_SERVICE, 'web',
      nextVersion(created, specOf('web', 0), 2)))
    this.#until(() => !Number.isNaN(this.waitedMs))
    this.counters = makeDrainCounters()
    for (const { drainCounters } of this.#hosts) {
      for (const name of Object.keys(drainCounters) as (keyof DrainCounters)[]) {
        this.counters[name] += drainCounters[name]
      }
    }
  }

  #stopped({ facts, node }: ServiceHost, id: string, isUnheard: boolean): void {
    const { stateAt } = facts.tasks.find(task => task.id === id)!
    this.waitedMs = this.#world.wallMs(node) - stateAt
    this.isUnheard = isUnheard
  }

  #until(isSo: () => boolean): void {
    for (let i = 0; i < 100 && !isSo(); i += 1) this.#world.runFor(100)
    if (!isSo()) throw new Error('it did not come to that')
  }
}

const NODE_COUNT = 25
const OTHERS = NODE_COUNT - 1

test('a stop takes one message of each other node', t => {
  const { counters, isUnheard, waitedMs } = new Stop(NODE_COUNT, () => true)
  t.like(counters, { toldOut: OTHERS, toldIn: OTHERS, askedOut: 0, ignored: 0 })
  t.false(isUnheard)
  t.true(waitedMs >= DRAIN_LEAST_MS && waitedMs < DRAIN_LEAST_MS + DRAIN_ASK_MS, `${waitedMs} ms`)
})

test('where messages are lost it takes so many more, and little time', t => {
  const random = makeRandom(20_261_129)
  const { counters, isUnheard, waitedMs } = new Stop(NODE_COUNT, () => pick(random, 1000) >= 200)
  t.false(isUnheard)
  t.true(counters.askedOut > 0 && counters.askedOut < OTHERS, `${counters.askedOut} were asked`)
  t.true(counters.toldOut <= OTHERS + counters.askedIn)
  t.true(waitedMs > DRAIN_LEAST_MS && waitedMs < DRAIN_MOST_MS, `${waitedMs} ms`)
})

test('a node that is never heard is asked until the time is over', t => {
  const { counters, isUnheard, waitedMs } = new Stop(5, from => from !== 'node4')
  t.true(isUnheard)
  t.true(waitedMs >= DRAIN_MOST_MS && waitedMs < DRAIN_MOST_MS + DRAIN_ASK_MS, `${waitedMs} ms`)
  t.is(counters.askedOut, (DRAIN_MOST_MS - DRAIN_LEAST_MS) / DRAIN_ASK_MS)
})
