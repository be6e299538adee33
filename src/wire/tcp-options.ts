// hot: options of the TCP header: RFC 9293 section 3.2. They are looked at in SYN segments only.
import { updateChecksum16 } from './checksum.ts'
import { TCP_CHECKSUM_FIELD, TCP_HEADER_OCTETS } from './tcp.ts'

const END = 0
const NO_OPERATION = 1
/** The maximum segment size, RFC 9293 section 3.7.1: how much its sender takes in one segment. */
const MSS = 2
const MSS_OCTETS = 4
/** RFC 5925: its signature covers the other options, so none of them may be changed. */
const AUTHENTICATION = 29

/**
 * Where the number of the MSS option stands; -1 when there is none, when the lengths of options
 * contradict each other, or when a signature covers them. Of several the last one counts, as it
 * does for Linux.
 * @param headerOctets as tcpHeaderOctets() answers, not -1
 */
export function tcpMssAt(dv: DataView, at: number, headerOctets: number): number {
  const end = at + headerOctets
  let found = -1
  let next = at + TCP_HEADER_OCTETS
  while (next < end) {
    const kind = dv.getUint8(next)
    if (kind === END) break
    if (kind === NO_OPERATION) {
      next += 1
      continue
    }
    const octets = next + 1 < end ? dv.getUint8(next + 1) : 0
    if (octets < 2 || next + octets > end || kind === AUTHENTICATION) return -1
    if (kind === MSS) {
      if (octets !== MSS_OCTETS) return -1
      found = next + 2
    }
    next += octets
  }
  return found
}

/**
 * Let the segment say at most `mss`. Its checksum changes by the difference, so that a damaged
 * segment stays damaged; a partial one covers no options. Answers whether something was changed.
 * @param headerOctets as tcpHeaderOctets() answers, not -1
 */
export function lowerTcpMss(dv: DataView, at: number, headerOctets: number, mss: number,
  isPartial: boolean): boolean {
  const mssAt = tcpMssAt(dv, at, headerOctets)
  if (mssAt < 0) return false
  const before = dv.getUint16(mssAt)
  if (before <= mss) return false
  dv.setUint16(mssAt, mss)
  if (isPartial) return true
  const checksum = dv.getUint16(at + TCP_CHECKSUM_FIELD)
  // At an odd place each octet counts in the other half of a word: RFC 1071 section 2 (B).
  const next = ((mssAt - at) & 1) === 0 ? updateChecksum16(checksum, before, mss)
    : updateChecksum16(checksum, swapOctets(before), swapOctets(mss))
  dv.setUint16(at + TCP_CHECKSUM_FIELD, next)
  return true
}

function swapOctets(word: number): number {
  return (word & 0xff) << 8 | word >>> 8
}
