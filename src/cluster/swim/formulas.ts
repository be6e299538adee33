// The numbers that grow with the cluster: memberlist's util.go and suspicion.go.
import type { SwimTimings } from './timings.ts'

/** Clusters up to here exchange state at the plain interval (state.go, pushPullScaleThreshold). */
const PUSH_PULL_SCALE_NODES = 32
/** Rounds of gossip beyond the doublings that reach everybody, so that loss leaves nobody out. */
const RETRANSMITS_PER_DOUBLING = 3

/** Shortest time between a suspicion and death; log10 is cut to three decimals, as in Go. */
export function suspicionMinMs(timings: SwimTimings, nodes: number): number {
  const scale = Math.max(1, Math.trunc(Math.log10(Math.max(1, nodes)) * 1000) / 1000)
  return timings.suspicionMult * scale * timings.probeIntervalMs
}

/** Confirmations after which the shortest time holds; 0 where the cluster is too small for any. */
export function confirmationsWanted(timings: SwimTimings, nodes: number): number {
  const wanted = timings.suspicionMult - 2
  return nodes - 2 < wanted ? 0 : Math.max(0, wanted)
}

/** Time from suspicion to death once `confirmations` of `wanted` have come. */
export function suspicionTimeoutMs(confirmations: number, wanted: number, minMs: number,
  maxMs: number): number {
  if (wanted < 1) return minMs
  const part = Math.log(confirmations + 1) / Math.log(wanted + 1)
  return Math.max(minMs, Math.floor(maxMs - part * (maxMs - minMs)))
}

/**
 * How often one piece of news is sent by one node. memberlist's limit steps with log10, and
 * between the steps it leaves somebody out now and then; ours is never below it.
 */
export function retransmitLimit(timings: SwimTimings, nodes: number): number {
  const memberlist = timings.retransmitMult * Math.ceil(Math.log10(nodes + 1))
  return Math.max(memberlist, RETRANSMITS_PER_DOUBLING * Math.ceil(Math.log2(nodes + 1)))
}

/** Time between two exchanges of state. */
export function pushPullIntervalMs(timings: SwimTimings, nodes: number): number {
  if (nodes <= PUSH_PULL_SCALE_NODES) return timings.pushPullIntervalMs
  const doublings = Math.ceil(Math.log2(nodes) - Math.log2(PUSH_PULL_SCALE_NODES))
  return (doublings + 1) * timings.pushPullIntervalMs
}
