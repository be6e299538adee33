// hot: struct virtio_net_hdr, which stands in front of every frame of a TAP (linux/virtio_net.h)
//
// Fields are little-endian, as the machines that we run on are.

export const VIRTIO_HEADER_OCTETS = 10

const FLAGS = 0
const GSO_TYPE = 1
const HEADER_OCTETS = 2
const GSO_SIZE = 4
const CHECKSUM_START = 6
const CHECKSUM_OFFSET = 8

const NEEDS_CHECKSUM = 1
/** Set beside a type when the TCP segments carry congestion marks. */
const GSO_ECN = 0x80

export const GSO_NONE = 0
export const GSO_TCPV4 = 1
export const GSO_TCPV6 = 4
export const GSO_UDP = 5

/** Whether the checksum field holds the sum of the pseudo-header only, for somebody to complete. */
export function virtioNeedsChecksum(dv: DataView, at: number): boolean {
  return (dv.getUint8(at + FLAGS) & NEEDS_CHECKSUM) !== 0
}

/** GSO_NONE for a single frame, else how it is to be cut into segments. */
export function virtioGsoType(dv: DataView, at: number): number {
  return dv.getUint8(at + GSO_TYPE) & ~GSO_ECN
}

/** Payload octets of each segment but the last. */
export function virtioGsoSize(dv: DataView, at: number): number {
  return dv.getUint16(at + GSO_SIZE, true)
}

/** Where checksumming begins, in octets from the frame's first one. */
export function virtioChecksumStart(dv: DataView, at: number): number {
  return dv.getUint16(at + CHECKSUM_START, true)
}

/** Where the checksum stands, in octets from where checksumming begins. */
export function virtioChecksumOffset(dv: DataView, at: number): number {
  return dv.getUint16(at + CHECKSUM_OFFSET, true)
}

/** A header that asks for nothing. */
export function clearVirtio(dv: DataView, at: number): void {
  dv.setInt32(at, 0)
  dv.setInt32(at + 4, 0)
  dv.setInt16(at + 8, 0)
}

/** A header that leaves a checksum to the receiver. */
export function writeVirtioChecksum(
  dv: DataView, at: number, checksumStart: number, checksumOffset: number,
): void {
  clearVirtio(dv, at)
  dv.setUint8(at + FLAGS, NEEDS_CHECKSUM)
  dv.setUint16(at + CHECKSUM_START, checksumStart, true)
  dv.setUint16(at + CHECKSUM_OFFSET, checksumOffset, true)
}

/** A header of a frame that stands for several: each at most `gsoSize` octets of payload. */
export function writeVirtioGso(
  dv: DataView, at: number, gsoType: number, gsoSize: number, headerOctets: number,
  checksumStart: number, checksumOffset: number,
): void {
  writeVirtioChecksum(dv, at, checksumStart, checksumOffset)
  dv.setUint8(at + GSO_TYPE, gsoType)
  dv.setUint16(at + HEADER_OCTETS, headerOctets, true)
  dv.setUint16(at + GSO_SIZE, gsoSize, true)
}
