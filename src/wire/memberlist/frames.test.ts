// What is around messages: packs, compounds, checksums and labels, as Go makes them; packets that
// stop other members; and limits.
import test from 'ava'
import fc from 'fast-check'
import { hexOf, octetsOf } from '../vectors.test-kit.ts'
import { crc32 } from './checksum.ts'
import { decodeMessage } from './decode.ts'
import type { MemberlistFault } from './faults.ts'
import {
  decodeCompressed, encodeCompound, encodeCompressed, labelHeader, labelOctets, MESSAGES_MAX,
  openEnvelopes, PACKET_OCTETS_MAX, withChecksum,
} from './frames.ts'
import { lzwPack, lzwUnpack } from './lzw.ts'
import type { PacketMessage } from './messages.ts'
import { goVector } from './vectors.test-kit.ts'

const text = (words: string) => new TextEncoder().encode(words)
const PING = goVector('ping')
const HI = octetsOf('086869')
const hi: PacketMessage = { type: 'user', octets: text('hi') }
const OCTETS_MAX = 1_000_000

function messageOf(octets: Uint8Array): PacketMessage {
  const decoded = decodeMessage(octets)
  if ('fault' in decoded) throw new Error(decoded.fault)
  return decoded.message
}

/** What scripts/memberlist-vectors.go packs as "noise". */
function noise(): Uint8Array {
  let state = 1
  return Uint8Array.from({ length: 6000 }, () => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0
    return state >>> 24 & 0x3f
  })
}

// ---- LZW ----

const packs: [name: string, octets: Uint8Array][] = [
  ['lzw-none', new Uint8Array(0)],
  ['lzw-ping', PING],
  ['lzw-a-40', text('a'.repeat(40))],
  ['lzw-noise-6000', noise()],
]
for (const [name, octets] of packs) {
  test(`as Go does it: ${name}`, t => {
    const golden = goVector(name)
    t.is(hexOf(lzwPack(octets)), hexOf(golden))
    t.deepEqual(lzwUnpack(golden, OCTETS_MAX), octets)
    if (octets.length === 0) return
    t.deepEqual(lzwUnpack(golden, octets.length), octets)
    t.is(lzwUnpack(golden, octets.length - 1), 'too-large')
    for (let end = 0; end < Math.min(golden.length, 200); end += 1) {
      t.is(lzwUnpack(golden.subarray(0, end), OCTETS_MAX), 'bad-compression')
    }
  })
}

test('whatever is packed comes back', t => {
  const short = fc.uint8Array({ maxLength: 2000 })
  // Few values make long strings; many octets fill the table, which is then cleared.
  const repetitive = fc.array(fc.constantFrom(0, 1, 255), { minLength: 1, maxLength: 30 }).chain(
    piece => fc.integer({ min: 1, max: 2000 }).map(times =>
      Uint8Array.from({ length: piece.length * times }, (_, i) => piece[i % piece.length]!)))
  const long = fc.integer().map(seed => {
    let state = seed
    return Uint8Array.from({ length: 30_000 }, () => {
      state = Math.imul(state, 1664525) + 1013904223 | 0
      return state >>> 24
    })
  })
  fc.assert(fc.property(fc.oneof(short, repetitive, long), octets => {
    const back = lzwUnpack(lzwPack(octets), OCTETS_MAX)
    return typeof back !== 'string' && Buffer.compare(back, octets) === 0
  }), { numRuns: 300 })
  t.pass()
})

/** Codes in 9 bits, the first bit lowest, without the growth that comes after 255 of them. */
function codes(...list: number[]): Uint8Array {
  const octets = new Uint8Array(Math.ceil(list.length * 9 / 8))
  for (const [i, code] of list.entries()) {
    for (let bit = 0; bit < 9; bit += 1) {
      const at = i * 9 + bit
      octets[at >>> 3]! |= (code >>> bit & 1) << (at & 7)
    }
  }
  return octets
}

const unpacked: [name: string, packed: Uint8Array, octets: string][] = [
  ['no clear at the start', codes(97, 98, 257), '6162'],
  ['a code that is just being given', codes(256, 97, 258, 257), '616161'],
  ['clear twice', codes(256, 256, 97, 256, 98, 257), '6162'],
  ['what follows the end is ignored', codes(97, 257, 511, 511), '61'],
]
for (const [name, packed, octets] of unpacked) {
  test(`unpacked: ${name}`, t => t.is(hexOf(lzwUnpack(packed, 9) as Uint8Array), octets))
}

const badCodes: [name: string, packed: Uint8Array][] = [
  ['nothing', new Uint8Array(0)],
  ['no end', codes(256, 97)],
  ['a code that nobody gave', codes(256, 97, 259, 257)],
  ['a code with nothing before it', codes(256, 258, 257)],
]
for (const [name, packed] of badCodes) {
  test(`not unpacked: ${name}`, t => t.is(lzwUnpack(packed, 9), 'bad-compression'))
}

test('a small pack cannot become large', t => {
  const bomb = lzwPack(new Uint8Array(10_000_000))
  t.true(bomb.length < 20_000)
  t.is(lzwUnpack(bomb, PACKET_OCTETS_MAX), 'too-large')
})

test('as Go does it: compress-ping', t => {
  const golden = goVector('compress-ping')
  t.is(hexOf(encodeCompressed(PING)), hexOf(golden))
  t.deepEqual(decodeCompressed(golden, OCTETS_MAX), { octets: PING })
  t.deepEqual(openEnvelopes(golden), { messages: [messageOf(PING)], faults: [] })
})

test('an algorithm that is not LZW is refused', t => {
  const other = octetsOf(hexOf(goVector('compress-ping')).replace('416c676f00', '416c676f01'))
  t.deepEqual(openEnvelopes(other), { messages: [], faults: ['bad-compression'] })
})

// ---- compound, checksum, label ----

test('as Go does it: compound', t => {
  const golden = goVector('compound')
  t.is(hexOf(encodeCompound([PING, HI])), hexOf(golden))
  t.deepEqual(openEnvelopes(golden), { messages: [messageOf(PING), hi], faults: [] })
  t.is(encodeCompound([PING]), PING)
})

test('as Go does it: checksum', t => {
  const golden = goVector('checksum-ping')
  t.is(hexOf(withChecksum(PING)), hexOf(golden))
  t.deepEqual(openEnvelopes(golden), { messages: [messageOf(PING)], faults: [] })
  // The check value of CRC-32 in every catalogue of them.
  t.is(crc32(text('123456789')), 0xcbf43926)
})

test('many messages are compounds that the oldest member counts rightly', t => {
  const packet = encodeCompound(Array.from({ length: MESSAGES_MAX }, () => HI))
  t.is(packet[1], 2)
  const { messages, faults } = openEnvelopes(packet)
  t.is(messages.length, MESSAGES_MAX)
  t.deepEqual(faults, [])
})

const opened: [name: string, hex: string, messages: number, faults: string[]][] = [
  ['nothing', '', 0, ['empty']],
  ['stops others: an empty part', '07010000', 0, ['empty']],
  ['stops others: a bare checksum', '0c00000000', 0, ['empty']],
  ['stops others: a compound of 128 parts that are not there', '0780', 0, ['cut']],
  ['stops others: alive with five versions',
    '0485a441646472a40a630001ab496e6361726e6174696f6e01a44e6f6465a26e31a4506f7274cd1f0a'
    + 'a356736ea50105020000', 0, ['bad-versions']],
  ['a checksum that is cut', '0c000000', 0, ['cut']],
  ['a checksum of something else', `0c00000000${hexOf(PING)}`, 0, ['bad-checksum']],
  ['a checksum inside a compound', '07010006' + '0c0000000008', 0, ['unexpected-type']],
  ['a label inside', 'f4016108', 0, ['unexpected-type']],
  ['no part', '0700', 0, []],
  ['a compound without its count', '07', 0, ['cut']],
  ['lengths are cut', '070200', 0, ['cut']],
  ['the second part is cut', '070200030003' + '0868690868', 1, ['cut']],
  ['the first part is bad', '070200010003' + '00' + '086869', 1, ['cut']],
  ['compound in compound', '07010007' + '07010003' + '086869', 1, []],
]
for (const [name, hex, messages, faults] of opened) {
  test(`opened: ${name}`, t => {
    const result = openEnvelopes(octetsOf(hex))
    t.is(result.messages.length, messages)
    t.deepEqual(result.faults, faults)
  })
}

test('four envelopes are opened, five are not', t => {
  const wrapped = (times: number) => {
    let packet = HI
    for (let i = 0; i < times; i += 1) {
      packet = i % 2 === 0 ? encodeCompressed(packet)
        : new Uint8Array([7, 1, packet.length >>> 8, packet.length, ...packet])
    }
    return packet
  }
  t.deepEqual(openEnvelopes(wrapped(4)), { messages: [hi], faults: [] })
  t.deepEqual(openEnvelopes(wrapped(5)), { messages: [], faults: ['too-deep'] })
})

test('a packet holds 255 parts, however they are nested', t => {
  const full = new Uint8Array([7, 255, ...Array.from({ length: 255 }, () => [0, 1]).flat(),
    ...Array.from({ length: 255 }, () => 8)])
  t.is(openEnvelopes(full).messages.length, 255)
  const two = encodeCompound([full, full])
  const { messages, faults } = openEnvelopes(two)
  t.is(messages.length, 254)
  t.deepEqual(faults, ['too-many-parts', 'too-many-parts'])
})

test('all packs of a packet together open to 64 KiB', t => {
  const half = encodeCompressed(new Uint8Array(PACKET_OCTETS_MAX / 2).fill(8))
  t.deepEqual(openEnvelopes(encodeCompound([half, half])).faults, [])
  const { messages, faults } = openEnvelopes(encodeCompound([half, HI, half, half, half]))
  t.is(messages.length, 3)
  t.deepEqual(faults, ['too-large', 'too-large'])
})

test('more octets than a datagram has are refused', t => {
  t.deepEqual(openEnvelopes(new Uint8Array(PACKET_OCTETS_MAX).fill(8)).faults, [])
  t.deepEqual(openEnvelopes(new Uint8Array(PACKET_OCTETS_MAX + 1).fill(8)).faults, ['too-large'])
})

const labels: [name: string, hex: string, label: string, result: number | MemberlistFault][] = [
  ['none, and none wanted', '08', '', 0],
  ['as wanted', 'f40361626308', 'abc', 5],
  ['as wanted, and nothing behind it', 'f403616263', 'abc', 5],
  ['none', '08', 'abc', 'no-label'],
  ['one too many', 'f40361626308', '', 'other-label'],
  ['another', 'f40361626408', 'abc', 'other-label'],
  ['a longer one', 'f4046162636408', 'abc', 'other-label'],
  ['an empty one', 'f40008', 'abc', 'other-label'],
  ['cut', 'f4036162', 'abc', 'cut'],
  ['nothing', '', 'abc', 'cut'],
]
for (const [name, hex, label, result] of labels) {
  test(`label: ${name}`, t => t.is(labelOctets(octetsOf(hex), text(label)), result))
}

test('a label is written with its length', t => {
  t.is(hexOf(labelHeader(text('abc'))), 'f403616263')
  t.is(hexOf(labelHeader(text(''))), '')
  t.throws(() => labelHeader(new Uint8Array(256)))
})
