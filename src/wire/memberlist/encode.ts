// Messages of memberlist as octets: one that says which, then a map. Go writes the keys of a map in
// the order of their octets; so do we, and equal messages are equal octet for octet.
import { assert } from '../../base/assert.ts'
import type {
  AckMessage, AliveMessage, DeadMessage, IndirectPingMessage, NodeState, PacketMessage, PingMessage,
  ProtocolVersions, PushedNode, PushPullMessage, StreamMessage, SuspectMessage,
} from './messages.ts'
import { TYPE } from './messages.ts'
import type { Field } from './msgpack.ts'
import { encodeFields, joinOctets } from './msgpack.ts'

/** The state's number is its place. */
export const NODE_STATES: readonly NodeState[] = ['alive', 'suspect', 'dead', 'left']

/**
 * The message as it stands in a datagram, with nothing around it. Who made it answers for its
 * numbers (32 bits; ports 16) and addresses (4 or 16 octets).
 */
export function encodeMessage(message: PacketMessage): Uint8Array {
  switch (message.type) {
    case 'ping': return typed(TYPE.ping, pingFields(message))
    case 'indirect-ping': return typed(TYPE.indirectPing, indirectPingFields(message))
    case 'ack': return typed(TYPE.ack, ackFields(message))
    case 'nack': return typed(TYPE.nack, [['SeqNo', message.sequenceNumber]])
    case 'suspect': return typed(TYPE.suspect, accusationFields(message))
    case 'alive': return typed(TYPE.alive, aliveFields(message))
    case 'dead': return typed(TYPE.dead, accusationFields(message))
    case 'user': return joinOctets([Uint8Array.of(TYPE.user), message.octets])
  }
}

/** The message as it stands in a stream, with nothing around it. */
export function encodeStreamMessage(message: StreamMessage): Uint8Array {
  switch (message.type) {
    case 'ping':
    case 'ack': return encodeMessage(message)
    case 'error': return typed(TYPE.error, [['Error', message.text]])
    case 'push-pull': return encodePushPull(message)
    case 'user': return joinOctets([
      typed(TYPE.user, [['UserMsgLen', message.octets.length]]), message.octets,
    ])
  }
}

function encodePushPull({ join, nodes, userState }: PushPullMessage): Uint8Array {
  const header = typed(TYPE.pushPull, [
    ['Join', join], ['Nodes', nodes.length], ['UserStateLen', userState.length],
  ])
  return joinOctets([header, ...nodes.map(node => encodeFields(nodeFields(node))), userState])
}

function typed(type: number, fields: readonly Field[]): Uint8Array {
  return joinOctets([Uint8Array.of(type), encodeFields(fields)])
}

type Source = Readonly<{ sourceAddress: Uint8Array; sourcePort: number; sourceNode: string }>

/** Go leaves each of them out when it is zero. */
function sourceFields({ sourceAddress, sourcePort, sourceNode }: Source): Field[] {
  const fields: Field[] = []
  if (sourceAddress.length > 0) fields.push(['SourceAddr', addressOctets(sourceAddress)])
  if (sourceNode !== '') fields.push(['SourceNode', sourceNode])
  if (sourcePort !== 0) fields.push(['SourcePort', sourcePort])
  return fields
}

function pingFields(ping: PingMessage): Field[] {
  return [['Node', ping.node], ['SeqNo', ping.sequenceNumber], ...sourceFields(ping)]
}

function indirectPingFields(ping: IndirectPingMessage): Field[] {
  return [
    ['Nack', ping.nack], ['Node', ping.node], ['Port', ping.port], ['SeqNo', ping.sequenceNumber],
    ...sourceFields(ping), ['Target', addressOctets(ping.target)],
  ]
}

function ackFields({ payload, sequenceNumber }: AckMessage): Field[] {
  return [['Payload', payload], ['SeqNo', sequenceNumber]]
}

function accusationFields({ from, incarnation, node }: SuspectMessage | DeadMessage): Field[] {
  return [['From', from], ['Incarnation', incarnation], ['Node', node]]
}

function aliveFields(alive: AliveMessage): Field[] {
  return [
    ['Addr', addressOctets(alive.address)], ['Incarnation', alive.incarnation],
    ['Meta', metaOrNil(alive.meta)], ['Node', alive.node], ['Port', alive.port],
    ['Vsn', versionOctets(alive.versions)],
  ]
}

function nodeFields(node: PushedNode): Field[] {
  return [
    ['Addr', addressOctets(node.address)], ['Incarnation', node.incarnation],
    ['Meta', metaOrNil(node.meta)], ['Name', node.node], ['Port', node.port],
    ['State', NODE_STATES.indexOf(node.state)], ['Vsn', versionOctets(node.versions)],
  ]
}

function addressOctets(address: Uint8Array): Uint8Array {
  assert(address.length === 4 || address.length === 16, 'an address has 4 or 16 octets')
  return address
}

/** Go writes no metadata as nil. */
function metaOrNil(meta: Uint8Array): Uint8Array | null {
  return meta.length === 0 ? null : meta
}

function versionOctets(versions: ProtocolVersions): Uint8Array {
  return Uint8Array.of(
    versions.protocolMin, versions.protocolMax, versions.protocol,
    versions.delegateMin, versions.delegateMax, versions.delegate,
  )
}
