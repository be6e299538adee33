// Octets of memberlist as messages. They come from anybody: nothing here throws, each length and
// number is held against its limit, and what is wrong is one of a closed list of faults. Octets are
// copied: a message may be kept while the buffer that it came in is used again.
import { NODE_STATES } from './encode.ts'
import type { MemberlistFault } from './faults.ts'
import { FieldReader, NAME_OCTETS_MAX, U16_MAX, U32_MAX } from './fields.ts'
import type { PacketMessage, ProtocolVersions, PushedNode, StreamMessage } from './messages.ts'
import { TYPE } from './messages.ts'
import { MsgpackReader, plainOctets } from './msgpack.ts'

/** Longer words of the other side's error are refused. */
export const ERROR_TEXT_OCTETS_MAX = 4096

export type Decoded<Message> = Readonly<{ message: Message } | { fault: MemberlistFault }>
type Decode<Message> = (fields: FieldReader) => Message

/**
 * Reads one message of a datagram, with nothing around it. What follows it is ignored, as in Go.
 */
export function decodeMessage(octets: Uint8Array): Decoded<PacketMessage> {
  const type = octets[0]
  if (type === undefined) return { fault: 'empty' }
  if (type === TYPE.user) {
    return { message: { type: 'user', octets: plainOctets(octets).slice(1) } }
  }
  const decode = DATAGRAM.get(type)
  return decode === undefined ? { fault: faultOfType(type) } : decodeMap(octets, decode)
}

/** Reads a message of a stream that is one map and nothing more. */
export function decodeStreamMap(octets: Uint8Array): Decoded<StreamMessage> {
  const type = octets[0] ?? -1
  const decode = STREAM.get(type)
  return decode === undefined ? { fault: faultOfType(type) } : decodeMap(octets, decode)
}

/** Reads a node of a push/pull where `reader` stands. */
export function decodePushedNode(reader: MsgpackReader): Decoded<PushedNode> {
  const fields = new FieldReader(reader)
  const state = NODE_STATES[fields.uint('State', U32_MAX)]
  if (state === undefined) fields.refuse('bad-state')
  const node = { ...described(fields, 'Name'), state: state ?? 'dead' }
  return fields.fault === undefined ? { message: node } : { fault: fields.fault }
}

/** Of a first octet that is out of place: is it the type of anything? */
export function faultOfType(type: number): MemberlistFault {
  return Object.values<number>(TYPE).includes(type) ? 'unexpected-type' : 'unknown-type'
}

function decodeMap<Message>(octets: Uint8Array, decode: Decode<Message>): Decoded<Message> {
  const fields = new FieldReader(new MsgpackReader(octets, 1))
  const message = decode(fields)
  return fields.fault === undefined ? { message } : { fault: fields.fault }
}

function sequence(fields: FieldReader): { sequenceNumber: number } {
  return { sequenceNumber: fields.uint('SeqNo', U32_MAX) }
}

function source(fields: FieldReader) {
  return {
    sourceAddress: fields.addressOrNone('SourceAddr'),
    sourcePort: fields.uint('SourcePort', U16_MAX),
    sourceNode: fields.text('SourceNode', NAME_OCTETS_MAX),
  }
}

function accusation(fields: FieldReader) {
  return {
    incarnation: fields.uint('Incarnation', U32_MAX),
    node: fields.name('Node'),
    from: fields.text('From', NAME_OCTETS_MAX),
  }
}

/** What `alive` and a node of push/pull have in common; only the key of the name differs. */
function described(fields: FieldReader, nameKey: 'Node' | 'Name') {
  return {
    incarnation: fields.uint('Incarnation', U32_MAX),
    node: fields.name(nameKey),
    address: fields.address('Addr'),
    port: fields.uint('Port', U16_MAX),
    meta: fields.meta('Meta'),
    versions: versionsOf(fields),
  }
}

/** Fewer than six versions stop every memberlist up to 0.6.0. */
function versionsOf(fields: FieldReader): ProtocolVersions {
  const octets = fields.octets('Vsn') ?? []
  if (octets.length < 6) fields.refuse('bad-versions')
  const [
    protocolMin = 0, protocolMax = 0, protocol = 0, delegateMin = 0, delegateMax = 0, delegate = 0,
  ] = octets
  return { protocolMin, protocolMax, protocol, delegateMin, delegateMax, delegate }
}

const ping = (fields: FieldReader) => ({
  type: 'ping' as const,
  ...sequence(fields),
  node: fields.text('Node', NAME_OCTETS_MAX),
  ...source(fields),
})

const ack = (fields: FieldReader) => ({
  type: 'ack' as const,
  ...sequence(fields),
  payload: fields.octets('Payload')?.slice() ?? null,
})

const DATAGRAM = new Map<number, Decode<PacketMessage>>([
  [TYPE.ping, ping],
  [TYPE.ack, ack],
  [TYPE.nack, fields => ({ type: 'nack', ...sequence(fields) })],
  [TYPE.suspect, fields => ({ type: 'suspect', ...accusation(fields) })],
  [TYPE.dead, fields => ({ type: 'dead', ...accusation(fields) })],
  [TYPE.alive, fields => ({ type: 'alive', ...described(fields, 'Node') })],
  [TYPE.indirectPing, fields => ({
    type: 'indirect-ping',
    ...sequence(fields),
    target: fields.address('Target'),
    port: fields.uint('Port', U16_MAX),
    node: fields.text('Node', NAME_OCTETS_MAX),
    nack: fields.bool('Nack'),
    ...source(fields),
  })],
])

const STREAM = new Map<number, Decode<StreamMessage>>([
  [TYPE.ping, ping],
  [TYPE.ack, ack],
  [TYPE.error, fields => ({ type: 'error', text: fields.text('Error', ERROR_TEXT_OCTETS_MAX) })],
])
