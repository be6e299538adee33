// Questions and answers as octets: what is read, what is refused and how, what fits into a
// datagram, and that no octets whatever make the reader throw or take long.
import dnsPacket from 'dns-packet'
import test from 'ava'
import fc from 'fast-check'
import {
  datagramLimit, FLAG_AUTHORITATIVE, FLAG_TRUNCATED, MESSAGE_OCTETS_MAX, type NameRecord,
  type Query, QUERY_OCTETS_MAX, RCODES, readQuery, type Reading, TTL_SECONDS, TYPE_A, writeQuery,
  writeReply,
} from './names-message.ts'

const HEADER = '12340100000100000000000'
/** "WeB", A, IN */
const PLAIN = `${HEADER}0035765420000010001`
/** The same with EDNS: 1,232 octets, DNSSEC. */
const WITH_EDNS = `${HEADER}10357654200000100010000290${'4d0'}000080000000`

const read = (hex: string): Reading => readQuery(Buffer.from(hex, 'hex'))

function queryOf(hex: string): Query {
  const reading = read(hex)
  if (reading.kind !== 'query') throw new Error(`no query but ${reading.kind}`)
  return reading.query
}

test('a question is understood, and its spelling kept', t => {
  const query = queryOf(PLAIN)
  t.like(query, { id: 0x1234, name: 'web', type: TYPE_A, class: 1, isRecursionDesired: true,
    isCheckingDisabled: false, edns: null })
  t.is(query.question.toString('hex'), '03576542' + '0000010001')
  t.is(datagramLimit(query), 512)
  t.deepEqual(queryOf(WITH_EDNS).edns, { datagramOctets: 1232, isDnssecOk: true })
})

const refused: [what: string, hex: string, rcode: string][] = [
  ['no question', '123401000000000000000000', 'FORMERR'],
  ['two questions', `1234010000020000000000000357654200000100010357654200000100${'01'}`, 'FORMERR'],
  ['an answer in it', `1234010000010001000000000357654200000100${'01'}`, 'FORMERR'],
  ['sixty thousand records', `123401000001000000${'00'}ffff03576542000001000100`, 'FORMERR'],
  ['three additional records', `12340100000100000000000303576542000001000${'1'}`, 'FORMERR'],
  ['it ends in the name', `${HEADER}003576542`, 'FORMERR'],
  ['it ends in the type', `${HEADER}00357654200000`, 'FORMERR'],
  ['a pointer as name', `${HEADER}0c00c00010001`, 'FORMERR'],
  ['a pointer into the header', `${HEADER}00157c00000010001`, 'FORMERR'],
  ['a label of 64', `${HEADER}040${'61'.repeat(64)}0000010001`, 'FORMERR'],
  ['a name of 256', `${HEADER}0${`3f${'61'.repeat(63)}`.repeat(4)}0000010001`, 'FORMERR'],
  ['a name of 255', `${HEADER}0${`3f${'61'.repeat(63)}`.repeat(3)}3e${'61'.repeat(62)}0000010001`,
    'FORMERR'],
  ['an OPT that is cut', `${HEADER}1035765420000010001000029`, 'FORMERR'],
  ['two OPT', `${HEADER}2035765420000010001${'0000290200000000000000'.repeat(2)}`, 'FORMERR'],
  ['an update', '1234280000010000000000000357654200000600' + '01', 'NOTIMP'],
  ['EDNS of another version', `${HEADER}10357654200000100010000290200000100000000`, 'BADVERS'],
]
for (const [what, hex, rcode] of refused) {
  test(`refused: ${what}`, t => {
    const reading = read(hex)
    if (reading.kind !== 'refused') return t.fail(reading.kind)
    t.is(reading.rcode, rcode as typeof reading.rcode)
    t.is(reading.reply.readUInt16BE(0), 0x1234)
    t.is(reading.reply.readUInt8(2) & 0x80, 0x80, 'it is an answer')
    t.is(reading.reply.readUInt8(3) & 0xf, RCODES[reading.rcode] & 0xf)
  })
}

const ignored: [what: string, octets: Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['half a header', Buffer.alloc(11)],
  ['an answer', Buffer.from(PLAIN.replace('12340100', '12348180'), 'hex')],
  ['more than a question has', Buffer.alloc(QUERY_OCTETS_MAX + 1)],
]
for (const [what, octets] of ignored) {
  test(`ignored: ${what}`, t => t.deepEqual(readQuery(octets), { kind: 'ignored' }))
}

const addresses = (count: number): NameRecord[] => Array.from({ length: count }, (_, i) =>
  ({ type: 'A', data: `10.0.${i >> 8}.${i & 255}` }))

test('an answer is what dns-packet reads, under the name as it was spelled', t => {
  const records: NameRecord[] = [{ type: 'A', data: '10.0.4.2' },
    { type: 'AAAA', data: '::1' }, { type: 'PTR', data: 'web.1.x.demo' },
    { type: 'SRV', data: { port: 80, target: 'web.1.x.demo' } }]
  const octets = writeReply(queryOf(WITH_EDNS), 'NOERROR', records, 1232)
  const packet = dnsPacket.decode(octets)
  t.like(packet, { id: 0x1234, type: 'response', flag_aa: true, flag_tc: false, flag_rd: true,
    flag_ra: true, rcode: 'NOERROR' })
  t.deepEqual(packet.answers!.map(({ name, type }) => `${name} ${type}`),
    ['WeB A', 'WeB AAAA', 'WeB PTR', 'WeB SRV'])
  t.like(packet.answers![0], { ttl: TTL_SECONDS, data: '10.0.4.2', class: 'IN' })
  t.like(packet.answers![3], { data: { port: 80, target: 'web.1.x.demo' } })
  t.is(packet.additionals![0]!.type, 'OPT')
})

const sizes: [what: string, count: number, limit: number, fits: number][] = [
  ['what fits into 512 octets', 30, 512, 30],
  ['one more', 31, 512, 30],
  ['all tasks that a service may have, over TCP', 1024, MESSAGE_OCTETS_MAX, 1024],
  ['no room for anything', 3, 20, 0],
]
for (const [what, count, limit, fits] of sizes) {
  test(`${count} addresses in ${limit} octets: ${what}`, t => {
    const octets = writeReply(queryOf(PLAIN), 'NOERROR', addresses(count), limit)
    t.is(dnsPacket.decode(octets).answers!.length, fits)
    t.is((octets.readUInt16BE(2) & FLAG_TRUNCATED) !== 0, fits < count)
  })
}

test('refusals are not given with authority, and have no records', t => {
  const refusal = writeReply(queryOf(PLAIN), 'REFUSED', [], 512)
  t.is(refusal.readUInt16BE(2) & (FLAG_AUTHORITATIVE | 0xf), RCODES.REFUSED)
  t.is(writeReply(queryOf(PLAIN), 'NXDOMAIN', [], 512).readUInt16BE(2) & 0x40f, 0x403)
})

test('the outside is asked with another id, and without the options of the asker', t => {
  const { edns: _, ...plain } = queryOf(PLAIN)
  t.is(writeQuery({ ...plain, edns: null }, 7, 1232).toString('hex'), PLAIN.replace('1234', '0007'))
  const packet = dnsPacket.decode(writeQuery(queryOf(WITH_EDNS), 7, 1232))
  t.like(packet.additionals![0], { type: 'OPT', udpPayloadSize: 1232, flag_do: true, options: [] })
})

const SLOWEST_MS = 100

test('no octets make it throw, or think for long', t => {
  const valid = [PLAIN, WITH_EDNS].map(hex => Buffer.from(hex, 'hex'))
  const bent = fc.tuple(fc.constantFrom(...valid), fc.array(fc.tuple(fc.nat(60), fc.nat(255)),
    { maxLength: 6 }), fc.nat(60)).map(([octets, changes, cut]) => {
    const copy = Buffer.from(octets)
    for (const [at, value] of changes) if (at < copy.length) copy[at] = value
    return cut > 30 ? copy : copy.subarray(0, cut)
  })
  const noise = fc.uint8Array({ maxLength: 600 }).map(octets => Buffer.from(octets))
  let slowestMs = 0
  fc.assert(fc.property(fc.oneof(bent, noise), octets => {
    const beganMs = performance.now()
    const reading = readQuery(octets)
    slowestMs = Math.max(slowestMs, performance.now() - beganMs)
    if (reading.kind !== 'query') return true
    return dnsPacket.decode(writeReply(reading.query, 'NOERROR', addresses(3), 512)).id
      === reading.query.id
  }), { numRuns: 20_000 })
  t.true(slowestMs < SLOWEST_MS, `${slowestMs} ms`)
})
