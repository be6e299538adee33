// What makes the orchestrator's orders true on this node: it gives it facts when rows have changed,
// writes its rows, and has local tasks started, stopped and removed. Many changes of rows are
// answered by one step, because the thread has other things to do.
import type { Clock } from '../base/clock.ts'
import { ConflictError, NotFoundError, UsageError } from '../base/errors.ts'
import { makeObjectId } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import { Orchestrator } from '../cluster/services/orchestrator.ts'
import type {
  LocalEvent, Now, RestoredTask, ServiceFacts, StartOrder,
} from '../cluster/services/orders.ts'
import { serviceFactsOf } from './cluster-facts.ts'
import type { ClusterLink } from './cluster-link.ts'
import type { Core } from './core.ts'
import type { Exclusive } from './exclusive.ts'
import { lackFinder } from './lease-facts.ts'
import { untilListening } from './service-ready.ts'
import { taskSpecOf } from './service-task.ts'
import type { TaskRecord } from './state.ts'
import type { Tasks } from './tasks.ts'

/** From a change to the step that answers it: others that come meanwhile are answered with it. */
const GATHER_MS = 5
/** Between two steps; where a step takes long, so many times as long as it took. */
const STEP_GAP_MS = 20
const STEP_GAP_TIMES = 10
/** After a failure that is not a task's own, such as full tables. */
const FAILED_GAP_MS = 1000
/** setTimeout cannot wait longer than 2^31 - 1 ms. */
const WAKE_MAX_MS = 60_000
/** An address that the task before it has not let go of yet is asked for again for so long. */
const ADDRESS_WAIT_MS = 3000
const ADDRESS_LOOK_MS = 100
/** What of an error's text gets into a row. */
const ERROR_LETTERS_MAX = 1000

export type AgentParts = Readonly<{
  core: Core
  tasks: Tasks
  changes: Exclusive
  clock: Clock
  log: Log
}>

export class ServiceAgent {
  readonly #parts: AgentParts
  readonly #local = new Map<string, string>()
  #link: ClusterLink | null = null
  #machine: Orchestrator | null = null
  #events: LocalEvent[] = []
  #timer: NodeJS.Timeout | undefined
  #timerAtMs = Infinity
  #notBeforeMs = 0
  #isStopped = false

  constructor(parts: AgentParts) {
    this.#parts = parts
  }

  /** Rows have changed. */
  follow(link: ClusterLink): void {
    if (this.#isStopped || this.#parts.core.link !== link) return
    if (link !== this.#link) this.#begin(link)
    this.#wake(this.#parts.clock.nowMs() + GATHER_MS)
  }

  /** A message about tasks that are about to stop has come. */
  hear(link: ClusterLink, from: string | null, octets: Uint8Array): void {
    const nowMs = this.#parts.clock.nowMs()
    if (link === this.#link && this.#machine?.hear(nowMs, from, octets) === true) this.#wake(nowMs)
  }

  /** This node is about to leave its cluster, or is in none: no task of a service stays. */
  async leave(): Promise<void> {
    this.#rest()
    const { core } = this.#parts
    await Promise.all(core.state.tasks.filter(task => task.service !== null)
      .map(task => this.#remove(task.id)))
  }

  /** Tasks go on, and a later daemon takes them up. */
  stop(): void {
    this.#isStopped = true
    this.#rest()
  }

  #rest(): void {
    clearTimeout(this.#timer)
    this.#timerAtMs = Infinity
    this.#link = null
    this.#machine = null
    this.#events = []
    this.#local.clear()
  }

  #begin(link: ClusterLink): void {
    const { core, log } = this.#parts
    this.#rest()
    this.#link = link
    const local = new Map(core.state.tasks.filter(task => task.service !== null)
      .map(task => [task.service!.taskId, task]))
    const restored = [...link.restoredTasks].map(([id, row]): RestoredTask => {
      const task = local.get(id)
      return { id, row, local: task === undefined ? 'none' : livesOn(task) ? 'running' : 'ended',
        container: task?.id ?? null, exitCode: task?.exitCode ?? null }
    })
    this.#machine = new Orchestrator({ node: link.nodeId, makeId: makeObjectId, restored,
      drainCounters: link.drainCounters }, this.#now())
    for (const [id, task] of local) {
      if (!link.restoredTasks.has(id)) {
        log.warn({ task: task.name }, 'nothing is known of this task of a service; it is removed')
        void this.#remove(task.id)
      } else {
        this.#local.set(id, task.id)
        if (livesOn(task)) this.#watch(id, task.id)
      }
    }
  }

  #wake(atMs: number): void {
    const { clock } = this.#parts
    const wantedMs = Math.max(atMs, this.#notBeforeMs)
    if (wantedMs >= this.#timerAtMs) return
    clearTimeout(this.#timer)
    this.#timerAtMs = wantedMs
    this.#timer = setTimeout(() => this.#step(),
      Math.min(WAKE_MAX_MS, Math.max(0, wantedMs - clock.nowMs())))
    this.#timer.unref()
  }

  #step(): void {
    const { clock, core, log } = this.#parts
    const link = this.#link
    this.#timerAtMs = Infinity
    if (link === null || this.#machine === null || core.link !== link) return
    const events = this.#events
    this.#events = []
    const beganMs = clock.nowMs()
    let gapMs = STEP_GAP_MS
    try {
      const orders = this.#machine.step(this.#now(), this.#facts(link), events)
      gapMs = Math.max(gapMs, (clock.nowMs() - beganMs) * STEP_GAP_TIMES)
      this.#notBeforeMs = clock.nowMs() + gapMs
      if (orders.writes.length > 0) link.write(orders.writes)
      for (const { to, octets } of orders.words) link.send(to, octets)
      for (const order of orders.starts) void this.#start(order, link)
      for (const id of orders.stops) void this.#stop(id)
      for (const [task, nodes] of orders.unheard) {
        log.warn({ task, nodes }, 'a task stops of which not all nodes have said that they know')
      }
      for (const id of orders.forgets) this.#forget(id)
      this.#wake(orders.wakeAtMs)
    } catch (error) {
      log.error({ err: error }, 'services are not followed; trying again')
      this.#machine.doubt()
      this.#notBeforeMs = clock.nowMs() + FAILED_GAP_MS
      this.#wake(this.#notBeforeMs)
    }
  }

  #facts(link: ClusterLink): ServiceFacts {
    const { clock, core } = this.#parts
    const restMs = core.config.addresses.restSeconds * 1000
    const isFollowed = link.isFollowed && core.datapath.generation >= core.generation
    return { ...serviceFactsOf(link), isFollowed,
      lackOf: lackFinder(link.records, clock.wallMs(), restMs) }
  }

  #tell(link: ClusterLink | null, event: LocalEvent): void {
    if (link !== this.#link || link === null) return
    this.#events.push(event)
    this.#wake(this.#parts.clock.nowMs())
  }

  async #start(order: StartOrder, link: ClusterLink): Promise<void> {
    const { log, clock, changes, tasks } = this.#parts
    const untilMs = clock.nowMs() + ADDRESS_WAIT_MS
    for (;;) {
      try {
        const task = await changes.run(() => {
          if (link !== this.#link) throw new NotFoundError('this node has left its cluster')
          return tasks.run(taskSpecOf(order))
        })
        this.#local.set(order.task, task.id)
        this.#watch(order.task, task.id)
        await untilListening(task.pid, order.service.spec.ports, clock)
        return this.#tell(link, { type: 'running', task: order.task, container: task.id })
      } catch (error) {
        if (error instanceof ConflictError && clock.nowMs() < untilMs) {
          await new Promise(resolve => setTimeout(resolve, ADDRESS_LOOK_MS))
          continue
        }
        log.warn({ service: order.service.spec.name, slot: order.slot, err: error },
          'task of a service not started')
        return this.#tell(link, { type: 'refused', task: order.task,
          error: String((error as Error).message).slice(0, ERROR_LETTERS_MAX),
          isForGood: error instanceof UsageError })
      }
    }
  }

  #watch(id: string, container: string): void {
    const { log, tasks } = this.#parts
    const link = this.#link
    void tasks.ended(container).then(({ exitCode }) => {
      if (!this.#isStopped) this.#tell(link, { type: 'ended', task: id, exitCode })
    }).catch(error => log.error({ task: id, err: error }, 'the end of a task is not known'))
  }

  async #stop(id: string): Promise<void> {
    const { log, tasks } = this.#parts
    const link = this.#link
    const container = this.#local.get(id)
    try {
      if (container !== undefined) await tasks.stop(container)
    } catch (error) {
      if (!(error instanceof NotFoundError)) {
        log.error({ task: id, err: error }, 'task of a service not stopped')
      }
      this.#tell(link, { type: 'ended', task: id, exitCode: null })
    }
  }

  #forget(id: string): void {
    const container = this.#local.get(id)
    this.#local.delete(id)
    if (container !== undefined) void this.#remove(container)
  }

  async #remove(container: string): Promise<void> {
    const { log, tasks } = this.#parts
    try {
      await tasks.stop(container)
      await tasks.remove(container, true)
    } catch (error) {
      if (error instanceof NotFoundError || this.#isStopped) return
      log.error({ task: container, err: error }, 'task of a service not removed')
    }
  }

  #now(): Now {
    const { clock } = this.#parts
    return { nowMs: clock.nowMs(), wallMs: clock.wallMs() }
  }
}

function livesOn(task: TaskRecord): boolean {
  return task.state !== 'exited' && task.state !== 'failed'
}
