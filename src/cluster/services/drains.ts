// Who knows that a task is about to stop. Each node tells in one row which tasks of others its
// packet path leads nothing new to any more, and a task is stopped when all have told that; or
// after a while without, for a node that does not answer must not keep it for ever.
import type { Write } from '../tables/events.ts'
import type { NodeFact, TaskFact } from './facts.ts'
import { DRAINED_TOLD_MAX, TABLE_DRAINED } from './rows.ts'

/** At least for so long a task that is about to stop serves those that it has. */
export const DRAIN_LEAST_MS = 1000
/** For so long, at most, it is waited until all nodes have said that they know. */
export const DRAIN_MOST_MS = 3000
/** Between two looks whether the packet path has followed. */
export const FOLLOW_LOOK_MS = 5

/** By node: the tasks that it leads nothing new to. */
export type Drained = ReadonlyMap<string, ReadonlySet<string>>

export type DrainFacts = Readonly<{
  nodes: readonly NodeFact[]
  tasks: readonly TaskFact[]
  drained: Drained
  /** This node's packet path does what these facts say. */
  isFollowed: boolean
}>

/** Nodes that are here, and have not said that they know that `task` of `node` is to stop. */
export function unheardBy(facts: DrainFacts, node: string, task: string): string[] {
  return facts.nodes.filter(({ id, isAlive }) => isAlive
    && (id === node ? !facts.isFollowed : facts.drained.get(id)?.has(task) !== true))
    .map(({ name }) => name)
}

/**
 * What `node` is to tell, where that is something else than before.
 * @param wake called with when to look again
 */
export function tellDrained(facts: DrainFacts, node: string, nowMs: number,
  wake: (atMs: number) => void): Write[] {
  const before = facts.drained.get(node) ?? new Set()
  const draining = facts.tasks.filter(task => task.node !== node && !task.isHidden
    && task.state === 'draining').map(({ id }) => id).sort().slice(0, DRAINED_TOLD_MAX)
  const told = facts.isFollowed ? draining : draining.filter(id => before.has(id))
  if (told.length < draining.length) wake(nowMs + FOLLOW_LOOK_MS)
  if (told.length === before.size && told.every(id => before.has(id))) return []
  return [{ table: TABLE_DRAINED, key: `${node}/self`,
    value: new TextEncoder().encode(JSON.stringify({ tasks: told })) }]
}
