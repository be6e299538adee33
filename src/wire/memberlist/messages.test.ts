// Messages against what Go writes, octet for octet and both ways; and what is refused, and why.
import test from 'ava'
import fc from 'fast-check'
import { hexOf, octetsOf } from '../vectors.test-kit.ts'
import { decodeMessage } from './decode.ts'
import { encodeMessage, encodeStreamMessage } from './encode.ts'
import type {
  AliveMessage, NodeState, PacketMessage, PushedNode, StreamMessage,
} from './messages.ts'
import { decodeStreamMessage } from './stream-decoder.ts'
import { goVector } from './vectors.test-kit.ts'

const ADDRESS = octetsOf('0a630001')
const NONE = new Uint8Array(0)
const source = { sourceAddress: ADDRESS, sourcePort: 7946, sourceNode: 'n1' }
const noSource = { sourceAddress: NONE, sourcePort: 0, sourceNode: '' }
const versions = {
  protocolMin: 1, protocolMax: 5, protocol: 2, delegateMin: 0, delegateMax: 0, delegate: 0,
}
const serfVersions = { ...versions, delegateMin: 2, delegateMax: 5, delegate: 4 }
const text = (words: string) => new TextEncoder().encode(words)
const alive: AliveMessage = {
  type: 'alive', incarnation: 1, node: 'n1', address: ADDRESS, port: 7946, meta: text('role=mgr'),
  versions,
}
const accusation = { incarnation: 3, node: 'n2', from: 'n1' }

const datagram: [name: string, message: PacketMessage][] = [
  ['ping', { type: 'ping', sequenceNumber: 1, node: 'n2', ...source }],
  ['ping-omit', { type: 'ping', sequenceNumber: 1, node: 'n2', ...noSource }],
  ['ping-seq-256', { type: 'ping', sequenceNumber: 256, node: 'n2', ...noSource }],
  ['ping-seq-65536', { type: 'ping', sequenceNumber: 65536, node: 'n2', ...noSource }],
  ['indirect-ping', {
    type: 'indirect-ping', sequenceNumber: 7, target: ADDRESS, port: 7946, node: 'n2', nack: true,
    ...source,
  }],
  ['ack', { type: 'ack', sequenceNumber: 1, payload: text('pay') }],
  ['ack-nil', { type: 'ack', sequenceNumber: 1, payload: null }],
  ['ack-empty', { type: 'ack', sequenceNumber: 1, payload: NONE }],
  ['suspect', { type: 'suspect', ...accusation }],
  ['alive', alive],
  ['alive-v6-no-meta', {
    ...alive, address: octetsOf('fd000000000000000000000000000001'), meta: NONE,
    versions: serfVersions,
  }],
  ['alive-meta-31', { ...alive, node: 'n'.repeat(32), meta: text('m'.repeat(31)) }],
  ['alive-meta-32', { ...alive, meta: text('m'.repeat(32)) }],
  ['alive-meta-256', { ...alive, meta: text('m'.repeat(256)) }],
  ['dead', { type: 'dead', ...accusation }],
  ['nack', { type: 'nack', sequenceNumber: 9 }],
]
for (const [name, message] of datagram) {
  test(`as Go does it: ${name}`, t => {
    const golden = goVector(name)
    t.is(hexOf(encodeMessage(message)), hexOf(golden))
    t.deepEqual(decodeMessage(golden), { message })
  })
}

const pushed: PushedNode = {
  node: 'n1', address: ADDRESS, port: 7946, meta: NONE, incarnation: 1, state: 'alive', versions,
}
const pushedLeft: PushedNode = { ...pushed, incarnation: 300, meta: text('m'), state: 'left' }

test('as Go does it: push/pull, two nodes and a state of the program above', t => {
  const golden = Buffer.concat([
    goVector('push-pull-header'), goVector('pushed-node'), goVector('pushed-node-left'),
    text('state'),
  ])
  const message: StreamMessage = {
    type: 'push-pull', join: true, nodes: [pushed, pushedLeft], userState: text('state'),
  }
  t.is(hexOf(encodeStreamMessage(message)), hexOf(golden))
  t.deepEqual(decodeStreamMessage(golden), { message })
})

test('as Go does it: push/pull, 200 nodes and 70,000 octets', t => {
  const golden = Buffer.concat([
    goVector('push-pull-header-large'),
    ...Array.from({ length: 200 }, () => goVector('pushed-node')), new Uint8Array(70_000),
  ])
  const message: StreamMessage = {
    type: 'push-pull', join: false, nodes: Array.from({ length: 200 }, () => pushed),
    userState: new Uint8Array(70_000),
  }
  t.is(hexOf(encodeStreamMessage(message)), hexOf(golden))
  t.deepEqual(decodeStreamMessage(golden), { message })
})

const streamed: [name: string, tail: string, message: StreamMessage][] = [
  ['user-header', '0123456789', { type: 'user', octets: text('0123456789') }],
  ['error', '', { type: 'error', text: 'boom' }],
  ['ping', '', { type: 'ping', sequenceNumber: 1, node: 'n2', ...source }],
  ['ack-nil', '', { type: 'ack', sequenceNumber: 1, payload: null }],
]
for (const [name, tail, message] of streamed) {
  test(`as Go does it, in a stream: ${name}`, t => {
    const golden = Buffer.concat([goVector(name), text(tail)])
    t.is(hexOf(encodeStreamMessage(message)), hexOf(golden))
    t.deepEqual(decodeStreamMessage(golden), { message })
  })
}

const node = 'a44e6f6465a26e32'
const sequence = 'a55365714e6f'
const read: [name: string, hex: string, message: PacketMessage][] = [
  ['user octets are all that follows', '08ff00', { type: 'user', octets: octetsOf('ff00') }],
  ['user without octets', '08', { type: 'user', octets: NONE }],
  ['uint8 that could be shorter', `0b81${sequence}cc09`, { type: 'nack', sequenceNumber: 9 }],
  ['uint64', `0b81${sequence}cf00000000ffffffff`, { type: 'nack', sequenceNumber: 0xffffffff }],
  ['int8', `0b81${sequence}d009`, { type: 'nack', sequenceNumber: 9 }],
  ['int16', `0b81${sequence}d100c8`, { type: 'nack', sequenceNumber: 200 }],
  ['int32', `0b81${sequence}d200011170`, { type: 'nack', sequenceNumber: 70000 }],
  ['int64', `0b81${sequence}d30000000000011170`, { type: 'nack', sequenceNumber: 70000 }],
  ['nil is zero', `0b81${sequence}c0`, { type: 'nack', sequenceNumber: 0 }],
  ['no field is zero', '0b80', { type: 'nack', sequenceNumber: 0 }],
  ['map16', `0bde0001${sequence}09`, { type: 'nack', sequenceNumber: 9 }],
  ['map32', `0bdf00000001${sequence}09`, { type: 'nack', sequenceNumber: 9 }],
  ['the last of equal keys counts', `0b82${sequence}08${sequence}09`,
    { type: 'nack', sequenceNumber: 9 }],
  ['key as bin8', '0b81c4055365714e6f09', { type: 'nack', sequenceNumber: 9 }],
  ['payload as bin8', `0282a75061796c6f6164c403706179${sequence}01`,
    { type: 'ack', sequenceNumber: 1, payload: text('pay') }],
  ['payload as str8', `0282a75061796c6f6164d903706179${sequence}01`,
    { type: 'ack', sequenceNumber: 1, payload: text('pay') }],
  ['unknown fields are skipped', `0b84a178c3a17982a16191c0a162cb0000000000000000a17a93010203`
    + `${sequence}09`, { type: 'nack', sequenceNumber: 9 }],
  ['what follows is ignored', `0b81${sequence}09ffff`, { type: 'nack', sequenceNumber: 9 }],
]
for (const [name, hex, message] of read) {
  test(`read: ${name}`, t => t.deepEqual(decodeMessage(octetsOf(hex)), { message }))
}

const VSN = 'a356736ea6010502000000'
const aliveWith = (fields: string, count: number) =>
  `048${count}${fields}a44e6f6465a26e31a4506f7274cd1f0a`
const refused: [name: string, hex: string, fault: string][] = [
  ['nothing', '', 'empty'],
  ['no such type', '0e80', 'unknown-type'],
  ['push/pull in a datagram', '0680', 'unexpected-type'],
  ['compound in a message', '0700', 'unexpected-type'],
  ['no map', '0b', 'cut'],
  ['a list for a map', '0b9109', 'bad-value'],
  ['a key that is a number', '0b810909', 'bad-value'],
  ['cut in a number', `0b81${sequence}cd01`, 'cut'],
  ['cut in a name', '0381a44e6f6465a36e32', 'cut'],
  ['raw32 longer than anything', '0281a75061796c6f6164dbffffffff00', 'cut'],
  ['map32 with more entries than octets', '0bdfffffffff', 'too-many-fields'],
  ['33 fields', `0bde0021${'a1780'.repeat(33)}`, 'too-many-fields'],
  ['list32 with more values than octets', '0b81a178ddffffffff', 'too-deep'],
  ['lists in lists', `0b81a178${'91'.repeat(50)}c0`, 'too-deep'],
  ['negative', `0b81${sequence}ff`, 'out-of-range'],
  ['negative, int64', `0b81${sequence}d3ffffffffffffffff`, 'out-of-range'],
  ['33 bits', `0b81${sequence}cf0000000100000000`, 'out-of-range'],
  ['a word for a number', `0b81${sequence}a139`, 'bad-value'],
  ['a fraction for a number', `0b81${sequence}ca3f800000`, 'bad-value'],
  ['a number for a name', '0381a44e6f646507', 'bad-value'],
  ['nobody is suspected', '0380', 'bad-name'],
  ['a name that is no UTF-8', '0381a44e6f6465a2c328', 'bad-name'],
  ['a name of 256 octets', `0381a44e6f6465da0100${'6e'.repeat(256)}`, 'bad-name'],
  ['octet c1', `0b81${sequence}c1`, 'bad-value'],
  ['an extension', `0b81${sequence}d40000`, 'bad-value'],
  ['port of 17 bits', `0483${node}a441646472a40a630001a4506f7274ce00010000`, 'out-of-range'],
  ['alive with no address', aliveWith(VSN, 3), 'bad-address'],
  ['alive with 5 octets of address', aliveWith(`a441646472a50a63000100${VSN}`, 4), 'bad-address'],
  ['alive with 513 octets of metadata',
    aliveWith(`a441646472a40a630001a44d657461da0201${'6d'.repeat(513)}${VSN}`, 5), 'bad-meta'],
  ['alive with no versions', aliveWith('a441646472a40a630001', 3), 'bad-versions'],
  ['alive with five versions, which stops others',
    aliveWith('a441646472a40a630001a356736ea50105020000', 4), 'bad-versions'],
]
for (const [name, hex, fault] of refused) {
  test(`refused: ${name}`, t => t.deepEqual(decodeMessage(octetsOf(hex)), { fault }))
}

const refusedStreams: [name: string, hex: string, fault: string][] = [
  ['nothing', '', 'empty'],
  ['suspect', '0380', 'unexpected-type'],
  ['no such type', 'ff', 'unknown-type'],
  ['a node that does not come', '0681a54e6f64657301', 'cut'],
  ['more nodes than any mesh has', '0681a54e6f646573ce00010001', 'out-of-range'],
  ['minus one node', '0681a54e6f646573ff', 'out-of-range'],
  ['a state that does not come', '0681ac5573657253746174654c656e05', 'cut'],
  ['a user message that does not come', '0881aa557365724d73674c656e02ff', 'cut'],
  ['a node in a fifth state', hexOf(goVector('push-pull-header'))
    + hexOf(goVector('pushed-node')).replace('5374617465' + '00', '537461746504'), 'bad-state'],
]
for (const [name, hex, fault] of refusedStreams) {
  test(`refused in a stream: ${name}`, t => {
    t.deepEqual(decodeStreamMessage(octetsOf(hex)), { fault })
  })
}

// ---- any message comes back as it was ----

const octet = fc.integer({ min: 0, max: 255 })
const u32 = fc.oneof(fc.constantFrom(0, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }))
const u16 = fc.integer({ min: 0, max: 65535 })
const octets = (maxLength: number) => fc.uint8Array({ maxLength })
  .map(array => new Uint8Array(array))
const anyName = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
const anyAddress = fc.oneof(octets4(4), octets4(16))
function octets4(length: number) {
  return fc.array(octet, { minLength: length, maxLength: length }).map(a => Uint8Array.from(a))
}
const anyVersions = fc.record({
  protocolMin: octet, protocolMax: octet, protocol: octet,
  delegateMin: octet, delegateMax: octet, delegate: octet,
})
const anySource = {
  sourceAddress: fc.oneof(fc.constant(NONE), anyAddress), sourcePort: u16,
  sourceNode: fc.oneof(fc.constant(''), anyName),
}
const anyDescribed = {
  incarnation: u32, node: anyName, address: anyAddress, port: u16, meta: octets(512),
  versions: anyVersions,
}
const anyPing = fc.record({
  type: fc.constant('ping' as const), sequenceNumber: u32, node: anyName, ...anySource,
})
const anyAck = fc.record({
  type: fc.constant('ack' as const), sequenceNumber: u32,
  payload: fc.oneof(fc.constant(null), octets(300)),
})
const anyUser = fc.record({ type: fc.constant('user' as const), octets: octets(300) })
const anyPacketMessage: fc.Arbitrary<PacketMessage> = fc.oneof(
  anyPing, anyAck, anyUser,
  fc.record({
    type: fc.constant('indirect-ping' as const), sequenceNumber: u32, target: anyAddress,
    port: u16, node: anyName, nack: fc.boolean(), ...anySource,
  }),
  fc.record({ type: fc.constant('nack' as const), sequenceNumber: u32 }),
  fc.record({
    type: fc.constantFrom('suspect' as const, 'dead' as const), incarnation: u32, node: anyName,
    from: anyName,
  }),
  fc.record({ type: fc.constant('alive' as const), ...anyDescribed }),
)
const anyState = fc.constantFrom<NodeState>('alive', 'suspect', 'dead', 'left')
const anyStreamMessage: fc.Arbitrary<StreamMessage> = fc.oneof(
  anyPing, anyAck, anyUser,
  fc.record({ type: fc.constant('error' as const), text: anyName }),
  fc.record({
    type: fc.constant('push-pull' as const), join: fc.boolean(), userState: octets(400),
    nodes: fc.array(fc.record({ ...anyDescribed, state: anyState }), { maxLength: 20 }),
  }),
)

test('any message of a datagram comes back as it was', t => {
  fc.assert(fc.property(anyPacketMessage, message => {
    t.deepEqual(decodeMessage(encodeMessage(message)), { message })
  }), { numRuns: 500 })
})

test('any message of a stream comes back as it was', t => {
  fc.assert(fc.property(anyStreamMessage, message => {
    t.deepEqual(decodeStreamMessage(encodeStreamMessage(message)), { message })
  }), { numRuns: 300 })
})

test('a message is a copy of what was read, even out of a Buffer', t => {
  for (const message of datagram.map(row => row[1])) {
    const buffer = Buffer.from(encodeMessage(message))
    const decoded = decodeMessage(buffer)
    buffer.fill(0)
    t.deepEqual(decoded, { message })
  }
})

test('a message that is cut is refused, wherever it is cut', t => {
  fc.assert(fc.property(anyPacketMessage, message => {
    if (message.type === 'user') return
    const whole = encodeMessage(message)
    for (let end = 0; end < whole.length; end += 1) {
      t.true('fault' in decodeMessage(whole.subarray(0, end)))
    }
  }), { numRuns: 50 })
})
