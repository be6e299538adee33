// What goes into a member of the mesh and what comes out of it.
import type { MeshAddress } from './mesh-address.ts'
import type { Refusal } from './refusals.ts'
import type { SwimEffect } from './swim/events.ts'
import type { ReadMessage } from './transport.ts'
import type { DoubtReason } from './tunnel-peer.ts'

/** Tried in this order to open; `primary`, one of them, seals. None: everything is in the clear. */
export type MeshKeys = Readonly<{ primary: Uint8Array | null; all: readonly Uint8Array[] }>

export type MeshEvent =
  | Readonly<{ type: 'datagram'; from: MeshAddress; octets: Uint8Array }>
  | Readonly<{ type: 'stream'; id: number; from: MeshAddress; read: ReadMessage }>
  | Readonly<{ type: 'exchanged'; id: number; read: ReadMessage | null; reason: string }>
  | Readonly<{ type: 'tick' }>
  /** Become a member through these; they replace the seeds that were given before. */
  | Readonly<{ type: 'join'; seeds: readonly MeshAddress[] }>
  | Readonly<{ type: 'leave' }>
  /** Drop what is known of a member that is gone. */
  | Readonly<{ type: 'forget'; name: string }>
  /** At most 512 octets. */
  | Readonly<{ type: 'meta'; meta: Uint8Array }>
  | Readonly<{ type: 'keys'; keys: MeshKeys }>
  /**
   * A user message: in a datagram, which may be lost, up to USER_OCTETS_MAX; in a stream when
   * `reliable`.
   */
  | Readonly<{ type: 'send'; to: string; octets: Uint8Array; reliable?: boolean }>

export type MeshEffect =
  | Readonly<{ type: 'datagram'; to: MeshAddress; octets: Uint8Array }>
  | Readonly<{ type: 'exchange'; id: number; to: MeshAddress; octets: Uint8Array
      awaitsAnswer: boolean; timeoutMs: number }>
  | Readonly<{ type: 'answer'; id: number; octets: Uint8Array | null }>
  | MeshNews

/** Effects that are for the program above. */
export type MeshNews =
  | Extract<SwimEffect, { type: 'member' | 'joined' | 'join-failed' | 'conflict' | 'gone' }>
  /** `from` is null when nobody is known at that address. */
  | Readonly<{ type: 'user'; from: string | null; address: MeshAddress; octets: Uint8Array }>
  /** Traffic should not go there (`reason`), or may again (null). Nobody is dead by this. */
  | Readonly<{ type: 'doubt'; name: string; reason: DoubtReason | null; silentMs: number }>
  /** A reliable user message did not get there. */
  | Readonly<{ type: 'undelivered'; to: string; reason: string }>
  | Readonly<{ type: 'refusal' }> & Refusal
