// Streams of the mesh: sealed as Go seals them, read in whatever pieces they come, and refused with
// the right reason as early as it is known.
import test from 'ava'
import fc from 'fast-check'
import { randomBytes } from 'node:crypto'
import { encodeStreamMessage } from '../wire/memberlist/encode.ts'
import type { MemberlistFault } from '../wire/memberlist/faults.ts'
import { encodeCompressed } from '../wire/memberlist/frames.ts'
import type { PushedNode, StreamMessage } from '../wire/memberlist/messages.ts'
import { decodeStreamMessage, STREAM_OCTETS_MAX } from '../wire/memberlist/stream-decoder.ts'
import { goVector } from '../wire/memberlist/vectors.test-kit.ts'
import { hexOf, octetsOf } from '../wire/vectors.test-kit.ts'
import type { StreamReaderTerms, StreamTerms } from './mesh-stream.ts'
import { sealStream, StreamReader } from './mesh-stream.ts'

const text = (words: string) => new TextEncoder().encode(words)
const KEY = text('0123456789abcdef')
const OTHER = text('fedcba9876543210')

const versions = {
  protocolMin: 1, protocolMax: 5, protocol: 2, delegateMin: 0, delegateMax: 0, delegate: 0,
}
const someNode: PushedNode = {
  node: 'n1', address: Uint8Array.of(10, 99, 0, 1), port: 7946, meta: text('m'), incarnation: 1,
  state: 'alive', versions,
}
const pushPull: StreamMessage = {
  type: 'push-pull', join: true, userState: text('state'),
  nodes: Array.from({ length: 50 }, (_, i) => ({ ...someNode, node: `node${i}` })),
}
const messages: StreamMessage[] = [
  pushPull,
  { type: 'push-pull', join: false, userState: new Uint8Array(0), nodes: [] },
  { type: 'user', octets: new Uint8Array(3000) },
  { type: 'user', octets: new Uint8Array(0) },
  { type: 'ping', sequenceNumber: 7, node: 'n2', sourceAddress: new Uint8Array(0), sourcePort: 0,
    sourceNode: '' },
  { type: 'ack', sequenceNumber: 7, payload: null },
  { type: 'error', text: 'no' },
]

const clear: StreamTerms = {
  label: '', key: null, compress: false, side: 'caller', random: n => randomBytes(n),
}
const read = (terms: Partial<StreamReaderTerms> = {}) =>
  new StreamReader({ label: '', keys: [], side: 'caller', ...terms })

for (const version of [0, 1] as const) {
  test(`as Go does it: stream with a seal of version ${version}`, t => {
    const golden = goVector(`stream-protocol-${version + 1}-ping`)
    const decoded = decodeStreamMessage(goVector('ping'))
    if ('fault' in decoded) throw new Error(decoded.fault)
    const random = () => golden.slice(6, 18)
    const terms = { ...clear, key: KEY, sealVersion: version, random }
    t.is(hexOf(sealStream(decoded.message, terms)), hexOf(golden))
    t.deepEqual(read({ keys: [OTHER, KEY] }).push(golden), decoded)
  })
}

const anyTerms = fc.record({
  label: fc.constantFrom('', 'mesh'),
  key: fc.constantFrom(null, KEY),
  sealVersion: fc.constantFrom(0 as const, 1 as const),
  compress: fc.boolean(),
  side: fc.constantFrom('caller' as const, 'answerer' as const),
  random: fc.constant((octets: number) => randomBytes(octets)),
})

test('whatever is sealed is read, in whatever pieces it comes', t => {
  const pieces = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 })
  fc.assert(fc.property(anyTerms, fc.constantFrom(...messages), pieces, (terms, message, sizes) => {
    const stream = Buffer.from(sealStream(message, terms))
    const reader = read({ ...terms, keys: terms.key === null ? [] : [OTHER, terms.key] })
    let at = 0
    for (let i = 0; at < stream.length; i += 1) {
      const size = sizes[i % sizes.length]!
      const result = reader.push(stream.subarray(at, at + size))
      at += size
      if (at < stream.length) t.is(result, undefined)
      else t.deepEqual(result, { message })
    }
    t.deepEqual(reader.push(stream), { message }, 'what follows is ignored')
    t.deepEqual(reader.end(), { message })
  }), { numRuns: 200 })
})

test('a stream that ends too early is cut, wherever it ends', t => {
  for (const key of [null, KEY]) {
    for (const compress of [false, true]) {
      const stream = sealStream(pushPull, { ...clear, key, compress, label: 'mesh' })
      for (let end = 0; end < stream.length; end += 1) {
        const reader = read({ label: 'mesh', keys: key === null ? [] : [key] })
        t.is(reader.push(stream.subarray(0, end)), undefined)
        t.deepEqual(reader.end(), { fault: end === 0 ? 'empty' : 'cut' })
      }
    }
  }
})

const sealed = sealStream(pushPull, { ...clear, key: KEY })
const bareUser = (octets: number) => Uint8Array.of(
  ...octetsOf('0881aa557365724d73674c656ece'), ...octetsOf(octets.toString(16).padStart(8, '0')))
type Refused = [
  name: string, octets: Uint8Array, terms: Partial<StreamReaderTerms>, fault: MemberlistFault,
]
const refused: Refused[] = [
  ['no such message', Uint8Array.of(0xff), {}, 'unknown-type'],
  ['suspect', Uint8Array.of(3), {}, 'unexpected-type'],
  ['in the clear, though there is a key', Uint8Array.of(6), { keys: [KEY] }, 'not-sealed'],
  ['sealed, though there is no key', Uint8Array.of(10), {}, 'sealed'],
  ['another key', sealed, { keys: [OTHER] }, 'no-key-fits'],
  ['no label', Uint8Array.of(6), { label: 'mesh' }, 'no-label'],
  ['another label', octetsOf('f4046d6171'), { label: 'mesh' }, 'other-label'],
  ['a label, where there should be none', octetsOf('f4'), {}, 'other-label'],
  ['a label in an answer', octetsOf('f4'), { label: 'mesh', side: 'answerer' }, 'other-label'],
  ['sealed for another label', sealed, { keys: [KEY], side: 'answerer', label: 'mesh' },
    'no-key-fits'],
  ['a seal that is too long', octetsOf('0affffffff'), { keys: [KEY] }, 'too-large'],
  ['a seal of one octet', octetsOf('0a0000000101'), { keys: [KEY] }, 'cut'],
  ['a seal of no octets', octetsOf('0a00000000'), { keys: [KEY] }, 'cut'],
  ['a user message that is too long', bareUser(STREAM_OCTETS_MAX + 1), {}, 'out-of-range'],
  ['packed twice', encodeCompressed(encodeCompressed(encodeStreamMessage(pushPull))), {},
    'unexpected-type'],
  ['a pack that is cut inside', encodeCompressed(encodeStreamMessage(pushPull).subarray(0, 99)),
    {}, 'cut'],
  ['a pack of nothing', encodeCompressed(new Uint8Array(0)), {}, 'empty'],
  ['a pack that becomes too large', encodeCompressed(new Uint8Array(100_000)),
    { octetsMax: 99_999 }, 'too-large'],
  ['more than may be held', encodeStreamMessage(pushPull), { octetsMax: 1000 }, 'too-large'],
]
for (const [name, octets, terms, fault] of refused) {
  test(`refused: ${name}`, t => t.deepEqual(read(terms).push(octets), { fault }))
}

test('a stream that never ends is refused at its limit', t => {
  const reader = read()
  const chunk = new Uint8Array(1024 * 1024)
  t.is(reader.push(bareUser(STREAM_OCTETS_MAX)), undefined)
  for (let i = 0; i < 19; i += 1) t.is(reader.push(chunk), undefined)
  t.deepEqual(reader.push(chunk), { fault: 'too-large' })
})

test('a large push/pull in small pieces is read once, not over and over', t => {
  const nodes = Array.from({ length: 20_000 }, (_, i) => ({ ...someNode, node: `node${i}` }))
  const message: StreamMessage = { type: 'push-pull', join: true, nodes, userState: text('end') }
  const stream = encodeStreamMessage(message)
  const reader = read()
  const startedMs = performance.now()
  let result
  for (let at = 0; at < stream.length; at += 512) {
    result = reader.push(stream.subarray(at, at + 512))
  }
  t.true(result !== undefined && 'message' in result)
  t.true(performance.now() - startedMs < 5000)
})
