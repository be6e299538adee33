// Captures as libpcap files, which tcpdump, tshark and Wireshark read: pcap-savefile(5).
// Numbers are little-endian; readers tell that from the magic number.

export const PCAP_FILE_HEADER_OCTETS = 24
export const PCAP_RECORD_HEADER_OCTETS = 16
/** LINKTYPE_ETHERNET of the registry at tcpdump.org. */
export const PCAP_LINK_ETHERNET = 1
/** As much as tcpdump keeps of a packet unless told otherwise. */
export const PCAP_SNAP_OCTETS = 262_144

/** Times in the records are in microseconds. */
const MAGIC = 0xa1b2c3d4
const VERSION_MAJOR = 2
const VERSION_MINOR = 4

/** @param snapOctets  longest captured length that a record will have */
export function pcapFileHeader(
  snapOctets = PCAP_SNAP_OCTETS, linkType = PCAP_LINK_ETHERNET,
): Uint8Array {
  const header = new DataView(new ArrayBuffer(PCAP_FILE_HEADER_OCTETS))
  header.setUint32(0, MAGIC, true)
  header.setUint16(4, VERSION_MAJOR, true)
  header.setUint16(6, VERSION_MINOR, true)
  header.setUint32(16, snapOctets, true)
  header.setUint32(20, linkType, true)
  return new Uint8Array(header.buffer)
}

/**
 * Header of one packet; `capturedOctets` of it follow.
 * @param seconds         since 1970-01-01 UTC
 * @param microseconds    0 to 999999
 * @param originalOctets  length on the wire, at least `capturedOctets`
 */
export function pcapRecordHeader(
  seconds: number, microseconds: number, capturedOctets: number, originalOctets: number,
): Uint8Array {
  const header = new DataView(new ArrayBuffer(PCAP_RECORD_HEADER_OCTETS))
  header.setUint32(0, seconds, true)
  header.setUint32(4, microseconds, true)
  header.setUint32(8, capturedOctets, true)
  header.setUint32(12, originalOctets, true)
  return new Uint8Array(header.buffer)
}
