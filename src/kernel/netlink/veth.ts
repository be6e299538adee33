// Pairs of virtual Ethernet devices, whose two ends may stand in different network namespaces. Both
// are made by one request, and each goes with the other.
import netlink from 'netlink'
import { parseMac } from '../../base/text.ts'
import { checkLinkName } from './link.ts'
import type { Attribute } from './message.ts'
import { formatBody, text, u32 } from './message.ts'
import type { Rtnetlink } from './rtnetlink.ts'

export type VethEnd = Readonly<{ name: string; mac: string; mtu: number }>

// linux/if_link.h, linux/veth.h
const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINKINFO = 18
const IFLA_NET_NS_FD = 28
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const VETH_INFO_PEER = 1

const { NEWLINK } = netlink.rt.MessageType
const { CREATE, EXCL } = netlink.FlagsNew

/**
 * Make a pair, both ends down.
 * @param near    end in the namespace of `rt`
 * @param far     the other end
 * @param netns   descriptor of the namespace of `far`; it stays open
 * @throws KernelError EEXIST (one of the names is in use), ENOTSUP (a kernel without veth)
 */
export async function makeVeth(rt: Rtnetlink, near: VethEnd, far: VethEnd, netns: number,
): Promise<void> {
  const header = netlink.rt.formatLink({})
  const peer = formatBody(header, [...endOf(far), [IFLA_NET_NS_FD, u32(netns)]])
  const kind: Attribute[] = [
    [IFLA_INFO_KIND, text('veth')],
    [IFLA_INFO_DATA, formatBody(NOTHING, [[VETH_INFO_PEER, peer]])],
  ]
  const body = formatBody(header, [...endOf(near), [IFLA_LINKINFO, formatBody(NOTHING, kind)]])
  await rt.change(NEWLINK, CREATE | EXCL, body, { device: near.name, peer: far.name })
}

const NOTHING = new Uint8Array(0)

function endOf({ name, mac, mtu }: VethEnd): Attribute[] {
  checkLinkName(name)
  parseMac(mac)
  return [
    [IFLA_IFNAME, text(name)],
    [IFLA_ADDRESS, Buffer.from(mac.replaceAll(':', ''), 'hex')],
    [IFLA_MTU, u32(mtu)],
  ]
}
