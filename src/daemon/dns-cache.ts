// What name servers outside have said, for as long as they said it holds. Small: it is there for
// the many questions for one name, not to be a name server of its own.
import type { UpstreamReply } from '../cluster/services/names-upstream.ts'

export const CACHE_ENTRIES_MAX = 1024
/** Longer answers are not kept: with the entries, this is the most memory that it takes. */
export const CACHE_REPLY_OCTETS_MAX = 4096

export type Cached = Readonly<{ reply: UpstreamReply; ageSeconds: number }>

export class DnsCache {
  readonly #entries = new Map<string, { reply: UpstreamReply; keptMs: number }>()

  get size(): number {
    return this.#entries.size
  }

  get(key: string, nowMs: number): Cached | null {
    const entry = this.#entries.get(key)
    if (entry === undefined) return null
    const ageSeconds = Math.floor((nowMs - entry.keptMs) / 1000)
    this.#entries.delete(key)
    if (ageSeconds >= entry.reply.ttlSeconds) return null
    this.#entries.set(key, entry) // asked for last, it goes last
    return { reply: entry.reply, ageSeconds }
  }

  keep(key: string, reply: UpstreamReply, nowMs: number): void {
    const { isTruncated, octets, ttlSeconds } = reply
    if (isTruncated || ttlSeconds <= 0 || octets.length > CACHE_REPLY_OCTETS_MAX) return
    this.#entries.delete(key)
    this.#entries.set(key, { reply, keptMs: nowMs })
    if (this.#entries.size <= CACHE_ENTRIES_MAX) return
    const [oldest] = this.#entries.keys()
    this.#entries.delete(oldest!)
  }

  clear(): void {
    this.#entries.clear()
  }
}
