// The join server against those who mean no good: repeated requests, rubbish, slowness and many
// connections at once. Whatever comes is counted, and members are served all the while.
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { ManualClock } from '../../base/clock.ts'
import { makeRandom, pick, type Random32 } from '../../base/prng.ts'
import { NodeTransport } from '../transport.node.ts'
import { formatBase36 } from './base36.ts'
import { makeKeyPair } from './certificates.ts'
import type { Caller } from './desk-options.ts'
import { FAILURES_MAX, Failures, SOURCES_MAX } from './failures.ts'
import { joinToken, type Identity } from './identity.ts'
import { keyRequest } from './join-answers.ts'
import { joinCluster } from './join-client.ts'
import { dial, type Line } from './join-dial.ts'
import {
  EXPORTER_LABEL, EXPORTER_OCTETS, JOIN_ALPN, readAnswer, REQUEST_OCTETS_MAX, writeLine,
  type Answer, type JoinRequest,
} from './join-messages.ts'
import { JOIN_CONNECTIONS_MAX, JOIN_CONNECTIONS_OF_SOURCE_MAX } from './join-server.ts'
import { makeCluster, makeMember, NOW_MS, startMember, type TestMember } from './join.test-kit.ts'
import { LineReader } from './line-reader.ts'
import { Reservations, RESERVATIONS_MAX } from './reservations.ts'

const manager = await makeCluster()
const worker = await makeMember(manager)
const keys = makeKeyPair()

async function started(
  t: ExecutionContext, identity: Identity, change: Parameters<typeof startMember>[1] = {},
): Promise<TestMember> {
  const member = await startMember(identity, change)
  t.teardown(() => member.close())
  return member
}

function join(line: Pick<Line, 'exporter'>, change: Partial<JoinRequest> = {}): JoinRequest {
  return {
    type: 'join', ...keyRequest(keys, line as Line, '0.1.0'), port: 7946,
    secret: formatBase36(manager.secrets!.worker), nodeName: 'node-3', address: '192.168.56.13',
    ...change,
  }
}

const good = (member: Pick<TestMember, 'target'>) => joinCluster({
  target: member.target, token: joinToken(manager, 'worker')!, nodeName: 'node-4',
  address: '192.168.56.14', port: 7946, version: '0.1.0', clock: new ManualClock(NOW_MS),
})

async function tls(t: ExecutionContext, member: TestMember): Promise<TLSSocket> {
  const socket = connectTls({
    ...member.target, minVersion: 'TLSv1.3', ALPNProtocols: [JOIN_ALPN], rejectUnauthorized: false,
  })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

/** What comes after hello when `text` is said. */
async function said(t: ExecutionContext, member: TestMember, text: string): Promise<Answer | null> {
  const socket = await tls(t, member)
  const lines = new LineReader(socket, 65_536)
  await lines.next()
  socket.write(text)
  const line = await lines.next()
  socket.destroy()
  return line === null ? null : readAnswer(line)
}

/** Waits for `condition` to hold, for two seconds at most. */
async function until(condition: () => boolean): Promise<boolean> {
  const deadlineMs = performance.now() + 2000
  while (!condition() && performance.now() < deadlineMs) await new Promise(setImmediate)
  return condition()
}

test('a request that was recorded is worth nothing on another connection', async t => {
  const member = await started(t, manager)
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
  const member = await started(t, manager)
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
  const member = await started(t, worker)
  const dialling = {
    target: member.target, authorityDigest: manager.authority.digest,
    clock: new ManualClock(NOW_MS),
  }
  const answer = await dial(dialling, line => line.ask(join(line)))
  t.like(answer, { type: 'refused', reason: 'not-a-manager' })
})

test('without a certificate there is no renewal and no key', async t => {
  const member = await started(t, manager)
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
    const member = await started(t, manager)
    const answer = await said(t, member, text)
    if (reason === null) t.is(answer, null)
    else t.like(answer, { type: 'refused', reason })
    t.is((await good(member)).through, 'node-1')
  })
}

test('who says nothing, or not all, is cut off in time', async t => {
  const member = await started(t, manager, { connectionTimeoutMs: 200 })
  const silent = await tls(t, member)
  const slow = await tls(t, member)
  slow.write('{"type":')
  const raw = connectTcp(member.target)
  t.teardown(() => raw.destroy())
  raw.on('error', () => {}).write(Buffer.of(0x16, 3, 1))
  for (const socket of [silent, slow, raw]) {
    socket.resume()
    await once(socket, 'close')
  }
  t.true(await until(() => member.server.counters.timedOut === 3))
})

test('connections have limits, for each source and in all, which are counted and end', async t => {
  const member = await started(t, manager)
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
  await t.throwsAsync(good(member), busy)
  t.is(counters.full, 1)
  for (let source = 2; held.length < JOIN_CONNECTIONS_MAX; source += 1) {
    held.push(...hold(JOIN_CONNECTIONS_OF_SOURCE_MAX, source))
  }
  t.true(await until(() => counters.accepted === JOIN_CONNECTIONS_MAX))
  hold(1, 99)
  t.true(await until(() => counters.full === 2))
  for (const socket of held) socket.destroy()
  t.true(await until(() => counters.handshakesFailed === JOIN_CONNECTIONS_MAX))
  t.is((await good(member)).through, 'node-1')
})

test('the listener of the mesh hands joiners over', async t => {
  const member = await started(t, manager)
  const transport = new NodeTransport({
    address: { host: '127.0.0.1', port: 0 }, onTls: socket => member.server.accept(socket),
  })
  t.teardown(() => transport.close())
  await transport.open({
    datagram: () => {}, reader: () => t.fail() as never, stream: () => t.fail(),
    exchanged: () => t.fail(),
  })
  const { through } = await good({ target: transport.address })
  t.is(through, 'node-1')
  t.is(transport.counters.streamsGivenAway, 1)
  t.is(member.server.counters.answered, 1)
})

test('a server that is closed cuts off all', async t => {
  const member = await started(t, manager)
  const socket = await tls(t, member)
  member.server.close()
  socket.resume()
  await once(socket, 'close')
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

// ---- fuzzing ----

const SEED = Number(process.env.TAPMESH_SEED ?? 6)
const caller: Caller = {
  source: '192.168.56.13', certificate: worker.certificate.octets, exporter: randomBytes(32),
}
const requests = [
  join(caller),
  { type: 'renew', ...keyRequest(keys, caller as unknown as Line, '0.1.0'), port: 7946,
    address: '192.168.56.12' },
  { type: 'keys', protocol: 1, version: '0.1.0' },
].map(request => JSON.stringify(request))

function mutated(text: string, random: Random32): string {
  const octets = Buffer.from(text)
  switch (pick(random, 5)) {
    case 0: return text.slice(0, pick(random, text.length))
    case 1: {
      const at = pick(random, text.length)
      return text.slice(0, at) + text.slice(pick(random, text.length))
    }
    case 2: {
      const value = ['null', '1e999', '-1', '""', '[]', '{}', 'true', '"\\u0000"'][pick(random, 8)]
      return text.replace(/:("[^"]*"|\d+)/g, found => pick(random, 4) === 0 ? `:${value}` : found)
    }
    default:
      for (let flips = 1 + pick(random, 4); flips > 0; flips -= 1) {
        octets[pick(random, octets.length)] = pick(random, 256)
      }
      return octets.toString()
  }
}

test(`mutated requests are answered, each with a reason (seed ${SEED})`, async t => {
  const member = await started(t, manager)
  const random = makeRandom(SEED)
  const text = new Set<string>()
  for (let i = 0; i < 4000; i += 1) {
    const line = mutated(requests[pick(random, requests.length)]!, random)
    const certificate = Uint8Array.from(worker.certificate.octets)
    if (pick(random, 2) === 0) certificate[pick(random, certificate.length)]! ^= 1
    const source = `192.168.56.${pick(random, 200)}`
    const answer = await member.desk.answer(line, { ...caller, source, certificate })
    if (readAnswer(JSON.stringify(answer)) === null) return t.fail(`${line} ${answer.type}`)
    text.add(answer.type === 'refused' ? answer.reason : answer.type)
    if (answer.type === 'refused') t.not(answer.reason, 'failed', line)
  }
  for (const kind of ['bad-request', 'bad-proof', 'wrong-cluster', 'keys']) t.true(text.has(kind))
})

test(`rubbish in place of TLS is cut off, and counted (seed ${SEED})`, async t => {
  const member = await started(t, manager, { connectionTimeoutMs: 500 })
  const random = makeRandom(SEED)
  const rounds = 60
  for (let i = 0; i < rounds; i += 1) {
    const octets = Uint8Array.from({ length: 6 + pick(random, 600) }, () => pick(random, 256))
    octets.set([0x16, 3, pick(random, 4)])
    const socket = connectTcp(member.target)
    socket.on('error', () => {}).end(octets)
    socket.resume()
    await once(socket, 'close')
  }
  const { counters } = member.server
  t.true(await until(() => counters.handshakesFailed + counters.timedOut >= rounds))
  t.is(counters.answered, 0)
  t.is((await good(member)).through, 'node-1')
})

test(`rubbish inside of TLS is refused (seed ${SEED})`, async t => {
  const member = await started(t, manager)
  const random = makeRandom(SEED)
  for (let i = 0; i < 40; i += 1) {
    const socket = await tls(t, member)
    const exporter = socket.exportKeyingMaterial(EXPORTER_OCTETS, EXPORTER_LABEL, Buffer.alloc(0))
    const line = mutated(JSON.stringify(join({ exporter }, { nodeName: `n${i}` })), random)
    const lines = new LineReader(socket, 65_536)
    await lines.next()
    socket.end(`${line.replaceAll('\n', ' ')}\n`)
    const answer = readAnswer((await lines.next()) ?? '')
    t.true(answer?.type === 'refused' || answer?.type === 'joined', line)
  }
  t.is(member.desk.counters.failed, 0)
})
