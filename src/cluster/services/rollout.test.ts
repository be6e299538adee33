// How a rollout goes on and ends, one step of its driver at a time.
import test from 'ava'
import { decide } from './decide.ts'
import type { TaskFact } from './facts.ts'
import { RolloutDriver } from './rollout.ts'
import { type RolloutRow, rolloutRow, TABLE_ROLLOUT, type UpdatePolicy } from './rows.ts'
import { nodeOf, serviceOf, specOf, taskOf } from './services.test-kit.ts'
import { templateOf } from './templates.ts'

const NODES = ['n1', 'n2', 'n3'].map(id => nodeOf(id))
const MONITOR_MS = 5000

/** A service of two slots whose generation 2 is rolled out. */
class Rollout {
  readonly web
  row: RolloutRow = { generation: 2, state: 'updating', slots: [], startedAt: 0, finishedAt: null,
    message: 'update in progress' }
  /** Of each manager; all but one leave it to that one. */
  readonly #drivers = NODES.map(node => new RolloutDriver(node.id))
  #nowMs = 1000

  constructor(policy: Partial<UpdatePolicy>) {
    const update = { ...specOf('web', 2).update, monitorMs: MONITOR_MS, ...policy }
    this.web = serviceOf('web', 2, { command: ['new'] }, { update, rollback: update }, 2)
  }

  task(what: string, state: TaskFact['state'], more: Partial<TaskFact> = {}): TaskFact {
    return taskOf(what, state, { generation: 2, template: templateOf(this.web), side: 1,
      createdAt: 5, stateAt: 5, ...more })
  }

  /** Steps until nothing more is written; answers the row then. */
  step(tasks: readonly TaskFact[], afterMs = 100): RolloutRow {
    this.#nowMs += afterMs
    for (let n = 0; n < 10; n += 1) {
      const facts = this.#facts(tasks)
      const now = { nowMs: this.#nowMs, wallMs: this.#nowMs }
      const write = this.#drivers.flatMap(driver => driver.step(now, facts, decide(facts)).writes)
        .find(one => one.table === TABLE_ROLLOUT)
      if (write === undefined) return this.row
      this.row = rolloutRow.parse(JSON.parse(new TextDecoder().decode(write.value!)))
    }
    throw new Error('it is written for ever')
  }

  #facts(tasks: readonly TaskFact[]) {
    return { nodes: NODES, services: [this.web], tasks, rollouts: new Map([['web', this.row]]),
      rows: new Map(), leases: new Map(), networks: new Map(), isCaughtUp: true,
      isFollowed: true }
  }
}

const OLD = [taskOf('web.1@n1'), taskOf('web.2@n2')]

test('start-first, continue: a command that always fails ends the rollout beside the old tasks',
  t => {
    const rollout = new Rollout({ order: 'start-first', failureAction: 'continue' })
    t.deepEqual(rollout.step(OLD).slots, ['1'])
    const first = rollout.task('web.1@n3', 'rejected')
    t.deepEqual(rollout.step([...OLD, first]).slots, ['1', '2'], 'the next one is not held up')
    const both = [...OLD, first, rollout.task('web.2@n3', 'failed')]
    t.is(rollout.step(both).state, 'updating')
    const trying = [...both, rollout.task('web.1@n2', 'starting', { createdAt: 9, attempt: 1 })]
    t.like(rollout.step(trying, MONITOR_MS), { state: 'completed', slots: ['1', '2'],
      message: 'update completed, but in 2 slots the new task fails and the old one runs on' })
    t.is(rollout.step(both, MONITOR_MS).state, 'completed', 'it is not begun again for these')
    // It is tried on, and where it succeeds the old one goes.
    const [slot] = decide({ nodes: NODES, services: [rollout.web], tasks: both,
      rollouts: new Map([['web', rollout.row]]) }).get('web')!
    t.like(slot, { isVacant: true, isWanted: true })
    t.not(slot!.node, null)
  })

test('a rollout that is over is opened again for an old task that comes back', t => {
  const rollout = new Rollout({ order: 'stop-first' })
  rollout.row = { ...rollout.row, state: 'completed', finishedAt: 1 }
  t.is(rollout.step([rollout.task('web.1@n1', 'running')]).state, 'completed')
  t.like(rollout.step([rollout.task('web.1@n1', 'running'), OLD[1]!]),
    { state: 'updating', slots: ['2'] })
})
