// The request layer against a kernel that answers badly.
import { EventEmitter } from 'node:events'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import netlink from 'netlink'
import type { DatagramSocket } from './rtnetlink.ts'
import { DUMP_TRIES_MAX, REQUESTS_WAITING_MAX, Rtnetlink } from './rtnetlink.ts'

const { GETLINK } = netlink.rt.MessageType
const { DONE, ERROR } = netlink.MessageType
const { DUMP_INTR, MULTI } = netlink.Flags
const EMPTY = Buffer.alloc(0)
const KERNEL_PORT = 0

type Request = { seq: number; flags: number }
type Part = { type?: number; flags?: number; seq?: number; data?: Buffer }

/** A socket whose other end is a function: what it is asked, and what it lets come back. */
class FakeSocket extends EventEmitter {
  readonly requests: Request[] = []
  readonly reply: (request: Request, socket: FakeSocket) => void
  constructor(reply: (request: Request, socket: FakeSocket) => void) {
    super()
    this.reply = reply
  }
  address = () => ({ port: 4711, groups: 0 })
  ref = (): void => {}
  unref = (): void => {}
  close = (): void => {}
  send(datagram: Buffer): void {
    const [{ seq, flags } = { seq: 0, flags: 0 }] = netlink.parseMessages(datagram)
    this.requests.push({ seq, flags })
    setImmediate(() => this.reply({ seq, flags }, this))
  }
  receive(parts: Part[], port = KERNEL_PORT): void {
    const datagram = parts.flatMap(({ type = GETLINK, flags = MULTI, seq = 0, data = EMPTY }) =>
      // NLMSG_ALIGN of linux/netlink.h: each message starts at a multiple of four.
      netlink.pad(netlink.formatMessage({ type, flags, seq, port: 4711, data })))
    this.emit('message', Buffer.concat(datagram), { port, groups: 0 })
  }
}

function open(
  reply: (request: Request, socket: FakeSocket) => void, timeoutMs?: number,
): { rt: Rtnetlink; socket: FakeSocket } {
  const socket = new FakeSocket(reply)
  return { rt: new Rtnetlink(socket as unknown as DatagramSocket, timeoutMs), socket }
}

const part = (seq: number, text: string): Part => ({ seq, data: Buffer.from(text) })
const done = (seq: number, result = 0, flags = MULTI): Part =>
  ({ type: DONE, seq, flags, data: netlink.putS32(result) })
const textsOf = (buffers: Buffer[]): string[] => buffers.map(buffer => buffer.toString())

async function refused(
  t: ExecutionContext, work: Promise<unknown>, code: string, message: RegExp,
): Promise<void> {
  const error = await t.throwsAsync(work, { message })
  t.is((error as { code?: unknown } | undefined)?.code, code)
}

test('a dump is put together from several datagrams', async t => {
  const { rt } = open(({ seq }, socket) => {
    socket.receive([part(seq, 'one'), part(seq, 'two!')])
    socket.receive([part(seq, 'three'), done(seq)])
  })
  t.deepEqual(textsOf(await rt.dump(GETLINK, EMPTY)), ['one', 'two!', 'three'])
})

test('an error that ends a dump is not lost', async t => {
  const { rt } = open(({ seq }, socket) => socket.receive([part(seq, 'one'), done(seq, -12)]))
  await refused(t, rt.dump(GETLINK, EMPTY), 'TM_KERNEL', /RTM_GETLINK: ENOMEM/)
})

test('a dump that a change interrupted is read again', async t => {
  const { rt, socket } = open(({ seq }, socket) => {
    if (socket.requests.length === 1) socket.receive([part(seq, 'old'), done(seq, 0, DUMP_INTR)])
    else socket.receive([part(seq, 'new'), done(seq)])
  })
  t.deepEqual(textsOf(await rt.dump(GETLINK, EMPTY)), ['new'])
  t.is(socket.requests.length, 2)
})

test('a table that never stands still is given up', async t => {
  const { rt, socket } = open(({ seq }, socket) => socket.receive([done(seq, 0, DUMP_INTR)]))
  await refused(t, rt.dump(GETLINK, EMPTY), 'TM_KERNEL', /EINTR; the table changed/)
  t.is(socket.requests.length, DUMP_TRIES_MAX)
})

test('requests go one at a time and in order', async t => {
  let unanswered = 0
  const { rt } = open(({ seq }, socket) => {
    unanswered += 1
    t.is(unanswered, 1)
    setImmediate(() => {
      unanswered -= 1
      socket.receive([part(seq, String(seq)), done(seq)])
    })
  })
  const answers = await Promise.all([1, 2, 3].map(() => rt.dump(GETLINK, EMPTY)))
  t.deepEqual(answers.map(textsOf), [['1'], ['2'], ['3']])
})

test('a refusal carries its number and what it was about, and the next request goes', async t => {
  const { rt } = open(({ seq }, socket) => {
    const result = seq === 1 ? -1 : 0
    const data = Buffer.concat([netlink.putS32(result), Buffer.alloc(16)])
    socket.receive([{ type: ERROR, flags: 0, seq, data }])
  })
  const first = rt.change(GETLINK, 0, EMPTY, { device: 'tap0' })
  await refused(t, first, 'TM_KERNEL', /RTM_GETLINK \(tap0\): EPERM; this needs root/)
  await t.notThrowsAsync(rt.change(GETLINK, 0, EMPTY, {}))
})

test('answers to another request and from other processes are not believed', async t => {
  const { rt } = open(({ seq }, socket) => {
    socket.receive([part(seq + 7, 'of another'), done(seq + 7)])
    socket.receive([part(seq, 'from a process'), done(seq)], 1234)
    socket.receive([part(seq, 'true'), done(seq)])
  })
  t.deepEqual(textsOf(await rt.dump(GETLINK, EMPTY)), ['true'])
})

test('garbage rejects the request and throws into nobody', async t => {
  const { rt } = open((_, socket) => {
    socket.emit('message', Buffer.from('ffffffffffff', 'hex'), { port: KERNEL_PORT, groups: 0 })
  })
  await refused(t, rt.dump(GETLINK, EMPTY), 'TM_NETLINK', /not understood/)
})

test('no answer is a time-out, and the late one is not taken for the next', async t => {
  const late: Part[] = []
  const { rt } = open(({ seq }, socket) => {
    if (seq === 1) late.push(part(seq, 'late'), done(seq))
    else socket.receive([...late, part(seq, 'in time'), done(seq)])
  }, 20)
  await refused(t, rt.dump(GETLINK, EMPTY), 'TM_TIMEOUT', /RTM_GETLINK: no answer in 20 ms/)
  t.deepEqual(textsOf(await rt.dump(GETLINK, EMPTY)), ['in time'])
})

test('an error on the socket fails the request', async t => {
  const overflow = Object.assign(new Error(), { errno: 105 })
  const { rt } = open((_, socket) => socket.emit('error', overflow))
  await refused(t, rt.dump(GETLINK, EMPTY), 'TM_KERNEL', /ENOBUFS/)
})

test('closing rejects what waits and what comes later', async t => {
  const { rt } = open(() => {})
  const waiting = [rt.dump(GETLINK, EMPTY), rt.dump(GETLINK, EMPTY)]
  setImmediate(() => rt.close())
  for (const one of waiting) await refused(t, one, 'TM_CLOSED', /socket is closed/)
  rt.close()
  await refused(t, rt.dump(GETLINK, EMPTY), 'TM_CLOSED', /socket is closed/)
})

test('the queue has an end', async t => {
  const { rt } = open(() => {})
  const waiting = Array.from({ length: REQUESTS_WAITING_MAX }, () => rt.dump(GETLINK, EMPTY))
  await refused(t, rt.dump(GETLINK, EMPTY), 'TM_LIMIT', new RegExp(`${REQUESTS_WAITING_MAX}`))
  rt.close()
  const outcomes = await Promise.allSettled(waiting)
  t.true(outcomes.every(outcome => outcome.status === 'rejected'))
})
