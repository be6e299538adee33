// Reads a message of a stream while it comes in. Nothing but its own fields says where it ends, and
// who sent it keeps the connection open for the answer. So what is there is read as far as it goes,
// and the next time from there on: the nodes of a large push/pull are read once each.
import type { Decoded } from './decode.ts'
import { decodePushedNode, decodeStreamMap } from './decode.ts'
import type { MemberlistFault } from './faults.ts'
import { FieldReader } from './fields.ts'
import type { PushedNode, PushPullMessage, StreamMessage, UserMessage } from './messages.ts'
import { TYPE } from './messages.ts'
import { MsgpackReader } from './msgpack.ts'

/** What a stream may hold, packed or not; memberlist refuses more, too (maxPushStateBytes). */
export const STREAM_OCTETS_MAX = 20 * 1024 * 1024
/** Nodes of one push/pull. */
export const PUSHED_NODES_MAX = 65_536

type PushPullHeader = Readonly<{ join: boolean; count: number; userStateOctets: number }>

/** Reads one whole message of a stream, with nothing around it. Never throws. */
export function decodeStreamMessage(octets: Uint8Array): Decoded<StreamMessage> {
  return new StreamMessageDecoder().decode(octets)
}

/** For one message. */
export class StreamMessageDecoder {
  #at = 1
  #header: PushPullHeader | undefined
  readonly #nodes: PushedNode[] = []

  /**
   * Takes all that has come so far, each time from the first octet of the message. The fault 'cut'
   * or 'empty' asks for more; what follows the message is ignored.
   */
  decode(octets: Uint8Array): Decoded<StreamMessage> {
    switch (octets[0]) {
      case undefined: return { fault: 'empty' }
      case TYPE.pushPull: return this.#pushPull(octets)
      case TYPE.user: return decodeUser(octets)
      default: return decodeStreamMap(octets)
    }
  }

  #pushPull(octets: Uint8Array): Decoded<PushPullMessage> {
    const fault = this.#readHeader(octets)
    const header = this.#header
    if (fault !== undefined || header === undefined) return { fault: fault ?? 'cut' }
    while (this.#nodes.length < header.count) {
      const reader = new MsgpackReader(octets, this.#at)
      const decoded = decodePushedNode(reader)
      if ('fault' in decoded) return decoded
      this.#nodes.push(decoded.message)
      this.#at = reader.at
    }
    const userState = tail(octets, this.#at, header.userStateOctets)
    if (typeof userState === 'string') return { fault: userState }
    return { message: { type: 'push-pull', join: header.join, nodes: this.#nodes, userState } }
  }

  #readHeader(octets: Uint8Array): MemberlistFault | undefined {
    if (this.#header !== undefined) return undefined
    const reader = new MsgpackReader(octets, this.#at)
    const fields = new FieldReader(reader)
    const header = {
      join: fields.bool('Join'),
      count: fields.uint('Nodes', PUSHED_NODES_MAX),
      userStateOctets: fields.uint('UserStateLen', STREAM_OCTETS_MAX),
    }
    if (fields.fault !== undefined) return fields.fault
    this.#header = header
    this.#at = reader.at
    return undefined
  }
}

function decodeUser(octets: Uint8Array): Decoded<UserMessage> {
  const reader = new MsgpackReader(octets, 1)
  const fields = new FieldReader(reader)
  const userOctets = fields.uint('UserMsgLen', STREAM_OCTETS_MAX)
  if (fields.fault !== undefined) return { fault: fields.fault }
  const user = tail(octets, reader.at, userOctets)
  return typeof user === 'string' ? { fault: user } : { message: { type: 'user', octets: user } }
}

/** A copy of `octets` octets at `at`. */
function tail(whole: Uint8Array, at: number, octets: number): Uint8Array | 'cut' {
  return at + octets > whole.length ? 'cut' : new Uint8Array(whole.subarray(at, at + octets))
}
