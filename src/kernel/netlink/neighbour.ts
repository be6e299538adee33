// Neighbours: which MAC an IP address has on a link.
import netlink from 'netlink'
import { KernelError } from '../../base/errors.ts'
import { parseMac } from '../../base/text.ts'
import { AF_INET, AF_INET6, ENOENT } from '../constants.ts'
import { familyOf, ipOfOctets, octetsOfIp } from './ip-octets.ts'
import { formatBody, macOf, parseAttributes } from './message.ts'
import type { Rtnetlink } from './rtnetlink.ts'

export type Neighbour = Readonly<{
  /** Of the link on which it is. */
  index: number
  address: string
  /** null while it is being asked for, or when nobody answered */
  mac: string | null
  /** Set by hand: it does not age and is not asked for. */
  permanent: boolean
}>

// linux/neighbour.h
const NDA_DST = 1
const NDA_LLADDR = 2

const { NEWNEIGH, DELNEIGH, GETNEIGH } = netlink.rt.MessageType
const { CREATE, REPLACE } = netlink.FlagsNew
const HEADER_OCTETS = netlink.rt.__LENGTH_Neighbor

/** IPv4 and IPv6, without those that need no MAC (multicast, loopback). */
export async function neighbours(rt: Rtnetlink): Promise<Neighbour[]> {
  const messages = await rt.dump(GETNEIGH, formatBody(netlink.rt.formatNeighbor({}), []))
  return messages.map(parseNeighbour).filter(neighbour => neighbour !== null)
}

/** Say by hand, for good, which MAC `address` has; what was known of it before is replaced. */
export async function setNeighbour(
  rt: Rtnetlink, linkIndex: number, address: string, mac: string,
): Promise<void> {
  parseMac(mac)
  const octets = octetsOfIp(address)
  const header = netlink.rt.formatNeighbor({
    family: familyOf(octets),
    ifindex: linkIndex,
    state: { permanent: true },
  })
  const lladdr = Buffer.from(mac.replaceAll(':', ''), 'hex')
  const body = formatBody(header, [[NDA_DST, octets], [NDA_LLADDR, lladdr]])
  await rt.change(NEWNEIGH, CREATE | REPLACE, body, { address, mac, link: linkIndex })
}

/** A neighbour that is not known is no error. */
export async function deleteNeighbour(
  rt: Rtnetlink, linkIndex: number, address: string,
): Promise<void> {
  const octets = octetsOfIp(address)
  const header = netlink.rt.formatNeighbor({ family: familyOf(octets), ifindex: linkIndex })
  try {
    const body = formatBody(header, [[NDA_DST, octets]])
    await rt.change(DELNEIGH, 0, body, { address, link: linkIndex })
  } catch (error) {
    if (!(error instanceof KernelError && error.errno === ENOENT)) throw error
  }
}

function parseNeighbour(message: Buffer): Neighbour | null {
  const header = netlink.rt.parseNeighbor(message.subarray(0, HEADER_OCTETS))
  const { family, ifindex: index = 0, state = {} } = header
  const attributes = parseAttributes(message.subarray(HEADER_OCTETS))
  const octets = attributes.get(NDA_DST)
  if (octets === undefined || state.noarp === true) return null
  if (family !== AF_INET && family !== AF_INET6) return null
  return Object.freeze({
    index,
    address: ipOfOctets(octets),
    mac: macOf(attributes, NDA_LLADDR),
    permanent: state.permanent === true,
  })
}
