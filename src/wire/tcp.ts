// hot: ports of every TCP packet go into the flow hash; trains are cut and joined by these fields.
// The TCP header: RFC 9293 section 3.1. Sequence numbers are signed, so that they stay small
// integers; add to them with `(a + b) | 0` and compare them only for being equal.

export const TCP_HEADER_OCTETS = 20
/** Offset of the checksum field from the header's start, as virtio_net_hdr.csum_offset wants it. */
export const TCP_CHECKSUM_FIELD = 16

export const TCP_FIN = 0x01
export const TCP_SYN = 0x02
export const TCP_RST = 0x04
export const TCP_PSH = 0x08
export const TCP_ACK = 0x10
export const TCP_URG = 0x20
/** RFC 3168 section 6.1. */
export const TCP_CWR = 0x80

const DESTINATION_PORT = 2
const SEQUENCE = 4
const ACKNOWLEDGMENT = 8
const DATA_OFFSET = 12
const FLAGS = 13
const WINDOW = 14
const URGENT = 18

/** Length of the header with its options, 20 to 60 octets, or -1 when it does not fit. */
export function tcpHeaderOctets(dv: DataView, at: number, availableOctets: number): number {
  if (availableOctets < TCP_HEADER_OCTETS) return -1
  const headerOctets = (dv.getUint8(at + DATA_OFFSET) >>> 4) << 2
  return headerOctets < TCP_HEADER_OCTETS || headerOctets > availableOctets ? -1 : headerOctets
}

export function tcpSourcePort(dv: DataView, at: number): number {
  return dv.getUint16(at)
}

export function tcpDestinationPort(dv: DataView, at: number): number {
  return dv.getUint16(at + DESTINATION_PORT)
}

export function tcpSequence(dv: DataView, at: number): number {
  return dv.getInt32(at + SEQUENCE)
}

export function tcpAcknowledgment(dv: DataView, at: number): number {
  return dv.getInt32(at + ACKNOWLEDGMENT)
}

/** The eight control bits, TCP_FIN to TCP_CWR. */
export function tcpFlags(dv: DataView, at: number): number {
  return dv.getUint8(at + FLAGS)
}

/** Checksums are the caller's, here and below. */
export function setTcpFlags(dv: DataView, at: number, flags: number): void {
  dv.setUint8(at + FLAGS, flags)
}

export function tcpWindow(dv: DataView, at: number): number {
  return dv.getUint16(at + WINDOW)
}

export function setTcpWindow(dv: DataView, at: number, window: number): void {
  dv.setUint16(at + WINDOW, window)
}

export function tcpChecksum(dv: DataView, at: number): number {
  return dv.getUint16(at + TCP_CHECKSUM_FIELD)
}

/**
 * Write the fixed part; options, if any, are the caller's. The urgent pointer becomes 0.
 * @param headerOctets  20 to 60, a multiple of 4: with the options that follow
 */
export function writeTcpHeader(
  dv: DataView, at: number, sourcePort: number, destinationPort: number, sequence: number,
  acknowledgment: number, headerOctets: number, flags: number, window: number, checksum: number,
): void {
  dv.setUint16(at, sourcePort)
  dv.setUint16(at + DESTINATION_PORT, destinationPort)
  dv.setInt32(at + SEQUENCE, sequence)
  dv.setInt32(at + ACKNOWLEDGMENT, acknowledgment)
  dv.setUint8(at + DATA_OFFSET, headerOctets << 2)
  dv.setUint8(at + FLAGS, flags)
  dv.setUint16(at + WINDOW, window)
  dv.setUint16(at + TCP_CHECKSUM_FIELD, checksum)
  dv.setUint16(at + URGENT, 0)
}
