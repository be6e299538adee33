// hot: where the fields of a message header stand: struct mmsghdr, iovec, cmsghdr and sockaddr_in
// on 64-bit Linux (linux/socket.h, linux/uio.h, linux/in.h)

export const MESSAGE_OCTETS = 64
export const NAME = 0
export const NAME_OCTETS = 8
export const IOV = 16
export const IOV_COUNT = 24
export const CONTROL = 32
export const CONTROL_OCTETS = 40
export const FLAGS = 48
export const RECEIVED_OCTETS = 56

export const IOVEC_OCTETS = 16
export const IOVEC_LENGTH = 8

export const CMSG_LEVEL = 8
export const CMSG_TYPE = 12
export const CMSG_DATA = 16

export const SOCKADDR_OCTETS = 16

/**
 * Change a pointer whose upper half is right already, for the ring crosses no 4 GiB line.
 * @param low lower half of the address, as a 32-bit integer
 */
export function writePointerLow(view: DataView, where: number, low: number): void {
  view.setInt32(where, low, true)
}

/** Octets that `count` vectors from `first` on describe, each less than 2 GiB. */
export function vectorOctets(view: DataView, first: number, count: number): number {
  let octets = 0
  for (let i = 0; i < count; i++) {
    octets += view.getInt32(first + i * IOVEC_OCTETS + IOVEC_LENGTH, true)
  }
  return octets
}
