// What the desk is told and what it tells: see join-desk.ts.
import type { Clock } from '../../base/clock.ts'
import type { MeshAddress } from '../mesh-address.ts'
import type { NodeCertificate } from './certificates.ts'
import type { Identity } from './identity.ts'
import type { Refusal } from './join-error.ts'
import type { Member } from './member.ts'

export type Candidate = Member & Readonly<{
  /** Of its mesh. */
  port: number
  version: string
  /** From where it called. */
  source: string
  /** It is a member already and wants a new certificate. */
  isRenewal: boolean
}>

/** `retryAfterMs`: it may be let in then, as when a name is still in use; null: no use trying. */
export type Objection = Readonly<{
  reason: 'name-in-use' | 'not-admitted'
  text: string
  retryAfterMs: number | null
}>

/** What the connection says of the caller. */
export type Caller = Readonly<{
  source: string
  /** DER, as shown by TLS, which has made sure that the caller has its key; null: none. */
  certificate: Uint8Array | null
  /** Keying material that only the two ends of this connection know: RFC 8446 section 7.5. */
  exporter: Uint8Array
}>

export type LogPart = Readonly<{ octets: Uint8Array; next: number; isOver: boolean }>

export type DeskEvent = Readonly<
  | { type: 'joined' | 'renewed'; candidate: Candidate; certificate: NodeCertificate }
  | { type: 'refused'; reason: Refusal; text: string; source: string }
>

export type DeskOptions = Readonly<{
  clock: Clock
  version: string
  /** As it is now: rings rotate, certificates are renewed. */
  identity: () => Identity
  /** Of managers that are alive. */
  managers: () => readonly MeshAddress[]
  /** Members whom a new one may meet first. */
  seeds: () => readonly MeshAddress[]
  /**
   * The last word on who is let in; null lets it in. To be looked at: that no live member has its
   * name or its address (but the same node id when it renews).
   */
  objection: (candidate: Candidate) => Objection | null | Promise<Objection | null>
  isRemoved: (nodeId: string) => boolean
  /** A piece of the output of a task here, for another manager; null: there is no such task. */
  readLog?: (container: string, from: number | null, tail: number | null) => Promise<LogPart | null>
  /** For log and tables. */
  onEvent?: (event: DeskEvent) => void
}>
