// Addresses as text, for dump.ts. Octets are read where they stand, and nothing here can throw on
// what a packet holds.

/** "02:42:0a:00:01:08" */
export function macText(dv: DataView, at: number): string {
  return [0, 1, 2, 3, 4, 5].map(i => hex(dv.getUint8(at + i), 2)).join(':')
}

/** "10.0.1.8" */
export function ipv4AddressText(dv: DataView, at: number): string {
  return [0, 1, 2, 3].map(i => dv.getUint8(at + i)).join('.')
}

/** "fe80::42:aff:fe00:108", with the longest run of zero groups left out: RFC 5952 section 4. */
export function ipv6AddressText(dv: DataView, at: number): string {
  const groups = [0, 1, 2, 3, 4, 5, 6, 7].map(i => dv.getUint16(at + 2 * i))
  let bestFrom = 0
  let bestLength = 0
  for (let from = 0; from < 8; from += 1) {
    let length = 0
    while (from + length < 8 && groups[from + length] === 0) length += 1
    if (length > bestLength) {
      bestFrom = from
      bestLength = length
    }
  }
  const digits = groups.map(group => hex(group, 1))
  if (bestLength < 2) return digits.join(':')
  return `${digits.slice(0, bestFrom).join(':')}::${digits.slice(bestFrom + bestLength).join(':')}`
}

/** `value` in hexadecimal, padded with zeros to `width` digits. */
export function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0')
}

/** Ends a line when octets are missing. */
export const TRUNCATED = '[truncated]'
/** Stands where a field contradicts itself or its neighbours. */
export const MALFORMED = '[malformed]'

/** `text`, saying that octets are missing, but not twice. */
export function withTruncated(text: string): string {
  return text.endsWith(TRUNCATED) ? text : `${text} ${TRUNCATED}`
}
