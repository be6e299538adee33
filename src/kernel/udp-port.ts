// hot: the way of datagrams between the underlay's sockets and the ring, by recvmmsg(2), sendmmsg(2)
import { IPPROTO_IP, IP_TOS, MSG_DONTWAIT, MSG_TRUNC } from './constants.ts'
import { DESTINATIONS_MAX, ERRNO_MAX, type Underlay } from './port.ts'
import { ADDRESS_STEP_OCTETS, makeRoom, type Ring } from './ring.ts'
import { recvmmsg, sendmmsg } from './syscalls.ts'
import { closeUnderlay, SENDERS, type UnderlaySockets } from './underlay.ts'

// struct mmsghdr, iovec, cmsghdr, sockaddr_in on 64-bit Linux: linux/socket.h, linux/uio.h, linux/in.h
const MESSAGE_OCTETS = 64
const NAME = 0
const NAME_OCTETS = 8
const IOV = 16
const IOV_COUNT = 24
const CONTROL = 32
const CONTROL_OCTETS = 40
const FLAGS = 48
const RECEIVED_OCTETS = 56
const IOVEC_OCTETS = 16
const CMSG_LEVEL = 8
const CMSG_TYPE = 12
const CMSG_DATA = 16
const SOCKADDR_OCTETS = 16

/** Datagrams of one receive. */
export const RECEIVE_BATCH = 64
/** A slot holds the largest datagram; the odd stride keeps slots off the same cache sets. */
const SLOT_OCTETS = 65_536 + 576
/** A frame inside VXLAN then begins at a slot's 10th octet, and its IP header is 4-aligned. */
const SLOT_LEAD_OCTETS = 2
const RECEIVE_CONTROL_OCTETS = 64
/** Datagrams that may wait in one sender; a full one is flushed. */
const SEND_BATCH = 128
const SEND_CONTROL_OCTETS = 32
const TOS_CONTROL_OCTETS = 24 // CMSG_SPACE(sizeof(int))
const VXLAN_OCTETS = 8

export class UdpPort implements Underlay {
  readonly refused: Float64Array
  readonly #ring: Ring
  readonly #sockets: UnderlaySockets
  readonly #low: number
  readonly #slots: number
  readonly #inMessages: number
  readonly #inNames: number
  readonly #inControls: number
  readonly #names: number
  readonly #messages: number
  readonly #vectors: number
  readonly #controls: number
  /** Messages that wait in each sender. */
  readonly #waiting: Int32Array

  constructor(ring: Ring, sockets: UnderlaySockets) {
    this.#ring = ring
    this.#sockets = sockets
    this.#low = (ring.base % 2 ** 32) | 0
    this.refused = makeFloats(ERRNO_MAX)
    this.#waiting = makeInts(SENDERS)
    this.#slots = makeRoom(ring, RECEIVE_BATCH * SLOT_OCTETS)
    this.#inMessages = makeRoom(ring, RECEIVE_BATCH * MESSAGE_OCTETS)
    this.#inNames = makeRoom(ring, RECEIVE_BATCH * SOCKADDR_OCTETS)
    this.#inControls = makeRoom(ring, RECEIVE_BATCH * RECEIVE_CONTROL_OCTETS)
    this.#names = makeRoom(ring, DESTINATIONS_MAX * SOCKADDR_OCTETS)
    this.#messages = makeRoom(ring, SENDERS * SEND_BATCH * MESSAGE_OCTETS)
    this.#vectors = makeRoom(ring, SENDERS * SEND_BATCH * 2 * IOVEC_OCTETS)
    this.#controls = makeRoom(ring, SENDERS * SEND_BATCH * SEND_CONTROL_OCTETS)
    this.#makeReceiveHeaders()
    this.#makeSendHeaders()
  }

  receive(): number {
    const ring = this.#ring
    const count = recvmmsg(this.#sockets.receiver,
      ring.addresses[this.#inMessages / ADDRESS_STEP_OCTETS] as number, RECEIVE_BATCH, MSG_DONTWAIT)
    if (count <= 0) return 0
    const view = ring.view
    for (let i = 0; i < count; i++) {
      const message = this.#inMessages + i * MESSAGE_OCTETS
      const control = this.#inControls + i * RECEIVE_CONTROL_OCTETS
      const octets = view.getInt32(message + RECEIVED_OCTETS, true)
      const cut = (view.getInt32(message + FLAGS, true) & MSG_TRUNC) !== 0
      ring.at[i] = this.#slots + i * SLOT_OCTETS + SLOT_LEAD_OCTETS
      ring.length[i] = cut ? -1 : octets
      ring.source[i] = view.getInt32(this.#inNames + i * SOCKADDR_OCTETS + 4, false)
      ring.tos[i] = view.getInt32(message + CONTROL_OCTETS, true) > CMSG_DATA
        && view.getInt32(control + CMSG_TYPE, true) === IP_TOS
        && view.getInt32(control + CMSG_LEVEL, true) === IPPROTO_IP
        ? view.getUint8(control + CMSG_DATA) : 0
      view.setInt32(message + CONTROL_OCTETS, RECEIVE_CONTROL_OCTETS, true)
    }
    return count
  }

  setDestination(destination: number, address: number, port: number): void {
    const view = this.#ring.view
    const name = this.#names + destination * SOCKADDR_OCTETS
    view.setUint16(name, 2, true) // AF_INET
    view.setUint16(name + 2, port, false)
    view.setInt32(name + 4, address, false)
  }

  queue(destination: number, flow: number, tos: number, headerAt: number, at: number,
    lengthOctets: number): void {
    const view = this.#ring.view
    const sender = flow & (SENDERS - 1)
    const index = sender * SEND_BATCH + this.#waiting[sender]!
    const message = this.#messages + index * MESSAGE_OCTETS
    const vector = this.#vectors + index * 2 * IOVEC_OCTETS
    view.setInt32(message + NAME, this.#low + this.#names + destination * SOCKADDR_OCTETS, true)
    view.setInt32(vector, this.#low + headerAt, true)
    view.setInt32(vector + IOVEC_OCTETS, this.#low + at, true)
    view.setInt32(vector + IOVEC_OCTETS + 8, lengthOctets, true)
    view.setInt32(message + CONTROL_OCTETS, tos === 0 ? 0 : TOS_CONTROL_OCTETS, true)
    if (tos !== 0) {
      view.setInt32(this.#controls + index * SEND_CONTROL_OCTETS + CMSG_DATA, tos, true)
    }
    this.#waiting[sender]! += 1
    if (this.#waiting[sender] === SEND_BATCH) this.#flushSender(sender)
  }

  flush(): void {
    for (let sender = 0; sender < SENDERS; sender++) {
      if (this.#waiting[sender] !== 0) this.#flushSender(sender)
    }
  }

  close(): void {
    closeUnderlay(this.#sockets)
  }

  /** A refused datagram is let go and the rest goes on: one bad destination must not stop others. */
  #flushSender(sender: number): void {
    const fd = this.#sockets.senders[sender]!
    const count = this.#waiting[sender]!
    const first = this.#messages + sender * SEND_BATCH * MESSAGE_OCTETS
    let done = 0
    while (done < count) {
      const address = this.#ring.addresses[
        (first + done * MESSAGE_OCTETS) / ADDRESS_STEP_OCTETS] as number
      const sent = sendmmsg(fd, address, count - done, MSG_DONTWAIT)
      if (sent > 0) {
        done += sent
      } else {
        this.refused[0]! += 1
        this.refused[-sent & (ERRNO_MAX - 1)]! += 1
        done += 1
      }
    }
    this.#waiting[sender] = 0
  }

  #makeReceiveHeaders(): void {
    for (let i = 0; i < RECEIVE_BATCH; i++) {
      const message = this.#inMessages + i * MESSAGE_OCTETS
      const vector = makeRoom(this.#ring, IOVEC_OCTETS)
      this.#point(message + NAME, this.#inNames + i * SOCKADDR_OCTETS)
      this.#point(message + IOV, vector)
      this.#point(message + CONTROL, this.#inControls + i * RECEIVE_CONTROL_OCTETS)
      this.#point(vector, this.#slots + i * SLOT_OCTETS + SLOT_LEAD_OCTETS)
      const view = this.#ring.view
      view.setInt32(message + NAME_OCTETS, SOCKADDR_OCTETS, true)
      view.setInt32(message + IOV_COUNT, 1, true)
      view.setInt32(message + CONTROL_OCTETS, RECEIVE_CONTROL_OCTETS, true)
      view.setInt32(vector + 8, 65_535, true)
    }
  }

  #makeSendHeaders(): void {
    const view = this.#ring.view
    for (let i = 0; i < SENDERS * SEND_BATCH; i++) {
      const message = this.#messages + i * MESSAGE_OCTETS
      const vector = this.#vectors + i * 2 * IOVEC_OCTETS
      const control = this.#controls + i * SEND_CONTROL_OCTETS
      this.#point(message + NAME, this.#names)
      this.#point(message + IOV, vector)
      this.#point(message + CONTROL, control)
      this.#point(vector, 0)
      this.#point(vector + IOVEC_OCTETS, 0)
      view.setInt32(message + NAME_OCTETS, SOCKADDR_OCTETS, true)
      view.setInt32(message + IOV_COUNT, 2, true)
      view.setInt32(vector + 8, VXLAN_OCTETS, true)
      view.setInt32(control, CMSG_DATA + 4, true) // CMSG_LEN(sizeof(int))
      view.setInt32(control + CMSG_LEVEL, IPPROTO_IP, true)
      view.setInt32(control + CMSG_TYPE, IP_TOS, true)
    }
  }

  /** Write a whole pointer to `offset`; later only its lower half changes. */
  #point(where: number, offset: number): void {
    this.#ring.view.setInt32(where, this.#low + offset, true)
    this.#ring.view.setInt32(where + 4, Math.floor(this.#ring.base / 2 ** 32), true)
  }
}

function makeFloats(count: number): Float64Array {
  return new Float64Array(count)
}

function makeInts(count: number): Int32Array {
  return new Int32Array(count)
}
