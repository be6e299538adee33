// The life of tasks: a namespace with endpoints, and in most of them a process. What a task is to
// have is written down before the kernel is touched, so a daemon that is killed at any line leaves
// nothing unknown.
import { rmSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import { ConflictError } from '../base/errors.ts'
import { findNamed } from '../base/ids.ts'
import { removeCgroup } from '../kernel/cgroup.ts'
import { isProcess } from '../kernel/processes.ts'
import type { Tap } from '../kernel/tap-device.ts'
import type { Core } from './core.ts'
import { Endings, settlesWithin } from './endings.ts'
import { closeTap, netnsOf, openEndpoint, removeNetns } from './endpoints.ts'
import type { Exclusive } from './exclusive.ts'
import type { Networks } from './networks.ts'
import {
  adoptProcess, exitCodeOf, type Home, killRest, logPath, signalTask, startProcess, type Started,
} from './processes.ts'
import type { EndpointRecord, TaskRecord } from './state.ts'
import { taskDirectory, writeTaskFiles } from './task-files.ts'
import { ensureNetns, restoreNetns } from './task-netns.ts'
import { planTask } from './task-plan.ts'
import { taskView } from './task-view.ts'
import type { TaskSpec, TaskView } from './views.ts'

const KILLED_EXIT_CODE = 137 // 128 + SIGKILL, as shells and containers show it

export class Tasks {
  readonly #core: Core
  readonly #networks: Networks
  readonly #changes: Exclusive
  readonly #clock: Clock
  readonly #endings: Endings

  constructor(core: Core, networks: Networks, changes: Exclusive, clock: Clock) {
    this.#core = core
    this.#networks = networks
    this.#changes = changes
    this.#clock = clock
    this.#endings = new Endings(changes, core.log)
  }

  list(): TaskView[] {
    return this.#core.state.tasks.map(task => this.#viewOf(task))
  }

  find(which: string): TaskRecord {
    return findNamed('task', this.#core.state.tasks, which)
  }

  view(which: string): TaskView {
    return this.#viewOf(this.find(which))
  }

  logPathOf(which: string): string {
    return logPath(taskDirectory(this.#core, this.find(which)))
  }

  /** The task when its process has ended; at once when it has ended already, or never had one. */
  async ended(which: string): Promise<Pick<TaskRecord, 'exitCode' | 'state'>> {
    const task = this.find(which)
    await this.#endings.of(task)
    return task
  }

  /** A change: it is called in its turn. */
  async run(spec: TaskSpec): Promise<TaskView> {
    const task = planTask(this.#core, this.#networks, spec, this.#clock.wallMs())
    const { state } = this.#core
    state.tasks.push(task)
    try {
      this.#core.save()
      await this.attach(task)
      if (task.command.length > 0) this.#start(task)
      task.complete = true
      this.#core.save()
    } catch (error) {
      await this.discard(task)
      throw error
    }
    this.#core.log.info({ task: task.name, id: task.id, pid: task.pid }, 'task started')
    return this.#viewOf(task)
  }

  /** Make the namespace and every endpoint that is not held yet, and publish them. */
  async attach(task: TaskRecord): Promise<void> {
    const netns = netnsOf(task)
    writeTaskFiles(this.#core, task)
    await ensureNetns(this.#core, task)
    const opened = new Map<number, Tap>()
    try {
      for (const endpoint of task.endpoints) {
        if (this.#core.taps.has(endpoint.portId)) continue
        const network = this.#core.inUse(this.#networks.find(endpoint.network))
        const tap = await openEndpoint(netns, endpoint, network, this.#core.tapKind)
        opened.set(endpoint.portId, tap)
        this.#noteKind(task, endpoint, tap)
      }
    } catch (error) {
      for (const tap of opened.values()) closeTap(tap)
      throw error
    }
    await this.#core.wayOut.attach(task)
    this.#core.dns.look(task)
    if (opened.size === 0) return
    this.#core.queueDrops.look(netns, task.endpoints)
    for (const [portId, tap] of opened) this.#core.taps.set(portId, tap)
    this.#core.publish()
  }

  /** A device keeps the kind that it was made with. */
  #noteKind(task: TaskRecord, endpoint: EndpointRecord, tap: Tap): void {
    const { count, steering } = this.#core.tapKind
    if (tap.isMultiQueue || count === 1 || steering < 0) return
    this.#core.log.info({ task: task.name, device: endpoint.interface },
      'device of one queue from before: one worker reads it until the task is made anew')
  }

  /** Take up a task from before a restart: its process may live, or have ended meanwhile. */
  async adopt(task: TaskRecord): Promise<void> {
    const lives = task.pid !== null && task.pidStart !== null && isProcess(task.pid, task.pidStart)
    if (task.command.length > 0 && !lives) return this.#finish(task)
    await this.attach(task)
    if (lives) this.#watch(task, adoptProcess(task.pid!, task.pidStart!))
  }

  /** A task that had ended before a restart holds nothing in the kernel. */
  async tidy(task: TaskRecord): Promise<void> {
    await this.#detach(task)
    if (task.remove) await this.discard(task)
  }

  signal(which: string, signal: NodeJS.Signals): void {
    const task = this.find(which)
    if (task.pid === null || task.pidStart === null) {
      throw new ConflictError(`task "${task.name}" has no running process`, { task: task.name })
    }
    signalTask(task.pid, task.pidStart, signal)
  }

  /**
   * TERM, and KILL for what is left after `graceMs`, by default the task's own. It waits for an
   * end, so not in a turn.
   */
  async stop(which: string, graceMs?: number): Promise<TaskView> {
    const task = this.find(which)
    const ending = this.#endings.of(task)
    const { pid, pidStart } = task // the task has them no more once it has ended
    if (ending !== undefined && pid !== null && pidStart !== null) {
      task.state = 'stopping'
      signalTask(pid, pidStart, 'SIGTERM')
      if (!await settlesWithin(ending, graceMs ?? task.stopGraceMs)) {
        signalTask(pid, pidStart, 'SIGKILL')
        await ending
      }
    }
    return this.#viewOf(task)
  }

  /** It waits for an end, so not in a turn; the removal itself takes one. */
  async remove(which: string, force: boolean): Promise<void> {
    const task = this.find(which)
    const ending = this.#endings.of(task)
    if (ending !== undefined) {
      if (!force) throw runningError(task)
      task.remove = false // it is being removed right here
      const { pid, pidStart } = task
      if (pid !== null && pidStart !== null) signalTask(pid, pidStart, 'SIGKILL')
      await ending
    }
    await this.#changes.run(() => {
      // It was being started when we looked first.
      if (!force && this.#endings.of(task) !== undefined) throw runningError(task)
      return this.discard(task)
    })
    this.#core.log.info({ task: task.name, id: task.id }, 'task removed')
  }

  /** Undo all of a task, whatever of it is there. */
  async discard(task: TaskRecord): Promise<void> {
    await this.#detach(task)
    const { state } = this.#core
    state.tasks = state.tasks.filter(other => other.id !== task.id)
    this.#core.save()
    rmSync(taskDirectory(this.#core, task), { recursive: true, force: true })
  }

  #start(task: TaskRecord): void {
    const started = startProcess(task, homeOf(this.#core, task))
    task.pid = started.pid
    task.pidStart = started.pidStart
    task.state = 'running'
    task.startedAt = new Date(this.#clock.wallMs()).toISOString()
    this.#watch(task, started)
  }

  #watch(task: TaskRecord, started: Started): void {
    this.#endings.watch(task, started.ended, () => this.#finish(task))
  }

  /** The process has ended: write down how, and let go of what it held. */
  async #finish(task: TaskRecord): Promise<void> {
    // Undone already; the namespace of its name may be somebody else's by now.
    if (!this.#core.state.tasks.includes(task)) return
    task.exitCode = exitCodeOf(taskDirectory(this.#core, task)) ?? KILLED_EXIT_CODE
    task.pid = null
    task.pidStart = null
    task.state = 'exited'
    task.finishedAt = new Date(this.#clock.wallMs()).toISOString()
    await this.#detach(task)
    this.#core.save()
    this.#core.log.info({ task: task.name, exitCode: task.exitCode }, 'task ended')
    if (task.remove && task.complete) await this.discard(task)
  }

  /** Addresses, ports, leftover processes and the namespace of a task go. */
  async #detach(task: TaskRecord): Promise<void> {
    if (task.complete) restoreNetns(this.#core, task) // what is left in it is found by its name
    const endpoints = task.endpoints
    task.endpoints = []
    this.#core.queueDrops.end(netnsOf(task), endpoints)
    this.#core.dns.end(task)
    await this.#core.wayOut.detach(task)
    for (const endpoint of endpoints) {
      this.#networks.releaseAddress(endpoint.network, endpoint.address)
      this.#core.taps.delete(endpoint.portId)
    }
    if (endpoints.length > 0) this.#core.publish()
    const home = homeOf(this.#core, task)
    await killRest(home, !task.complete)
    if (home.cgroup !== null) removeCgroup(home.cgroup)
    removeNetns(home.netns)
  }

  #viewOf(task: TaskRecord): TaskView {
    return taskView(task, this.#core.networksInUse(), this.#core.state.wayOut,
      taskDirectory(this.#core, task))
  }
}

function homeOf(core: Core, task: TaskRecord): Home {
  return {
    netns: netnsOf(task), directory: taskDirectory(core, task), cgroup: core.cgroupOf(task),
  }
}

function runningError(task: TaskRecord): ConflictError {
  return new ConflictError(`task "${task.name}" is running; stop it first, or use: tapmesh rm -f`,
    { task: task.name })
}
