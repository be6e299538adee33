// What goes into the tables and what comes out of them.
import type { Random32 } from '../../base/prng.ts'
import type { Row } from './rows.ts'

export type TableSpec = Readonly<{
  name: string
  /** Keys begin with `<nodeId>/`, only that node writes them, and they are shown while it lives. */
  owned: boolean
}>

/** A member that speaks for tables too, as the membership knows it. Suspects are alive. */
export type Peer = Readonly<{
  name: string
  node: string
  epoch: number
  state: 'alive' | 'failed' | 'left'
}>

/** `value` null deletes; deleting what is not there does nothing. */
export type Write = Readonly<{ table: string; key: string; value: Uint8Array | null }>

export type TablesEvent =
  /** First of all, once: the own boot epoch is announced, own rows of earlier boots are dropped. */
  | Readonly<{ type: 'start' }>
  | Readonly<{ type: 'write'; writes: readonly Write[] }>
  /** `from` is null when it came over a stream from where several members may be. */
  | Readonly<{ type: 'message'; from: string | null; octets: Uint8Array }>
  /** Everybody but this node; who is missing here is taken for failed. */
  | Readonly<{ type: 'peers'; peers: readonly Peer[] }>
  | Readonly<{ type: 'tick' }>
  /** This node leaves for good: all its rows go. Nothing is written afterwards. */
  | Readonly<{ type: 'leave' }>
  /** Another node is taken out for good, up to its boot epoch `epoch`; `check` must allow it. */
  | Readonly<{ type: 'remove'; node: string; epoch: number }>
  /** The process ends: what waits to be persisted is. */
  | Readonly<{ type: 'stop' }>

/** A row as it is stored: of a tombstone also when it was new, in this replica's running time. */
export type StoredRow = Readonly<{ row: Row; bornRunMs: number }>

/** What a replica must remember besides its rows. */
export type ReplicaMeta = Readonly<{
  epoch: number
  hlcMs: number
  hlcCounter: number
  /** how long this replica has been running, all its runs together */
  runMs: number
  /** wall clock when this was written */
  wallMs: number
  /** for how long most of the others had not been heard then */
  awayMs: number
  /** what time it was, for the cluster, when most of it was here last */
  contactMs: number
}>

export type Restored = Readonly<{ meta: ReplicaMeta; rows: Iterable<StoredRow> }>

/** One transaction: all of it or nothing. */
export type Persist = Readonly<{
  rows: readonly StoredRow[]
  removed: readonly Readonly<{ table: string; key: string }>[]
  meta: ReplicaMeta
}>

/** What happened to one key in one step. A row is shown when it lives and its owner does, too. */
export type Change = Readonly<{
  table: string
  key: string
  old: Row | null
  new: Row | null
  wasShown: boolean
  isShown: boolean
}>

export type TablesEffect =
  /** Comes before every other effect of its step, and must be on disk before they are done. */
  | Readonly<{ type: 'persist'; change: Persist }>
  /** `reliable`: over a stream, up to STREAM_OCTETS_MAX; else it fits into a datagram. */
  | Readonly<{ type: 'send'; to: string; octets: Uint8Array; reliable: boolean }>
  | Readonly<{ type: 'changed'; changes: readonly Change[] }>
  /** This node's boot epoch had to be raised: the membership must tell the new one. */
  | Readonly<{ type: 'epoch'; epoch: number }>
  /** For the log. */
  | Readonly<{ type: 'notice'; notice: Notice }>

export type Notice =
  /** Back after more than AWAY_MAX_MS: so many rows of others were dropped, to be got anew. */
  | Readonly<{ what: 'stale'; awayMs: number; rows: number }>
  /** Somebody has taken this node out of the cluster. */
  | Readonly<{ what: 'removed'; by: string }>
  /** Rows of this node came that it never wrote: another node runs with its id. */
  | Readonly<{ what: 'twin'; table: string; key: string }>
  | Readonly<{ what: 'epoch-raised'; from: number; to: number }>

export type TablesOptions = Readonly<{
  /** this node, as the membership names it */
  name: string
  /** its id */
  node: string
  epoch: number
  tables: readonly TableSpec[]
  random: Random32
  /** milliseconds since 1970; may jump */
  wallMs: () => number
  /** null accepts a row that came from elsewhere, a text says why not */
  check?: (row: Row) => string | null
  /** the proof of a row that is about to be written here */
  prove?: (row: Row) => Uint8Array
  restored?: Restored
}>
