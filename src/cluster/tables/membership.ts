// The members as the tables see them: whom to speak to, whose rows are shown, and which rows are
// void because their owner has begun anew or has left.
import { decodeOwnerEpoch, isDead, type OwnerEpoch } from './epochs.ts'
import type { Peer } from './events.ts'
import { hashText } from './hash.ts'
import { EPOCH_GRACE_MS, LEFT_GRACE_MS, type Owner } from './owners.ts'
import type { Parts } from './parts.ts'
import { ownerOfKey, type Row } from './rows.ts'

export class Membership {
  readonly #parts: Parts
  readonly #peers = new Map<string, Peer>()
  /** owners with a grace that ends, or that left */
  readonly #waiting = new Set<Owner>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  peer(name: string): Peer | undefined {
    return this.#peers.get(name)
  }

  /** Who has a name with this hash; null when that is nobody. */
  named(hash: number): string | null {
    for (const name of this.#peers.keys()) if (hashText(name) === hash) return name
    return null
  }

  peers(): Iterable<Peer> {
    return this.#peers.values()
  }

  /** Names of those who can be spoken to. */
  alive(): string[] {
    return [...this.#peers.values()].filter(isSpeaking).map(({ name }) => name)
  }

  /** @returns names of those who can be spoken to now, and could not before; and the other way */
  set(peers: readonly Peer[]): { came: string[]; went: string[] } {
    const came: string[] = []
    const went: string[] = []
    const left = new Map(this.#peers)
    for (const peer of peers) {
      const before = left.get(peer.name)
      left.delete(peer.name)
      const wasSpeaking = before !== undefined && isSpeaking(before)
      if (isSpeaking(peer) && !wasSpeaking) came.push(peer.name)
      if (!isSpeaking(peer) && wasSpeaking) went.push(peer.name)
      this.#set(peer, before)
    }
    for (const [name, before] of left) {
      if (isSpeaking(before)) went.push(name)
      this.#forget(before)
    }
    return { came, went }
  }

  /** Whether anybody who takes part is not here, and may not know of some deletion. */
  isMissingAny(): boolean {
    const { node, nowMs, replica } = this.#parts
    for (const owner of replica.owners.all()) {
      if (owner.node !== node && owner.isMissing(nowMs)) return true
    }
    return false
  }

  /** Whether more than half of those who take part are here, this node among them. */
  isMostHere(): boolean {
    const { node, replica } = this.#parts
    let here = 1
    let all = 1
    for (const owner of replica.owners.all()) {
      if (owner.node === node || owner.current?.isActive !== true) continue
      all += 1
      if (owner.isAlive) here += 1
    }
    return here * 2 > all
  }

  epochOf(row: Row): OwnerEpoch | null {
    return this.#parts.replica.owners.get(ownerOfKey(row.key))?.current ?? null
  }

  /** A row of the table `epochs` was merged; before it the owner was at `before`. */
  epochCame(row: Row, before: OwnerEpoch | null): void {
    const { nowMs, replica } = this.#parts
    const owner = replica.owners.of(ownerOfKey(row.key))
    const epoch = decodeOwnerEpoch(row)?.epoch ?? 0
    const isLater = before !== null && epoch > before.epoch
    const hasBegunAnew = !isDead(row) && owner.isAlive && isLater
    if (hasBegunAnew && nowMs >= owner.graceUntilMs) this.#grace(owner)
    this.dropVoid(owner)
    replica.reshow(owner, nowMs)
  }

  /**
   * Drop the rows that no longer count, by the table `epochs` alone. In a grace they are still
   * shown, but others are not told of them.
   */
  dropVoid(owner: Owner): void {
    const { nowMs, replica } = this.#parts
    const isInGrace = nowMs < owner.graceUntilMs
    for (const entry of [...owner.entries]) {
      const { epoch } = entry.row.stamp
      if (!owner.isVoid(epoch)) continue
      if (isInGrace && !owner.isGone(epoch)) replica.hush(entry)
      else replica.drop(entry)
    }
  }

  /** End the graces that are over. */
  upkeep(): void {
    const { nowMs, replica, timers } = this.#parts
    for (const owner of this.#waiting) {
      const isLeft = owner.peer?.state === 'left'
      const dueMs = isLeft ? owner.peerSinceMs + LEFT_GRACE_MS : owner.graceUntilMs
      if (nowMs < dueMs) {
        timers.soon('upkeep', dueMs)
        continue
      }
      this.#waiting.delete(owner)
      if (isLeft) for (const entry of [...owner.entries]) replica.drop(entry)
      this.dropVoid(owner)
      replica.reshow(owner, nowMs)
    }
  }

  #set(peer: Peer, before: Peer | undefined): void {
    const isSame = before !== undefined && before.node === peer.node
      && before.epoch === peer.epoch && before.state === peer.state
    if (isSame) return
    this.#peers.set(peer.name, peer)
    if (before !== undefined && before.node !== peer.node) this.#release(before)
    if (peer.node === '' || peer.node === this.#parts.node) return
    const { nowMs, replica } = this.#parts
    const owner = replica.owners.of(peer.node)
    // A node may come back under another name; then the one that is alive counts.
    const isOther = owner.peer !== null && owner.peer.name !== peer.name
    if (isOther && owner.isAlive && peer.state !== 'alive') return
    const wasAlive = owner.isAlive
    const hasBegunAnew = wasAlive && peer.state === 'alive' && peer.epoch > owner.newestEpoch
    if (owner.peer?.state !== peer.state) owner.peerSinceMs = nowMs
    owner.peer = peer
    if (!owner.isAlive) owner.graceUntilMs = 0
    if (hasBegunAnew && nowMs >= owner.graceUntilMs) this.#grace(owner)
    if (peer.state === 'left') this.#wait(owner, nowMs + LEFT_GRACE_MS)
    replica.reshow(owner, nowMs)
  }

  /** The membership does not know this one any more; for the tables that is a failure. */
  #forget(before: Peer): void {
    this.#peers.delete(before.name)
    this.#release(before)
  }

  #release({ name, node }: Peer): void {
    const { nowMs, replica } = this.#parts
    const owner = replica.owners.get(node)
    if (owner === undefined || owner.peer?.name !== name) return
    owner.peer = null
    owner.peerSinceMs = nowMs
    replica.reshow(owner, nowMs)
    replica.owners.sweep(owner)
  }

  #grace(owner: Owner): void {
    owner.graceUntilMs = this.#parts.nowMs + EPOCH_GRACE_MS
    this.#wait(owner, owner.graceUntilMs)
  }

  #wait(owner: Owner, untilMs: number): void {
    this.#waiting.add(owner)
    this.#parts.timers.soon('upkeep', untilMs)
  }
}

/** Members without a node id do not know of tables: foreign ones, or such as have just come. */
function isSpeaking(peer: Peer): boolean {
  return peer.state === 'alive' && peer.node !== ''
}
