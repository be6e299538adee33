// Subnets that the machines of the cluster use themselves. Each node tells the others its own, so
// that no network is given addresses which mean something else on one of them.
import { cidrsOverlap, parseCidr } from '../base/text.ts'
import {
  obstaclesOf, SUBNETS_TOLD_MAX, type Taken, takenByAddress, takenByRoute, widestSubnets,
} from '../cluster/subnets.ts'
import { addresses } from '../kernel/netlink/address.ts'
import { links } from '../kernel/netlink/link.ts'
import { routes } from '../kernel/netlink/route.ts'
import type { Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import type { ClusterLink } from './cluster-link.ts'
import type { ClusterRecords } from './cluster-records.ts'
import type { Core } from './core.ts'
import { INGRESS_DEVICE } from './ingress-device.ts'
import { encodeRow, nodeKey, TABLE_SUBNETS } from './shared-rows.ts'
import { HOST_END_PREFIX } from './way-out-rules.ts'

/** How often the routes of this machine are looked at. */
export const SUBNETS_LOOK_MS = 10_000

/**
 * What this machine uses: its addresses and routes, each with the reason. A route to a single task
 * is no subnet of its own: it lies in that of the gateway's device.
 * @param exceptDevice what this one has is left out
 */
export async function hostSubnets(host: Rtnetlink, exceptDevice?: string): Promise<Taken[]> {
  const names = new Map((await links(host)).map(link => [link.index, link.name]))
  const nameOf = (device: number | null): string | null =>
    device === null ? null : names.get(device) ?? null
  const found = (await addresses(host)).filter(one => !one.address.includes(':')
    && names.get(one.index) !== exceptDevice)
  const hostAddresses = found.map(one =>
    takenByAddress(`${one.address}/${one.prefix}`, names.get(one.index) ?? 'a device'))
  const hostRoutes = (await routes(host))
    .map(({ destination, device }) => ({ destination, device: nameOf(device) }))
    .filter(({ device }) => device === null || !(device === exceptDevice
      || device === INGRESS_DEVICE || device.startsWith(HOST_END_PREFIX)))
    .map(({ destination, device }) => takenByRoute(destination, device))
  return [...hostAddresses, ...hostRoutes]
}

/** What other nodes have told, those that are away among them: they may come back. */
export function subnetsElsewhere(records: ClusterRecords, nodeId: string): Taken[] {
  return [...records.subnets].filter(([id]) => id !== nodeId).flatMap(([id, { subnets }]) => {
    const name = records.nodes.get(id)?.name ?? 'another node'
    return subnets.map(({ cidr, reason }) => ({ cidr, reason: `${reason} on ${name}` }))
  })
}

export class HostSubnets {
  readonly #core: Core
  readonly #host: Rtnetlink
  readonly #told = new Set<string>()
  #own: Taken[] = []
  #link: ClusterLink | null = null
  #timer: NodeJS.Timeout | undefined
  #isLooking = false

  constructor(core: Core, host: Rtnetlink) {
    this.#core = core
    this.#host = host
  }

  /** Rows have changed. */
  follow(link: ClusterLink): void {
    if (link === this.#link) return this.#compare(link)
    this.#link = link
    clearInterval(this.#timer)
    this.#timer = setInterval(() => void this.#look(link), SUBNETS_LOOK_MS)
    this.#timer.unref()
    void this.#look(link)
  }

  async #look(link: ClusterLink): Promise<void> {
    if (this.#core.link !== link) return clearInterval(this.#timer) // it was left
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      const all = await hostSubnets(this.#host)
      if (this.#core.link !== link) return
      this.#own = widestSubnets(all)
      this.#tell(link)
      this.#compare(link)
    } catch (error) {
      this.#core.log.error({ err: error }, 'routes of this machine are not known')
    } finally {
      this.#isLooking = false
    }
  }

  #tell(link: ClusterLink): void {
    const left = this.#own.length - SUBNETS_TOLD_MAX
    if (left > 0) this.#say(`${left} routes of this machine are not told to other nodes`)
    const value = encodeRow({ subnets: this.#own.slice(0, SUBNETS_TOLD_MAX) })
    const known = link.records.subnets.get(link.nodeId)
    if (known !== undefined && encodeRow({ subnets: known.subnets }).join() === value.join()) return
    link.write([{ table: TABLE_SUBNETS, key: nodeKey(link.nodeId), value }])
  }

  /** A route may come after the network whose addresses it takes. */
  #compare({ nodeId, records }: ClusterLink): void {
    const obstacles = obstaclesOf([...this.#own, ...subnetsElsewhere(records, nodeId)])
    for (const { name, scope, subnet } of this.#core.state.networks) {
      if (scope === 'local') continue
      const cidr = parseCidr(subnet)
      for (const obstacle of obstacles.filter(one => cidrsOverlap(one.cidr, cidr))) {
        this.#say(`network ${name} (${subnet}) overlaps ${obstacle.reason}: where that is, its `
          + 'addresses mean something else; make the network anew, with another --subnet')
      }
    }
  }

  #say(text: string): void {
    if (this.#told.has(text)) return
    this.#told.add(text)
    this.#core.log.warn(text)
  }
}
