// Who owns rows, and whether they are to be shown: a row of an owner-keyed table is, while its
// owner is alive and still in the boot in which it wrote it.
import type { OwnerEpoch } from './epochs.ts'
import type { Peer } from './events.ts'
import type { Entry } from './key-tree.ts'

/** Rows of the boot before stay shown for so long, until the owner has written them again. */
export const EPOCH_GRACE_MS = 800
/** A member is taken for missing until it has been back for so long: others must catch up first. */
export const RETURN_HOLD_MS = 10 * 60_000
/** Rows of a member that left without a word to the tables are kept for so long. */
export const LEFT_GRACE_MS = 10 * 60_000

export class Owner {
  readonly node: string
  /** its rows in owner-keyed tables, without that in `epochs` */
  readonly entries = new Set<Entry>()
  /** as its row in `epochs` says */
  current: OwnerEpoch | null = null
  /** as the membership says */
  peer: Peer | null = null
  /** when that last became what it is */
  peerSinceMs = 0
  /** until then rows of earlier boots are shown and kept; 0: there is no such time */
  graceUntilMs = 0

  constructor(node: string) {
    this.node = node
  }

  get isAlive(): boolean {
    return this.peer?.state === 'alive'
  }

  /** Boot epoch below which rows are void. */
  get newestEpoch(): number {
    return Math.max(this.current?.epoch ?? 0, this.peer?.epoch ?? 0)
  }

  isGone(epoch: number): boolean {
    return this.current !== null && !this.current.isActive && epoch <= this.current.epoch
  }

  /** By the table `epochs` alone, as all nodes see it. */
  isVoid(epoch: number): boolean {
    return this.current !== null && (epoch < this.current.epoch || this.isGone(epoch))
  }

  shows(epoch: number, nowMs: number): boolean {
    if (!this.isAlive || this.isGone(epoch)) return false
    return epoch >= this.newestEpoch || nowMs < this.graceUntilMs
  }

  /** Whether tombstones must wait for it: it takes part, but is not here, or only just again. */
  isMissing(nowMs: number): boolean {
    if (this.current === null || !this.current.isActive) return false
    return !this.isAlive || nowMs - this.peerSinceMs < RETURN_HOLD_MS
  }
}

export class Owners {
  readonly #owners = new Map<string, Owner>()

  get(node: string): Owner | undefined {
    return this.#owners.get(node)
  }

  of(node: string): Owner {
    let owner = this.#owners.get(node)
    if (owner === undefined) {
      owner = new Owner(node)
      this.#owners.set(node, owner)
    }
    return owner
  }

  all(): Iterable<Owner> {
    return this.#owners.values()
  }

  /** Nothing is known of it any more. */
  sweep(owner: Owner): void {
    const isEmpty = owner.entries.size === 0 && owner.current === null && owner.peer === null
    if (isEmpty) this.#owners.delete(owner.node)
  }
}
