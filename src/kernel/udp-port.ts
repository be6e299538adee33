// hot: datagrams between the underlay's sockets and the ring, by recvmmsg(2) and sendmmsg(2)
//
// Datagrams of the same size to the same place travel as a train: one message of up to TRAIN_MAX of
// them, which the kernel cuts apart as late as it can (UDP_SEGMENT), and puts together again as
// early as it can on the other side (UDP_GRO). See udp(7) and Linux
// Documentation/networking/segmentation-offloads.rst.
import {
  EINVAL, EIO, IPPROTO_IP, IPPROTO_UDP, IP_TOS, MSG_DONTWAIT, MSG_TRUNC, UDP_GRO,
} from './constants.ts'
import { ERRNO_MAX, type Underlay } from './port.ts'
import { ADDRESS_STEP_OCTETS, FRAMES_MAX, type Ring } from './ring.ts'
import { recvmmsg, sendmmsg } from './syscalls.ts'
import {
  CMSG_DATA, CMSG_LEVEL, CMSG_TYPE, CONTROL, CONTROL_OCTETS, FLAGS, IOV, IOV_COUNT, IOVEC_OCTETS,
  MESSAGE_OCTETS, NAME, RECEIVED_OCTETS, SOCKADDR_OCTETS, vectorOctets, writePointerLow,
} from './message-header.ts'
import {
  CONTROL_TOS_AT, COUNT, DESTINATION, makeReceiveHeaders, makeSendHeaders, makeSendState, MESSAGES,
  OCTETS, PAIRS, RECEIVE_BATCH, RECEIVE_CONTROL_OCTETS, type ReceiveHeaders, SEGMENT, SEND_BATCH,
  SEND_CONTROL_OCTETS, SEND_PAIRS, type SendHeaders, SLOT_LEAD_OCTETS, SLOT_OCTETS, STATE_WORDS,
  TOS,
} from './udp-headers.ts'
import { closeUnderlay, type UnderlaySockets } from './underlay.ts'

/** Datagrams of one train; kernels before 6.9 take no more than 64 (UDP_MAX_SEGMENTS). */
export const TRAIN_MAX = 64
/** Octets of one train: what fits into one IPv4 packet behind its headers. */
const TRAIN_OCTETS_MAX = 65_507
const ONE_CONTROL_OCTETS = 24 // CMSG_SPACE of a short or an int

export class UdpPort implements Underlay {
  readonly refused = new Float64Array(ERRNO_MAX)
  readonly refusedOctets = new Float64Array(1)
  readonly #ring: Ring
  readonly #sockets: UnderlaySockets
  readonly #receiver: number
  readonly #low: number
  readonly #in: ReceiveHeaders
  readonly #out: SendHeaders
  /** What waits in each sender, see udp-headers.ts. */
  readonly #state = makeSendState()
  /** The largest datagram that may be part of a train; 0: the kernel has no trains. */
  #segmentMax: number

  /** @param receiver which of the receiving sockets this worker reads */
  constructor(ring: Ring, sockets: UnderlaySockets, receiver = 0) {
    this.#ring = ring
    this.#sockets = sockets
    this.#receiver = sockets.receivers[receiver]!
    this.#low = (ring.base % 2 ** 32) | 0
    this.#in = makeReceiveHeaders(ring)
    this.#out = makeSendHeaders(ring)
    this.#segmentMax = sockets.segmentMax
  }

  receive(): number {
    const ring = this.#ring
    const view = ring.view
    const address = ring.addresses[this.#in.messages / ADDRESS_STEP_OCTETS] as number
    const messages = recvmmsg(this.#receiver, address, RECEIVE_BATCH, MSG_DONTWAIT)
    let count = 0
    for (let i = 0; i < messages; i++) {
      const message = this.#in.messages + i * MESSAGE_OCTETS
      const octets = view.getInt32(message + RECEIVED_OCTETS, true)
      const cut = (view.getInt32(message + FLAGS, true) & MSG_TRUNC) !== 0
      count = this.#cutApart(i, octets, cut, count)
      view.setInt32(message + CONTROL_OCTETS, RECEIVE_CONTROL_OCTETS, true)
    }
    return count
  }

  setDestination(destination: number, address: number, port: number): void {
    const view = this.#ring.view
    const name = this.#out.names + destination * SOCKADDR_OCTETS
    view.setUint16(name, 2, true) // AF_INET
    view.setUint16(name + 2, port, false)
    view.setInt32(name + 4, address, false)
  }

  queue(destination: number, flow: number, tos: number, headAt: number, headOctets: number,
    bodyAt: number, bodyOctets: number): void {
    const state = this.#state
    const sender = flow & (this.#sockets.senders.length - 1)
    const row = sender * STATE_WORDS
    const octets = headOctets + bodyOctets
    if (state[row + PAIRS] === SEND_PAIRS) this.#flushSender(sender)
    if (!this.#joinsTrain(sender, destination, tos, octets)) {
      this.#beginMessage(sender, destination, tos, octets)
    }
    const pair = (this.#out.vectors
      + (sender * SEND_PAIRS + state[row + PAIRS]!) * 2 * IOVEC_OCTETS) >> 2
    const words = this.#ring.words
    words[pair] = this.#low + headAt
    words[pair + 2] = headOctets
    words[pair + 4] = this.#low + bodyAt
    words[pair + 6] = bodyOctets
    state[row + PAIRS]! += 1
  }

  flush(): void {
    for (let sender = 0; sender < this.#sockets.senders.length; sender++) {
      if (this.#state[sender * STATE_WORDS + MESSAGES] !== 0) this.#flushSender(sender)
    }
  }

  /** Whether trains are in use: a kernel or device may turn out to have none. */
  get hasTrains(): boolean {
    return this.#segmentMax > 0
  }

  close(): void {
    closeUnderlay(this.#sockets)
  }

  /** Lay the datagrams of message `i` into the ring's lists from index `count` on. */
  #cutApart(i: number, octets: number, cut: boolean, count: number): number {
    const ring = this.#ring
    const view = ring.view
    const source = view.getInt32(this.#in.names + i * SOCKADDR_OCTETS + 4, false)
    const control = this.#in.controls + i * RECEIVE_CONTROL_OCTETS
    const message = this.#in.messages + i * MESSAGE_OCTETS
    const end = control + view.getInt32(message + CONTROL_OCTETS, true)
    let tos = 0
    let segment = octets
    for (let at = control; at + CMSG_DATA < end; at += (view.getInt32(at, true) + 7) & ~7) {
      const level = view.getInt32(at + CMSG_LEVEL, true)
      const type = view.getInt32(at + CMSG_TYPE, true)
      if (level === IPPROTO_IP && type === IP_TOS) tos = view.getUint8(at + CMSG_DATA)
      else if (level === IPPROTO_UDP && type === UDP_GRO) {
        segment = view.getInt32(at + CMSG_DATA, true)
      }
    }
    const first = this.#in.slots + i * SLOT_OCTETS + SLOT_LEAD_OCTETS
    let offset = 0
    do {
      const rest = octets - offset
      ring.at[count] = first + offset
      ring.length[count] = cut ? -1 : rest < segment ? rest : segment
      ring.source[count] = source
      ring.tos[count] = tos
      count += 1
      offset += segment
    } while (offset < octets && !cut && count < FRAMES_MAX)
    return count
  }

  /** Whether the datagram can follow the one before in a train; notes that it does. */
  #joinsTrain(sender: number, destination: number, tos: number, octets: number): boolean {
    const state = this.#state
    const row = sender * STATE_WORDS
    if (octets > state[row + SEGMENT]! || state[row + DESTINATION] !== destination
      || state[row + TOS] !== tos || state[row + COUNT] === TRAIN_MAX
      || state[row + OCTETS]! + octets > TRAIN_OCTETS_MAX) return false
    const index = sender * SEND_BATCH + state[row + MESSAGES]! - 1
    const message = this.#out.messages + index * MESSAGE_OCTETS
    const control = this.#out.controls + index * SEND_CONTROL_OCTETS
    const view = this.#ring.view
    state[row + COUNT]! += 1
    state[row + OCTETS]! += octets
    if (state[row + COUNT] === 2) {
      view.setUint16(control + CMSG_DATA, state[row + SEGMENT]!, true)
      writePointerLow(view, message + CONTROL, this.#low + control)
      view.setInt32(message + CONTROL_OCTETS, (tos === 0 ? 1 : 2) * ONE_CONTROL_OCTETS, true)
    }
    view.setInt32(message + IOV_COUNT, state[row + COUNT]! * 2, true)
    // Only the last of a train may be shorter: it closes the train.
    if (octets < state[row + SEGMENT]!) state[row + SEGMENT] = 0
    return true
  }

  #beginMessage(sender: number, destination: number, tos: number, octets: number): void {
    const state = this.#state
    const row = sender * STATE_WORDS
    if (state[row + MESSAGES] === SEND_BATCH) this.#flushSender(sender)
    const index = sender * SEND_BATCH + state[row + MESSAGES]!
    const message = this.#out.messages + index * MESSAGE_OCTETS
    const control = this.#out.controls + index * SEND_CONTROL_OCTETS + CONTROL_TOS_AT
    const vector = this.#out.vectors
      + (sender * SEND_PAIRS + state[row + PAIRS]!) * 2 * IOVEC_OCTETS
    const view = this.#ring.view
    writePointerLow(view, message + NAME,
      this.#low + this.#out.names + destination * SOCKADDR_OCTETS)
    writePointerLow(view, message + IOV, this.#low + vector)
    view.setInt32(message + IOV_COUNT, 2, true)
    writePointerLow(view, message + CONTROL, this.#low + control)
    view.setInt32(message + CONTROL_OCTETS, tos === 0 ? 0 : ONE_CONTROL_OCTETS, true)
    if (tos !== 0) view.setInt32(control + CMSG_DATA, tos, true)
    state[row + MESSAGES]! += 1
    state[row + DESTINATION] = destination
    state[row + TOS] = tos
    state[row + COUNT] = 1
    state[row + OCTETS] = octets
    state[row + SEGMENT] = octets <= this.#segmentMax ? octets : 0
  }

  /** What is refused is let go and the rest goes on: one bad destination must not stop others. */
  #flushSender(sender: number): void {
    const state = this.#state
    const row = sender * STATE_WORDS
    const fd = this.#sockets.senders[sender]!
    const count = state[row + MESSAGES]!
    const first = this.#out.messages + sender * SEND_BATCH * MESSAGE_OCTETS
    let done = 0
    while (done < count) {
      const message = first + done * MESSAGE_OCTETS
      const sent = sendmmsg(fd, this.#ring.addresses[message / ADDRESS_STEP_OCTETS] as number,
        count - done, MSG_DONTWAIT)
      if (sent > 0) {
        done += sent
        continue
      }
      const datagrams = this.#ring.view.getInt32(message + IOV_COUNT, true) >> 1
      // Before Linux 6.11 a device without checksum offload takes no trains: EIO, or EINVAL.
      if (datagrams > 1 && (sent === -EIO || sent === -EINVAL)) this.#sendSingly(fd, message)
      else this.#refuse(-sent, message)
      done += 1
    }
    state[row + MESSAGES] = 0
    state[row + PAIRS] = 0
    state[row + SEGMENT] = 0
  }

  /** Send the datagrams of a train one by one, and make no more trains. */
  #sendSingly(fd: number, message: number): void {
    const view = this.#ring.view
    this.#segmentMax = 0
    const pairs = view.getInt32(message + IOV_COUNT, true) >> 1
    const vector = view.getInt32(message + IOV, true)
    const hasTos = view.getInt32(message + CONTROL_OCTETS, true) > ONE_CONTROL_OCTETS
    const control = view.getInt32(message + CONTROL, true)
    if (hasTos) writePointerLow(view, message + CONTROL, control + CONTROL_TOS_AT)
    view.setInt32(message + CONTROL_OCTETS, hasTos ? ONE_CONTROL_OCTETS : 0, true)
    view.setInt32(message + IOV_COUNT, 2, true)
    for (let pair = 0; pair < pairs; pair++) {
      writePointerLow(view, message + IOV, vector + pair * 2 * IOVEC_OCTETS)
      const sent = sendmmsg(fd, this.#ring.addresses[message / ADDRESS_STEP_OCTETS] as number, 1,
        MSG_DONTWAIT)
      if (sent <= 0) this.#refuse(-sent, message)
    }
  }

  #refuse(errno: number, message: number): void {
    const view = this.#ring.view
    const vectors = view.getInt32(message + IOV_COUNT, true)
    const first = (view.getInt32(message + IOV, true) - this.#low) | 0
    this.refused[0]! += vectors >> 1
    this.refused[errno & (ERRNO_MAX - 1)]! += vectors >> 1
    this.refusedOctets[0]! += vectorOctets(view, first, vectors)
  }
}
