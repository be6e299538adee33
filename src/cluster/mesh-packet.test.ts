// Datagrams of the mesh: sealed as Go seals them, and refused with the right reason.
import test from 'ava'
import fc from 'fast-check'
import { randomBytes } from 'node:crypto'
import { decodeMessage } from '../wire/memberlist/decode.ts'
import { encodeMessage } from '../wire/memberlist/encode.ts'
import type { MemberlistFault } from '../wire/memberlist/faults.ts'
import { encodeCompressed } from '../wire/memberlist/frames.ts'
import type { PacketMessage } from '../wire/memberlist/messages.ts'
import { goVector } from '../wire/memberlist/vectors.test-kit.ts'
import { hexOf } from '../wire/vectors.test-kit.ts'
import type { PacketTerms } from './mesh-packet.ts'
import { openPacket, packetOverheadOctets, sealPacket } from './mesh-packet.ts'

const text = (words: string) => new TextEncoder().encode(words)
const DIGITS = text('0123456789abcdef0123456789abcdef')
const KEYS = [16, 24, 32].map(octets => DIGITS.subarray(0, octets))
const [key = new Uint8Array(16), key24 = key, key32 = key] = KEYS
const OTHER = text('fedcba9876543210')
const PING = goVector('ping')
const HI = encodeMessage({ type: 'user', octets: text('hi') })
const hi: PacketMessage = { type: 'user', octets: text('hi') }

const clear: PacketTerms = {
  label: '', key: null, compress: false, checksum: false, random: n => randomBytes(n),
}
const sealed: PacketTerms = { ...clear, key }

function messageOf(octets: Uint8Array): PacketMessage {
  const decoded = decodeMessage(octets)
  if ('fault' in decoded) throw new Error(decoded.fault)
  return decoded.message
}

for (const version of [0, 1] as const) {
  for (const octets of [16, 24, 32]) {
    test(`as Go does it: seal of version ${version}, key of ${octets} octets`, t => {
      const golden = goVector(`sealed-${version}-ping-key-${octets}`)
      const own = KEYS.find(found => found.length === octets)!
      const random = () => golden.slice(1, 13)
      const terms = { ...clear, key: own, sealVersion: version, random }
      t.is(hexOf(sealPacket([PING], terms)), hexOf(golden))
      t.deepEqual(openPacket(golden, { label: '', keys: [OTHER, own] }),
        { messages: [messageOf(PING)], faults: [] })
    })
  }
}

type Refused = [
  name: string, packet: Uint8Array, label: string, keys: Uint8Array[], fault: MemberlistFault,
]
const refused: Refused[] = [
  ['nothing', new Uint8Array(0), '', [], 'empty'],
  ['nothing, with a label', new Uint8Array(0), 'mesh', [], 'empty'],
  ['nothing behind the label', sealPacket([HI], { ...clear, label: 'mesh' }).subarray(0, 6),
    'mesh', [], 'empty'],
  ['longer than any datagram', new Uint8Array(65_537), '', [], 'too-large'],
  ['in the clear, though there is a key', HI, '', [key], 'not-sealed'],
  ['a ping in the clear, though there is a key', PING, '', [key], 'not-sealed'],
  ['a short ping in the clear, though there is a key', goVector('ping-omit'), '', [key],
    'not-sealed'],
  ['sealed, though there is no key', sealPacket([PING], { ...sealed, random: zeros }), '', [],
    'sealed'],
  ['another key', sealPacket([PING], sealed), '', [OTHER, key24, key32], 'no-key-fits'],
  ['another label', sealPacket([PING], { ...sealed, label: 'mash' }), 'mesh', [key],
    'other-label'],
  ['no label', sealPacket([PING], sealed), 'mesh', [key], 'no-label'],
  ['a label, where there should be none', sealPacket([PING], { ...sealed, label: 'mesh' }), '',
    [key], 'other-label'],
  ['the right label put in front of a packet of another one',
    Uint8Array.of(0xf4, 4, ...text('mesh'), ...sealPacket([PING], sealed)), 'mesh', [key],
    'no-key-fits'],
  ['a seal of version 2', Uint8Array.of(200, ...new Uint8Array(40)), '', [key], 'unknown-seal'],
  ['too short for a seal', Uint8Array.of(1, ...new Uint8Array(20)), '', [key], 'cut'],
  ['a seal around nothing', sealEmpty(), '', [key], 'empty'],
  ['version 0 without padding', withVersion(0, sealPacket([goVector('alive')], sealed)), '',
    [key], 'bad-padding'],
]
for (const [name, packet, label, keys, fault] of refused) {
  test(`refused: ${name}`, t => {
    t.deepEqual(openPacket(packet, { label, keys }), { messages: [], faults: [fault] })
  })
}

function zeros(octets: number): Uint8Array {
  return new Uint8Array(octets)
}

/** A seal says its version outside of what it protects. */
function withVersion(version: number, packet: Uint8Array): Uint8Array {
  return Uint8Array.of(version, ...packet.subarray(1))
}

function sealEmpty(): Uint8Array {
  return sealPacket([new Uint8Array(0)], sealed)
}

test('one flipped bit anywhere, and nothing is let through', t => {
  const terms = { ...sealed, label: 'mesh' }
  const packet = sealPacket([PING, HI], terms)
  for (let bit = 0; bit < packet.length * 8; bit += 1) {
    const changed = Uint8Array.from(packet)
    changed[bit >>> 3]! ^= 0x80 >>> (bit & 7)
    const { messages, faults } = openPacket(changed, { label: 'mesh', keys: [OTHER, key] })
    t.deepEqual(messages, [])
    t.is(faults.length, 1)
  }
})

test('every key of the ring opens, in whatever order they are', t => {
  for (const own of KEYS) {
    const packet = sealPacket([HI], { ...clear, key: own })
    for (const keys of [[...KEYS], [...KEYS].reverse(), [OTHER, own]]) {
      t.deepEqual(openPacket(packet, { label: '', keys }), { messages: [hi], faults: [] })
    }
  }
})

test('a pack is sent only when it is smaller', t => {
  t.is(hexOf(sealPacket([HI], { ...clear, compress: true })), hexOf(HI))
  const long = encodeMessage({ type: 'user', octets: new Uint8Array(1000) })
  t.is(hexOf(sealPacket([long], { ...clear, compress: true })), hexOf(encodeCompressed(long)))
})

test('whatever is sealed is opened, and is no longer than was promised', t => {
  const anyTerms = fc.record({
    label: fc.oneof(fc.constant(''), fc.string({ unit: 'grapheme', maxLength: 20 })),
    key: fc.constantFrom(null, ...KEYS),
    sealVersion: fc.constantFrom(0 as const, 1 as const),
    compress: fc.boolean(),
    checksum: fc.boolean(),
    random: fc.constant((octets: number) => randomBytes(octets)),
  })
  const anyMessages = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 40 })
  fc.assert(fc.property(anyTerms, anyMessages, (terms, users) => {
    const messages = users.map(octets => (
      { type: 'user' as const, octets: new Uint8Array(octets) }))
    const parts = messages.map(encodeMessage)
    const packet = sealPacket(parts, terms)
    const keys = terms.key === null ? [] : [OTHER, terms.key]
    t.deepEqual(openPacket(Buffer.from(packet), { label: terms.label, keys }),
      { messages, faults: [] })
    const compound = parts.length === 1 ? 0 : 2 + 2 * parts.length
    const octets = parts.reduce((sum, part) => sum + part.length, compound)
    t.true(packet.length <= octets + packetOverheadOctets(terms))
  }), { numRuns: 300 })
})
