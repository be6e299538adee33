// What we tell the service manager that has started us, as sd_notify(3) has it: lines in a datagram
// to the socket that it named. Node has no datagram sockets of the Unix family, so we make one.
import { Buffer } from 'node:buffer'
import { KernelError } from '../base/errors.ts'
import {
  AF_UNIX, ENAMETOOLONG, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK,
} from './constants.ts'
import { checkResult } from './node-error.ts'
import { close, connect, send, socket } from './syscalls.ts'

/** sun_path of linux/un.h. */
const PATH_OCTETS_MAX = 108
const MICROS_PER_MS = 1000

export class NotifySocket {
  /** How often it wants a sign of life at the least, in milliseconds; 0: not at all. */
  readonly watchdogMs: number
  readonly #fd: number

  private constructor(fd: number, watchdogMs: number) {
    this.#fd = fd
    this.watchdogMs = watchdogMs
  }

  /**
   * @param env NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are taken out of it: they are meant
   *            for us, and not for what we start
   * @returns null when no service manager asks
   * @throws KernelError when it cannot be reached
   */
  static find(env: Record<string, string | undefined>): NotifySocket | null {
    const { NOTIFY_SOCKET: path = '', WATCHDOG_USEC: micros, WATCHDOG_PID: pid } = env
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name]
    if (path === '') return null
    const isForUs = pid === undefined || Number(pid) === process.pid
    return new NotifySocket(open(path), isForUs ? Number(micros ?? 0) / MICROS_PER_MS : 0)
  }

  /**
   * @param lines such as READY=1 or STATUS=…
   * @throws KernelError when nobody takes them, or the queue is full
   */
  tell(...lines: string[]): void {
    checkResult('send', send(this.#fd, Buffer.from(lines.join('\n')), MSG_NOSIGNAL), {},
      'the service manager does not take what we tell it')
  }

  close(): void {
    close(this.#fd)
  }
}

function open(path: string): number {
  // A first "@" stands for the zero octet of an abstract name.
  const name = Buffer.from(path.replace(/^@/, '\0'))
  if (name.length >= PATH_OCTETS_MAX) throw new KernelError('connect', ENAMETOOLONG, { path })
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC
  const fd = checkResult('socket', socket(AF_UNIX, type, 0), { family: 'unix' })
  // A path ends with a zero octet, an abstract name does not.
  const end = Buffer.alloc(path.startsWith('@') ? 0 : 1)
  const address = Buffer.concat([Buffer.from(new Uint16Array([AF_UNIX]).buffer), name, end])
  const result = connect(fd, address)
  if (result >= 0) return fd
  close(fd)
  throw new KernelError('connect', -result, { path }, 'NOTIFY_SOCKET names no service manager')
}
