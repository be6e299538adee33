// What a manager does as the allocator of networks: it takes the step of cluster/services/leases.ts
// over the records whenever they change, and writes what comes out of it.
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { allocatorOf } from '../cluster/services/lease-share.ts'
import { leaseStep } from '../cluster/services/leases.ts'
import { TABLE_LEASE } from '../cluster/services/rows.ts'
import type { Write } from '../cluster/tables/events.ts'
import type { ClusterLink } from './cluster-link.ts'
import { type LeaseBook, leaseBook, leasedNetworks, leaseFacts } from './lease-facts.ts'
import { encodeRow } from './shared-rows.ts'

/** How often a manager that has just started looks whether it has heard what the others have. */
const CATCH_UP_MS = 100
/** A manager that finds nobody after a start goes on by what it has itself. */
const PATIENCE_MS = 5000
/** Between two steps passes so many times as long as the last one took. */
const GAP_TIMES = 4
/** setTimeout cannot wait longer than 2^31 - 1 ms, and the wall clock may jump meanwhile. */
const WAIT_MAX_MS = 60_000

export type LeaseKeeperParts = Readonly<{
  clock: Clock
  log: Log
  /** Rest of a freed address. */
  restMs: number
  /** The cluster that this node is in now. */
  link: () => ClusterLink | null
}>

export class LeaseKeeper {
  readonly #parts: LeaseKeeperParts
  #unwanted: ReadonlyMap<string, number> = new Map()
  /** The cluster that it has heard enough of to act. */
  #known: ClusterLink | null = null
  #seen: ClusterLink | null = null
  #patientUntilMs = 0
  #timer: NodeJS.Timeout | undefined
  #soon: NodeJS.Immediate | undefined
  #isClosed = false
  #wakesAtMs = Infinity
  #notBeforeMs = 0

  constructor(parts: LeaseKeeperParts) {
    this.#parts = parts
  }

  /** Rows have changed: what follows from all of them is done once, after them. */
  follow(): void {
    if (this.#isClosed) return
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined
      const inMs = this.#notBeforeMs - this.#parts.clock.nowMs()
      if (inMs > 0) this.#wake(inMs)
      else this.#step()
    })
  }

  close(): void {
    this.#isClosed = true
    clearImmediate(this.#soon)
    clearTimeout(this.#timer)
  }

  #step(): void {
    clearTimeout(this.#timer)
    this.#wakesAtMs = Infinity
    const link = this.#parts.link()
    if (link === null || !link.isManager) return
    if (!this.#knows(link)) return this.#wake(CATCH_UP_MS)
    const { clock } = this.#parts
    const nowMs = clock.wallMs()
    const beganMs = clock.nowMs()
    const book = leaseBook(link.records)
    const unwanted = new Map<string, number>()
    const writes: Write[] = []
    let nextMs = Infinity
    for (const id of leasedNetworks(book)) {
      if (allocatorOf(id, book.nodes) !== link.nodeId) continue
      const step = this.#stepOf(book, id, link.nodeId, nowMs)
      if (step === null) continue
      for (const [key, sinceMs] of step.unwanted) unwanted.set(key, sinceMs)
      for (const { key, value } of step.writes) {
        writes.push({ table: TABLE_LEASE, key, value: value === null ? null : encodeRow(value) })
      }
      nextMs = Math.min(nextMs, step.nextMs)
    }
    this.#unwanted = unwanted
    if (nextMs !== Infinity) this.#wake(nextMs - nowMs)
    if (writes.length > 0) link.write(writes)
    const endedMs = clock.nowMs()
    this.#notBeforeMs = endedMs + (endedMs - beganMs) * GAP_TIMES
  }

  /** Until a start is over, rows that are missing here may be there elsewhere. */
  #knows(link: ClusterLink): boolean {
    const nowMs = this.#parts.clock.nowMs()
    if (link !== this.#seen) {
      this.#seen = link
      this.#patientUntilMs = nowMs + PATIENCE_MS
    }
    if (link.isCaughtUp || nowMs >= this.#patientUntilMs) this.#known = link
    return this.#known === link
  }

  #stepOf(book: LeaseBook, id: string, self: string, nowMs: number) {
    const { log, restMs } = this.#parts
    try {
      const step = leaseStep(leaseFacts(book, id, self), this.#unwanted, nowMs, restMs)
      for (const { address, before, key } of step.moved) {
        log.warn({ lease: key, before, address },
          'two had this address; the later one has another now')
      }
      return step
    } catch (error) {
      log.error({ network: id, err: error }, 'addresses of a network are not given')
      return null
    }
  }

  #wake(inMs: number): void {
    const atMs = this.#parts.clock.nowMs() + inMs
    if (atMs >= this.#wakesAtMs) return
    this.#wakesAtMs = atMs
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#step(), Math.min(Math.max(inMs, 1), WAIT_MAX_MS))
  }
}
