// What the orchestrator is told, and what it wants to have done.
import type { Write } from '../tables/events.ts'
import type { OrchestrationFacts } from './decide.ts'
import type { DrainFacts, Word } from './drains.ts'
import type { NodeFact, ServiceFact } from './facts.ts'
import type { LeaseRow, ServiceRow, ServiceTaskRow } from './rows.ts'

export type ServiceFacts = OrchestrationFacts & DrainFacts & Readonly<{
  /** Rows of services by id, and those from before the last update by previousKey(). */
  rows: ReadonlyMap<string, ServiceRow>
  /** By leaseKey(). */
  leases: ReadonlyMap<string, LeaseRow>
  networks: ReadonlyMap<string, Readonly<{ name: string }>>
  /** Why a lease is not given, by leaseKey(); null: it is about to be. */
  lackOf?: (network: string, key: string) => string | null
  /** The tables have been found equal with those of another node, or there is no other. */
  isCaughtUp: boolean
}>

/** What became of local tasks. */
export type LocalEvent =
  | Readonly<{ type: 'running'; task: string; container: string }>
  /** It could not be started. @param isForGood not here, however often it is tried */
  | Readonly<{ type: 'refused'; task: string; error: string; isForGood: boolean }>
  | Readonly<{ type: 'ended'; task: string; exitCode: number | null }>

export type StartOrder = Readonly<{
  task: string
  service: ServiceFact
  slot: string
  node: NodeFact
  networks: readonly Readonly<{ network: string; address: string }>[]
}>

export type Orders = Readonly<{
  /** To be written before anything is started. */
  writes: readonly Write[]
  words: readonly Word[]
  starts: readonly StartOrder[]
  /** TERM, and KILL after the task's own time. */
  stops: readonly string[]
  /** Those of them that not all nodes know of, by name, after all the time that there was. */
  unheard: ReadonlyMap<string, readonly string[]>
  /** Ended tasks of which nothing needs to be kept any more. */
  forgets: readonly string[]
  /** When to step again although nothing has happened; Infinity: not at all. */
  wakeAtMs: number
}>

export type Now = Readonly<{ nowMs: number; wallMs: number }>

/** A row that this node wrote before it was restarted, and what is left of its task. */
export type RestoredTask = Readonly<{
  id: string
  row: ServiceTaskRow
  local: 'running' | 'ended' | 'none'
  /** Id of the local task. */
  container: string | null
  exitCode: number | null
}>
