// The services of the directory as the packet path takes them: each has a mark in each of its
// networks, and each backend a number, which they keep as long as they are there.
import { parseIpv4, tryIpv4 } from '../base/text.ts'
import type { DirectoryNetwork, DirectoryService } from '../cluster/services/directory.ts'
import type { PublishedPort } from '../cluster/services/rows.ts'
import { BACKENDS_MAX } from '../path/flow-memory.ts'
import type { BackendRow, PublishedRow, ServiceRow } from '../path/image-rows.ts'
import { PUBLISHED_MAX } from '../path/published-image.ts'
import { SERVICES_MAX } from '../path/service-image.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.ts'

/** The first mark, as Docker counts them: 0x100. A mark is not given again by this daemon. */
export const FIRST_MARK = 256

/** A service in one network, with what people want to know of it. */
export type Balanced = Readonly<{
  row: ServiceRow
  networkId: string
  service: DirectoryService
  /** Those of the host that lead to it. */
  ports: readonly PublishedPort[]
}>

/** The network of published ports, and this node, to whose tasks those of mode "host" lead. */
export type IngressPlace = Readonly<{ network: string; node: string }>

/** A service that is wanted in a network; of one whose ports are of mode "host" a second time. */
type Wanted = Pick<Balanced, 'networkId' | 'service' | 'ports'> & Readonly<{
  key: string
  vip: string | null
}>

export class Balancing {
  readonly #marks = new Map<string, number>()
  readonly #ids = new Map<string, number>()
  /** Numbers of backends that are gone, the first that is given again first. */
  readonly #freed: number[] = []
  #nextMark = FIRST_MARK
  #nextId = 0
  #all: Balanced[] = []
  #published: PublishedRow[] = []
  #leftOut = 0

  /** As of the last rows(). */
  get all(): readonly Balanced[] {
    return this.#all
  }

  /** Where ports of the host lead to; as of the last rows(). */
  get published(): readonly PublishedRow[] {
    return this.#published
  }

  /** Services, backends and published ports for which there is no room in the tables. */
  get leftOut(): number {
    return this.#leftOut
  }

  /**
   * The rows of now. One that did not change is the same object as before.
   * @param indexes of networks in the table image, by id; services of others are left out
   */
  rows(directory: readonly DirectoryNetwork[], indexes: ReadonlyMap<string, number>,
    ingress?: IngressPlace): ServiceRow[] {
    this.#leftOut = 0
    const known = new Map(this.#all.map(({ row }) => [row.mark, row]))
    const wanted = directory.filter(({ id }) => indexes.has(id))
      .flatMap(network => wantedIn(network, ingress))
    this.#leftOut += Math.max(0, wanted.length - SERVICES_MAX)
    this.#forget(new Set(wanted.flatMap(({ key, service }) =>
      service.tasks.map(({ address }) => `${key} ${address}`))))
    this.#all = wanted.slice(0, SERVICES_MAX).map(({ networkId, service, ports, ...rest }) => {
      const row = this.#rowOf(service, indexes.get(networkId)!, rest)
      const before = known.get(row.mark)
      const isSame = before !== undefined && JSON.stringify(before) === JSON.stringify(row)
      return { row: isSame ? before : row, networkId, service, ports }
    })
    const published = this.#all.flatMap(publishedRows)
    this.#published = published.slice(0, PUBLISHED_MAX)
    this.#leftOut += published.length - this.#published.length
    return this.#all.map(({ row }) => row)
  }

  #rowOf({ scheduler, tasks, weights }: DirectoryService, network: number,
    { key, vip }: Pick<Wanted, 'key' | 'vip'>): ServiceRow {
    const backends = tasks.flatMap((task): BackendRow[] => {
      const number = this.#idOf(`${key} ${task.address}`)
      if (number < 0) return []
      const weight = task.isTaking ? weights[task.slot] ?? 1 : 0
      return [{ id: number, address: parseIpv4(task.address), weight }]
    })
    return { mark: this.#markOf(key), network, scheduler, backends,
      address: vip === null ? null : parseIpv4(vip) }
  }

  #markOf(key: string): number {
    const mark = this.#marks.get(key) ?? this.#nextMark
    if (mark === this.#nextMark) this.#nextMark += 1
    this.#marks.set(key, mark)
    return mark
  }

  /** Answers -1 when all numbers are in use. */
  #idOf(key: string): number {
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    // Flows of the last owner may still be counted: so a number rests as long as there are others.
    const id = this.#nextId < BACKENDS_MAX ? this.#nextId++ : this.#freed.shift() ?? -1
    if (id < 0) this.#leftOut += 1
    else this.#ids.set(key, id)
    return id
  }

  #forget(wanted: ReadonlySet<string>): void {
    for (const [key, id] of this.#ids) {
      if (wanted.has(key)) continue
      this.#ids.delete(key)
      this.#freed.push(id)
    }
  }
}

function publishedRows({ ports, row: { mark } }: Balanced): PublishedRow[] {
  return ports.map(({ mode, protocol, published, source, target }) => ({
    protocol: protocol === 'tcp' ? PROTOCOL_TCP : PROTOCOL_UDP, port: published, mark, target,
    isPreserving: mode === 'host' || source === 'preserve',
  }))
}

function wantedIn({ id: networkId, services }: DirectoryNetwork, ingress?: IngressPlace): Wanted[] {
  const isIngress = networkId === ingress?.network
  return services.flatMap((service): Wanted[] => {
    const { vip } = service
    const key = `${networkId} ${service.id}`
    const portsOf = (mode: PublishedPort['mode']): PublishedPort[] =>
      isIngress ? service.ports.filter(port => port.mode === mode) : []
    const [everywhere, onHost] = [portsOf('ingress'), portsOf('host')]
    // Nobody calls an address there that no port leads to.
    const isCalled = vip !== null && tryIpv4(vip) >= 0 && (!isIngress || everywhere.length > 0)
    const here = service.tasks.filter(({ node }) => node === ingress?.node)
    return [
      ...isCalled ? [{ key, networkId, service, vip, ports: everywhere }] : [],
      ...onHost.length === 0 ? [] : [{ key: `${key} here`, networkId, vip: null, ports: onHost,
        service: { ...service, tasks: here } }],
    ]
  })
}
