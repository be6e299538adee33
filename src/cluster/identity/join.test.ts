// Joining over real sockets: who is let in and with what, and every way in which nobody is.
import test, { type ExecutionContext } from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { createServer as createTlsServer } from 'node:tls'
import { ManualClock } from '../../base/clock.ts'
import { MEMBER_LIFE_MS } from './ca.ts'
import { formatPem, isPairOf } from './certificates.ts'
import type { DeskOptions, Objection } from './desk-options.ts'
import { FAILURE_WINDOW_MS, FAILURES_MAX } from './failures.ts'
import { createIdentity, loadIdentity } from './files.ts'
import { joinToken, type Identity } from './identity.ts'
import { joinCluster, type JoinOptions } from './join-client.ts'
import { formatSpan } from './join-dial.ts'
import { JoinError } from './join-error.ts'
import { JOIN_ALPN } from './join-messages.ts'
import {
  closeListener, listenOnLoopback, makeCluster, makeMember, NOW_MS, startedFor,
  type TestMember,
} from './join.test-kit.ts'
import { makeTrust, signRow, verifyRow } from './signature.ts'
import { formatToken, rotateSecret } from './token.ts'

const manager = await makeCluster()
const worker = await makeMember(manager)

function options(member: Pick<TestMember, 'target'>, change: Partial<JoinOptions> = {}):
  JoinOptions {
  return {
    target: member.target, token: joinToken(manager, 'worker')!, nodeName: 'node-3',
    address: '192.168.56.13', port: 7946, version: '0.1.0', clock: new ManualClock(NOW_MS),
    ...change,
  }
}

async function refused(
  t: ExecutionContext, joining: Promise<unknown>, reason: string, message: RegExp,
): Promise<JoinError> {
  const error = await t.throwsAsync<JoinError>(joining, { instanceOf: JoinError, message })
  t.is(error?.reason, reason as JoinError['reason'])
  t.is(error?.code, 'TM_CONFLICT')
  const all = `${error?.message} ${JSON.stringify(error?.facts)}`
  for (const secret of Object.values(['worker', 'manager'] as const)) {
    t.false(all.includes(joinToken(manager, secret)!.slice(-25)), 'no secret in an error')
  }
  return error!
}

for (const role of ['worker', 'manager'] as const) {
  test(`with the token of a ${role} a node becomes one`, async t => {
    const member = await startedFor(t, manager)
    const token = joinToken(manager, role)!
    const { identity, seeds, through } = await joinCluster(options(member, { token }))
    const { certificate, cluster, ring, authorityKey } = identity
    t.is(certificate.role, role)
    t.is(certificate.nodeName, 'node-3')
    t.is(certificate.address, '192.168.56.13')
    t.regex(certificate.nodeId, /^[0-9a-z]{25}$/)
    t.true(isPairOf(identity.privateKey, certificate.publicKey))
    t.deepEqual(cluster, manager.cluster)
    t.deepEqual(ring, manager.ring)
    t.deepEqual(seeds, [{ host: '192.168.56.11', port: 7946 }])
    t.is(through, 'node-1')
    t.is(authorityKey !== null, role === 'manager')
    t.is(joinToken(identity, 'worker'), role === 'manager' ? joinToken(manager, 'worker') : null)
    t.is(member.desk.counters.joined, 1)
    const [event] = member.events
    if (event?.type !== 'joined') return t.fail()
    t.is(event.candidate.source, '127.0.0.1')
    t.is(event.candidate.port, 7946)
    t.is(event.candidate.version, '0.1.0')
    t.deepEqual(event.certificate.octets, certificate.octets)
  })
}

test('a manager that has joined lets others in, too', async t => {
  const first = await startedFor(t, manager)
  const token = joinToken(manager, 'manager')!
  const { identity } = await joinCluster(options(first, { token }))
  const second = await startedFor(t, identity)
  const joined = await joinCluster(options(second, { nodeName: 'node-4' }))
  t.is(joined.through, 'node-3')
  t.deepEqual(joined.identity.authority.octets, manager.authority.octets)
})

test('an unsealed cluster says so', async t => {
  const open = { ...manager, cluster: { ...manager.cluster, insecure: true } }
  const { identity } = await joinCluster(options(await startedFor(t, open)))
  t.true(identity.cluster.insecure)
})

test('a worker sends joiners on to managers, and never sees the secret', async t => {
  const busy = await startedFor(t, manager)
  const dead = await startedFor(t, manager)
  await dead.close()
  const asked: string[] = []
  const middle = await startedFor(t, worker, { managers: () => [dead.target, busy.target] })
  const answer = middle.desk.answer.bind(middle.desk)
  middle.desk.answer = (line, caller) => {
    asked.push(line)
    return answer(line, caller)
  }
  const { through } = await joinCluster(options(middle))
  t.is(through, 'node-1')
  t.deepEqual(asked, [])
})

test('a worker that knows no manager', async t => {
  const middle = await startedFor(t, worker)
  await refused(t, joinCluster(options(middle)), 'no-manager',
    /^node-2 \(127.0.0.1:\d+\) is a worker, and it knows no manager .* address of a manager$/)
  const other = await startedFor(t, worker, { managers: () => [middle.target] })
  await refused(t, joinCluster(options(other)), 'no-manager', /names lets this node in: .*worker/)
})

test('a wrong token is refused, and after five from one source all are, for a minute', async t => {
  const member = await startedFor(t, manager)
  const { authority } = manager
  const wrong = formatToken({ authorityDigest: authority.digest, secret: new Uint8Array(16) })
  const wrongToken = () => joinCluster(options(member, { token: wrong }))
  for (let i = 0; i < FAILURES_MAX; i += 1) {
    await refused(t, wrongToken(), 'wrong-token', /^the join token is wrong: .* mistyped, or rot/)
    member.clock.advance(1000)
  }
  const right = () =>
    joinCluster(options(member, { clock: new ManualClock(member.clock.wallMs()) }))
  await refused(t, right(), 'too-many-failures',
    /^too many wrong tokens came from 127.0.0.1; try again in 55 s$/)
  t.is(member.desk.counters['wrong-token'], FAILURES_MAX)
  t.is(member.desk.counters['too-many-failures'], 1)
  member.clock.advance(FAILURE_WINDOW_MS - FAILURES_MAX * 1000)
  t.is((await right()).through, 'node-1')
})

test('a token is worth nothing once it was rotated, and the other role keeps its own', async t => {
  const member = await startedFor(t, manager)
  member.identity = { ...manager, secrets: rotateSecret(manager.secrets!, 'worker') }
  await refused(t, joinCluster(options(member)), 'wrong-token', /rotated since/)
  const token = joinToken(manager, 'manager')!
  t.is((await joinCluster(options(member, { token }))).identity.certificate.role, 'manager')
  const now = joinToken(member.identity, 'worker')!
  t.is((await joinCluster(options(member, { token: now, nodeName: 'node-4' }))).through, 'node-1')
})

test('the token of another cluster is not shown to this one', async t => {
  const member = await startedFor(t, await makeCluster())
  await refused(t, joinCluster(options(member)), 'wrong-cluster',
    /^127.0.0.1:\d+ is a member of another cluster; check the address, and that the token is/)
  t.is(member.desk.counters['wrong-token'], 0)
  t.is(member.server.counters.answered, 0)
})

test('who shows the chain of a member without its key gets nowhere', async t => {
  const thief = await makeCluster()
  const member = await startedFor(t, { ...thief, authority: manager.authority })
  // Its certificate was signed by another authority than the one that it shows.
  await refused(t, joinCluster(options(member)), 'wrong-cluster',
    /^127.0.0.1:\d+ shows no certificate of this cluster/)
})

for (const [name, token, message] of [
  ['cut off', joinToken(manager, 'worker')!.slice(0, 40), /is cut off/],
  ['none', 'hello', /does not begin with TMTKN-/],
] as const) {
  test(`a token that is ${name} is refused before anybody is called`, async t => {
    const nowhere = { target: { host: '127.0.0.1', port: 1 } }
    await t.throwsAsync(joinCluster(options(nowhere, { token })), { code: 'TM_USAGE', message })
  })
}

const skews: [name: string, byMs: number, message: RegExp | null][] = [
  ['59 s ahead', 59_000, null],
  ['59 s behind', -59_000, null],
  ['61 s ahead', 61_000, /^the clock of this machine is 1 min 1 s ahead of that of node-1, and/],
  ['two hours behind', -7_200_000, /machine is 2 h 0 min behind that of node-1, .*; set it right/],
  ['a year ahead', 365 * 86_400_000, /machine is 365 d 0 h ahead of that of node-1/],
  ['at 1970', -NOW_MS, /d \d+ h behind that of node-1/],
]
for (const [name, byMs, message] of skews) {
  test(`a clock that is ${name}: ${message === null ? 'let in' : 'refused'}`, async t => {
    const member = await startedFor(t, manager)
    const joining = joinCluster(options(member, { clock: new ManualClock(NOW_MS + byMs) }))
    if (message === null) t.is((await joining).through, 'node-1')
    else await refused(t, joining, 'clock', message)
    t.is(member.desk.counters.joined, message === null ? 1 : 0)
  })
}
test('spans for people', t => {
  const spans: [number, string][] = [
    [59_000, '59 s'], [60_000, '1 min 0 s'], [192_400, '3 min 12 s'], [3_600_000, '1 h 0 min'],
    [86_399_000, '23 h 59 min'], [86_400_000, '1 d 0 h'],
  ]
  for (const [ms, text] of spans) t.is(formatSpan(ms), text)
})

test('a member whose certificate has expired lets nobody in', async t => {
  const member = await startedFor(t, manager)
  member.clock.advance(MEMBER_LIFE_MS + 120_000)
  const clock = new ManualClock(member.clock.wallMs())
  await refused(t, joinCluster(options(member, { clock })), 'expired-certificate',
    /^the certificate of node-1 \(127.0.0.1:\d+\) expired at 2027-02-19T12:00:00.000Z; call/)
})

const names: [name: string, objection: Objection, reason: string, message: RegExp][] = [
  ['in use', { reason: 'name-in-use', text: 'node-3 is alive at 192.168.56.99', retryAfterMs: 100 },
    'name-in-use', /^node-3 is alive at 192.168.56.99$/],
  ['not wanted', { reason: 'not-admitted', text: 'no\tmore \u001b[31mnodes', retryAfterMs: null },
    'not-admitted', /^no\?more \?\[31mnodes$/],
]
for (const [name, objection, reason, message] of names) {
  test(`a node whose name is ${name} is refused`, async t => {
    const member = await startedFor(t, manager, { objection: () => objection })
    await refused(t, joinCluster(options(member)), reason, message)
    t.is(member.desk.counters.joined, 0)
  })
}

test('a node whose name is in use may wait until it is free, and says so', async t => {
  let objections = 2
  const objection: DeskOptions['objection'] = candidate => {
    t.is(candidate.nodeName, 'node-3')
    objections -= 1
    return objections < 0 ? null
      : { reason: 'name-in-use', text: 'node-3 is alive', retryAfterMs: 10 }
  }
  const member = await startedFor(t, manager, { objection })
  const waits: string[] = []
  const { through } = await joinCluster(options(member, {
    waitMs: 60_000, onWait: text => waits.push(text),
  }))
  t.is(through, 'node-1')
  t.deepEqual(waits, ['node-3 is alive', 'node-3 is alive'])
})

test('waiting for a name ends', async t => {
  const objection = () =>
    ({ reason: 'name-in-use', text: 'node-3 is alive', retryAfterMs: 10 }) as const
  const member = await startedFor(t, manager, { objection })
  const clock = new ManualClock(NOW_MS)
  const joining = joinCluster(options(member, {
    clock, waitMs: 30_000, onWait: () => clock.advance(10_000),
  }))
  await refused(t, joining, 'name-in-use', /node-3 is alive/)
  t.is(member.desk.counters['name-in-use'], 4)
})

test('waiting for a name can be cancelled', async t => {
  const objection = () =>
    ({ reason: 'name-in-use', text: 'node-3 is alive', retryAfterMs: 600_000 }) as const
  const member = await startedFor(t, manager, { objection })
  const abort = new AbortController()
  const joining = joinCluster(options(member, {
    signal: abort.signal, waitMs: 3_600_000, onWait: () => abort.abort(),
  }))
  await refused(t, joining, 'cancelled', /cancelled/)
  await refused(t, joinCluster(options(member, { signal: abort.signal })), 'cancelled', /cancelled/)
})

test('of two that join at once with one name, one is let in', async t => {
  const member = await startedFor(t, manager)
  const results = await Promise.allSettled(
    Array.from({ length: 5 }, () => joinCluster(options(member))))
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 1)
  t.is(member.desk.counters['name-in-use'], 4)
  member.clock.advance(30_000)
  const clock = new ManualClock(member.clock.wallMs())
  t.is((await joinCluster(options(member, { clock }))).through, 'node-1')
})

for (const [name, objection] of [
  ['throws', () => { throw new Error('the store is gone') }],
  ['rejects', () => Promise.reject(new Error('the store is gone'))],
] as const) {
  test(`a member that fails (${name}) says so, and its log why`, async t => {
    const member = await startedFor(t, manager, { objection })
    await refused(t, joinCluster(options(member)), 'failed', /^this manager failed to answer; its/)
    t.like(member.events[0], { type: 'refused', reason: 'failed', text: 'the store is gone' })
  })
}

test('names and addresses that cannot be are refused before anybody is called', async t => {
  const nowhere = { target: { host: '127.0.0.1', port: 1 } }
  for (const change of [{ nodeName: 'a b' }, { address: 'node-3' }, { address: '::1' }]) {
    await t.throwsAsync(joinCluster(options(nowhere, change)), { code: 'TM_USAGE' })
  }
})

// ---- what is no member ----

async function listening(t: ExecutionContext, server: Server): Promise<TestMember['target']> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  const target = await listenOnLoopback(server)
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await closeListener(server)
  })
  return target
}
const tcp = (talk: (socket: Socket) => void): Server => createTcpServer(talk)
const tls = (protocols: string[], first: string, identity: Identity): Server => createTlsServer({
  ALPNProtocols: protocols, cert: formatPem(identity.certificate.octets)
    + formatPem(identity.authority.octets),
  key: identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
}, socket => socket.on('error', () => {}).end(first))

const hello = {
  type: 'hello', protocol: 1, version: '0.1.0', timeMs: NOW_MS, clusterName: 'lab', managers: [],
}
const lines = (first: unknown): Server => tls([JOIN_ALPN], `${JSON.stringify(first)}\n`, manager)
const strangers: [name: string, server: () => Server, reason: string, message: RegExp][] = [
  ['speaks first, as ssh does', () => tcp(socket => socket.write('SSH-2.0-x\r\n')),
    'not-a-tapmesh', /answers, but is no member of a tapmesh cluster \(.+\); check address/],
  ['speaks HTTP', () => tcp(socket => socket.once('data', () => socket.end('HTTP/1.1 400 \r\n'))),
    'not-a-tapmesh', /is no member of a tapmesh cluster/],
  ['hangs up', () => tcp(socket => socket.end()), 'not-a-tapmesh', /it ended the connection/],
  ['resets', () => tcp(socket => socket.once('data', () => socket.resetAndDestroy())),
    'not-a-tapmesh', /it ended the connection/],
  ['says nothing', () => tcp(() => {}), 'no-answer',
    /^127.0.0.1:\d+ does not answer within 0.3 s; check the address, and that no firewall drops/],
  ['speaks TLS for something else', () => tls(['h2'], '', manager), 'not-a-tapmesh', /no member/],
  ['hangs up after the handshake', () => tls([JOIN_ALPN], '', manager), 'no-answer',
    /^node-1 \(127.0.0.1:\d+\) ended the connection without an answer/],
  ['greets in no words', () => tls([JOIN_ALPN], 'hello\n', manager), 'bad-answer',
    /^node-1 \(127.0.0.1:\d+\) says what this tapmesh does not understand/],
  ['greets at length', () => tls([JOIN_ALPN], 'x'.repeat(100_000), manager), 'no-answer',
    /ended the connection/],
  ['answers nothing', () => lines(hello), 'no-answer', /ended the connection without an answer/],
  ['is of a later version', () => lines({ type: 'hello', protocol: 2, words: 'new' }),
    'other-protocol', /^node-1 \(.*\) speaks join protocol 2, this tapmesh 1; run the same/],
]
for (const [name, server, reason, message] of strangers) {
  test(`what listens there ${name}: ${reason}`, async t => {
    const target = await listening(t, server())
    const timeoutMs = name === 'says nothing' ? 300 : undefined
    await refused(t, joinCluster(options({ target }, { timeoutMs })), reason, message)
  })
}

test('nothing listens there', async t => {
  const server = tcp(() => {})
  const target = await listenOnLoopback(server)
  await closeListener(server)
  await refused(t, joinCluster(options({ target })), 'unreachable',
    /^127.0.0.1:\d+ refuses connections: no member of a cluster listens there, or a firewall/)
})

test('a name that nobody knows', async t => {
  const target = { host: 'nobody.invalid', port: 7946 }
  await refused(t, joinCluster(options({ target })), 'unreachable',
    /^no address is known for "nobody.invalid" \(.*\); give an IP address$/)
})

const lies: [name: string, change: (answer: any) => void][] = [
  ['another name', answer => { answer.certificate = base64(worker) }],
  ['no certificate', answer => { answer.certificate = 'AAAA' }],
  ['the role of another token', answer => { answer.role = 'manager' }],
  ['no ring', answer => { answer.ring = '{}' }],
  ['a word more', answer => { answer.more = 1 }],
  ['the answer to something else', answer => { answer.type = 'keys' }],
  ['secrets for a worker', answer => {
    answer.secrets = { worker: '0'.repeat(25), manager: '0'.repeat(25) }
  }],
]
const base64 = (identity: Identity): string =>
  Buffer.from(identity.certificate.octets).toString('base64')
for (const [name, change] of lies) {
  test(`a manager that answers with ${name} is not believed`, async t => {
    const member = await startedFor(t, manager)
    const answer = member.desk.answer.bind(member.desk)
    member.desk.answer = async (line, caller) => {
      const changed = structuredClone(await answer(line, caller))
      change(changed)
      return changed
    }
    await refused(t, joinCluster(options(member)), 'bad-answer', /does not understand/)
  })
}

for (const role of ['worker', 'manager'] as const) {
  test(`what a ${role} got by joining is what it finds after a restart`, async t => {
    const member = await startedFor(t, manager)
    const { identity } = await joinCluster(options(member, { token: joinToken(manager, role)! }))
    const state = mkdtempSync(`${tmpdir()}/tapmesh-join-`)
    t.teardown(() => rmSync(state, { recursive: true }))
    createIdentity(state, identity)
    const found = loadIdentity(state)!
    t.deepEqual(found.certificate.octets, identity.certificate.octets)
    t.deepEqual(found.ring, manager.ring)
    t.is(joinToken(found, 'manager'), role === 'manager' ? joinToken(manager, 'manager') : null)
    const row = {
      table: 'networks', key: 'web', value: Buffer.from('{}'),
      stamp: { ms: NOW_MS, counter: 0, node: found.certificate.nodeId, epoch: 1 },
    }
    const trust = makeTrust(manager.authority, () => null)
    t.is(verifyRow(trust, { ...row, proof: signRow(found, row) }),
      role === 'manager' ? null : 'not-a-manager')
  })
}
