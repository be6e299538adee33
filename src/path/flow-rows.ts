// The flow tables for people: plain rows, made on request by another thread than those that carry.
import {
  FLOW_BACKEND, FLOW_CLIENT, FLOW_KIND, FLOW_MARK, FLOW_PORTS, FLOW_SEEN_SECONDS, FLOW_SHIFT,
  FLOW_STATE, FLOW_VIRTUAL, FLOW_REPLY_PORTS, PHASES, type Shard, SHARD_FRESH, SHARD_NOW_SECONDS,
  SHARD_USED,
} from './flow-memory.ts'
import { PHASE_MASK } from './flow-lists.ts'

export type FlowRow = Readonly<{
  protocol: number
  vni: number
  client: number
  clientPort: number
  virtual: number
  virtualPort: number
  backend: number
  backendPort: number
  mark: number
  /** Index into PHASE_NAMES. */
  phase: number
  idleSeconds: number
}>

/** @param wanted by mark; @param most rows that are answered at most */
export function makeFlowRows(shards: readonly Shard[], wanted: (mark: number) => boolean,
  most: number): FlowRow[] {
  const found: FlowRow[] = []
  for (const { rows, head } of shards) {
    for (let row = 1; row <= head[SHARD_FRESH]! && found.length < most; row++) {
      const at = row << FLOW_SHIFT
      const words = rows.slice(at, at + (1 << FLOW_SHIFT))
      const kind = words[FLOW_KIND]!
      if (kind === 0 || !wanted(words[FLOW_MARK]!)) continue
      // The worker goes on meanwhile: what it was changing is left out.
      if (rows[at + FLOW_KIND] !== kind || rows[at + FLOW_CLIENT] !== words[FLOW_CLIENT]) continue
      found.push({
        protocol: kind >>> 24, vni: kind & 0xffffff,
        client: words[FLOW_CLIENT]!, clientPort: words[FLOW_PORTS]! >>> 16,
        virtual: words[FLOW_VIRTUAL]!, virtualPort: words[FLOW_PORTS]! & 0xffff,
        backend: words[FLOW_BACKEND]!, backendPort: words[FLOW_REPLY_PORTS]! >>> 16,
        mark: words[FLOW_MARK]!,
        phase: Math.min(words[FLOW_STATE]! & PHASE_MASK, PHASES - 1),
        idleSeconds: Math.max(0, head[SHARD_NOW_SECONDS]! - words[FLOW_SEEN_SECONDS]!),
      })
    }
  }
  return found
}

/** Flows of all workers, open connections and others, of the backend with this id. */
export function flowsOfBackend(shards: readonly Shard[], id: number,
): { active: number; inactive: number } {
  const sum = (of: (shard: Shard) => Int32Array): number =>
    shards.reduce((total, shard) => total + of(shard)[id]!, 0)
  return { active: sum(shard => shard.active), inactive: sum(shard => shard.inactive) }
}

export function flowsInUse(shards: readonly Shard[]): { used: number; capacity: number } {
  return {
    used: shards.reduce((sum, { head }) => sum + head[SHARD_USED]!, 0),
    capacity: shards.reduce((sum, { capacity }) => sum + capacity, 0),
  }
}
