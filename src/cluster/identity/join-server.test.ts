// The join server against those who mean no good: repeated requests, rubbish, slowness and many
// connections at once. Whatever comes is counted, and members are served all the while.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ManualClock } from '../../base/clock.ts'
import { NodeTransport } from '../transport.node.ts'
import { makeKeyPair } from './certificates.ts'
import { FAILURES_MAX, Failures, SOURCES_MAX } from './failures.ts'
import { keyRequest } from './join-answers.ts'
import { dial, type Line } from './join-dial.ts'
import {
  JOIN_ALPN, readAnswer, REQUEST_OCTETS_MAX, writeLine, type Answer, type JoinRequest,
} from './join-messages.ts'
import { JOIN_CONNECTIONS_MAX, JOIN_CONNECTIONS_OF_SOURCE_MAX } from './join-server.ts'
import {
  connectTo, joinRequest, letIn, makeCluster, makeMember, NOW_MS, startedFor, until,
  type TestMember,
} from './join.test-kit.ts'
import { LineReader } from './line-reader.ts'
import { Reservations, RESERVATIONS_MAX } from './reservations.ts'

const manager = await makeCluster()
const worker = await makeMember(manager)
const keys = makeKeyPair()

const join = (line: Pick<Line, 'exporter'>, change: Partial<JoinRequest> = {}): JoinRequest =>
  joinRequest(manager, keys, line, change)

/** What comes after hello when `text` is said. */
async function said(t: ExecutionContext, member: TestMember, text: string): Promise<Answer | null> {
  const socket = await connectTo(t, member)
  const lines = new LineReader(socket, 65_536)
  await lines.next()
  socket.write(text)
  const line = await lines.next()
  socket.destroy()
  return line === null ? null : readAnswer(line)
}

test('a request that was recorded is worth nothing on another connection', async t => {
  const member = await startedFor(t, manager)
  const target = member.target
  const dialling = {
    target, authorityDigest: manager.authority.digest, clock: new ManualClock(NOW_MS),
  }
  let recorded = ''
  const first = await dial(dialling, line => {
    recorded = writeLine(join(line))
    return line.ask(join(line))
  })
  t.is(first.type, 'joined')
  t.like(await said(t, member, recorded), { type: 'refused', reason: 'bad-proof' })
  t.is(member.desk.counters['bad-proof'], 1)
  t.is(member.desk.counters.joined, 1)
})

test('only the holder of a key has it certified', async t => {
  const member = await startedFor(t, manager)
  const other = makeKeyPair().publicKey.export({ type: 'spki', format: 'der' })
  const dialling = {
    target: member.target, authorityDigest: manager.authority.digest,
    clock: new ManualClock(NOW_MS),
  }
  const changes: Partial<JoinRequest>[] = [
    { publicKey: other.toString('base64') },
    { publicKey: 'AAAA' },
    { proof: '' },
    { proof: Buffer.alloc(64).toString('base64') },
  ]
  for (const change of changes) {
    const answer = await dial(dialling, line => line.ask(join(line, change)))
    t.like(answer, { type: 'refused', reason: 'bad-proof' }, JSON.stringify(change))
  }
})

test('a worker that is asked all the same refuses, and never looks at the secret', async t => {
  const member = await startedFor(t, worker)
  const dialling = {
    target: member.target, authorityDigest: manager.authority.digest,
    clock: new ManualClock(NOW_MS),
  }
  const answer = await dial(dialling, line => line.ask(join(line)))
  t.like(answer, { type: 'refused', reason: 'not-a-manager' })
})

test('without a certificate there is no renewal and no key', async t => {
  const member = await startedFor(t, manager)
  const dialling = {
    target: member.target, authorityDigest: manager.authority.digest,
    clock: new ManualClock(NOW_MS),
  }
  for (const type of ['renew', 'keys'] as const) {
    const answer = await dial(dialling, line => {
      const renewal = { ...keyRequest(keys, line, '0.1.0'), address: '10.0.0.1', port: 1 }
      const own = type === 'renew' ? renewal : { protocol: 1, version: '0.1.0' }
      return line.ask({ type, ...own } as Parameters<Line['ask']>[0])
    })
    t.like(answer, { type: 'refused', reason: 'no-certificate' })
  }
})

const rubbish: [name: string, text: string, reason: string | null][] = [
  ['an empty line', '\n', 'bad-request'],
  ['words', 'hello\n', 'bad-request'],
  ['a number', '7\n', 'bad-request'],
  ['another request', '{"type":"steal","protocol":1}\n', 'bad-request'],
  ['a later protocol', '{"type":"join","protocol":2,"new":true}\n', 'other-protocol'],
  ['depth', `${'['.repeat(2000)}\n`, 'bad-request'],
  ['octets that are no text', '\u0000\ufffd\n', 'bad-request'],
  ['a prototype', '{"__proto__":{"type":"keys"},"protocol":1}\n', 'bad-request'],
  ['more than a request may have', 'x'.repeat(REQUEST_OCTETS_MAX + 1), null],
]
for (const [name, text, reason] of rubbish) {
  test(`asked with ${name}: ${reason ?? 'hung up on'}`, async t => {
    const member = await startedFor(t, manager)
    const answer = await said(t, member, text)
    if (reason === null) t.is(answer, null)
    else t.like(answer, { type: 'refused', reason })
    t.is((await letIn(manager, member.target)).through, 'node-1')
  })
}

test('who says nothing, or not all, is cut off in time', async t => {
  const member = await startedFor(t, manager, { connectionTimeoutMs: 200 })
  const options = { ...member.target, ALPNProtocols: [JOIN_ALPN], rejectUnauthorized: false }
  const silent = connectTls(options)
  const slow = connectTls(options, () => slow.write('{"type":'))
  const raw = connectTcp(member.target, () => raw.write(Buffer.of(0x16, 3, 1)))
  // However far each has come by then: on a busy machine that may be not even the handshake.
  await Promise.all([silent, slow, raw].map(socket => {
    t.teardown(() => socket.destroy())
    return new Promise(resolve => socket.on('error', () => {}).on('close', resolve).resume())
  }))
  t.true(await until(() => member.server.counters.timedOut === 3))
})

test('connections have limits, for each source and in all, which are counted and end', async t => {
  const member = await startedFor(t, manager, { connectionTimeoutMs: 60_000 })
  const { counters } = member.server
  const hold = (count: number, source: number) => Array.from({ length: count }, () => {
    const socket = connectTcp({ ...member.target, localAddress: `127.0.0.${source}` })
    socket.on('error', () => {}).write(Buffer.of(0x16))
    t.teardown(() => socket.destroy())
    return socket
  })
  const busy = { message: /it ended the connection; a member that is too busy/ }
  const held = hold(JOIN_CONNECTIONS_OF_SOURCE_MAX, 1)
  t.true(await until(() => counters.accepted === JOIN_CONNECTIONS_OF_SOURCE_MAX))
  await t.throwsAsync(letIn(manager, member.target), busy)
  t.is(counters.full, 1)
  for (let source = 2; held.length < JOIN_CONNECTIONS_MAX; source += 1) {
    held.push(...hold(JOIN_CONNECTIONS_OF_SOURCE_MAX, source))
  }
  t.true(await until(() => counters.accepted === JOIN_CONNECTIONS_MAX))
  hold(1, 99)
  t.true(await until(() => counters.full === 2))
  for (const socket of held) socket.destroy()
  t.true(await until(() => counters.handshakesFailed === JOIN_CONNECTIONS_MAX))
  t.is((await letIn(manager, member.target)).through, 'node-1')
})

test('the listener of the mesh hands joiners over', async t => {
  const member = await startedFor(t, manager)
  const transport = new NodeTransport({
    address: { host: '127.0.0.1', port: 0 }, onTls: socket => member.server.accept(socket),
  })
  t.teardown(() => transport.close())
  await transport.open({
    datagram: () => {}, reader: () => t.fail() as never, stream: () => t.fail(),
    exchanged: () => t.fail(),
  })
  const { through } = await letIn(manager, transport.address)
  t.is(through, 'node-1')
  t.is(transport.counters.streamsGivenAway, 1)
  t.is(member.server.counters.answered, 1)
})

test('a server that is closed cuts off all', async t => {
  const member = await startedFor(t, manager)
  const socket = await connectTo(t, member)
  const closed = once(socket.resume(), 'close')
  member.server.close()
  await closed
  t.pass()
})

test('failures are bounded, per source and in all', t => {
  const failures = new Failures()
  for (let i = 0; i < 3 * SOURCES_MAX; i += 1) failures.record(`source ${i}`, i)
  for (let i = 0; i < FAILURES_MAX - 1; i += 1) failures.record('a', 10_000 + i)
  t.is(failures.waitMs('a', 10_100), 0)
  failures.record('a', 10_100)
  t.is(failures.waitMs('a', 10_100), 59_900)
  t.is(failures.waitMs('b', 10_100), 0)
  t.is(failures.waitMs('a', 70_000), 0)
})

test('reservations are bounded and end', t => {
  const names = new Reservations()
  names.hold('node-1', 'a', 0)
  t.true(names.isFree('node-1', 'a', 0))
  t.false(names.isFree('node-1', 'b', 29_999))
  t.true(names.isFree('node-1', 'b', 30_000))
  t.true(names.isFree('node-2', 'b', 0))
  for (let i = 0; i < RESERVATIONS_MAX; i += 1) names.hold(`other-${i}`, 'c', 0)
  t.true(names.isFree('node-1', 'b', 0))
})
