// Names that are asked outside: of all servers at once, once for all who ask the same, believed
// only when they fit, kept for their time, and never for longer than four seconds.
import test, { type ExecutionContext } from 'ava'
import dnsPacket from 'dns-packet'
import { ManualClock } from '../base/clock.ts'
import { type Query, RCODES, readQuery } from '../cluster/services/names-message.ts'
import { makeDnsCounts } from './dns-counts.ts'
import { FORWARDS_MAX, Forwarder, type Way } from './dns-forwarder.ts'
import {
  answersWith, FakeUpstream, NXDOMAIN, REFUSED, type Says, SERVFAIL,
} from './dns-forwarder.test-kit.ts'
import { type NameServer, RESEND_MS } from './dns-upstream.ts'

const UDP: Way = { isTcp: false, limitOctets: 512 }
const TCP: Way = { isTcp: true, limitOctets: 65_535 }

function queryFor(name: string, type: 'A' | 'AAAA' = 'A', id = 1): Query {
  const reading = readQuery(dnsPacket.encode({ id, flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type }] }))
  if (reading.kind !== 'query') throw new Error('no query')
  return reading.query
}

async function world(t: ExecutionContext, ...says: Says[]) {
  const upstreams = await Promise.all(says.map(one => FakeUpstream.open(one)))
  const clock = new ManualClock(0)
  const counts = makeDnsCounts()
  let servers: NameServer[] = upstreams.map(({ server }) => server)
  let ids = 0
  const forwarder = new Forwarder({ clock, counts, servers: () => servers,
    randomId: () => ++ids })
  t.teardown(() => {
    forwarder.close()
    for (const one of upstreams) one.close()
  })
  const ask = async (name: string, way = UDP, below: string | null = null, id = 1) => {
    const octets = await forwarder.forward(queryFor(name, 'A', id), below, way)
    const { answers = [], id: theirs } = dnsPacket.decode(octets)
    return { id: theirs, rcode: octets[3]! & 0xf, isCut: (octets[2]! & 2) !== 0,
      data: answers.map(one => 'data' in one ? one.data : ''),
      ttl: answers.map(one => 'ttl' in one ? one.ttl : 0) }
  }
  return { ask, clock, counts, forwarder, upstreams,
    useServers: (fresh: NameServer[]) => { servers = fresh } }
}

test('an answer comes with the id of the question, and of the server with another', async t => {
  const { ask, upstreams } = await world(t, answersWith('192.0.2.1'))
  t.like(await ask('example.com', UDP, null, 77), { id: 77, rcode: 0, data: ['192.0.2.1'] })
  t.is(upstreams[0]!.asked[0]!.id, 1)
})

test('the port is another one for each question', async t => {
  const { ask, upstreams } = await world(t, answersWith('192.0.2.1'))
  for (let n = 0; n < 8; n++) await ask(`n${n}.example`)
  t.true(new Set(upstreams[0]!.asked.map(({ port }) => port)).size > 4)
})

const races: [what: string, says: Says[], rcode: number, data: string[]][] = [
  ['one is silent', [() => null, answersWith('192.0.2.2')], 0, ['192.0.2.2']],
  ['one refuses', [() => ({ flags: REFUSED }), answersWith('192.0.2.2')], 0, ['192.0.2.2']],
  ['one fails', [() => ({ flags: SERVFAIL }), answersWith('192.0.2.2')], 0, ['192.0.2.2']],
  ['all fail', [() => ({ flags: SERVFAIL }), () => ({ flags: REFUSED })], SERVFAIL, []],
  ['there is no such name', [() => ({ flags: NXDOMAIN }), () => null], NXDOMAIN, []],
]
for (const [what, says, rcode, data] of races) {
  test(`the first good answer counts: ${what}`, async t => {
    const { ask } = await world(t, ...says)
    t.like(await ask('example.com'), { rcode, data })
  })
}

test('nobody is asked where nobody is named', async t => {
  const { ask, counts } = await world(t)
  t.like(await ask('example.com'), { rcode: SERVFAIL })
  t.is(counts.servfail, 1)
})

test('a host without a name server says so at once', async t => {
  const { ask, counts, upstreams, useServers } = await world(t, answersWith('192.0.2.1'))
  const { server } = upstreams[0]!
  upstreams.shift()!.close()
  useServers([server])
  const beganMs = performance.now()
  t.like(await ask('example.com'), { rcode: SERVFAIL })
  t.true(performance.now() - beganMs < RESEND_MS)
  t.is(counts.upstream_failed, 1)
})

test('a lost question is sent again', async t => {
  let times = 0
  const { ask } = await world(t, asked => ++times === 1 ? null : answersWith('192.0.2.1')(asked))
  t.like(await ask('example.com'), { data: ['192.0.2.1'] })
})

test('what does not fit the question is not believed, and counted', async t => {
  const { ask, counts } = await world(t, ({ name, id }) => dnsPacket.encode({ type: 'response',
    id: id ^ 1, questions: [{ name, type: 'A' }],
    answers: [{ name, type: 'A', data: '6.6.6.6' }] }),
  ({ octets }) => octets, answersWith('192.0.2.3'))
  t.like(await ask('example.com'), { data: ['192.0.2.3'] })
  t.true(counts.upstream_strange <= 2)
})

test('an answer is kept for its time, and gets older', async t => {
  const { ask, clock, counts, upstreams } = await world(t, answersWith('192.0.2.1', 60))
  await ask('example.com')
  clock.advance(20_000)
  t.like(await ask('EXAMPLE.com', UDP, null, 9), { id: 9, ttl: [40], data: ['192.0.2.1'] })
  t.is(counts.cached, 1)
  clock.advance(40_000)
  t.like(await ask('example.com'), { ttl: [60] })
  t.is(upstreams[0]!.asked.length, 2)
})

test('other servers, other answers', async t => {
  const { ask, upstreams, useServers } = await world(t, answersWith('192.0.2.1'),
    answersWith('192.0.2.2'))
  useServers([upstreams[0]!.server])
  t.like(await ask('example.com'), { data: ['192.0.2.1'] })
  useServers([upstreams[1]!.server])
  t.like(await ask('example.com'), { data: ['192.0.2.2'] })
})

test('who asks the same at the same time waits for the same answer', async t => {
  const { ask, upstreams } = await world(t, answersWith('192.0.2.1'))
  const answers = await Promise.all([1, 2, 3].map(id => ask('example.com', UDP, null, id)))
  t.deepEqual(answers.map(({ id }) => id), [1, 2, 3])
  t.is(upstreams[0]!.asked.length, 1)
})

test('over TCP the outside is asked over TCP', async t => {
  const many: Says = ({ name, isTcp }) => isTcp
    ? { answers: Array.from({ length: 60 }, () => ({ name, type: 'A' as const, ttl: 9,
      data: '192.0.2.1' })) } : { flags: dnsPacket.TRUNCATED_RESPONSE }
  const { ask } = await world(t, many)
  t.like(await ask('example.com'), { isCut: true, data: [] })
  t.is((await ask('example.com', TCP)).data.length, 60)
})

test('what is kept from TCP does not fit into a datagram', async t => {
  const { ask } = await world(t, ({ name }) => ({
    answers: Array.from({ length: 60 }, () => ({ name, type: 'A' as const, ttl: 9,
      data: '192.0.2.1' })) }))
  t.is((await ask('example.com', TCP)).data.length, 60)
  t.like(await ask('example.com'), { isCut: true, data: [] })
})

test('a name below one of our networks is told only where there is more of that name', async t => {
  const soa = { type: 'SOA' as const, ttl: 60, data: { mname: 'a', rname: 'b', minimum: 60 } }
  const { ask, upstreams } = await world(t, ({ name }) => name === 'demo'
    ? { flags: NXDOMAIN, authorities: [{ name: '.', ...soa }] }
    : name === 'dev' ? { answers: [{ name, ...soa }] }
      : { answers: [{ name, type: 'A', ttl: 60, data: '192.0.2.1' }] })
  t.like(await ask('secret.demo', UDP, 'demo'), { rcode: NXDOMAIN })
  t.like(await ask('other.demo', UDP, 'demo'), { rcode: NXDOMAIN })
  t.deepEqual(upstreams[0]!.asked.map(({ name }) => name), ['demo'])
  t.like(await ask('go.dev', UDP, 'dev'), { rcode: 0, data: ['192.0.2.1'] })
})

test('more than it can wait for is refused, and what waits is let go at the end', async t => {
  const { counts, forwarder } = await world(t, () => null)
  const waiting = Array.from({ length: FORWARDS_MAX }, (_, n) =>
    forwarder.forward(queryFor(`n${n % 4}.example`), null, UDP))
  t.is(forwarder.waiting, FORWARDS_MAX)
  const refused = await forwarder.forward(queryFor('one.more'), null, UDP)
  t.is(refused[3]! & 0xf, RCODES.REFUSED)
  t.is(counts.forwards_full, 1)
  forwarder.close()
  const replies = await Promise.all(waiting)
  t.true(replies.every(reply => (reply[3]! & 0xf) === SERVFAIL))
  t.is(forwarder.waiting, 0)
})

test('nobody waits for longer than the time limit', async t => {
  const { ask, counts } = await world(t, () => null)
  const beganMs = performance.now()
  t.like(await ask('example.com'), { rcode: SERVFAIL })
  const tookMs = performance.now() - beganMs
  t.true(tookMs > 3500 && tookMs < 4900, `${tookMs} ms`)
  t.is(counts.upstream_late, 1)
})
