// The services of the directory as the packet path takes them: each has a mark in each of its
// networks, and each backend a number, which they keep as long as they are there.
import { parseIpv4, tryIpv4 } from '../base/text.ts'
import type { DirectoryNetwork, DirectoryService } from '../cluster/services/directory.ts'
import { BACKENDS_MAX } from '../path/flow-memory.ts'
import type { BackendRow, ServiceRow } from '../path/image-rows.ts'
import { SERVICES_MAX } from '../path/service-image.ts'

/** The first mark, as Docker counts them: 0x100. A mark is not given again by this daemon. */
export const FIRST_MARK = 256

/** A service in one network, with what people want to know of it. */
export type Balanced = Readonly<{
  row: ServiceRow
  networkId: string
  service: DirectoryService
}>

export class Balancing {
  readonly #marks = new Map<string, number>()
  readonly #ids = new Map<string, number>()
  /** Numbers of backends that are gone, the first that is given again first. */
  readonly #freed: number[] = []
  #nextMark = FIRST_MARK
  #nextId = 0
  #all: Balanced[] = []
  #leftOut = 0

  /** As of the last rows(). */
  get all(): readonly Balanced[] {
    return this.#all
  }

  /** Services and backends for which there is no room in the tables. */
  get leftOut(): number {
    return this.#leftOut
  }

  /**
   * The rows of now. One that did not change is the same object as before.
   * @param indexes of networks in the table image, by id; services of others are left out
   */
  rows(directory: readonly DirectoryNetwork[], indexes: ReadonlyMap<string, number>,
  ): ServiceRow[] {
    this.#leftOut = 0
    const known = new Map(this.#all.map(({ row }) => [row.mark, row]))
    const wanted = directory.flatMap(network => network.services
      .filter(({ vip }) => vip !== null && tryIpv4(vip) >= 0 && indexes.has(network.id))
      .map(service => ({ network, service })))
    this.#leftOut += Math.max(0, wanted.length - SERVICES_MAX)
    this.#forget(new Set(wanted.flatMap(({ network, service }) =>
      service.tasks.map(({ address }) => backendKey(network.id, service.id, address)))))
    this.#all = wanted.slice(0, SERVICES_MAX).map(({ network, service }) => {
      const row = this.#rowOf(network.id, indexes.get(network.id)!, service)
      const before = known.get(row.mark)
      const isSame = before !== undefined && JSON.stringify(before) === JSON.stringify(row)
      return { row: isSame ? before : row, networkId: network.id, service }
    })
    return this.#all.map(({ row }) => row)
  }

  #rowOf(networkId: string, network: number, service: DirectoryService): ServiceRow {
    const { id, scheduler, tasks, vip, weights } = service
    const backends = tasks.flatMap((task): BackendRow[] => {
      const number = this.#idOf(backendKey(networkId, id, task.address))
      if (number < 0) return []
      const weight = task.isTaking ? weights[task.slot] ?? 1 : 0
      return [{ id: number, address: parseIpv4(task.address), weight }]
    })
    return { mark: this.#markOf(`${networkId} ${id}`), network, address: parseIpv4(vip!), scheduler,
      backends }
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

function backendKey(network: string, service: string, address: string): string {
  return `${network} ${service} ${address}`
}
