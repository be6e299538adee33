// Addresses between text and numbers. IPv4 addresses are unsigned 32-bit numbers in host order;
// MACs are 12 hex digits with colons. Every refusal names the offending text.
import { UsageError } from './errors.ts'

/** "10.0.1.8" -> 0x0a000108 */
export function parseIpv4(text: string): number {
  const address = tryIpv4(text)
  if (address < 0) throw new UsageError(`"${text}" is not an IPv4 address such as 10.0.1.8`)
  return address
}

/** The address, or -1 when `text` is none. Leading zeros are refused: elsewhere they mean octal. */
export function tryIpv4(text: string): number {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (parts === null) return -1
  let value = 0
  for (const part of parts.slice(1)) {
    const octet = Number(part)
    if (octet > 255 || String(octet) !== part) return -1
    value = value * 256 + octet
  }
  return value
}

/** 0x0a000108 -> "10.0.1.8" */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

export type Cidr = Readonly<{ address: number; network: number; prefix: number; last: number }>

/** "10.0.1.8/24" -> its address, first and last address of the subnet, prefix length 0 to 32. */
export function parseCidr(text: string): Cidr {
  const parts = /^([\d.]+)\/(\d{1,2})$/.exec(text)
  const address = parts === null ? -1 : tryIpv4(parts[1] ?? '')
  const prefix = Number(parts?.[2] ?? -1)
  if (address < 0 || prefix < 0 || prefix > 32) {
    throw new UsageError(`"${text}" is not an IPv4 subnet such as 10.0.1.0/24`)
  }
  const size = 2 ** (32 - prefix)
  const network = address - (address % size)
  return { address, network, prefix, last: network + size - 1 }
}

export function formatCidr(cidr: Pick<Cidr, 'network' | 'prefix'>): string {
  return `${formatIpv4(cidr.network)}/${cidr.prefix}`
}

export function cidrHas(cidr: Cidr, address: number): boolean {
  return address >= cidr.network && address <= cidr.last
}

export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return a.network <= b.last && b.network <= a.last
}

/** "192.168.56.12" or "192.168.56.12:4790" -> address and port 1 to 65535. */
export function parseHostPort(
  text: string, defaultPort: number,
): { address: number; port: number } {
  const parts = /^([\d.]+)(?::(\d{1,5}))?$/.exec(text)
  const address = parts === null ? -1 : tryIpv4(parts[1] ?? '')
  const port = parts?.[2] === undefined ? defaultPort : Number(parts[2])
  if (address < 0 || port < 1 || port > 65535) {
    throw new UsageError(`"${text}" is not an address such as 192.168.56.12 or 192.168.56.12:4789`)
  }
  return { address, port }
}

/** The MAC of an overlay address: 02:42 and the four octets (10.0.1.8 <-> 02:42:0a:00:01:08). */
export function macOfAddress(address: number): string {
  return `02:42:${hexOctets(address)}`
}

/** Six octets "02:42:0a:00:01:08" -> [0x0242, 0x0a000108]: the upper 16 and the lower 32 bits. */
export function parseMac(text: string): readonly [high: number, low: number] {
  const mac = tryMac(text)
  if (mac !== undefined) return mac
  throw new UsageError(`"${text}" is not a MAC address such as 02:42:0a:00:01:08`)
}

/** As parseMac; undefined when `text` is none. */
export function tryMac(text: string): readonly [high: number, low: number] | undefined {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) return undefined
  const digits = text.replaceAll(':', '')
  return [Number.parseInt(digits.slice(0, 4), 16), Number.parseInt(digits.slice(4), 16)]
}

export function formatMac(high: number, low: number): string {
  const first = (high & 0xffff).toString(16).padStart(4, '0')
  return `${first.slice(0, 2)}:${first.slice(2)}:${hexOctets(low)}`
}

/** The EUI-64 link-local address of a MAC: RFC 4291 appendix A. */
export function linkLocalOfMac(mac: string): string {
  const [, , upper, lower] = linkLocalWords(mac)
  const groups = [upper >>> 16, upper & 0xffff, lower >>> 16, lower & 0xffff]
  return `fe80::${groups.map(group => group.toString(16)).join(':')}`
}

/** The same as four 32-bit words. */
export function linkLocalWords(mac: string): [number, number, number, number] {
  const [high, low] = parseMac(mac)
  const upper = ((high ^ 0x0200) << 16) | ((low >>> 16) & 0xff00) | 0xff
  const lower = (0xfe << 24) | (((low >>> 16) & 0xff) << 16) | (low & 0xffff)
  return [0xfe80 << 16, 0, upper, lower]
}

function hexOctets(value: number): string {
  const digits = (value >>> 0).toString(16).padStart(8, '0')
  return `${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4, 6)}:${digits.slice(6)}`
}

/** "1 node", "2 nodes" */
export function plural(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`
}
