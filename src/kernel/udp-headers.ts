// The message headers of the underlay's sockets, laid into the ring once at start. What is the same
// in every message is written here; udp-port.ts changes the rest.
import { IPPROTO_IP, IPPROTO_UDP, IP_TOS, UDP_SEGMENT } from './constants.ts'
import {
  CMSG_DATA, CMSG_LEVEL, CMSG_TYPE, CONTROL, CONTROL_OCTETS, IOV, IOV_COUNT, IOVEC_LENGTH,
  IOVEC_OCTETS, MESSAGE_OCTETS, NAME, NAME_OCTETS, SOCKADDR_OCTETS,
} from './message-header.ts'
import { DESTINATIONS_MAX } from './port.ts'
import { makeAddressedRoom, makeRoom, type Ring } from './ring.ts'
import { SENDERS_MAX } from './underlay.ts'

/** Messages of one receive; with UDP_GRO each is a whole train. */
export const RECEIVE_BATCH = 32
/** A slot holds the largest train; the odd stride keeps slots off the same cache sets. */
export const SLOT_OCTETS = 65_536 + 576
/** A frame inside VXLAN then begins at a slot's 10th octet, and its IP header is 4-aligned. */
export const SLOT_LEAD_OCTETS = 2
export const RECEIVE_CONTROL_OCTETS = 64

/** Messages that may wait in one sender, and datagrams in all of them; a full sender is flushed. */
export const SEND_BATCH = 128
export const SEND_PAIRS = 1024
export const SEND_CONTROL_OCTETS = 64
/** In a message's control room: the segment size first, then the TOS octet. */
export const CONTROL_TOS_AT = 24

/** Offsets into the ring. */
export type ReceiveHeaders = Readonly<{
  slots: number
  messages: number
  names: number
  controls: number
}>

/** Offsets into the ring: of each sender SEND_BATCH messages and SEND_PAIRS pairs of vectors. */
export type SendHeaders = Readonly<{
  names: number
  messages: number
  vectors: number
  controls: number
}>

// What waits in each sender: a row of STATE_WORDS numbers in one list, to share a cache line.
export const STATE_WORDS = 8
export const MESSAGES = 0
export const PAIRS = 1
/** The open train: datagram size (0: none is open), destination, TOS, datagrams and octets. */
export const SEGMENT = 2
export const DESTINATION = 3
export const TOS = 4
export const COUNT = 5
export const OCTETS = 6

export function makeSendState(): Int32Array {
  return new Int32Array(SENDERS_MAX * STATE_WORDS)
}

export function makeReceiveHeaders(ring: Ring): ReceiveHeaders {
  const headers = {
    slots: makeRoom(ring, RECEIVE_BATCH * SLOT_OCTETS),
    messages: makeAddressedRoom(ring, RECEIVE_BATCH * MESSAGE_OCTETS),
    names: makeRoom(ring, RECEIVE_BATCH * SOCKADDR_OCTETS),
    controls: makeRoom(ring, RECEIVE_BATCH * RECEIVE_CONTROL_OCTETS),
  }
  const vectors = makeRoom(ring, RECEIVE_BATCH * IOVEC_OCTETS)
  for (let i = 0; i < RECEIVE_BATCH; i++) {
    const message = headers.messages + i * MESSAGE_OCTETS
    const vector = vectors + i * IOVEC_OCTETS
    writePointer(ring, message + NAME, headers.names + i * SOCKADDR_OCTETS)
    writePointer(ring, message + IOV, vector)
    writePointer(ring, message + CONTROL, headers.controls + i * RECEIVE_CONTROL_OCTETS)
    writePointer(ring, vector, headers.slots + i * SLOT_OCTETS + SLOT_LEAD_OCTETS)
    ring.view.setInt32(message + NAME_OCTETS, SOCKADDR_OCTETS, true)
    ring.view.setInt32(message + IOV_COUNT, 1, true)
    ring.view.setInt32(message + CONTROL_OCTETS, RECEIVE_CONTROL_OCTETS, true)
    ring.view.setInt32(vector + IOVEC_LENGTH, 65_535, true)
  }
  return headers
}

export function makeSendHeaders(ring: Ring): SendHeaders {
  const headers = {
    names: makeRoom(ring, DESTINATIONS_MAX * SOCKADDR_OCTETS),
    messages: makeAddressedRoom(ring, SENDERS_MAX * SEND_BATCH * MESSAGE_OCTETS),
    vectors: makeRoom(ring, SENDERS_MAX * SEND_PAIRS * 2 * IOVEC_OCTETS),
    controls: makeRoom(ring, SENDERS_MAX * SEND_BATCH * SEND_CONTROL_OCTETS),
  }
  for (let i = 0; i < SENDERS_MAX * SEND_PAIRS * 2; i++) {
    writePointer(ring, headers.vectors + i * IOVEC_OCTETS, 0)
  }
  for (let i = 0; i < SENDERS_MAX * SEND_BATCH; i++) {
    const message = headers.messages + i * MESSAGE_OCTETS
    const control = headers.controls + i * SEND_CONTROL_OCTETS
    writePointer(ring, message + NAME, headers.names)
    writePointer(ring, message + IOV, headers.vectors)
    writePointer(ring, message + CONTROL, control)
    ring.view.setInt32(message + NAME_OCTETS, SOCKADDR_OCTETS, true)
    writeControl(ring, control, IPPROTO_UDP, UDP_SEGMENT, 2)
    writeControl(ring, control + CONTROL_TOS_AT, IPPROTO_IP, IP_TOS, 4)
  }
  return headers
}

/** struct cmsghdr with data of `octets` octets. */
function writeControl(ring: Ring, at: number, level: number, type: number, octets: number): void {
  ring.view.setInt32(at, CMSG_DATA + octets, true)
  ring.view.setInt32(at + CMSG_LEVEL, level, true)
  ring.view.setInt32(at + CMSG_TYPE, type, true)
}

/** Write a whole pointer to `offset` of the ring; later only its lower half changes. */
export function writePointer(ring: Ring, where: number, offset: number): void {
  ring.view.setInt32(where, ((ring.base % 2 ** 32) | 0) + offset, true)
  ring.view.setInt32(where + 4, Math.floor(ring.base / 2 ** 32), true)
}
