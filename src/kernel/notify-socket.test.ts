// What reaches a service manager: here, a socket of the kind that it has, bound by the test.
import test, { type ExecutionContext } from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AF_UNIX, SOCK_DGRAM, SOCK_NONBLOCK } from './constants.ts'
import { NotifySocket } from './notify-socket.ts'
import { addressOf, bind, close, read, socket } from './syscalls.ts'

/** @returns what comes to the socket at `path`, one datagram a call; "" when there is none */
function listen(t: ExecutionContext, path: string): () => string {
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)
  const name = Buffer.from(`${path.replace(/^@/, '\0')}${path.startsWith('@') ? '' : '\0'}`)
  const family = Buffer.from(new Uint16Array([AF_UNIX]).buffer)
  t.is(bind(fd, Buffer.concat([family, name])), 0)
  t.teardown(() => close(fd))
  const into = new Uint8Array(new ArrayBuffer(4096))
  return () => {
    const octets = read(fd, addressOf(into), into.length)
    return octets < 0 ? '' : Buffer.from(into.subarray(0, octets)).toString()
  }
}

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tapmesh-notify-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

test('lines in one datagram, to a path', t => {
  const path = join(folderOf(t), 'notify')
  const heard = listen(t, path)
  const notify = NotifySocket.find({ NOTIFY_SOCKET: path })!
  t.teardown(() => notify.close())
  t.is(heard(), '')
  notify.tell('READY=1', 'STATUS=well')
  notify.tell('WATCHDOG=1')
  t.is(heard(), 'READY=1\nSTATUS=well')
  t.is(heard(), 'WATCHDOG=1')
})

test('an abstract name', t => {
  const name = `@tapmesh-notify-${process.pid}`
  const heard = listen(t, name)
  const notify = NotifySocket.find({ NOTIFY_SOCKET: name })!
  t.teardown(() => notify.close())
  notify.tell('STOPPING=1')
  t.is(heard(), 'STOPPING=1')
})

test('what is meant for us does not go on to what we start', t => {
  const path = join(folderOf(t), 'notify')
  listen(t, path)
  const env: Record<string, string> = {
    NOTIFY_SOCKET: path, WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.pid), HOME: '/',
  }
  const notify = NotifySocket.find(env)!
  t.teardown(() => notify.close())
  t.is(notify.watchdogMs, 30_000)
  t.deepEqual(env, { HOME: '/' })
})

test('the watchdog of another process is not ours', t => {
  const path = join(folderOf(t), 'notify')
  listen(t, path)
  const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' }
  const notify = NotifySocket.find(env)!
  t.teardown(() => notify.close())
  t.is(notify.watchdogMs, 0)
})

test('nobody asks, nobody listens, a name that is too long', t => {
  t.is(NotifySocket.find({}), null)
  t.throws(() => NotifySocket.find({ NOTIFY_SOCKET: '/nowhere/notify' }),
    { message: /^connect \(\/nowhere\/notify\): ENOENT; NOTIFY_SOCKET names no service manager$/ })
  t.throws(() => NotifySocket.find({ NOTIFY_SOCKET: `/${'n'.repeat(108)}` }),
    { message: /ENAMETOOLONG/ })
})
