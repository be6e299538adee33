// What has to be done from time to time: tombstones go when everybody must know of them, and the
// disk is told what changed and how long this replica has been running.
import { CONTACT_MARGIN_MS, TOMBSTONE_MS } from './away.ts'
import type { Persist } from './events.ts'
import type { Entry } from './key-tree.ts'
import type { Membership } from './membership.ts'
import type { Parts } from './parts.ts'
import { ownerOfKey } from './rows.ts'

export const UPKEEP_MS = 10_000
/** Rows that came from elsewhere are on disk after so long: others have them, too. */
export const PERSIST_MS = 50
/** Without a change, the running time is written so often. */
export const MARK_MS = 10 * 60_000
/** Tombstones are kept while a member is missing, but not more than this. */
export const TOMBSTONES_MAX = 65_536

export class Upkeep {
  readonly #parts: Parts
  readonly #membership: Membership

  constructor(parts: Parts, membership: Membership) {
    this.#parts = parts
    this.#membership = membership
  }

  /**
   * Tombstones that are old enough are not told any more, and go, unless somebody is missing who
   * may not know of them.
   */
  purge(): void {
    const { counters, nowMs, replica, runMs, timers } = this.#parts
    const { dead } = replica
    const isMissingAny = this.#membership.isMissingAny()
    for (const entry of [...dead]) {
      const leftMs = entry.bornRunMs + TOMBSTONE_MS - runMs
      if (leftMs > 0) {
        timers.soon('upkeep', nowMs + leftMs)
        continue
      }
      replica.fade(entry, runMs)
      if (isMissingAny) continue
      replica.drop(entry)
      counters.tombstonesPurged += 1
    }
    if (dead.size <= TOMBSTONES_MAX) return
    const oldest = [...dead].sort((a, b) => a.bornRunMs - b.bornRunMs)
    for (const entry of oldest.slice(0, dead.size - TOMBSTONES_MAX)) {
      replica.drop(entry)
      counters.tombstonesCut += 1
    }
  }

  /** Drop what others have deleted while this node was away, perhaps; they know what is left. */
  dropStale(awayMs: number): void {
    const { away, counters, node, replica } = this.#parts
    const stale: Entry[] = []
    for (const { owned, tree } of replica.tables()) {
      for (const entry of tree.entries()) {
        const isOwn = owned && ownerOfKey(entry.row.key) === node
        if (!isOwn && entry.row.stamp.ms <= away.contactMs - CONTACT_MARGIN_MS) stale.push(entry)
      }
    }
    for (const entry of stale) replica.drop(entry)
    counters.staleDropped += stale.length
    this.#parts.notice({ what: 'stale', awayMs, rows: stale.length })
  }

  persist(): Persist {
    const { away, clock, epoch, nowMs, replica, runMs, timers, wallMs } = this.#parts
    timers.clear('persist')
    timers.clear('mark')
    timers.soon('mark', nowMs + MARK_MS)
    const { ms, counter } = clock.last
    return {
      ...replica.takeDirty(),
      meta: {
        epoch, hlcMs: ms, hlcCounter: counter, runMs, wallMs,
        awayMs: away.awayMs(nowMs), contactMs: away.contactMs,
      },
    }
  }
}
