// Answers from outside: which are believed, how long they hold, and how they are given again.
import dnsPacket, { type Answer, type Packet } from 'dns-packet'
import test from 'ava'
import fc from 'fast-check'
import { FLAG_TRUNCATED, type Query, readQuery } from './names-message.ts'
import {
  isGood, readUpstream, replyFor, TTL_MAX_SECONDS, TTL_NEGATIVE_MAX_SECONDS,
} from './names-upstream.ts'

const ID = 77
const QUESTION = { name: 'Example.com', type: 'A' as const }
const A: Answer = { name: 'example.com', type: 'A', ttl: 300, data: '192.0.2.1' }
const SOA: Answer = { name: 'com', type: 'SOA', ttl: 900, data: {
  mname: 'a.example', rname: 'b.example', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60,
} }
const OPT = { name: '.', type: 'OPT', udpPayloadSize: 1232, flags: 0, options: [] } as unknown as
  Answer

const query = ((): Query => {
  const reading = readQuery(dnsPacket.encode({ id: 5, flags: dnsPacket.RECURSION_DESIRED,
    questions: [QUESTION] }))
  if (reading.kind !== 'query') throw new Error('no query')
  return reading.query
})()

const replyOf = (parts: Packet, rcode = 0): Buffer => dnsPacket.encode({
  type: 'response', id: ID, questions: [QUESTION], ...parts, flags: (parts.flags ?? 0) | rcode,
})

const NXDOMAIN = 3
const times: [what: string, octets: Buffer, ttl: number][] = [
  ['its time', replyOf({ answers: [A] }), 300],
  ['the least of all', replyOf({ answers: [A, { ...A, ttl: 20 }] }), 20],
  ['the time of OPT is none', replyOf({ answers: [A], additionals: [OPT] }), 300],
  ['no longer than we keep', replyOf({ answers: [{ ...A, ttl: 86_400 }] }), TTL_MAX_SECONDS],
  ['the highest bit', replyOf({ answers: [{ ...A, ttl: 0x80000001 }] }), 0],
  ['no such name: the minimum of the SOA', replyOf({ authorities: [SOA] }, NXDOMAIN), 60],
  ['no such record', replyOf({ authorities: [SOA] }), 60],
  ['no such name, with an alias', replyOf({ answers: [{ ...A, ttl: 10 }], authorities: [SOA] },
    NXDOMAIN), 10],
  ['a long SOA', replyOf({ authorities: [{ ...SOA, data: { ...(SOA as { data: object }).data,
    minimum: 86_400 } } as Answer] }, NXDOMAIN), TTL_NEGATIVE_MAX_SECONDS],
  ['no such name, and no SOA', replyOf({}, NXDOMAIN), 0],
]
for (const [what, octets, ttl] of times) {
  test(`how long an answer holds: ${what}`, t => {
    const reply = readUpstream(octets, ID, query.question)
    t.is(reply?.ttlSeconds, ttl)
    t.true(isGood(reply!))
  })
}

const strange: [what: string, octets: Buffer][] = [
  ['another id', replyOf({ id: ID + 1, answers: [A] })],
  ['another name', replyOf({ questions: [{ name: 'example.net', type: 'A' }], answers: [A] })],
  ['another type', replyOf({ questions: [{ name: 'example.com', type: 'AAAA' }] })],
  ['a question', dnsPacket.encode({ type: 'query', id: ID, questions: [QUESTION] })],
  ['no question, but an answer', replyOf({ questions: [], answers: [A] })],
  ['two questions', replyOf({ questions: [QUESTION, QUESTION] })],
  ['records that are not there', Buffer.concat([replyOf({}).subarray(0, 6),
    Buffer.from([0, 1]), replyOf({}).subarray(8)])],
  ['half a record', replyOf({ answers: [A] }).subarray(0, -2)],
  ['nothing', Buffer.alloc(0)],
]
for (const [what, octets] of strange) {
  test(`not believed: ${what}`, t => t.is(readUpstream(octets, ID, query.question), null))
}

test('a server may refuse without the question, but not answer so', t => {
  const refusal = readUpstream(replyOf({ questions: [] }, 1), ID, query.question)
  t.is(refusal?.rcode, 1)
  t.false(isGood(refusal!))
})

test('the spelling of the server does not count, and ours is given back', t => {
  const octets = replyOf({ questions: [{ name: 'EXAMPLE.COM', type: 'A' }], answers: [A] })
  const reply = readUpstream(octets, ID, query.question)!
  const packet = dnsPacket.decode(replyFor(query, reply, 100, 512))
  t.like(packet, { id: 5, flag_rd: true, flag_tc: false })
  t.is(packet.questions![0]!.name, 'Example.com')
  t.like(packet.answers![0], { ttl: 200, data: '192.0.2.1' })
  t.is(reply.octets.readUInt16BE(0), ID, 'what is kept stays as it is')
})

test('what was kept for longer than it holds has no time left', t => {
  const reply = readUpstream(replyOf({ answers: [A] }), ID, query.question)!
  t.like(dnsPacket.decode(replyFor(query, reply, 5000, 512)).answers![0], { ttl: 0 })
})

test('what does not fit is told to be asked for over TCP', t => {
  const answers = Array.from({ length: 40 }, () => A)
  const reply = readUpstream(replyOf({ answers }), ID, query.question)!
  const octets = replyFor(query, reply, 0, 512)
  t.is(octets.readUInt16BE(2) & FLAG_TRUNCATED, FLAG_TRUNCATED)
  t.like(dnsPacket.decode(octets), { questions: [{ name: 'Example.com' }], answers: [] })
  t.is(dnsPacket.decode(replyFor(query, reply, 0, 65_535)).answers!.length, 40)
})

test('no octets make the reader throw', t => {
  const valid = [replyOf({ answers: [A, A] }), replyOf({ authorities: [SOA] }, NXDOMAIN)]
  fc.assert(fc.property(fc.constantFrom(...valid),
    fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 5 }), fc.nat(140),
    (octets, changes, cut) => {
      const copy = Buffer.from(octets.subarray(0, cut > 100 ? octets.length : cut))
      for (const [at, value] of changes) if (at > 1 && at < copy.length) copy[at] = value
      const reply = readUpstream(copy, ID, query.question)
      return reply === null || replyFor(query, reply, 1, 512).length >= 12
    }), { numRuns: 20_000 })
  t.pass()
})
