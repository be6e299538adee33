// IP addresses of either family between text and the octets that rtnetlink carries.
import { isIPv6, SocketAddress } from 'node:net'
import { UsageError } from '../../base/errors.ts'
import { formatIpv4, parseCidr, tryIpv4 } from '../../base/text.ts'
import { AF_INET, AF_INET6 } from '../constants.ts'

export type Family = typeof AF_INET | typeof AF_INET6

export function familyOf(octets: Uint8Array): Family {
  return octets.length === 4 ? AF_INET : AF_INET6
}

/** "10.0.1.8" or "fe80::42:aff:fe00:108" -> 4 or 16 octets. @throws UsageError */
export function octetsOfIp(text: string): Buffer {
  const address = tryIpv4(text)
  if (address >= 0) return octetsOfIpv4(address)
  if (isIPv6(text) && !text.includes('%')) return octetsOfIpv6(text)
  throw new UsageError(`"${text}" is not an IP address such as 10.0.1.8 or fe80::1`)
}

export function octetsOfIpv4(address: number): Buffer {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(address)
  return octets
}

/** 4 or 16 octets -> text, IPv6 in the form of RFC 5952. */
export function ipOfOctets(octets: Buffer): string {
  if (octets.length === 4) return formatIpv4(octets.readUInt32BE(0))
  const groups = Array.from({ length: 8 }, (_, at) => octets.readUInt16BE(at * 2).toString(16))
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address
}

/** "10.0.1.8/24" or "fe80::1/64" -> octets and prefix length. @throws UsageError */
export function parseIpPrefix(text: string): { octets: Buffer; prefix: number } {
  if (!text.includes(':')) {
    const { address, prefix } = parseCidr(text)
    return { octets: octetsOfIpv4(address), prefix }
  }
  const parts = /^([^/]+)\/(\d{1,3})$/.exec(text)
  const prefix = Number(parts?.[2] ?? -1)
  if (parts?.[1] === undefined || prefix < 0 || prefix > 128) {
    throw new UsageError(`"${text}" is not an address with a prefix length such as fe80::1/64`)
  }
  return { octets: octetsOfIp(parts[1]), prefix }
}

/** `text` has the form of an IPv6 address; an IPv4 address may be its tail. */
function octetsOfIpv6(text: string): Buffer {
  const hex = text.replace(/[\d.]+\.[\d.]+$/, tail => {
    const digits = octetsOfIpv4(tryIpv4(tail)).toString('hex')
    return `${digits.slice(0, 4)}:${digits.slice(4)}`
  })
  const [left, right] = hex.split('::').map(side => (side === '' ? [] : side.split(':')))
  const given = (left?.length ?? 0) + (right?.length ?? 0)
  const groups = [...(left ?? []), ...Array<string>(8 - given).fill('0'), ...(right ?? [])]
  return Buffer.from(groups.map(group => group.padStart(4, '0')).join(''), 'hex')
}
