// IP addresses of the devices of a network namespace.
import netlink from 'netlink'
import { KernelError } from '../../base/errors.ts'
import { AF_INET, AF_INET6, EADDRNOTAVAIL } from '../constants.ts'
import type { Family } from './ip-octets.ts'
import { familyOf, ipOfOctets, parseIpPrefix } from './ip-octets.ts'
import type { Attribute } from './message.ts'
import { formatBody, parseAttributes } from './message.ts'
import type { Rtnetlink } from './rtnetlink.ts'

export type Address = Readonly<{
  /** Of the link that has it. */
  index: number
  /** AF_INET or AF_INET6 */
  family: Family
  /** "10.0.1.8", "fe80::42:aff:fe00:108" */
  address: string
  prefix: number
}>

// linux/if_addr.h
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_BROADCAST = 4
// linux/rtnetlink.h
const RT_SCOPE_HOST = 254
const LOOPBACK_FIRST_OCTET = 127
/** Longer prefixes have no broadcast address: RFC 3021. */
const BROADCAST_PREFIX_MAX = 30

const { NEWADDR, DELADDR, GETADDR } = netlink.rt.MessageType
const { CREATE, REPLACE } = netlink.FlagsNew
const HEADER_OCTETS = netlink.rt.__LENGTH_Address

/** IPv4 and IPv6, in the kernel's order: of each device the main ones first. */
export async function addresses(rt: Rtnetlink): Promise<Address[]> {
  const messages = await rt.dump(GETADDR, formatBody(netlink.rt.formatAddress({}), []))
  return messages.map(parseAddress).filter(address => address !== null)
}

/**
 * Give a link an address. One that it has already is not touched; the same address with another
 * prefix length is replaced.
 * @param cidr          "10.0.1.8/24" or "fe80::42:aff:fe00:108/64"
 * @param options.noDad usable at once: no duplicate address detection (RFC 4862 section 5.4)
 * @throws KernelError  ENODEV (no such link), EACCES (IPv6 is off on it)
 */
export async function setAddress(
  rt: Rtnetlink, linkIndex: number, cidr: string, options: { noDad?: boolean | undefined } = {},
): Promise<void> {
  const { octets, prefix } = parseIpPrefix(cidr)
  const address = ipOfOctets(octets)
  const present = await addresses(rt)
  for (const other of present) {
    if (other.index !== linkIndex || other.address !== address) continue
    if (other.prefix === prefix) return
    await deleteAddress(rt, linkIndex, `${address}/${other.prefix}`)
  }
  const header = netlink.rt.formatAddress({
    family: familyOf(octets),
    prefixlen: prefix,
    index: linkIndex,
    scope: octets.length === 4 && octets[0] === LOOPBACK_FIRST_OCTET ? RT_SCOPE_HOST : 0,
    flags: options.noDad === true ? { nodad: true } : {},
  })
  const attributes: Attribute[] = [[IFA_LOCAL, octets], [IFA_ADDRESS, octets]]
  if (octets.length === 4 && prefix <= BROADCAST_PREFIX_MAX) {
    attributes.push([IFA_BROADCAST, broadcast(octets, prefix)])
  }
  const facts = { address: cidr, link: linkIndex }
  await rt.change(NEWADDR, CREATE | REPLACE, formatBody(header, attributes), facts)
}

/** An address that the link does not have is no error. */
export async function deleteAddress(rt: Rtnetlink, linkIndex: number, cidr: string): Promise<void> {
  const { octets, prefix } = parseIpPrefix(cidr)
  const header = { family: familyOf(octets), prefixlen: prefix, index: linkIndex }
  const body = formatBody(netlink.rt.formatAddress(header), [[IFA_LOCAL, octets]])
  try {
    await rt.change(DELADDR, 0, body, { address: cidr, link: linkIndex })
  } catch (error) {
    if (!(error instanceof KernelError && error.errno === EADDRNOTAVAIL)) throw error
  }
}

function parseAddress(message: Buffer): Address | null {
  const header = netlink.rt.parseAddress(message.subarray(0, HEADER_OCTETS))
  const { family, index = 0, prefixlen: prefix = 0 } = header
  const attributes = parseAttributes(message.subarray(HEADER_OCTETS))
  // With IFA_LOCAL, IFA_ADDRESS is the other end of a point-to-point link: linux/if_addr.h.
  const octets = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS)
  if (octets === undefined || (family !== AF_INET && family !== AF_INET6)) return null
  return Object.freeze({ index, family, address: ipOfOctets(octets), prefix })
}

/** As `ip address add` with `brd +`; the kernel sets none by itself. */
function broadcast(octets: Buffer, prefix: number): Buffer {
  const last = Buffer.alloc(4)
  last.writeUInt32BE((octets.readUInt32BE(0) | (0xffffffff >>> prefix)) >>> 0)
  return last
}
