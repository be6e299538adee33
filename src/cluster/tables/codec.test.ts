// Messages as octets: both ways, at their limits, and with anything at all inside.
import test from 'ava'
import fc from 'fast-check'
import { makeRandom, pick } from '../../base/prng.ts'
import { Bodies, DATAGRAM_BODY_OCTETS, encodeRow } from './bodies.ts'
import {
  type CodecFault, DATAGRAM_OCTETS_MAX, decodeMessage, encodeMessage, type Header, HEADER_OCTETS,
  type Message, MESSAGE_OCTETS_MAX, STREAM_OCTETS_MAX,
} from './codec.ts'
import { encodeList, encodeRoots, encodeSums, encodeWant, type Item } from './item-codec.ts'
import { DEPTH_MAX, makeSums, partOf } from './key-tree.ts'
import { OctetReader, OctetWriter } from './octets.ts'
import { isKey } from './row-codec.ts'
import { NO_OCTETS, type Row } from './rows.ts'

const HEADER: Header = { flags: 3, from: -7, to: 7, epoch: 2 ** 32 - 1, sequence: 9, wallMs: 1e12 }

const key = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter(isKey),
  fc.constantFrom('a/b', 'k', 'x'.repeat(255)),
)
const row: fc.Arbitrary<Row> = fc.record({
  table: fc.constantFrom('specs', 'endpoints'), key,
  value: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null }),
  proof: fc.oneof(fc.constant(NO_OCTETS), fc.uint8Array({ maxLength: 100 })),
  stamp: fc.record({
    ms: fc.integer({ min: 0, max: 2 ** 48 - 1 }), counter: fc.integer({ min: 0, max: 65535 }),
    node: fc.constantFrom('a', 'node-2.x', 'z'.repeat(64)),
    epoch: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  }),
})

function read(octets: Uint8Array): Message {
  const message = decodeMessage(octets)
  if (typeof message === 'string') throw new Error(message)
  return message
}

function itemOf(body: Uint8Array): Item {
  return read(encodeMessage(HEADER, body)).items[0]!
}

test('rows get through, in as few messages as they need', t => {
  fc.assert(fc.property(fc.array(row, { maxLength: 60 }), fc.boolean(), (rows, isReliable) => {
    const bodies = new Bodies(true, isReliable)
    for (const one of rows) bodies.add(one.table, encodeRow(one, 5000))
    const found: Row[] = []
    for (const body of bodies.done()) {
      const octets = encodeMessage(HEADER, body.octets)
      t.true(octets.length <= (body.isReliable ? STREAM_OCTETS_MAX : DATAGRAM_OCTETS_MAX))
      const { header, items } = read(octets)
      t.deepEqual(header, HEADER)
      for (const item of items) {
        if (item.kind !== 'rows' || !item.isNews) throw new Error('no news')
        for (const aged of item.rows) {
          found.push(aged.row)
          t.is(aged.ageMs, aged.row.value === null ? 5000 : 0)
        }
      }
    }
    t.deepEqual(found, rows)
  }), { numRuns: 300 })
})

test('the largest row fits into a stream, and not into a datagram', t => {
  const stamp = { ms: 2 ** 48 - 1, counter: 65535, node: 'z'.repeat(64), epoch: 2 ** 32 - 1 }
  const largest: Row = {
    table: 't'.repeat(32), key: 'k'.repeat(255), value: new Uint8Array(4096),
    proof: new Uint8Array(1024), stamp,
  }
  const bodies = new Bodies(false)
  bodies.add(largest.table, encodeRow(largest, 0))
  const [body] = bodies.done()
  t.true(body!.isReliable && body!.octets.length > DATAGRAM_BODY_OCTETS)
  const item = itemOf(body!.octets)
  t.deepEqual(item.kind === 'rows' && item.rows[0]?.row, largest)
})

test('digests, lists and wants get through', t => {
  const roots = [{ table: 'specs', high: -1, low: 1, count: 3 }]
  t.deepEqual(itemOf(encodeRoots(roots)), { kind: 'roots', roots })
  const sums = makeSums()
  for (const i of [0, 31, 32, 63]) {
    sums.high[i] = i - 40
    sums.low[i] = ~i
    sums.counts[i] = 1
  }
  const first = partOf(0, 0, 63)
  t.deepEqual(itemOf(encodeSums('specs', 1, first, sums)),
    { kind: 'sums', table: 'specs', depth: 1, first, sums })
  const listed = [{ key: 'ä/b', ms: 2 ** 47, counter: 5, hash: -9 }]
  t.deepEqual(itemOf(encodeList('specs', 5, 2 ** 32 - 1, listed)),
    { kind: 'list', table: 'specs', first: 5, last: 2 ** 32 - 1, listed })
  t.deepEqual(itemOf(encodeWant('specs', ['a', 'b'])),
    { kind: 'want', table: 'specs', keys: ['a', 'b'] })
})

const header = encodeMessage(HEADER, NO_OCTETS)
const with_ = (...octets: number[]): Uint8Array => Uint8Array.of(...header, ...octets)
const text = (word: string): number[] => [word.length, ...new TextEncoder().encode(word)]
const refusals: [name: string, octets: Uint8Array, fault: CodecFault][] = [
  ['nothing', NO_OCTETS, 'malformed'],
  ['half a header', header.subarray(0, HEADER_OCTETS - 1), 'malformed'],
  ['another first octet', Uint8Array.of(0x55, ...header.subarray(1)), 'malformed'],
  ['another version', Uint8Array.of(0x54, 2, ...header.subarray(2)), 'version'],
  ['too much', new Uint8Array(MESSAGE_OCTETS_MAX + 1), 'long'],
  ['an unknown item', with_(99), 'malformed'],
  ['a table without a name', with_(1, 0, 0), 'malformed'],
  ['a table in capitals', with_(1, ...text('A'), 0), 'malformed'],
  ['rows without an end', with_(1, ...text('a')), 'malformed'],
  ['an unknown flag of a row', with_(1, ...text('a'), 0x88), 'malformed'],
  ['sums too deep', with_(4, ...text('a'), DEPTH_MAX, ...Array(12).fill(0)), 'malformed'],
  ['sums of no stretch', with_(4, ...text('a'), 0, 0, 0, 0, 1, ...Array(8).fill(0)), 'malformed'],
  ['a list that runs back', with_(5, ...text('a'), 0, 0, 0, 2, 0, 0, 0, 1, 0), 'malformed'],
  ['a want of more than there is', with_(6, ...text('a'), 0xff, 0x7f), 'malformed'],
  ['a count of 35 bits', with_(6, ...text('a'), 255, 255, 255, 255, 127), 'malformed'],
  ['a key that is no UTF-8', with_(6, ...text('a'), 1, 1, 0xff), 'malformed'],
]
for (const [name, octets, fault] of refusals) {
  test(`refused: ${name}`, t => t.is(decodeMessage(octets), fault))
}

test('rows that cannot be are refused', t => {
  const good: Row = {
    table: 'specs', key: 'a/b', value: NO_OCTETS, proof: NO_OCTETS,
    stamp: { ms: 1, counter: 1, node: 'a', epoch: 1 },
  }
  const body = (one: Row): Uint8Array => {
    const bodies = new Bodies(true)
    bodies.add(one.table, encodeRow(one, 0))
    return encodeMessage(HEADER, bodies.done()[0]!.octets)
  }
  t.is(typeof decodeMessage(body(good)), 'object')
  const bad: Row[] = [
    { ...good, key: '' }, { ...good, key: 'a\u0000' },
    { ...good, stamp: { ...good.stamp, node: 'a b' } },
    { ...good, value: new Uint8Array(4097) }, { ...good, proof: new Uint8Array(1025) },
  ]
  for (const one of bad) t.is(decodeMessage(body(one)), 'malformed')
})

test('keys', t => {
  const good = ['a', 'a/b', 'ä'.repeat(127), 'x'.repeat(255)]
  const bad = ['', 'ä'.repeat(128), 'a\n', '\u007f', '\ud800', 'x'.repeat(256)]
  t.deepEqual([...good, ...bad].filter(isKey), good)
})

test('numbers and texts of all sizes', t => {
  const writer = new OctetWriter(1)
  const numbers = [0, 127, 128, 16_383, 16_384, 2 ** 32 - 1]
  for (const number of numbers) writer.varint(number)
  writer.text('x'.repeat(255))
  writer.u48(2 ** 48 - 1)
  const reader = new OctetReader(writer.done())
  t.deepEqual(numbers.map(() => reader.varint(2 ** 32 - 1)), numbers)
  t.is(reader.text(), 'x'.repeat(255))
  t.is(reader.u48(), 2 ** 48 - 1)
  t.true(reader.isGood && reader.left === 0)
  t.is(reader.u8(), 0)
  t.false(reader.isGood)
})

const SEED = Number(process.env['FUZZ_SEED'] ?? (Math.random() * 2 ** 32) >>> 0)

test(`messages with anything inside are read in bounds (FUZZ_SEED=${SEED})`, t => {
  t.timeout(120_000)
  const random = makeRandom(SEED)
  const samples = fc.sample(row, { numRuns: 50, seed: SEED })
  const bodies = new Bodies(true)
  for (const one of samples) bodies.add(one.table, encodeRow(one, 1000))
  const sums = makeSums().counts.fill(1)
  bodies.addItem(encodeSums('specs', 2, 0, { ...makeSums(), counts: sums }))
  bodies.addItem(encodeList('specs', 0, 9, [{ key: 'k', ms: 1, counter: 2, hash: 3 }]))
  bodies.addItem(encodeWant('specs', ['a', 'b']))
  bodies.addItem(encodeRoots([{ table: 'specs', high: 1, low: 2, count: 3 }]))
  const messages = bodies.done().map(body => encodeMessage(HEADER, body.octets))
  let good = 0
  for (let i = 0; i < 200_000; i += 1) {
    const octets = Uint8Array.from(messages[pick(random, messages.length)]!)
    for (let flips = pick(random, 4); flips >= 0; flips -= 1) {
      octets[pick(random, octets.length)] = random()
    }
    const cut = pick(random, 3) === 0 ? octets.subarray(0, pick(random, octets.length)) : octets
    const message = decodeMessage(cut)
    if (typeof message === 'object') good += 1
  }
  t.true(good > 1000, 'some changes do no harm')
})
