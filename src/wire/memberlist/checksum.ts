// CRC-32 as Ethernet and zip have it (Go's hash/crc32, IEEE), which stands in front of a packet for
// members of protocol 5. It catches damage that the checksum of UDP does not see; it proves nothing
// about who sent it.

const POLYNOMIAL_REVERSED = 0xedb88320

const TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let sum = octet
  for (let bit = 0; bit < 8; bit += 1) sum = sum >>> 1 ^ (sum & 1 ? POLYNOMIAL_REVERSED : 0)
  return sum
})

/** Unsigned, 32 bits. */
export function crc32(octets: Uint8Array): number {
  let sum = 0xffff_ffff
  for (const octet of octets) sum = sum >>> 8 ^ TABLE[(sum ^ octet) & 0xff]!
  return ~sum >>> 0
}
