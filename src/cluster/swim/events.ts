// What goes into the membership machine and what comes out of it. Octets, sealing and sockets are
// elsewhere (mesh.ts): here are messages and addresses.
import type { PacketMessage, PushPullMessage, StreamMessage }
  from '../../wire/memberlist/messages.ts'
import type { MeshAddress } from '../mesh-address.ts'
import type { MemberView } from './members.ts'

export type SwimEvent =
  /** The messages of a datagram; those of users are not for here. */
  | Readonly<{ type: 'packet'; from: MeshAddress; messages: readonly PacketMessage[] }>
  /** Somebody has connected and asks; the answer is an effect with the same `id`. */
  | Readonly<{ type: 'stream'; id: number; from: MeshAddress; message: StreamMessage }>
  /** What came back for an `exchange` effect: null and why when nothing did. */
  | Readonly<{ type: 'exchanged'; id: number; message: StreamMessage | null; reason: string }>
  /** Something else shows that this member lives: a keep-alive. */
  | Readonly<{ type: 'heard'; name: string }>
  /** The tunnels say that it is silent: probe it next. */
  | Readonly<{ type: 'doubt'; name: string }>
  | Readonly<{ type: 'tick' }>
  /** Become a member through these; they replace the seeds that were given before. */
  | Readonly<{ type: 'join'; seeds: readonly MeshAddress[] }>
  | Readonly<{ type: 'leave' }>
  /** Drop what is known of a member that is gone. */
  | Readonly<{ type: 'forget'; name: string }>
  | Readonly<{ type: 'meta'; meta: Uint8Array }>

/**
 * - joined: was unknown or gone, is alive
 * - updated: other metadata, other address, or it was started anew
 * - suspected, recovered: may be gone, is not gone
 * - failed: is gone, and did not say so
 * - left: is gone, and said so
 * - forgotten: nothing is known of it any more
 */
export type MemberChange = 'joined' | 'updated' | 'suspected' | 'recovered' | 'failed' | 'left'
  | 'forgotten'

export type SwimEffect =
  /** One datagram; `parts` are encoded messages. */
  | Readonly<{ type: 'send'; to: MeshAddress; parts: readonly Uint8Array[]; checksum: boolean }>
  /** Connect, send, wait for one answer: an `exchanged` event follows, at the latest in time. */
  | Readonly<{ type: 'exchange'; id: number; to: MeshAddress; message: StreamMessage
      timeoutMs: number }>
  | Readonly<{ type: 'answer'; id: number; message: StreamMessage | null }>
  | Readonly<{ type: 'member'; change: MemberChange; member: MemberView; reason: string }>
  | Readonly<{ type: 'joined'; by: MeshAddress; members: number }>
  | Readonly<{ type: 'join-failed'; by: MeshAddress; reason: string }>
  /** Two live nodes have one name. */
  | Readonly<{ type: 'conflict'; name: string; role: ConflictRole; here: MeshAddress
      there: MeshAddress }>
  /** A leave has been told; the sockets may be closed. */
  | Readonly<{ type: 'gone' }>

/**
 * - holder: the name is ours, and `there` is a newer node that has to wait
 * - waiting: the name is that of `there`; we wait until it is free
 * - witness: two others, `here` is the one that is a member
 */
export type ConflictRole = 'holder' | 'waiting' | 'witness'

export type { PacketMessage, PushPullMessage, StreamMessage }
