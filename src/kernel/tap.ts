// hot: the way of a frame between an endpoint's TAP device and the ring
import { EAGAIN } from './constants.ts'
import { IOVEC_LENGTH, IOVEC_OCTETS, writePointerLow } from './message-header.ts'
import { type FramePort, PIECES_MAX } from './port.ts'
import {
  ADDRESS_STEP_OCTETS, FRAME_OCTETS_MAX, makeAddressedRoom, type Ring, VNET_HEADER_OCTETS,
} from './ring.ts'
import { close, read, write, writev } from './syscalls.ts'
import { writePointer } from './udp-headers.ts'

/** Frames of one read of a TAP, so that one endpoint cannot keep the others waiting. */
export const TAP_BATCH_FRAMES = 64
/** Four super-frames: what is read is sent before it leaves the second-level cache. */
const AREA_OCTETS = 1 << 18
const SLOT_OCTETS_MAX = (FRAME_OCTETS_MAX + VNET_HEADER_OCTETS + 63) & ~63

/** What all TAPs of one worker share: each reads behind what is still needed, see ring.taken. */
export type TapArea = Readonly<{
  frames: number
  /** Vectors of one gathered write. */
  vectors: number
}>

export function makeTapArea(ring: Ring): TapArea {
  const area = {
    frames: makeAddressedRoom(ring, AREA_OCTETS),
    vectors: makeAddressedRoom(ring, (1 + PIECES_MAX) * IOVEC_OCTETS),
  }
  for (let i = 0; i <= PIECES_MAX; i++) writePointer(ring, area.vectors + i * IOVEC_OCTETS, 0)
  return area
}

export class TapPort implements FramePort {
  readonly fd: number
  readonly #ring: Ring
  readonly #area: TapArea
  readonly #low: number

  /** @param area from makeTapArea, shared by all TAPs of the ring */
  constructor(ring: Ring, area: TapArea, fd: number) {
    this.#ring = ring
    this.#low = (ring.base % 2 ** 32) | 0
    this.#area = area
    this.fd = fd
  }

  receive(): number {
    const ring = this.#ring
    const end = this.#area.frames + AREA_OCTETS - SLOT_OCTETS_MAX
    let at = this.#area.frames + ring.taken[0]!
    let count = 0
    while (count < TAP_BATCH_FRAMES && at <= end) {
      const octets = read(this.fd, ring.addresses[at / ADDRESS_STEP_OCTETS] as number,
        SLOT_OCTETS_MAX)
      if (octets < 0) {
        if (count === 0 && octets !== -EAGAIN) return octets
        break
      }
      ring.at[count] = at + VNET_HEADER_OCTETS
      ring.length[count] = octets - VNET_HEADER_OCTETS
      count += 1
      at = (at + octets + 63) & ~63
    }
    ring.taken[0] = at - this.#area.frames
    return count
  }

  send(at: number, lengthOctets: number): number {
    const start = at - VNET_HEADER_OCTETS
    const ready = this.#ring.addresses[start / ADDRESS_STEP_OCTETS]
    const address = typeof ready === 'number' ? ready : this.#ring.base + start
    const result = write(this.fd, address, lengthOctets + VNET_HEADER_OCTETS)
    return result < 0 ? result : 0
  }

  gather(headAt: number, headOctets: number, pieceAt: Int32Array, pieceOctets: Int32Array,
    first: number, count: number): number {
    const ring = this.#ring
    const view = ring.view
    let vector = this.#area.vectors
    writePointerLow(view, vector, this.#low + headAt)
    view.setInt32(vector + IOVEC_LENGTH, headOctets, true)
    for (let i = first; i < first + count; i++) {
      vector += IOVEC_OCTETS
      writePointerLow(view, vector, this.#low + pieceAt[i]!)
      view.setInt32(vector + IOVEC_LENGTH, pieceOctets[i]!, true)
    }
    const vectors = ring.addresses[this.#area.vectors / ADDRESS_STEP_OCTETS] as number
    const result = writev(this.fd, vectors, 1 + count)
    return result < 0 ? result : 0
  }

  close(): void {
    close(this.fd)
  }
}
