// Which device carries the underlay, asked in the ways in which people name it.
import { AF_INET } from '../constants.ts'
import { addresses } from './address.ts'
import { linkByName, links } from './link.ts'
import { routes } from './route.ts'
import type { Rtnetlink } from './rtnetlink.ts'

const DEFAULT_ROUTE = '0.0.0.0/0'
const RT_TABLE_MAIN = 254

export type AddressedDevice = Readonly<{ device: string; mtu: number; prefix: number }>

/** The device that has this IPv4 address, null when none has. Of several, one that is up. */
export async function deviceOfAddress(
  rt: Rtnetlink, address: string,
): Promise<AddressedDevice | null> {
  const present = await links(rt)
  const found = (await addresses(rt))
    .filter(other => other.family === AF_INET && other.address === address)
    .map(({ index, prefix }) => ({ link: present.find(link => link.index === index), prefix }))
  const best = found.find(({ link }) => link?.up === true) ?? found[0]
  if (best?.link === undefined) return null
  return Object.freeze({ device: best.link.name, mtu: best.link.mtu, prefix: best.prefix })
}

/** The main IPv4 address of a device, null when it has none or is not there. */
export async function addressOfDevice(
  rt: Rtnetlink, device: string,
): Promise<Readonly<{ address: string; prefix: number }> | null> {
  const link = await linkByName(rt, device)
  if (link === null) return null
  const present = await addresses(rt)
  const main = present.find(({ index, family }) => index === link.index && family === AF_INET)
  return main === undefined ? null : Object.freeze({ address: main.address, prefix: main.prefix })
}

/** The device by which this host reaches the rest of the world, null when it does not. */
export async function defaultRouteDevice(rt: Rtnetlink): Promise<string | null> {
  const [best] = (await routes(rt))
    .filter(route => route.destination === DEFAULT_ROUTE && route.table === RT_TABLE_MAIN)
    .sort((a, b) => a.metric - b.metric)
  if (best === undefined || best.device === null) return null
  const { device } = best
  return (await links(rt)).find(link => link.index === device)?.name ?? null
}
