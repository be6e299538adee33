// Links: the devices of a network namespace.
import netlink from 'netlink'
import { KernelError, NotFoundError, UsageError } from '../../base/errors.ts'
import { parseMac } from '../../base/text.ts'
import { EBUSY, ENODEV } from '../constants.ts'
import type { Attribute } from './message.ts'
import { formatBody, macOf, parseAttributes, text, textOf, u32, u32Of } from './message.ts'
import type { Rtnetlink } from './rtnetlink.ts'

export type Link = Readonly<{
  index: number
  name: string
  mtu: number
  /** "02:42:0a:00:01:08"; null when the device has no Ethernet address */
  mac: string | null
  /** Switched on: IFF_UP. */
  up: boolean
  /** Able to carry frames: IFF_RUNNING. It follows the state of the carrier within a second. */
  running: boolean
  /** "tun" (a TAP as well), "veth", "vxlan", …; null for hardware and lo */
  kind: string | null
}>

export type LinkChange = Readonly<{
  up?: boolean | undefined
  mtu?: number | undefined
  mac?: string | undefined
  name?: string | undefined
}>

// linux/if_link.h
const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINKINFO = 18
const IFLA_EXT_MASK = 29
const IFLA_INFO_KIND = 1
// linux/rtnetlink.h: leave out the counters, they are half of an answer.
const RTEXT_FILTER_SKIP_STATS = 8
// linux/if.h: IFNAMSIZ less the zero at the end.
const LINK_NAME_OCTETS_MAX = 15

const { GETLINK, SETLINK, DELLINK } = netlink.rt.MessageType
const HEADER_OCTETS = netlink.rt.__LENGTH_Link
const NO_STATS: Attribute = [IFLA_EXT_MASK, u32(RTEXT_FILTER_SKIP_STATS)]

/** @throws UsageError when no device can have this name (dev_valid_name() of the kernel) */
export function checkLinkName(name: string): void {
  const octets = Buffer.byteLength(name)
  const fits = octets > 0 && octets <= LINK_NAME_OCTETS_MAX && name !== '.' && name !== '..'
  if (fits && !/[/:\s\0]/.test(name)) return
  const rule = `use 1 to ${LINK_NAME_OCTETS_MAX} octets without / : and blanks`
  throw new UsageError(`"${name}" cannot name a network device: ${rule}`, { name })
}

/** In order of their index. */
export async function links(rt: Rtnetlink): Promise<Link[]> {
  const messages = await rt.dump(GETLINK, formatBody(netlink.rt.formatLink({}), [NO_STATS]))
  return messages.map(parseLink).sort((a, b) => a.index - b.index)
}

export async function linkByName(rt: Rtnetlink, name: string): Promise<Link | null> {
  checkLinkName(name)
  const body = formatBody(netlink.rt.formatLink({}), [[IFLA_IFNAME, text(name)], NO_STATS])
  try {
    return parseLink(await rt.get(GETLINK, body, { device: name }))
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENODEV) return null
    throw error
  }
}

/**
 * Bring a device into the wanted state. What is so already is not touched: a second call does
 * nothing.
 * @throws NotFoundError  no device `name` (after a change of name, call it by the new one)
 * @throws KernelError    EINVAL (MTU out of the device's range), EBUSY (rename or MAC while it is
 * up,
 *                        on some kernels and devices), EEXIST (the new name is in use)
 */
export async function setLink(rt: Rtnetlink, name: string, change: LinkChange): Promise<void> {
  const link = await linkByName(rt, name)
  if (link === null) throw new NotFoundError(`no network device ${name}; see ip link`, { name })
  const { up = link.up, mtu = link.mtu, mac = link.mac, name: newName = name } = change
  const attributes: Attribute[] = []
  if (mtu !== link.mtu) attributes.push([IFLA_MTU, u32(mtu)])
  if (mac !== null && mac.toLowerCase() !== link.mac) {
    attributes.push([IFLA_ADDRESS, macOctets(mac)])
  }
  if (newName !== name) {
    checkLinkName(newName)
    attributes.push([IFLA_IFNAME, text(newName)])
  }
  if (attributes.length === 0 && up === link.up) return
  const header = netlink.rt.formatLink({
    index: link.index,
    flags: up ? { up: true } : {},
    // An empty one would mean all flags, those that others have set as well.
    change: { up: true },
  })
  await sendChange(rt, formatBody(header, attributes), { device: name, ...change })
}

/** Nobody is asked for a MAC on this device: all frames are for its own. */
export async function setNoArp(rt: Rtnetlink, { index, name }: Link): Promise<void> {
  const header = netlink.rt.formatLink({ index, flags: { noarp: true }, change: { noarp: true } })
  await sendChange(rt, formatBody(header, []), { device: name })
}

/** A device that is not there is no error. @throws KernelError ENOTSUP for lo and hardware */
export async function deleteLink(rt: Rtnetlink, name: string): Promise<void> {
  checkLinkName(name)
  const body = formatBody(netlink.rt.formatLink({}), [[IFLA_IFNAME, text(name)]])
  try {
    await rt.change(DELLINK, 0, body, { device: name })
  } catch (error) {
    if (!(error instanceof KernelError && error.errno === ENODEV)) throw error
  }
}

async function sendChange(
  rt: Rtnetlink, body: Buffer, facts: LinkChange & { device: string },
): Promise<void> {
  try {
    await rt.change(SETLINK, 0, body, facts)
  } catch (error) {
    if (!(error instanceof KernelError && error.errno === EBUSY)) throw error
    throw new KernelError(error.syscall, EBUSY, facts, 'set it down first')
  }
}

function parseLink(message: Buffer): Link {
  const { index = 0, flags = {} } = netlink.rt.parseLink(message.subarray(0, HEADER_OCTETS))
  const attributes = parseAttributes(message.subarray(HEADER_OCTETS))
  const info = attributes.get(IFLA_LINKINFO)
  return Object.freeze({
    index,
    name: textOf(attributes, IFLA_IFNAME) ?? '',
    mtu: u32Of(attributes, IFLA_MTU),
    mac: macOf(attributes, IFLA_ADDRESS),
    up: flags.up === true,
    running: flags.running === true,
    kind: info === undefined ? null : textOf(parseAttributes(info), IFLA_INFO_KIND),
  })
}

function macOctets(mac: string): Buffer {
  parseMac(mac)
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}
