// hot: every IPv6 packet is classified by this file.
// The IPv6 header (RFC 8200 section 3) and the way past extension headers (section 4).

export const IPV6_HEADER_OCTETS = 40
export const IPV6_PAYLOAD = 4
export const IPV6_SOURCE = 8
export const IPV6_DESTINATION = 24
/** RFC 8200 section 5: every link carries this much, so errors are cut to it. */
export const IPV6_MTU_MIN_OCTETS = 1280

export const IPV6_HOP_BY_HOP = 0
export const IPV6_ROUTING = 43
export const IPV6_FRAGMENT = 44
export const PROTOCOL_ICMPV6 = 58
export const IPV6_DESTINATION_OPTIONS = 60
/** Each header names the next, so a packet could make us walk for long; this ends the walk. */
export const IPV6_EXTENSIONS_MAX = 8

const NEXT_HEADER = 6
const HOP_LIMIT = 7

/** Length of what follows the fixed header, or -1 when this is not a whole IPv6 packet. */
export function ipv6PayloadOctets(dv: DataView, at: number, availableOctets: number): number {
  if (availableOctets < IPV6_HEADER_OCTETS || dv.getUint8(at) >>> 4 !== 6) return -1
  const payloadOctets = dv.getUint16(at + IPV6_PAYLOAD)
  return payloadOctets > availableOctets - IPV6_HEADER_OCTETS ? -1 : payloadOctets
}

/** Protocol number of what follows the fixed header: an extension header or the payload itself. */
export function ipv6NextHeader(dv: DataView, at: number): number {
  return dv.getUint8(at + NEXT_HEADER)
}

export function ipv6HopLimit(dv: DataView, at: number): number {
  return dv.getUint8(at + HOP_LIMIT)
}

/** DSCP in the upper six bits, ECN in the lower two. */
export function ipv6TrafficClass(dv: DataView, at: number): number {
  return (dv.getUint16(at) >>> 4) & 0xff
}

/** No checksum covers it. */
export function setIpv6TrafficClass(dv: DataView, at: number, trafficClass: number): void {
  dv.setUint16(at, (dv.getUint16(at) & 0xf00f) | ((trafficClass & 0xff) << 4))
}

export function ipv6FlowLabel(dv: DataView, at: number): number {
  return dv.getUint32(at) & 0xfffff
}

/** Word `which` of the addresses, signed: 0 to 3 of the source, 4 to 7 of the destination. */
export function ipv6Word(dv: DataView, at: number, which: number): number {
  return dv.getInt32(at + IPV6_SOURCE + (which << 2))
}

/**
 * Upper 16 bits of the MAC that the link-local address of these words was made of, or -1 when it is
 * another kind of address: RFC 4291 section 2.5.6 and appendix A (modified EUI-64).
 */
export function linkLocalMacHigh(
  word0: number, word1: number, word2: number, word3: number,
): number {
  const isMade = word0 === 0xfe80 << 16 && word1 === 0 && (word2 & 0xff) === 0xff
    && word3 >>> 24 === 0xfe
  return isMade ? (word2 >>> 16) ^ 0x0200 : -1
}

/** Its lower 32 bits, signed, from the last two words. */
export function linkLocalMacLow(word2: number, word3: number): number {
  return ((word2 & 0xff00) << 16) | (word3 & 0xffffff)
}

/** Whether the address at `addressAt` (not a header) means several nodes: RFC 4291 section 2.7. */
export function isIpv6Multicast(dv: DataView, addressAt: number): boolean {
  return dv.getUint8(addressAt) === 0xff
}

/**
 * What the packet carries behind its extension headers: (offset from `at` << 8) | protocol, or -1
 * when the chain leaves the payload or is longer than IPV6_EXTENSIONS_MAX. A fragment that is not
 * the first has no transport header, so for it the answer is its fragment header.
 */
export function ipv6Upper(dv: DataView, at: number, payloadOctets: number): number {
  const end = IPV6_HEADER_OCTETS + payloadOctets
  let protocol = ipv6NextHeader(dv, at)
  let offset = IPV6_HEADER_OCTETS
  for (let headers = 0; headers <= IPV6_EXTENSIONS_MAX; headers += 1) {
    const isFragment = protocol === IPV6_FRAGMENT
    if (!isFragment && protocol !== IPV6_HOP_BY_HOP && protocol !== IPV6_ROUTING
      && protocol !== IPV6_DESTINATION_OPTIONS) return (offset << 8) | protocol
    if (offset + 8 > end) return -1
    const isLater = isFragment && (dv.getUint16(at + offset + 2) & 0xfff8) !== 0
    if (isLater) return (offset << 8) | protocol
    protocol = dv.getUint8(at + offset)
    // The fragment header has no length field: its second octet is reserved.
    offset += isFragment ? 8 : (dv.getUint8(at + offset + 1) + 1) << 3
    if (offset > end) return -1
  }
  return -1
}

/** Put an address, as four words, into memory; writeIpv6Header takes it from there. */
export function writeIpv6Address(
  dv: DataView, addressAt: number, word0: number, word1: number, word2: number, word3: number,
): void {
  dv.setInt32(addressAt, word0)
  dv.setInt32(addressAt + 4, word1)
  dv.setInt32(addressAt + 8, word2)
  dv.setInt32(addressAt + 12, word3)
}

/**
 * Write the fixed header; its addresses are copied from `sourceAt` and `destinationAt`: offsets
 * of 16 octets each, which may lie in the header that is being replaced, exchanged or not.
 */
export function writeIpv6Header(
  dv: DataView, at: number, payloadOctets: number, nextHeader: number, hopLimit: number,
  trafficClass: number, flowLabel: number, sourceAt: number, destinationAt: number,
): void {
  const from0 = dv.getInt32(sourceAt)
  const from1 = dv.getInt32(sourceAt + 4)
  const from2 = dv.getInt32(sourceAt + 8)
  const from3 = dv.getInt32(sourceAt + 12)
  const to0 = dv.getInt32(destinationAt)
  const to1 = dv.getInt32(destinationAt + 4)
  const to2 = dv.getInt32(destinationAt + 8)
  const to3 = dv.getInt32(destinationAt + 12)
  dv.setInt32(at, 0x60000000 | ((trafficClass & 0xff) << 20) | (flowLabel & 0xfffff))
  dv.setUint16(at + IPV6_PAYLOAD, payloadOctets)
  dv.setUint8(at + NEXT_HEADER, nextHeader)
  dv.setUint8(at + HOP_LIMIT, hopLimit)
  writeIpv6Address(dv, at + IPV6_SOURCE, from0, from1, from2, from3)
  writeIpv6Address(dv, at + IPV6_DESTINATION, to0, to1, to2, to3)
}
