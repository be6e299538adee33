// News that waits to be told, one piece per node: memberlist's TransmitLimitedQueue (queue.go).
// What was told least comes first, then what is longest, then what is newest.

type News = { readonly octets: Uint8Array; readonly number: number; transmits: number }

export class GossipQueue {
  readonly #news = new Map<string, News>()
  #number = 0

  get size(): number {
    return this.#news.size
  }

  /** Replaces what is there about `subject`, so there is never more than one piece per node. */
  put(subject: string, octets: Uint8Array): void {
    this.#number += 1
    this.#news.set(subject, { octets, number: this.#number, transmits: 0 })
  }

  delete(subject: string): void {
    this.#news.delete(subject)
  }

  /** Is there anything that was told less often than this? */
  hasBelow(count: number): boolean {
    for (const { transmits } of this.#news.values()) if (transmits < count) return true
    return false
  }

  /**
   * Messages for one datagram that goes to `copies` nodes.
   * @param budgetOctets   all of them together, each with `overheadOctets` around it
   * @param limit          what was told so often is forgotten
   * @param isFreshOnly    nothing that was told before
   */
  take(budgetOctets: number, overheadOctets: number, limit: number, copies = 1,
    isFreshOnly = false): Uint8Array[] {
    if (this.#news.size === 0) return []
    const taken: Uint8Array[] = []
    let free = budgetOctets
    for (const [subject, news] of [...this.#news].sort(([, a], [, b]) => order(a, b))) {
      const octets = news.octets.length + overheadOctets
      if (octets > free || (isFreshOnly && news.transmits > 0)) continue
      free -= octets
      taken.push(news.octets)
      news.transmits += copies
      if (news.transmits >= limit) this.#news.delete(subject)
    }
    return taken
  }
}

function order(a: News, b: News): number {
  return a.transmits - b.transmits || b.octets.length - a.octets.length || b.number - a.number
}
