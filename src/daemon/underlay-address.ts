// Which device and address of this machine carries the tunnel.
import { AbsentError, ConfigError } from '../base/errors.ts'
import { parseIpv4 } from '../base/text.ts'
import { addressOfDevice, defaultRouteDevice, deviceOfAddress } from '../kernel/netlink/device.ts'
import type { Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import type { Config } from './config.ts'

export type UnderlayAddress = Readonly<{
  device: string
  address: string
  number: number
  mtu: number
}>

/**
 * By underlay.address, else by underlay.device, else the device of the default route.
 * @throws ConfigError when this machine does not have what the configuration names
 */
export async function findUnderlay(rt: Rtnetlink, config: Config): Promise<UnderlayAddress> {
  const address = config.underlay.address ?? await addressByDevice(rt, config)
  const found = await deviceOfAddress(rt, address)
  if (found === null) {
    throw new ConfigError(`underlay.address ${address} is on no device of this machine; see: ip `
      + 'address', { address })
  }
  if (config.underlay.device !== undefined && config.underlay.device !== found.device) {
    throw new ConfigError(`underlay.address ${address} is on ${found.device}, `
      + `not on underlay.device ${config.underlay.device}; leave one of the two out`, { address })
  }
  return { device: found.device, address, number: parseIpv4(address), mtu: found.mtu }
}

async function addressByDevice(rt: Rtnetlink, config: Config): Promise<string> {
  const device = config.underlay.device ?? await defaultRouteDevice(rt)
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
