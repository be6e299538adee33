// hot: every packet that is changed, made or verified goes through these sums.
// The Internet checksum: RFC 1071 (sum), RFC 1624 (update by difference), RFC 8200 section 8.1 and
// RFC 9293 section 3.1 (pseudo-headers). Sums are over big-endian 16-bit words. This is the plain
// reference; whatever replaces it for speed must give the same numbers.

/** Source and destination stand together in both headers: 8 octets here, 32 there. */
const IPV4_ADDRESSES = 12
const IPV6_ADDRESSES = 8

/**
 * Running one's complement sum of `octets` octets at `at`, added to `start`.
 * Only the last piece of a message may have an odd length: its missing octet counts as zero.
 * @param start  0 or what an earlier call or a pseudo-header sum gave
 * @returns      at most 0x1fffe, so that further pieces can be added without overflow
 */
export function sumOctets(dv: DataView, at: number, octets: number, start: number): number {
  const end = at + octets
  const wordsEnd = at + (octets & ~3)
  let sum = start
  let next = at
  for (; next < wordsEnd; next += 4) {
    const word = dv.getInt32(next)
    sum += (word >>> 16) + (word & 0xffff)
  }
  if (end - next >= 2) {
    sum += dv.getUint16(next)
    next += 2
  }
  if (next < end) sum += dv.getUint8(next) << 8
  return (sum & 0xffff) + (sum >>> 16)
}

/** A running sum with its carries folded in; over a message that is intact it is 0xffff. */
export function foldSum(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16)
  return (once + (once >>> 16)) & 0xffff
}

/** What to store in the checksum field when `sum` covers the message with that field as zero. */
export function complementSum(sum: number): number {
  return ~foldSum(sum) & 0xffff
}

/**
 * Running sum of the pseudo-header of UDP and TCP over IPv4.
 * @param headerAt  the IPv4 header, whose addresses are taken
 * @param octets    length of the transport header and its payload
 */
export function pseudoSumIpv4(
  dv: DataView, headerAt: number, protocol: number, octets: number,
): number {
  return sumOctets(dv, headerAt + IPV4_ADDRESSES, 8, protocol + octets)
}

/**
 * Running sum of the pseudo-header of UDP, TCP and ICMPv6 over IPv6.
 * @param headerAt  the IPv6 header, whose addresses are taken
 * @param octets    length of the transport header and its payload
 */
export function pseudoSumIpv6(
  dv: DataView, headerAt: number, protocol: number, octets: number,
): number {
  return sumOctets(dv, headerAt + IPV6_ADDRESSES, 32, protocol + octets)
}

/** The checksum after one of the 16-bit words that it covers changed: RFC 1624 equation 3. */
export function updateChecksum16(checksum: number, before: number, after: number): number {
  return ~foldSum((~checksum & 0xffff) + (~before & 0xffff) + (after & 0xffff)) & 0xffff
}

/** The checksum after two adjoining 16-bit words, such as an IPv4 address, changed. */
export function updateChecksum32(checksum: number, before: number, after: number): number {
  return ~foldSum((~checksum & 0xffff) + (~before >>> 16) + (~before & 0xffff)
    + (after >>> 16) + (after & 0xffff)) & 0xffff
}
