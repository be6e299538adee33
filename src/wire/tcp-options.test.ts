// The MSS option: found wherever it stands, and lowered with nothing else changed, so that the
// checksum says of the segment what it said before. fast-check prints the seed of a failing run.
import test from 'ava'
import fc from 'fast-check'
import { complementSum, foldSum, pseudoSumIpv4, sumOctets } from './checksum.ts'
import { IPV4_HEADER_OCTETS, PROTOCOL_TCP, writeIpv4Header } from './ipv4.ts'
import { lowerTcpMss, tcpMssAt } from './tcp-options.ts'
import { TCP_CHECKSUM_FIELD, TCP_HEADER_OCTETS, TCP_SYN, writeTcpHeader } from './tcp.ts'
import { AT, INNER_IPV4_PAYLOAD, octetsOf, ringOf, vector } from './vectors.test-kit.ts'

const FIXED = '9c40 0050 00000001 00000000'

/** A SYN header with these options, at AT in a memory that is noise elsewhere. */
function synOf(options: string): [dv: DataView, headerOctets: number] {
  const octets = TCP_HEADER_OCTETS + octetsOf(options).length
  const offset = (octets << 2).toString(16).padStart(2, '0')
  return [ringOf(`${FIXED} ${offset}02 ffff 0000 0000 ${options}`), octets]
}

const rows: [name: string, options: string, mssAt: number][] = [
  ['alone', '020405b4', 22],
  ['first of many, as Linux sends it', '020405b4 0402 080a 01020304 00000000 01 030307', 22],
  ['behind one octet of nothing', '01 020405b4 000000', 23],
  ['behind two', '0101 020405b4 0000', 24],
  ['behind one that nobody knows', 'fd04 9999 020405b4', 26],
  ['behind one without a value', '0402 020405b4 0000', 24],
  ['last in the longest header', '0101 '.repeat(18) + '020405b4', 58],
  ['of several, the last', '020405b4 02040218', 26],
  ['behind three', '0101010204 05b4 00', 25],
]
const refused: [name: string, options: string][] = [
  ['no options', ''],
  ['none of them', '0402 080a 01020304 00000000'],
  ['nothing but padding', '01010101'],
  ['behind the end of the list', '00 020405b4 000000'],
  ['too short a length', '020205b4'],
  ['too long a length', '020605b4 0000 0000'],
  ['cut off by the end of the header', '01 01 02 04'],
  ['its length is cut off', '010101 02'],
  ['another one has length 0', 'fd00 020405b4 0000'],
  ['another one has length 1', 'fd01 020405b4 0000'],
  ['another one behind it has length 0', '020405b4 fd00 0000'],
  ['another one behind it is longer than the header', '020405b4 fd05 0000'],
  ['a kind without a length behind it', '020405b4 010101 fd'],
  ['options signed as TCP-AO does it', '020405b4 1d10 0101 000102030405060708090a0b'],
]
for (const [name, options, mssAt] of rows) {
  test(`mss: ${name}`, t => {
    t.is(tcpMssAt(...withAt(synOf(options))), AT + mssAt)
  })
}
for (const [name, options] of refused) {
  test(`mss: none is to be changed: ${name}`, t => {
    const [dv, octets] = synOf(options)
    const before = new Uint8Array(dv.buffer).slice()
    t.is(tcpMssAt(dv, AT, octets), -1)
    t.false(lowerTcpMss(dv, AT, octets, 500, false))
    t.deepEqual(new Uint8Array(dv.buffer), before)
  })
}

function withAt([dv, octets]: [DataView, number]): [DataView, number, number] {
  return [dv, AT, octets]
}

test('mss: that of a golden segment', t => {
  const dv = ringOf(vector('tcp-syn'))
  const at = AT + INNER_IPV4_PAYLOAD
  t.is(dv.getUint16(tcpMssAt(dv, at, 40)), 1410)
})

/** Options but MSS, each of which a header may have anywhere. */
const others = fc.array(fc.oneof(fc.constant([1]), fc.constant([4, 2]), fc.constant([3, 3, 7]),
  fc.uint8Array({ maxLength: 6 }).map(value => [253, value.length + 2, ...value])),
{ maxLength: 4 }).map(list => list.flat())
const syn = fc.record({
  before: others, after: others, mss: fc.nat(0xffff), to: fc.nat(0xffff),
  payload: fc.uint8Array({ maxLength: 31 }),
  ends: fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(0xffff), fc.nat(0xffff)),
  isPartial: fc.boolean(),
}).filter(({ before, after }) => before.length + after.length <= 36)
type Syn = typeof syn extends fc.Arbitrary<infer T> ? T : never

const L4 = AT + IPV4_HEADER_OCTETS

/** An IPv4 packet with a SYN that says `mss`; its checksum is right, or the pseudo-header's sum. */
function packetOf({ before, after, payload, ends, isPartial }: Syn, mss: number) {
  const options = [...before, 2, 4, mss >> 8, mss & 0xff, ...after]
  while (options.length % 4 !== 0) options.push(0)
  const headerOctets = TCP_HEADER_OCTETS + options.length
  const octets = headerOctets + payload.length
  const dv = ringOf(new Uint8Array(IPV4_HEADER_OCTETS + octets))
  writeIpv4Header(dv, AT, IPV4_HEADER_OCTETS + octets, PROTOCOL_TCP, 64, 0, ends[0], ends[1], 7,
    true)
  writeTcpHeader(dv, L4, ends[2], ends[3], 5, 0, headerOctets, TCP_SYN, 65_535, 0)
  const memory = new Uint8Array(dv.buffer)
  memory.set(options, L4 + TCP_HEADER_OCTETS)
  memory.set(payload, L4 + headerOctets)
  const pseudo = pseudoSumIpv4(dv, AT, PROTOCOL_TCP, octets)
  dv.setUint16(L4 + TCP_CHECKSUM_FIELD, isPartial ? foldSum(pseudo)
    : complementSum(sumOctets(dv, L4, octets, pseudo)))
  return { dv, memory, headerOctets, octets }
}

const totalOf = (dv: DataView, octets: number): number =>
  foldSum(sumOctets(dv, L4, octets, pseudoSumIpv4(dv, AT, PROTOCOL_TCP, octets)))

test('a lowered segment is the one that would have been sent with the lower number', t => {
  fc.assert(fc.property(syn, one => {
    const { dv, memory, headerOctets, octets } = packetOf(one, one.mss)
    t.is(lowerTcpMss(dv, L4, headerOctets, one.to, one.isPartial), one.to < one.mss)
    const wanted = packetOf(one, Math.min(one.mss, one.to)).memory
    if (!one.isPartial) t.is(totalOf(dv, octets), 0xffff)
    // The two zeros of a checksum are one number, so it is compared by what it makes of the whole.
    wanted.set(memory.subarray(L4 + TCP_CHECKSUM_FIELD, L4 + TCP_CHECKSUM_FIELD + 2),
      L4 + TCP_CHECKSUM_FIELD)
    t.deepEqual(memory, wanted)
    if (one.isPartial) {
      t.is(dv.getUint16(L4 + TCP_CHECKSUM_FIELD),
        packetOf(one, one.mss).dv.getUint16(L4 + TCP_CHECKSUM_FIELD))
    }
  }), { numRuns: 2000 })
})

test('a damaged segment stays as damaged as it was', t => {
  fc.assert(fc.property(syn, fc.nat(), (one, n) => {
    const { dv, memory, headerOctets, octets } = packetOf({ ...one, isPartial: false }, one.mss)
    const at = L4 + headerOctets + n % Math.max(1, one.payload.length)
    if (one.payload.length > 0) memory[at]! ^= 0xa5
    const before = totalOf(dv, octets)
    lowerTcpMss(dv, L4, headerOctets, one.to, false)
    t.is(totalOf(dv, octets), before)
  }), { numRuns: 1000 })
})

test('of options that are any octets nothing is read or written outside', t => {
  const any = fc.uint8Array({ maxLength: 10 }).chain(words =>
    fc.uint8Array({ minLength: words.length * 4, maxLength: words.length * 4 }))
  const likely = fc.array(fc.constantFrom(0, 1, 2, 2, 3, 4, 5, 8, 29, 255), {
    minLength: 40, maxLength: 40 }).map(list => Uint8Array.from(list))
  fc.assert(fc.property(fc.oneof(any, likely), fc.nat(0xffff), (options, to) => {
    const headerOctets = TCP_HEADER_OCTETS + options.length
    const memory = new Uint8Array(headerOctets)
    memory.set(options, TCP_HEADER_OCTETS)
    const before = memory.slice()
    const dv = new DataView(memory.buffer) // whatever is beyond throws
    const mssAt = tcpMssAt(dv, 0, headerOctets)
    lowerTcpMss(dv, 0, headerOctets, to, false)
    for (let i = 0; i < headerOctets; i++) {
      const isFree = i >> 1 === TCP_CHECKSUM_FIELD >> 1 || (mssAt >= 0 && i >= mssAt
        && i < mssAt + 2)
      if (!isFree && memory[i] !== before[i]) throw new Error(`octet ${i}`)
    }
  }), { numRuns: 5000 })
  t.pass()
})
