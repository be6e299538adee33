// A socket to rtnetlink: one request at a time, each with a time-out, errors as KernelError.
//
// Of the npm package `netlink` this takes the raw socket and the codecs. Its request layer would
// lose the error that ends a dump, mix up two dumps on one socket, report errors as text, and
// believe answers from anybody. Two rules of its native part shape this file: an exception inside
// a callback and an error on the socket (an overflow, for one) both abort the whole process.
import netlink from 'netlink'
import type { MessageInfo, NetlinkMessage, RawNetlinkSocket } from 'netlink'
import { KernelError, LimitError, TapmeshError } from '../../base/errors.ts'
import type { Facts } from '../../base/errors.ts'
import { EINTR, EMSGSIZE, EPERM } from '../constants.ts'
import { openNetlinkSocket } from './netlink-socket.ts'

/** The kernel answers at once, unless another process holds its lock on all devices. */
export const REQUEST_TIMEOUT_MS = 5000
export const REQUESTS_WAITING_MAX = 4096
/** Messages in one answer: one for each link, address, route or neighbour. */
export const DUMP_MESSAGES_MAX = 1 << 18
/** How often a dump is begun again because the table changed meanwhile. */
export const DUMP_TRIES_MAX = 8

const { ACK, DUMP_INTR, MULTI, REQUEST } = netlink.Flags
const { DUMP } = netlink.FlagsGet
const { DONE, ERROR } = netlink.MessageType
const ANSWER_INTERRUPTED = Symbol('the table changed during the dump')

/** What is used of the package's socket; a test puts its own in its place. */
export type DatagramSocket = Pick<
  RawNetlinkSocket, 'address' | 'close' | 'on' | 'ref' | 'send' | 'unref'
>

type Pending = {
  readonly name: string
  readonly facts: Facts
  readonly seq: number
  readonly parts: Buffer[]
  interrupted: boolean
  readonly settle: (outcome: Buffer[] | typeof ANSWER_INTERRUPTED | Error) => void
}

/** Open it by `openRtnetlink`; the functions in the files beside this one speak through it. */
export class Rtnetlink {
  readonly #socket: DatagramSocket
  readonly #timeoutMs: number
  readonly #port: number
  #seq = 0
  #waiting = 0
  #closed = false
  #pending: Pending | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(socket: DatagramSocket, timeoutMs = REQUEST_TIMEOUT_MS) {
    this.#socket = socket
    this.#timeoutMs = timeoutMs
    this.#port = socket.address().port
    socket.unref()
    socket.on('message', (datagram, from) => this.#receive(datagram, from))
    socket.on('truncatedMessage', () => this.#fail(EMSGSIZE))
    socket.on('error', error => this.#fail(Math.abs(error.errno)))
  }

  /** Ask for one thing. @throws KernelError as the kernel refuses, for example ENODEV */
  async get(type: number, body: Buffer, facts: Facts): Promise<Buffer> {
    const [message] = await this.#request(type, REQUEST, body, facts)
    if (message === undefined) throw new TapmeshError('TM_NETLINK', `${nameOf(type)}: empty answer`)
    return message
  }

  /** Ask for all of them, as they stood at one moment. */
  dump(type: number, body: Buffer): Promise<Buffer[]> {
    return this.#request(type, REQUEST | DUMP, body, {})
  }

  /** Change something. @throws KernelError as the kernel refuses, `facts` named in it */
  async change(type: number, flags: number, body: Buffer, facts: Facts): Promise<void> {
    await this.#request(type, REQUEST | ACK | flags, body, facts)
  }

  /** What still waits for an answer is rejected. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#pending?.settle(closedError(this.#pending.name))
    this.#socket.close()
  }

  async #request(type: number, flags: number, body: Buffer, facts: Facts): Promise<Buffer[]> {
    if (this.#waiting >= REQUESTS_WAITING_MAX) {
      throw new LimitError(`${REQUESTS_WAITING_MAX} rtnetlink requests wait already`)
    }
    this.#waiting += 1
    const answer = this.#turn.then(() => this.#untilWhole(type, flags, body, facts))
    this.#turn = answer.catch(() => undefined)
    try {
      return await answer
    } finally {
      this.#waiting -= 1
    }
  }

  async #untilWhole(type: number, flags: number, body: Buffer, facts: Facts): Promise<Buffer[]> {
    for (let tries = 0; tries < DUMP_TRIES_MAX; tries += 1) {
      const answer = await this.#exchange(type, flags, body, facts)
      if (answer !== ANSWER_INTERRUPTED) return answer
    }
    const hint = `the table changed during each of ${DUMP_TRIES_MAX} readings; try again`
    throw new KernelError(nameOf(type), EINTR, facts, hint)
  }

  #exchange(
    type: number, flags: number, body: Buffer, facts: Facts,
  ): Promise<Buffer[] | typeof ANSWER_INTERRUPTED> {
    const name = nameOf(type)
    if (this.#closed) return Promise.reject(closedError(name))
    this.#seq = (this.#seq % 0xffffffff) + 1
    const seq = this.#seq
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(lateError(name, this.#timeoutMs)), this.#timeoutMs)
      const settle: Pending['settle'] = outcome => {
        clearTimeout(timer)
        this.#pending = null
        this.#socket.unref()
        if (outcome instanceof Error) reject(outcome)
        else resolve(outcome)
      }
      this.#pending = { name, facts, seq, parts: [], interrupted: false, settle }
      this.#socket.ref()
      const message = { type, flags, seq, port: this.#port, data: body }
      this.#socket.send(Buffer.concat(netlink.formatMessage(message)), undefined, error => {
        if (error !== undefined && this.#pending?.seq === seq) this.#fail(Math.abs(error.errno))
      })
    })
  }

  #fail(errno: number): void {
    const pending = this.#pending
    pending?.settle(new KernelError(pending.name, errno, pending.facts, hintOf(errno)))
  }

  #receive(datagram: Buffer, from: MessageInfo): void {
    // Port 0 is the kernel; another process could write to us as well.
    if (from.port !== 0) return
    try {
      for (const message of netlink.parseMessages(datagram)) this.#take(message)
    } catch (error) {
      const text = `${this.#pending?.name ?? 'rtnetlink'}: the answer is not understood`
      this.#pending?.settle(new TapmeshError('TM_NETLINK', text, {}, error))
    }
  }

  #take(message: NetlinkMessage): void {
    const pending = this.#pending
    // Another number: the answer to a request that was given up.
    if (pending === null || message.seq !== pending.seq) return
    if ((message.flags & DUMP_INTR) !== 0) pending.interrupted = true
    if (message.type === ERROR || message.type === DONE) {
      // Both begin with minus errno, or 0: struct nlmsgerr, and netlink_dump_done() of the kernel.
      const result = message.data.length < 4 ? 0 : netlink.getS32(message.data.subarray(0, 4))
      if (result !== 0) this.#fail(-result)
      else pending.settle(pending.interrupted ? ANSWER_INTERRUPTED : pending.parts)
      return
    }
    if (message.type < netlink.MIN_TYPE) return
    if (pending.parts.length >= DUMP_MESSAGES_MAX) {
      pending.settle(new LimitError(`${pending.name}: more than ${DUMP_MESSAGES_MAX} entries`))
      return
    }
    pending.parts.push(message.data)
    if ((message.flags & MULTI) === 0) pending.settle(pending.parts)
  }
}

/**
 * Open a socket to the network namespace in which the calling thread is now; there it stays. So for
 * another one: `withNetns(name, openRtnetlink)`.
 * @throws KernelError as the kernel refuses
 */
export function openRtnetlink(): Rtnetlink {
  return new Rtnetlink(openNetlinkSocket())
}

function nameOf(type: number): string {
  return `rtnetlink RTM_${netlink.rt.MessageType[type] ?? type}`
}

function hintOf(errno: number): string {
  return errno === EPERM ? 'this needs root (CAP_NET_ADMIN)' : ''
}

function lateError(name: string, timeoutMs: number): TapmeshError {
  return new TapmeshError('TM_TIMEOUT', `${name}: no answer in ${timeoutMs} ms`)
}

function closedError(name: string): TapmeshError {
  return new TapmeshError('TM_CLOSED', `${name}: the netlink socket is closed`)
}
