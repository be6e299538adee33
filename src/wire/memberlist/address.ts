// Addresses in messages are raw octets, 4 or 16 of them. Here they become the text that sockets
// take, and the other way round. An IPv4 address inside IPv6 (RFC 4291 section 2.5.5.2) is IPv4:
// Go's net.IP means the same by both.

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

/** `10.0.0.1`, or RFC 5952's text of IPv6; '' for a wrong number of octets. */
export function addressText(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.')
  if (octets.length !== 16) return ''
  if (MAPPED.every((octet, i) => octets[i] === octet)) return octets.subarray(12).join('.')
  const words = Array.from({ length: 8 }, (_, i) => octets[i * 2]! * 256 + octets[i * 2 + 1]!)
  const { from, length } = longestZeros(words)
  const text = (part: number[]) => part.map(word => word.toString(16)).join(':')
  if (length < 2) return text(words)
  return `${text(words.slice(0, from))}::${text(words.slice(from + length))}`
}

/** 4 or 16 octets, or null when the text is no address. A zone (`%eth0`) is none. */
export function addressOctets(text: string): Uint8Array | null {
  if (!text.includes(':')) return ipv4Octets(text)
  const lastColon = text.lastIndexOf(':')
  const tail = text.slice(lastColon + 1)
  const dotted = tail.includes('.') ? ipv4Octets(tail) : undefined
  if (dotted === null) return null
  const pairs = dotted === undefined ? tail : hexPairs(dotted)
  const words = ipv6Words(text.slice(0, lastColon + 1) + pairs)
  if (words === null) return null
  const octets = Uint8Array.from(words.flatMap(word => [word >>> 8, word & 0xff]))
  return MAPPED.every((octet, i) => octets[i] === octet) ? octets.slice(12) : octets
}

function ipv4Octets(text: string): Uint8Array | null {
  const parts = text.split('.')
  const fits = parts.length === 4
    && parts.every(part => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)
  return fits ? Uint8Array.from(parts, Number) : null
}

function hexPairs([a = 0, b = 0, c = 0, d = 0]: Uint8Array): string {
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}

function ipv6Words(text: string): number[] | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const [left = [], right = []] = halves.map(half => half === '' ? [] : half.split(':'))
  if (![...left, ...right].every(word => /^[\da-f]{1,4}$/i.test(word))) return null
  const missing = 8 - left.length - right.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null
  const words = [...left, ...Array.from({ length: missing }, () => '0'), ...right]
  return words.map(word => Number.parseInt(word, 16))
}

/** The first of the longest runs of zeros. */
function longestZeros(words: readonly number[]): { from: number; length: number } {
  let best = { from: 0, length: 0 }
  let from = 0
  for (const [i, word] of [...words, 1].entries()) {
    if (word === 0) continue
    if (i - from > best.length) best = { from, length: i - from }
    from = i + 1
  }
  return best
}
