// How octets get from one member to another: datagrams, and streams that carry one message each
// way. The mesh works over anything that does this; there is one of sockets and one of memory.
import type { Decoded } from '../wire/memberlist/decode.ts'
import type { StreamMessage } from '../wire/memberlist/messages.ts'
import type { MeshAddress } from './mesh-address.ts'

/** Streams from others that may be open at the same time (memberlist: maxPushPullRequests). */
export const STREAMS_MAX = 128
/** Of messages that are not whole yet, so that their seal is unknown: of all incoming streams… */
export const HELD_OCTETS_MAX = 64 << 20
/** …and of those from one address: a whole message of the largest size, with its frame. */
export const HELD_OF_SOURCE_OCTETS_MAX = 21 << 20
/** What came in a stream: a message, or why it is none. */
export type ReadMessage = Decoded<StreamMessage>

/** Takes octets as they come, until there is a result. */
export interface StreamReading {
  push(octets: Uint8Array): ReadMessage | undefined
  /** No more will come. */
  end(): ReadMessage
}

export type TransportHandlers = Readonly<{
  datagram: (from: MeshAddress, octets: Uint8Array) => void
  /** Reads one stream; `side` is who speaks in it. */
  reader: (side: 'caller' | 'answerer') => StreamReading
  /** Somebody connected and said something; `answer` has to follow with the same `id`. */
  stream: (id: number, from: MeshAddress, read: ReadMessage) => void
  /** The end of an exchange: the answer; null when none came, with a reason if one was awaited. */
  exchanged: (id: number, read: ReadMessage | null, reason: string) => void
}>

export type Exchange = Readonly<{
  id: number
  to: MeshAddress
  octets: Uint8Array
  awaitsAnswer: boolean
  /** From now to the end of the answer. */
  timeoutMs: number
}>

export const TRANSPORT_COUNTERS = [
  'datagramsIn', 'datagramOctetsIn', 'datagramsOut', 'datagramOctetsOut', 'datagramsFailed',
  'streamsIn', 'streamsFull', 'streamsFailed', 'streamsTimedOut', 'streamsGivenAway',
  'streamsHeldFull',
  'exchanges', 'exchangesFailed',
] as const
export type TransportCounters = Record<(typeof TRANSPORT_COUNTERS)[number], number>

export interface MeshTransport {
  readonly counters: TransportCounters
  /** @throws what the system says when the address cannot be had */
  open(handlers: TransportHandlers): Promise<void>
  /** Never fails: what cannot be sent is counted, as if the network had lost it. */
  send(to: MeshAddress, octets: Uint8Array): void
  exchange(exchange: Exchange): void
  /** null closes the stream without a word. */
  answer(id: number, octets: Uint8Array | null): void
  close(): Promise<void>
}
