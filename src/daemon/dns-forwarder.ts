// Names that are not ours, asked of the host's name servers: of all of them at once, and the first
// good answer counts. What they said is kept for its time.
import type { Clock } from '../base/clock.ts'
import type { Note } from '../cluster/services/names-answer.ts'
import {
  CLASS_IN, type Query, RCODES, rcodeText, TYPE_SOA, writeQuery, writeReply,
} from '../cluster/services/names-message.ts'
import { isGood, replyFor, type UpstreamReply } from '../cluster/services/names-upstream.ts'
import { DnsCache } from './dns-cache.ts'
import type { DnsCounts } from './dns-counts.ts'
import { askByTcp, askByUdp, type Asked, type NameServer } from './dns-upstream.ts'

/** All servers have this long; askers wait for five seconds. */
export const FORWARD_TIMEOUT_MS = 4000
/** Questions that wait for servers outside at one time. */
export const FORWARDS_MAX = 1024
/** What we take of a server in one datagram: it passes everywhere without being cut. */
const UPSTREAM_DATAGRAM_OCTETS = 1232

export type ForwarderParts = Readonly<{
  clock: Clock
  /** The host's name servers; the same list as long as they are the same. */
  servers: () => readonly NameServer[]
  /** 0 to 65535, not to be guessed. */
  randomId: () => number
  counts: DnsCounts
}>

/** How an answer is given: over what, and how long it may be. */
export type Way = Readonly<{ isTcp: boolean; limitOctets: number }>

export class Forwarder {
  readonly #parts: ForwarderParts
  readonly #cache = new DnsCache()
  /** Questions under way by what is asked: who asks the same waits for the same answer. */
  readonly #asked = new Map<string, Promise<UpstreamReply | null>>()
  readonly #open = new Set<Asked>()
  #servers: readonly NameServer[] = []
  #waiting = 0
  #isClosed = false

  constructor(parts: ForwarderParts) {
    this.#parts = parts
  }

  get waiting(): number {
    return this.#waiting
  }

  /**
   * The answer of the outside, or our refusal.
   * @param below a name that is asked for first: where there is no such name, there is nothing
   * below it (RFC 8020), and the longer name is not told to anybody
   */
  async forward(query: Query, below: string | null, way: Way, note?: Note): Promise<Buffer> {
    const { counts } = this.#parts
    if (this.#waiting >= FORWARDS_MAX) {
      counts.forwards_full += 1
      note?.(`${FORWARDS_MAX} questions wait for the host's name servers already: REFUSED`)
      return writeReply(query, 'REFUSED', [], way.limitOctets)
    }
    counts.forwarded += 1
    this.#waiting += 1
    try {
      const asked = below === null ? query : ceilingOf(query, below)
      let answer = await this.#answerOf(asked, way.isTcp, note)
      if (below !== null && answer?.reply.rcode === RCODES.NXDOMAIN) {
        note?.(`outside there is nothing called "${below}", so nothing below it: NXDOMAIN`)
        return writeReply(query, 'NXDOMAIN', [], way.limitOctets)
      }
      if (below !== null && answer !== null) answer = await this.#answerOf(query, way.isTcp, note)
      if (answer !== null) {
        return replyFor(query, answer.reply, answer.ageSeconds, way.limitOctets)
      }
      counts.servfail += 1
      return writeReply(query, 'SERVFAIL', [], way.limitOctets)
    } finally {
      this.#waiting -= 1
    }
  }

  /** Nothing is waited for any more. */
  close(): void {
    this.#isClosed = true
    for (const { cancel } of this.#open) cancel()
  }

  async #answerOf(query: Query, isTcp: boolean, note?: Note,
  ): Promise<{ reply: UpstreamReply; ageSeconds: number } | null> {
    const { clock, counts } = this.#parts
    const servers = this.#currentServers()
    const key = keyOf(query)
    const cached = this.#cache.get(key, clock.nowMs())
    if (cached !== null) {
      counts.cached += 1
      note?.(`the host's name servers were asked ${cached.ageSeconds} s ago: ${
        rcodeText(cached.reply.rcode)}`)
      return cached
    }
    const underWay = `${isTcp ? 'tcp' : 'udp'} ${key}`
    const asking = this.#asked.get(underWay) ?? this.#begin(underWay, servers, query, isTcp, note)
    const reply = await asking
    if (reply === null) return null
    if (servers === this.#servers) this.#cache.keep(key, reply, clock.nowMs())
    return { reply, ageSeconds: 0 }
  }

  #begin(key: string, servers: readonly NameServer[], query: Query, isTcp: boolean, note?: Note,
  ): Promise<UpstreamReply | null> {
    const asking = this.#race(servers, query, isTcp, note).finally(() => this.#asked.delete(key))
    this.#asked.set(key, asking)
    return asking
  }

  /** Other servers, other answers. */
  #currentServers(): readonly NameServer[] {
    const servers = this.#parts.servers()
    if (servers !== this.#servers) this.#cache.clear()
    this.#servers = servers
    return servers
  }

  /** The first good answer; null when all have failed, or the time is over. */
  #race(servers: readonly NameServer[], query: Query, isTcp: boolean, note?: Note,
  ): Promise<UpstreamReply | null> {
    if (servers.length === 0 || this.#isClosed) {
      note?.('the host\'s resolv.conf names nobody who could be asked: SERVFAIL')
      return Promise.resolve(null)
    }
    const { counts } = this.#parts
    const { promise, resolve } = Promise.withResolvers<UpstreamReply | null>()
    const asked = servers.map(server => this.#ask(server, query, isTcp))
    let left = servers.length
    const finish = (reply: UpstreamReply | null): void => {
      clearTimeout(timer)
      resolve(reply)
      for (const one of asked) {
        this.#open.delete(one)
        one.cancel()
      }
      left = 0
    }
    const fail = (server: NameServer, why: string): void => {
      if (left === 0) return
      counts.upstream_failed += 1
      note?.(`${server.address}: ${why}`)
      left -= 1
      if (left === 0) finish(null)
    }
    const timer = setTimeout(() => {
      counts.upstream_late += left
      note?.(`no good answer within ${FORWARD_TIMEOUT_MS} ms: SERVFAIL`)
      finish(null)
    }, FORWARD_TIMEOUT_MS)
    for (const [n, { reply }] of asked.entries()) {
      const server = servers[n]!
      reply.then(read => {
        if (left === 0) return
        if (!isGood(read)) return fail(server, rcodeText(read.rcode))
        note?.(`${server.address}: ${rcodeText(read.rcode)}`)
        finish(read)
      }, (error: Error) => fail(server, error.message))
    }
    return promise
  }

  #ask(server: NameServer, query: Query, isTcp: boolean): Asked {
    const { counts, randomId } = this.#parts
    const id = randomId()
    const ask = isTcp ? askByTcp : askByUdp
    const asked = ask(server, {
      id, question: query.question,
      octets: writeQuery(query, id, UPSTREAM_DATAGRAM_OCTETS),
      onStrange: () => { counts.upstream_strange += 1 },
    })
    this.#open.add(asked)
    return asked
  }
}

/** What makes two questions have the same answer. */
function keyOf({ name, type, class: of, edns, isAuthenticWanted, isCheckingDisabled }: Query,
): string {
  const signs = edns === null ? 'plain' : edns.isDnssecOk ? 'signed' : 'edns'
  return `${type} ${of} ${signs} ${isAuthenticWanted} ${isCheckingDisabled} ${name}`
}

/** Is there anything of that name? */
function ceilingOf(query: Query, below: string): Query {
  const label = Buffer.from(below, 'latin1')
  const question = Buffer.from([label.length, ...label, 0, 0, TYPE_SOA, 0, CLASS_IN])
  return { ...query, name: below, type: TYPE_SOA, class: CLASS_IN, edns: null, question }
}
