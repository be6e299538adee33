// Which device and address of this machine carries the tunnel.
import { AbsentError, ConfigError } from '../base/errors.ts'
import { parseIpv4 } from '../base/text.ts'
import { addressOfDevice, defaultRouteDevice, deviceOfAddress } from '../kernel/netlink/device.ts'
import type { Rtnetlink } from '../kernel/netlink/rtnetlink.ts'

export type UnderlayAddress = Readonly<{
  device: string
  address: string
  number: number
  mtu: number
}>

type Named = Readonly<{ address?: string | undefined; device?: string | undefined }>

/**
 * By underlay.address, else by underlay.device, else what was advertised, else the device of the
 * default route.
 * @throws ConfigError when this machine does not have what the configuration names
 */
export async function findUnderlay(rt: Rtnetlink, named: Named, advertised: string | null = null,
): Promise<UnderlayAddress> {
  const isNamed = named.address !== undefined || named.device !== undefined
  const address = named.address ?? (isNamed ? null : advertised)
    ?? await addressByDevice(rt, named.device)
  const found = await deviceOfAddress(rt, address)
  if (found === null) {
    const what = isNamed ? 'underlay.address' : 'the address that this node advertises,'
    throw new ConfigError(`${what} ${address} is on no device of this machine; see: ip address`,
      { address })
  }
  if (named.device !== undefined && named.device !== found.device) {
    throw new ConfigError(`underlay.address ${address} is on ${found.device}, `
      + `not on underlay.device ${named.device}; leave one of the two out`, { address })
  }
  return { device: found.device, address, number: parseIpv4(address), mtu: found.mtu }
}

async function addressByDevice(rt: Rtnetlink, named: string | undefined): Promise<string> {
  const device = named ?? await defaultRouteDevice(rt)
  if (device === null) {
    throw new AbsentError('there is no default route to find the underlay by; set underlay.address')
  }
  const found = await addressOfDevice(rt, device)
  if (found === null) {
    throw new ConfigError(`the underlay device ${device} is not there or has no IPv4 address; set `
      + 'underlay.address or underlay.device', { device })
  }
  return found.address
}
