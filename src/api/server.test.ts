// The server and its routes over a real Unix socket, in front of a daemon that is only memory.
import test, { type ExecutionContext } from 'ava'
import { appendFile, stat, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { pino } from 'pino'
import { makeClient } from './client.ts'
import { serveFake, until, type Served } from './control.test-kit.ts'
import { BODY_OCTETS_MAX } from './http.ts'
import { CONNECTIONS_MAX, startServer } from './server.ts'

async function served(t: ExecutionContext): Promise<Served> {
  const fake = await serveFake()
  t.teardown(fake.close)
  return fake
}

type Answer = { status: number; headers: Record<string, unknown>; text: string }

/** One raw request; `body` goes out as it is. */
function raw(socketPath: string, method: string, path: string, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', part => (text += part)).on('error', reject)
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

const refusals: [what: string, ask: [string, string, string?], status: number, text: RegExp][] = [
  ['an unknown path', ['GET', '/v2/x'], 404, /"TM_NOT_FOUND".*no GET \/v2\/x/],
  ['a broken escape', ['GET', '/v1/tasks/%zz'], 404, /TM_NOT_FOUND/],
  ['a wrong method', ['POST', '/v1/status', '{}'], 405, /answers GET, not POST/],
  ['a method that is none of ours', ['PATCH', '/v1/networks'], 405, /answers GET and POST/],
  ['a network that is not there', ['GET', '/v1/networks/none'], 404, /no network named none/],
  ['a task that is not there', ['GET', '/v1/tasks/none/logs'], 404, /no task named none/],
  ['a body that is not JSON', ['POST', '/v1/networks', '{'], 400, /the body is not JSON/],
  ['a body without a name', ['POST', '/v1/networks'], 400, /"name":/],
  ['an unknown query', ['GET', '/v1/networks?x=1'], 400, /\\"x\\"/],
  ['a query given twice', ['DELETE', '/v1/tasks/t?force=1&force=1'], 400, /force: say true/],
  ['a wrong VTEP', ['DELETE', '/v1/vteps/node2'], 400, /\\"node2\\" is not an address/],
  ['an oversized body', ['POST', '/v1/networks', ' '.repeat(BODY_OCTETS_MAX + 1)], 413, /TM_LIMIT/],
]
for (const [what, ask, status, text] of refusals) {
  test(`refused with ${status}: ${what}`, async t => {
    const { socketPath } = await served(t)
    const answer = await raw(socketPath, ...ask)
    t.is(answer.status, status)
    t.regex(answer.text, text)
    t.regex(String(answer.headers['content-type']), /^application\/json/)
    t.deepEqual(Object.keys(JSON.parse(answer.text).error), ['code', 'message', 'facts'])
  })
}

test('the socket is for its owner and group only', async t => {
  const { socketPath } = await served(t)
  t.is((await stat(socketPath)).mode & 0o777, 0o660)
})

test('networks: create, list, show, remove', async t => {
  const { client, asked } = await served(t)
  const made = await client.createNetwork({ name: 'mynet', vni: 4100, labels: { a: 'b' } })
  t.like(made, { name: 'mynet', vni: 4100, labels: { a: 'b' } })
  t.deepEqual(asked, ['create {"name":"mynet","vni":4100,"labels":{"a":"b"},'
    + '"attachable":true,"internal":false}'])
  t.deepEqual(await client.networks(), [made])
  t.deepEqual(await client.network('mynet'), made)
  await t.throwsAsync(client.createNetwork({ name: 'mynet' }), {
    code: 'TM_CONFLICT', message: 'network mynet exists already',
  })
  t.like((await client.status()).networks, [{ name: 'mynet' }])
  await client.removeNetwork('mynet')
  t.deepEqual(await client.networks(), [])
  await t.throwsAsync(client.network('mynet'), { code: 'TM_NOT_FOUND' })
})

test('tables: VTEPs and what was learned', async t => {
  const { client, asked } = await served(t)
  const view = await client.addVtep({ address: '192.168.56.12:4790', network: 'mynet' })
  t.like(view, { address: '192.168.56.12', port: 4790, network: 'mynet' })
  t.deepEqual(await client.vteps(), [view])
  await client.removeVtep({ address: '192.168.56.12:4790', network: 'mynet' })
  t.deepEqual(asked, ['remove vtep 192.168.56.12:4790 mynet'])
  t.like(await client.learned(), [{ mac: '02:42:0a:00:01:09', ageMs: 4200 }])
})

test('tasks: run, show, kill, stop, remove', async t => {
  const { client, asked } = await served(t)
  await client.createNetwork({ name: 'mynet' })
  const body = { name: 'web', networks: [{ network: 'mynet' }], command: ['sleep', '9'] }
  const { id } = await client.runTask(body)
  t.like(await client.tasks(), [{ id, name: 'web' }])
  t.is((await client.task(id.slice(0, 8))).name, 'web')
  await t.throwsAsync(client.removeTask('web'), { code: 'TM_CONFLICT' })
  await client.killTask('web', 'int')
  t.like(await client.stopTask('web', 1500), { state: 'exited', exitCode: 143 })
  t.deepEqual(asked.slice(-2), ['kill web SIGINT', 'stop web 1500'])
  await client.removeTask('web')
  t.deepEqual(await client.tasks(), [])
  await client.runTask(body)
  await client.removeTask('web', true)
  t.deepEqual(await client.tasks(), [])
})

async function withTask(t: ExecutionContext): Promise<Served> {
  const fake = await served(t)
  await fake.client.createNetwork({ name: 'mynet' })
  await fake.client.runTask({ name: 'web', networks: [{ network: 'mynet' }], command: ['x'] })
  return fake
}

test('wait answers when the process has ended', async t => {
  const { client, end } = await withTask(t)
  const wait = client.waitTask('web')
  end('web', 3)
  t.deepEqual(await wait, { exitCode: 3, state: 'exited' })
})

test('whoever hangs up no longer waits in the daemon', async t => {
  const { client, socketPath, logged, asked } = await withTask(t)
  const abort = new AbortController()
  const wait = client.waitTask('web', abort.signal)
  const log = client.taskLog('web', { follow: true })
  const first = log.next()
  await until(() => asked.filter(words => words === 'wait web').length === 2, 'both to wait')
  abort.abort()
  await t.throwsAsync(wait, { name: 'AbortError' })
  await until(() => logged.some(line => line.includes('client has gone')), 'the daemon to notice')
  t.is((await raw(socketPath, 'POST', '/v1/tasks/web/kill', '{}')).status, 204)
  t.true((await first).done)
})

test('a log is sent whole, from its tail, and while it grows', async t => {
  const { client, end, logPath } = await withTask(t)
  await writeFile(logPath, 'one\ntwo\n')
  const read = async (log: AsyncIterable<Buffer>) => {
    let text = ''
    for await (const part of log) text += part.toString()
    return text
  }
  t.is(await read(client.taskLog('web')), 'one\ntwo\n')
  t.is(await read(client.taskLog('web', { tail: 1 })), 'two\n')
  const follow = client.taskLog('web', { follow: true })
  t.is(String((await follow.next()).value), 'one\ntwo\n')
  await appendFile(logPath, 'three\n')
  end('web', 0)
  t.is(await read(follow), 'three\n')
})

test('what nobody foresaw is logged with its stack and answered without it', async t => {
  const { socketPath, logged } = await served(t)
  const { status, text } = await raw(socketPath, 'POST', '/v1/networks', '{"name":"broken"}')
  t.is(status, 500)
  t.regex(text, /"TM_INTERNAL","message":"the daemon failed; its log says why"/)
  t.notRegex(text, /secret/)
  t.true(logged.some(line => line.includes('secret inner state') && line.includes('.ts:')))
})

test('a second daemon is refused and told who is there', async t => {
  const { socketPath, control } = await served(t)
  await t.throwsAsync(startServer({ socketPath, control, log: pino({ level: 'silent' }) }), {
    code: 'TM_CONFLICT',
    message: `another daemon (node1, pid ${process.pid}) answers on ${socketPath}; stop it first`,
  })
})

test('a socket that a dead daemon left is replaced', async t => {
  const { folder, control } = await served(t)
  const socketPath = join(folder, 'stale.sock')
  const script = 'require("net").createServer().listen(process.argv[1], '
    + '() => process.kill(process.pid, "SIGKILL"))'
  spawnSync(process.execPath, ['-e', script, socketPath])
  t.true((await stat(socketPath)).isSocket())
  const server = await startServer({ socketPath, control, log: pino({ level: 'silent' }) })
  t.is((await makeClient({ socketPath }).status()).node, 'node1')
  await server.close()
  await t.throwsAsync(stat(socketPath), { code: 'ENOENT' })
})

test('what is no socket is left alone', async t => {
  const { folder, control } = await served(t)
  const socketPath = join(folder, 'file')
  await writeFile(socketPath, 'precious')
  await t.throwsAsync(startServer({ socketPath, control, log: pino({ level: 'silent' }) }), {
    code: 'TM_CONFLICT', message: /is not a socket/,
  })
})

test('a path longer than a socket may have is refused', async t => {
  const { folder, control } = await served(t)
  const socketPath = join(folder, 'x'.repeat(107))
  await t.throwsAsync(startServer({ socketPath, control, log: pino({ level: 'silent' }) }), {
    code: 'TM_CONFIG', message: /longer than 107 octets/,
  })
})

test('closing tells those who wait, and ends', async t => {
  const { client, close, socketPath } = await withTask(t)
  const wait = client.waitTask('web')
  const refused = t.throwsAsync(wait, { code: 'TM_STOPPING' })
  const idle = connect(socketPath)
  // The server may close before it has taken this one, which is told as a reset then.
  idle.on('error', () => {})
  await client.status()
  await close()
  await refused
  await until(() => idle.destroyed, 'the idle connection to be closed')
  await t.throwsAsync(client.status(), {
    code: 'TM_API', message: `no daemon answers on ${socketPath}; start it with: tapmesh daemon`,
  })
})

test('one connection too many is refused, said, and does no harm', async t => {
  const { client, socketPath, logged } = await served(t)
  const idle = Array.from({ length: CONNECTIONS_MAX }, () => connect(socketPath))
  await Promise.all(idle.map(socket => new Promise(resolve => socket.once('connect', resolve))))
  await t.throwsAsync(client.status(), { message: /closed the connection before/ })
  t.true(logged.some(line => line.includes('API connection refused: too many')))
  for (const socket of idle) socket.destroy()
  await until(() => idle.every(socket => socket.closed), 'the connections to close')
  t.is((await client.status()).node, 'node1')
})

test('a daemon that hangs is given up on, and a stranger is called one', async t => {
  const { folder } = await served(t)
  const socketPath = join(folder, 'strange.sock')
  const strange = createServer(socket => {
    socket.once('data', octets => {
      if (String(octets).includes('/v1/networks')) socket.end('HTTP/1.0 200 OK\r\n\r\nhello')
      if (String(octets).includes('/v1/tasks')) socket.destroy()
    })
  })
  await new Promise<void>(resolve => strange.listen(socketPath, resolve))
  t.teardown(() => strange.close())
  const client = makeClient({ socketPath, timeoutMs: 100 })
  await t.throwsAsync(client.status(), { message: /did not answer within 0.1 s/ })
  await t.throwsAsync(client.networks(), { message: /is not a tapmesh daemon of this version/ })
  await t.throwsAsync(client.tasks(), { message: /closed the connection/ })
})
