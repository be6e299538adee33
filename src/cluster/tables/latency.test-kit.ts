// How long one change takes to be on all nodes of a quiet cluster, and what it costs, in virtual
// time: the machine only, without sockets and processors.
import { pick } from '../../base/prng.ts'
import { QUIET_NETWORK, SPECS, World } from './simulation.test-kit.ts'

export type Latency = Readonly<{
  nodes: number
  samples: number
  p50Ms: number
  p99Ms: number
  worstMs: number
  /** for one change: messages that one node sends, on the average */
  messagesPerNode: number
  /** of one node in a second without changes, with IP and UDP headers */
  idleOctetsPerSecond: number
}>

/** Longer than anything may take. */
const GIVE_UP_MS = 30_000
const SETTLE_MS = 4_000

/** @param lossPerMille of datagrams, of 1000 */
export function measureLatency(
  nodes: number, samples: number, lossPerMille: number, seed: number,
): Latency {
  const world = new World(seed, nodes, { ...QUIET_NETWORK, lossPerMille })
  world.start(...world.nodes)
  world.runFor(SETTLE_MS)
  let messages = 0
  let octets = 0
  world.onMessage = size => {
    messages += 1
    octets += size
  }
  world.runFor(SETTLE_MS)
  const idleOctetsPerSecond = octets / nodes / SETTLE_MS * 1000
  const idlePerMs = messages / SETTLE_MS
  const times: number[] = []
  let spread = 0
  for (let i = 0; i < samples; i += 1) {
    messages = 0
    const startMs = world.nowMs
    times.push(timeToAll(world, i))
    world.runFor(1500 + pick(world.random, 500))
    spread += messages - idlePerMs * (world.nowMs - startMs)
  }
  times.sort((a, b) => a - b)
  const at = (part: number): number => times[Math.min(Math.floor(part * samples), samples - 1)]!
  return {
    nodes, samples, p50Ms: at(0.5), p99Ms: at(0.99), worstMs: times.at(-1)!,
    messagesPerNode: Math.max(spread, 0) / samples / nodes, idleOctetsPerSecond,
  }
}

function timeToAll(world: World, number: number): number {
  const waiting = new Set(world.nodes)
  let doneMs = Infinity
  const key = `k${number}`
  world.onChange = (node, changes) => {
    if (!changes.some(change => change.key === key)) return
    waiting.delete(node)
    if (waiting.size === 0) doneMs = world.nowMs
  }
  const startMs = world.nowMs
  const writer = world.nodes[pick(world.random, world.nodes.length)]!
  const value = new TextEncoder().encode('x'.repeat(100))
  world.step(writer, { type: 'write', writes: [{ table: SPECS, key, value }] })
  while (doneMs === Infinity && world.nowMs < startMs + GIVE_UP_MS) world.runFor(5)
  world.onChange = () => {}
  return doneMs - startMs
}
