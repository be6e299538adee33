// Who knows that a task is about to stop. Each node tells the node of the task that its packet path
// leads nothing new to it any more, and the task is stopped when all have told that; or after a
// while without, for a node that does not answer must not keep it for ever. What is lost is asked
// for.
import { zeroCounters } from '../swim/context.ts'
import { DRAINED_TOLD_MAX, decodeDrain, type DrainMessage, encodeDrain } from './drain-message.ts'
import type { NodeFact, TaskFact } from './facts.ts'
import type { OwnTask } from './own-task.ts'
import type { OwnTasks } from './own-tasks.ts'

/** At least for so long a task that is about to stop serves those that it has. */
export const DRAIN_LEAST_MS = 1000
/** For so long, at most, it is waited until all nodes have said that they know. */
export const DRAIN_MOST_MS = 3000
/** Between two questions to a node that has not, from DRAIN_LEAST_MS on. */
export const DRAIN_ASK_MS = 200
/** Between two looks whether the packet path has followed. */
export const FOLLOW_LOOK_MS = 5

export const DRAIN_COUNTERS = [
  'toldOut', 'toldIn', 'askedOut', 'askedIn', 'ignored', 'strangers', 'malformed',
] as const
export type DrainCounters = Record<(typeof DRAIN_COUNTERS)[number], number>

export const makeDrainCounters = (): DrainCounters => zeroCounters(DRAIN_COUNTERS)

export type DrainFacts = Readonly<{
  nodes: readonly NodeFact[]
  tasks: readonly TaskFact[]
  /** This node's packet path does what these facts say. */
  isFollowed: boolean
}>

/** A message to the node of this id. It may be lost. */
export type Word = Readonly<{ to: string; octets: Uint8Array }>

/** Calls for another step at this time. */
type Wake = (atMs: number) => void

export class Drains {
  readonly #node: string
  readonly #own: OwnTasks
  readonly #counters: DrainCounters
  /** Tasks of others that their nodes were told of, and these nodes. */
  readonly #told = new Map<string, string>()
  readonly #questions: { id: string; node: string }[] = []

  constructor(node: string, own: OwnTasks, counters: DrainCounters) {
    this.#node = node
    this.#own = own
    this.#counters = counters
  }

  /**
   * A message has come. Answers whether something is to be done about it.
   * @param from id of the node at whose address it began, null where there is none
   */
  hear(nowMs: number, from: string | null, octets: Uint8Array): boolean {
    const message = decodeDrain(octets)
    if (message === null) {
      this.#counters.malformed += 1
      return false
    }
    if (message.from !== from) {
      this.#counters.strangers += 1
      return false
    }
    this.#counters[`${message.kind}In` as const] += 1
    const isUrgent = message.tasks.map(task => message.kind === 'told'
      ? this.#hearTold(nowMs, from, task) : this.#hearAsked(from, task))
    return isUrgent.includes(true)
  }

  /** Tasks whose time has come, each with the names of nodes that have not told that they know. */
  takeStops(facts: DrainFacts, nowMs: number, wake: Wake): Map<string, readonly string[]> {
    const stops = new Map<string, readonly string[]>()
    for (const own of this.#own) {
      if (own.waits === null) continue
      const { soonestMs, latestMs } = own.waits
      if (soonestMs > nowMs) {
        wake(soonestMs)
        continue
      }
      const missing = soonestMs === latestMs ? [] : this.#missing(facts, own)
      if (missing.length > 0 && latestMs > nowMs) {
        this.#ask(own, missing, nowMs)
        wake(facts.isFollowed ? Math.min(latestMs, own.askedMs + DRAIN_ASK_MS)
          : nowMs + FOLLOW_LOOK_MS)
        continue
      }
      own.isStopped = true
      stops.set(own.id, missing.map(({ name }) => name))
    }
    return stops
  }

  /** What is to be said to other nodes now. */
  takeWords(facts: DrainFacts, nowMs: number, wake: Wake): Word[] {
    const asked = this.#words('asked', this.#questions.splice(0))
    const draining = facts.tasks.filter(task => task.node !== this.#node && !task.isHidden
      && task.state === 'draining')
    const there = new Set(draining.map(({ id }) => id))
    for (const id of this.#told.keys()) if (!there.has(id)) this.#told.delete(id)
    const untold = draining.filter(({ id }) => !this.#told.has(id))
    if (untold.length === 0) return asked
    if (!facts.isFollowed) {
      wake(nowMs + FOLLOW_LOOK_MS)
      return asked
    }
    for (const { id, node } of untold) this.#told.set(id, node)
    return [...asked, ...this.#words('told', untold)]
  }

  /** It is urgent when the task has waited for nothing else. */
  #hearTold(nowMs: number, from: string, task: string): boolean {
    const own = this.#own.get(task)
    if (own === undefined || own.waits === null) {
      this.#counters.ignored += 1
      return false
    }
    own.knownBy.add(from)
    return own.waits.soonestMs <= nowMs
  }

  /** Of what was not told yet nothing is to be told again: it is when it is known here. */
  #hearAsked(from: string, task: string): boolean {
    if (this.#told.get(task) === from) return this.#told.delete(task)
    this.#counters.ignored += 1
    return false
  }

  /** Nodes that are here and have not told, this one while its own packet path is behind. */
  #missing({ isFollowed, nodes }: DrainFacts, { knownBy }: OwnTask): NodeFact[] {
    return nodes.filter(({ id, isAlive }) =>
      isAlive && (id === this.#node ? !isFollowed : !knownBy.has(id)))
  }

  #ask(own: OwnTask, missing: readonly NodeFact[], nowMs: number): void {
    if (nowMs < own.askedMs + DRAIN_ASK_MS) return
    own.askedMs = nowMs
    const others = missing.filter(({ id }) => id !== this.#node)
    this.#questions.push(...others.map(({ id: node }) => ({ id: own.id, node })))
  }

  #words(kind: DrainMessage['kind'], about: readonly Pick<TaskFact, 'id' | 'node'>[]): Word[] {
    const words: Word[] = []
    for (const [to, tasks] of Map.groupBy(about, ({ node }) => node)) {
      for (let at = 0; at < tasks.length; at += DRAINED_TOLD_MAX) {
        const named = tasks.slice(at, at + DRAINED_TOLD_MAX).map(({ id }) => id)
        words.push({ to, octets: encodeDrain({ kind, from: this.#node, tasks: named }) })
      }
    }
    this.#counters[`${kind}Out` as const] += words.length
    return words
  }
}
