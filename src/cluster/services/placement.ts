// On which node a task is started: where the service has the fewest tasks, then where there are the
// fewest at all, then by a hash that all nodes compute alike.
import { plural } from '../../base/text.ts'
import { meetsAll } from './constraints.ts'
import type { NodeFact, ServiceFact, TaskFact } from './facts.ts'
import { isLive } from './slots.ts'
import { templateOf } from './templates.ts'

/** With so many failed tasks of a service in its history a node comes after all others. */
export const TIRED_FAILURES = 5

type Candidates = { nodes: readonly string[]; reason: string }
type Counts = Map<string, number>

export class Placement {
  readonly #nodes: readonly NodeFact[]
  readonly #perNode: Counts = new Map()
  readonly #perService = new Map<string, Counts>()
  readonly #failures = new Map<string, Counts>()
  readonly #candidates = new Map<string, Candidates>()

  /** What failed with an earlier template of a service says nothing. */
  constructor(nodes: readonly NodeFact[], tasks: readonly TaskFact[],
    services: readonly ServiceFact[]) {
    this.#nodes = nodes
    const templates = new Map(services.map(service => [service.id, templateOf(service)]))
    for (const task of tasks) {
      if (isLive(task)) {
        if (!task.isHidden && task.desired === 'running') this.#count(task.service, task.node)
      } else if (task.template === templates.get(task.service)) this.#countFailure(task)
    }
  }

  /** The node for one more task, which is counted then; or why there is none. */
  choose(service: ServiceFact, slot: string): { node: string | null; reason: string } {
    const { nodes, reason } = this.#candidatesOf(service)
    const here = service.spec.mode === 'global' ? nodes.filter(node => node === slot) : nodes
    const node = this.#best(service.id, slot, here)
    if (node === null) return { node, reason }
    this.#count(service.id, node)
    return { node, reason: '' }
  }

  #best(service: string, slot: string, nodes: readonly string[]): string | null {
    const own = this.#perService.get(service)
    const failures = this.#failures.get(service)
    let best: string | null = null
    let bestRank = -1
    let bestHash = -1
    for (const node of nodes) {
      const isTired = (failures?.get(node) ?? 0) >= TIRED_FAILURES
      const rank = (isTired ? 2 ** 40 : 0) + (own?.get(node) ?? 0) * 2 ** 20
        + (this.#perNode.get(node) ?? 0)
      if (best !== null && rank > bestRank) continue
      const hash = hashOf(service, slot, node)
      if (best !== null && rank === bestRank && hash <= bestHash) continue
      best = node
      bestRank = rank
      bestHash = hash
    }
    return best
  }

  #candidatesOf(service: ServiceFact): Candidates {
    const known = this.#candidates.get(service.id)
    if (known !== undefined) return known
    const ready = this.#nodes.filter(node => node.isAlive && node.availability === 'active')
    const fitting = ready.filter(node => meetsAll(service.spec.task.constraints, node))
    const found = { nodes: fitting.map(node => node.id),
      reason: noNode(ready.length - fitting.length, this.#nodes.length - ready.length) }
    this.#candidates.set(service.id, found)
    return found
  }

  #count(service: string, node: string): void {
    addTo(this.#perNode, node, 1)
    addTo(countsOf(this.#perService, service), node, 1)
  }

  /** A command that cannot be started on a node most likely never can. */
  #countFailure({ node, service, state }: TaskFact): void {
    const weight = state === 'rejected' ? TIRED_FAILURES : state === 'failed' ? 1 : 0
    if (weight > 0) addTo(countsOf(this.#failures, service), node, weight)
  }
}

/** In Docker's words. */
function noNode(unmet: number, away: number): string {
  const reasons = [
    ...unmet > 0 ? [`scheduling constraints not satisfied on ${plural(unmet, 'node')}`] : [],
    ...away > 0 ? [`${plural(away, 'node')} not available for new tasks`] : [],
  ]
  return `no suitable node${reasons.length > 0 ? ` (${reasons.join('; ')})` : ''}`
}

function countsOf(all: Map<string, Counts>, service: string): Counts {
  let counts = all.get(service)
  if (counts === undefined) {
    counts = new Map()
    all.set(service, counts)
  }
  return counts
}

function addTo(counts: Counts, node: string, by: number): void {
  counts.set(node, (counts.get(node) ?? 0) + by)
}

/** FNV-1a with the last mixing of murmur3: spread well enough, and cheap. */
function hashOf(...words: readonly string[]): number {
  let hash = 0x811c9dc5
  for (const word of words) {
    for (let i = 0; i < word.length; i++) {
      hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193)
    }
    hash = Math.imul(hash ^ 0x2f, 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
