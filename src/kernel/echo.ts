// ICMP echo to other hosts, with DF: round trips, and whether a packet of a size gets there whole.
import { randomBytes } from 'node:crypto'
import { KernelError, TapmeshError } from '../base/errors.ts'
import { formatIpv4 } from '../base/text.ts'
import { AF_INET, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, IPPROTO_IP } from './constants.ts'
import { type EchoAnswer, EchoLedger, type EchoRefusal } from './echo-ledger.ts'
import { openRawIcmp, type RawSocket } from './raw-socket.ts'
import { attachFilter, echoAnswers } from './socket-filter.ts'
import * as sys from './syscalls.ts'

/** Requests that may wait for the socket to take them. */
export const ECHO_WAITING_MAX = 256
const SOCKADDR_IN_OCTETS = 16

/** What becomes of a request that did not leave this host. */
export type EchoFailure =
  /** It is longer than the MTU of the device that it would leave by. */
  | Readonly<{ type: 'too-large-here'; sequence: number }>
  /** In the kernel's words, for example "Network is unreachable". */
  | Readonly<{ type: 'refused'; sequence: number; reason: string }>

export type EchoCounts = Record<'sent' | 'replies' | 'errors' | 'refused' | 'failed' | 'forgotten'
  | EchoRefusal, number>

export type EchoOptions = Readonly<{
  /** Own address that requests leave from, and that alone answers are taken at; null: any. */
  address: number | null
  /** Called for each answer and each failure; it does not throw. */
  onAnswer: (answer: EchoAnswer | EchoFailure) => void
  /** The socket is broken, and closed. */
  onError: (error: Error) => void
  /** Monotonic milliseconds. */
  nowMs: () => number
}>

/**
 * Opened in the network namespace in which the calling thread is now.
 * @throws AbsentError  no package `raw-socket`, or no right to use raw sockets
 * @throws KernelError  this host does not have `options.address`
 */
export function openEcho(options: EchoOptions): Echo {
  const ledger = new EchoLedger(randomBytes)
  const { socket, fd } = openRawIcmp('probing the paths of the underlay')
  try {
    attachFilter(fd, echoAnswers(ledger.identifier))
    if (options.address !== null) bindTo(fd, options.address)
    // DF, and what the kernel remembers of the path is not applied: it is what we want to measure.
    socket.setOption(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
    return new Echo(socket, ledger, options)
  } catch (error) {
    socket.close()
    throw error
  }
}

export class Echo {
  readonly #socket: RawSocket
  readonly #ledger: EchoLedger
  readonly #options: EchoOptions
  readonly #counts = { sent: 0, replies: 0, errors: 0, refused: 0, malformed: 0, unknown: 0,
    forged: 0, failed: 0 }
  #lastError: Error | undefined
  #waiting = 0
  #closed = false

  constructor(socket: RawSocket, ledger: EchoLedger, options: EchoOptions) {
    this.#socket = socket
    this.#ledger = ledger
    this.#options = options
    socket.on('message', packet => this.#receive(packet))
    // One failed read is no reason to give up; when the package gives up, it closes the socket.
    socket.on('error', error => {
      this.#counts.failed += 1
      this.#lastError = error
    })
    socket.on('close', () => this.#break())
  }

  /**
   * Send a request. What becomes of it, if anything is heard, goes to `onAnswer`, never before this
   * has returned.
   * @param destination IPv4 address
   * @param sizeOctets  length of the whole IPv4 packet, ECHO_OCTETS_MIN to ECHO_OCTETS_MAX
   * @param sequence    0 to 65535, not in use
   */
  send(destination: number, sizeOctets: number, sequence: number): void {
    if (this.#closed) return
    if (this.#waiting >= ECHO_WAITING_MAX) {
      this.#counts.refused += 1
      const reason = `${ECHO_WAITING_MAX} requests wait already`
      setImmediate(() => this.#tell({ type: 'refused', sequence, reason }))
      return
    }
    const { nowMs } = this.#options
    const message = this.#ledger.request(destination, sizeOctets, sequence, nowMs())
    this.#waiting += 1
    this.#socket.send(message, 0, message.length, formatIpv4(destination),
      () => this.#ledger.sent(sequence, nowMs()),
      error => this.#sent(sequence, error))
  }

  counts(): EchoCounts {
    return { ...this.#counts, forgotten: this.#ledger.forgotten }
  }

  /** Nothing is called back any more. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.close()
  }

  #sent(sequence: number, error: Error | null): void {
    this.#waiting -= 1
    if (this.#closed) return
    if (error === null) {
      this.#counts.sent += 1
      return
    }
    this.#ledger.drop(sequence)
    this.#counts.refused += 1
    // The package has only the kernel's words (strerror) for EMSGSIZE.
    const failure: EchoFailure = error.message === 'Message too long'
      ? { type: 'too-large-here', sequence } : { type: 'refused', sequence, reason: error.message }
    this.#tell(failure)
  }

  #receive(packet: Buffer): void {
    if (this.#closed) return
    const answer = this.#ledger.receive(packet, this.#options.nowMs())
    if (typeof answer === 'string') this.#counts[answer] += 1
    else {
      this.#counts[answer.type === 'reply' ? 'replies' : 'errors'] += 1
      this.#tell(answer)
    }
  }

  /** An exception must not pass through the native code that called us. */
  #tell(answer: EchoAnswer | EchoFailure): void {
    try {
      if (!this.#closed) this.#options.onAnswer(answer)
    } catch (error) {
      setImmediate(() => { throw error })
    }
  }

  /** Never used again: the package would silently go on with a new socket that is not bound. */
  #break(): void {
    if (this.#closed) return
    this.#closed = true
    const cause = this.#lastError?.message ?? 'closed by itself'
    this.#options.onError(new TapmeshError('TM_ECHO', `the raw socket is broken: ${cause}`))
  }
}

function bindTo(fd: number, address: number): void {
  const octets = new Uint8Array(SOCKADDR_IN_OCTETS)
  const view = new DataView(octets.buffer)
  view.setUint16(0, AF_INET, true)
  view.setUint32(4, address)
  const result = sys.bind(fd, octets)
  if (result < 0) throw new KernelError('bind', -result, { address: formatIpv4(address) })
}
