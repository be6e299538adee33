// hot: ports of every UDP packet go into the flow hash.
// UDP: RFC 768.

export const UDP_HEADER_OCTETS = 8
/** Offset of the checksum field from the header's start, as virtio_net_hdr.csum_offset wants it. */
export const UDP_CHECKSUM_FIELD = 6

const DESTINATION_PORT = 2
const LENGTH = 4

/** Header and payload as the header says, 8 to 65535 octets, or -1 when that does not fit. */
export function udpOctets(dv: DataView, at: number, availableOctets: number): number {
  if (availableOctets < UDP_HEADER_OCTETS) return -1
  const octets = dv.getUint16(at + LENGTH)
  return octets < UDP_HEADER_OCTETS || octets > availableOctets ? -1 : octets
}

export function udpSourcePort(dv: DataView, at: number): number {
  return dv.getUint16(at)
}

export function udpDestinationPort(dv: DataView, at: number): number {
  return dv.getUint16(at + DESTINATION_PORT)
}

/** 0 means that the sender computed none, which only IPv4 allows. */
export function udpChecksum(dv: DataView, at: number): number {
  return dv.getUint16(at + UDP_CHECKSUM_FIELD)
}

/** The checksum as UDP sends it: a computed 0 is sent as 0xffff, for 0 means none. */
export function udpChecksumOnWire(checksum: number): number {
  return checksum === 0 ? 0xffff : checksum
}

/** @param octets  length of this header and the payload */
export function writeUdpHeader(
  dv: DataView, at: number, sourcePort: number, destinationPort: number, octets: number,
  checksum: number,
): void {
  dv.setUint16(at, sourcePort)
  dv.setUint16(at + DESTINATION_PORT, destinationPort)
  dv.setUint16(at + LENGTH, octets)
  dv.setUint16(at + UDP_CHECKSUM_FIELD, checksum)
}
