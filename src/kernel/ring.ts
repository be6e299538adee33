// hot: every frame of a batch is a number into these arrays; its octets lie in one fixed memory

import { makeSum, type Sum } from '../wire/sum.ts'

/** Frames that one receive may bring: 32 trains of at most 128 datagrams. */
export const FRAMES_MAX = 4096

/** Octets in front of a frame, the port's own: struct virtio_net_hdr, linux/virtio_net.h. */
export const VNET_HEADER_OCTETS = 10

/** The largest frame: what fits into a UDP datagram, or a TAP read with segmentation offload. */
export const FRAME_OCTETS_MAX = 65_550

/** Addresses are kept ready for every offset that is a multiple of this. */
export const ADDRESS_STEP_OCTETS = 64

export type Ring = Readonly<{
  octets: Uint8Array
  view: DataView
  words: Int32Array
  /** Address of the first octet, 0 when the memory is never handed to the kernel. */
  base: number
  /**
   * Address of each ADDRESS_STEP_OCTETS of the rooms that makeAddressedRoom made. A number above
   * 2^31 is an object to the engine, and making one for each system call would be garbage; so
   * they are made once.
   */
  addresses: unknown[]
  /** Where each frame of the batch begins and how long it is, in octets. */
  at: Int32Array
  length: Int32Array
  /** For datagrams of the underlay: the sender's IPv4 address and the outer TOS octet. */
  source: Int32Array
  tos: Uint8Array
  /** Folded Internet checksum of octets in this memory, see wire/sum.ts. */
  sum: Sum
  /** Octets reserved so far, at index 0. */
  reserved: Int32Array
  /** Octets of the room of local ports that hold frames which are still needed, at index 0. */
  taken: Int32Array
}>

/** @param base address of the memory, or 0 when no system call will see it */
export function makeRing(source: WebAssembly.Memory, base: number): Ring {
  const memory = source.buffer
  return {
    octets: new Uint8Array(memory),
    view: new DataView(memory),
    words: new Int32Array(memory),
    base,
    // strings first, so that the numbers stay objects
    addresses: new Array<unknown>(memory.byteLength / ADDRESS_STEP_OCTETS).fill('none'),
    at: new Int32Array(FRAMES_MAX),
    length: new Int32Array(FRAMES_MAX),
    source: new Int32Array(FRAMES_MAX),
    tos: new Uint8Array(FRAMES_MAX),
    sum: makeSum(source),
    reserved: new Int32Array(1),
    taken: new Int32Array(1),
  }
}

/**
 * Set `octets` of the ring aside for ever, at start. Answers an offset that is a multiple of 64.
 * @throws RangeError when the memory is used up: the sizes are constants, so we made a mistake
 */
export function makeRoom(ring: Ring, octets: number): number {
  const at = ring.reserved[0] ?? 0
  const end = (at + octets + 63) & ~63
  if (end > ring.octets.length) throw new RangeError('the ring is too small for its parts')
  ring.reserved[0] = end
  return at
}

/** A room whose addresses are at hand for system calls. */
export function makeAddressedRoom(ring: Ring, octets: number): number {
  const at = makeRoom(ring, octets)
  for (let step = at; step < at + octets; step += ADDRESS_STEP_OCTETS) {
    ring.addresses[step / ADDRESS_STEP_OCTETS] = ring.base + step
  }
  return at
}
