// Rows that are new, waiting to be told: this node's own before those that it only passes on. Each
// is told a number of times and then left to the digests.
import { rowId } from './replica.ts'
import { compareStamps, type Row } from './rows.ts'

export const OWN_NEWS_MAX = 8192
export const RELAYED_NEWS_MAX = 4096

export type Piece = { readonly row: Row; readonly octets: Uint8Array; told: number }

export class News {
  readonly #own = new Map<string, Piece>()
  readonly #relayed = new Map<string, Piece>()
  /** Pieces that nobody was told yet: most often none, and nothing needs to be searched. */
  #fresh = 0

  get own(): number {
    return this.#own.size
  }

  get relayed(): number {
    return this.#relayed.size
  }

  get size(): number {
    return this.#own.size + this.#relayed.size
  }

  /** Replaces what is there about the same key. The number of older pieces that had to go. */
  put(row: Row, octets: Uint8Array, isOwn: boolean): number {
    const id = rowId(row.table, row.key)
    this.#remove(this.#own, id)
    this.#remove(this.#relayed, id)
    const queue = isOwn ? this.#own : this.#relayed
    let dropped = 0
    if (queue.size >= (isOwn ? OWN_NEWS_MAX : RELAYED_NEWS_MAX)) {
      for (const oldest of queue.keys()) {
        this.#remove(queue, oldest)
        dropped += 1
        break
      }
    }
    queue.set(id, { row, octets, told: 0 })
    this.#fresh += 1
    return dropped
  }

  /** Somebody told it to us: so many fewer need to hear it from here. */
  heard(row: Row): void {
    const id = rowId(row.table, row.key)
    const piece = this.#own.get(id) ?? this.#relayed.get(id)
    if (piece === undefined || piece.told === 0) return
    if (compareStamps(piece.row.stamp, row.stamp) === 0) piece.told += 1
  }

  /** The first `max` pieces that were told already, or that were not. */
  some(isOwn: boolean, isFresh: boolean, max: number): Piece[] {
    const pieces: Piece[] = []
    if (isFresh && this.#fresh === 0) return pieces
    for (const piece of (isOwn ? this.#own : this.#relayed).values()) {
      if (pieces.length >= max) break
      if ((piece.told === 0) === isFresh) pieces.push(piece)
    }
    return pieces
  }

  /** A piece was told to `copies` more: it goes to the end, or away when that was often enough. */
  told(piece: Piece, copies: number, limit: number): void {
    const id = rowId(piece.row.table, piece.row.key)
    const queue = this.#own.get(id) === piece ? this.#own : this.#relayed
    const isWaiting = queue.get(id) === piece
    if (isWaiting) this.#remove(queue, id)
    piece.told += copies
    if (!isWaiting || piece.told >= limit) return
    queue.set(id, piece)
    if (piece.told === 0) this.#fresh += 1
  }

  #remove(queue: Map<string, Piece>, id: string): void {
    if (queue.get(id)?.told === 0) this.#fresh -= 1
    queue.delete(id)
  }
}
