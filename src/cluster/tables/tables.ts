// The replicated tables of one node, as a machine without clock, sockets and chance of its own:
// rows are written here or come in messages, and every node ends up with the same. It knows the
// membership only as a list of peers.
import { pick } from '../../base/prng.ts'
import { TOMBSTONE_MS } from './away.ts'
import { Bulk } from './bulk.ts'
import type { TablesCounters } from './counters.ts'
import { Digests, DIGEST_MS } from './digests.ts'
import type { Peer, TablesEffect, TablesEvent, TablesOptions } from './events.ts'
import { Exchange } from './exchange.ts'
import { Intake } from './intake.ts'
import { Mailbox } from './mailbox.ts'
import { Membership } from './membership.ts'
import { News } from './news.ts'
import { FUTURE_MAX_MS, OwnRows } from './own-rows.ts'
import { Parts } from './parts.ts'
import { Post } from './post.ts'
import type { Row } from './rows.ts'
import { Spread } from './spread.ts'
import { PERSIST_MS, Upkeep, UPKEEP_MS } from './upkeep.ts'

/** How a peer looks from here. */
export type PeerView = Readonly<{
  name: string
  node: string
  state: Peer['state']
  /** whether its last digest was ours, or null before it sent one; and how long ago that was */
  isEqual: boolean | null
  comparedMs: number | null
  /** how far its wall clock is ahead of ours, or null when it was not heard for a minute */
  clockAheadMs: number | null
}>

export type TablesSizes = Readonly<{
  rows: number
  tombstones: number
  quarantined: number
  ownNews: number
  relayedNews: number
  bulk: number
}>

export class Tables {
  readonly counters: TablesCounters
  readonly #parts: Parts
  readonly #membership: Membership
  readonly #own: OwnRows
  readonly #intake: Intake
  readonly #news = new News()
  readonly #post: Post
  readonly #spread: Spread
  readonly #bulk: Bulk
  readonly #digests: Digests
  readonly #upkeep: Upkeep
  readonly #mailbox: Mailbox
  #mustPersist = false

  /** @param nowMs of the clock that every step goes by */
  constructor(options: TablesOptions, nowMs: number) {
    const parts = new Parts(options, nowMs)
    const { counters, held, random, replica, timers } = parts
    this.#parts = parts
    this.counters = counters
    this.#membership = new Membership(parts)
    this.#own = new OwnRows(parts, this.#membership)
    this.#intake = new Intake(parts, this.#membership, this.#own)
    this.#post = new Post({
      name: options.name, epoch: () => parts.epoch, wallMs: options.wallMs,
      isSteady: () => parts.away.isSteady(parts.nowMs) && parts.runMs >= TOMBSTONE_MS,
    }, counters)
    this.#spread = new Spread(this.#news, this.#post, timers, random)
    this.#bulk = new Bulk(replica, this.#post, timers, parts.ageMs)
    const exchange = new Exchange({
      replica, held, counters, ageMs: parts.ageMs, post: this.#post, bulk: this.#bulk,
    })
    this.#digests = new Digests(parts, exchange, this.#spread)
    this.#upkeep = new Upkeep(parts, this.#membership)
    this.#mailbox = new Mailbox(parts, this.#membership, this.#intake, this.#spread,
      this.#digests, exchange)
    timers.soon('digest', nowMs + pick(random, DIGEST_MS))
    timers.soon('upkeep', nowMs + UPKEEP_MS)
  }

  /**
   * What has to be done because of `event`; time never runs back.
   * @throws UsageError, LimitError, ConflictError for a write that cannot be; nothing has changed
   */
  step(nowMs: number, event: TablesEvent): TablesEffect[] {
    const parts = this.#parts
    parts.setNow(nowMs)
    this.#handle(event)
    this.#runTimers()
    this.#tellOwn()
    return this.#effects()
  }

  /** When the next tick is due. */
  nextMs(): number {
    return this.#parts.timers.nextMs()
  }

  /** This node's boot epoch. */
  get epoch(): number {
    return this.#parts.epoch
  }

  /** The row, if it is to be seen: it lives, and so does its owner. */
  get(table: string, key: string): Row | null {
    const entry = this.#parts.replica.get(table, key)
    return entry?.isShown === true ? entry.row : null
  }

  /** The rows of a table that are to be seen, in no order. */
  * rows(table: string): Generator<Row> {
    for (const entry of this.#parts.replica.table(table)?.tree.entries() ?? []) {
      if (entry.isShown) yield entry.row
    }
  }

  /** All rows of a table, also tombstones and those of members that are not here. */
  * allRows(table: string): Generator<Readonly<{ row: Row; isShown: boolean }>> {
    for (const { row, isShown } of this.#parts.replica.table(table)?.tree.entries() ?? []) {
      yield { row, isShown }
    }
  }

  tableNames(): string[] {
    return [...this.#parts.replica.tables()].map(({ name }) => name)
  }

  /** A hash of everything in a table; two nodes that have the same rows have the same. */
  digest(table: string): string {
    const tree = this.#parts.replica.table(table)?.tree
    if (tree === undefined) return ''
    return [tree.high, tree.low].map(half => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** How far this node's wall clock is ahead of what the cluster agrees on; 0 unless far off. */
  clockAheadMs(): number {
    return Math.round(this.#parts.wallMs - this.#parts.agreedMs)
  }

  peers(): PeerView[] {
    const { nowMs, peerClocks, wallMs } = this.#parts
    return [...this.#membership.peers()].map(({ name, node, state }) => {
      const equality = this.#digests.equality(name)
      return {
        name, node, state, isEqual: equality?.isEqual ?? null,
        comparedMs: equality === undefined ? null : nowMs - equality.atMs,
        clockAheadMs: peerClocks.aheadMs(nowMs, wallMs, name),
      }
    })
  }

  /** This node has left, or was taken out: it writes nothing any more. */
  get hasLeft(): boolean {
    return this.#own.hasLeft
  }

  sizes(): TablesSizes {
    const { held, replica } = this.#parts
    return {
      rows: replica.rows, tombstones: replica.dead.size, quarantined: held.quarantined,
      ownNews: this.#news.own, relayedNews: this.#news.relayed, bulk: this.#bulk.waiting,
    }
  }

  #handle(event: TablesEvent): void {
    switch (event.type) {
      case 'start': return this.#start()
      case 'write': return this.#own.write(event.writes)
      case 'message': return this.#mailbox.receive(event.from, event.octets)
      case 'peers': return this.#setPeers(event.peers)
      case 'tick': return
      case 'leave': return this.#own.leave()
      case 'remove': return this.#own.remove(event.node, event.epoch)
      case 'stop': {
        this.#mustPersist = true
      }
    }
  }

  #start(): void {
    this.#own.start()
    for (const owner of [...this.#parts.replica.owners.all()]) this.#membership.dropVoid(owner)
  }

  #setPeers(peers: readonly Peer[]): void {
    const { came, went } = this.#membership.set(peers)
    if (came.length === 0 && went.length === 0) return
    for (const name of went) this.#digests.forget(name)
    const wasAlone = this.#spread.peers.length === 0
    this.#spread.setPeers(this.#parts.nowMs, this.#membership.alive())
    if (wasAlone) this.#own.tellAll()
    this.#digests.greet(came)
  }

  #runTimers(): void {
    const { nowMs, timers } = this.#parts
    if (timers.take('decide', nowMs)) this.#decide()
    if (timers.take('news', nowMs)) this.#spread.tick(nowMs)
    if (timers.take('bulk', nowMs)) this.#bulk.tick(nowMs)
    if (timers.take('digest', nowMs)) {
      this.#release()
      this.#digests.tick()
    }
    if (timers.take('upkeep', nowMs)) {
      timers.soon('upkeep', nowMs + UPKEEP_MS)
      this.#membership.upkeep()
      this.#upkeep.purge()
    }
    if (timers.take('persist', nowMs) || timers.take('mark', nowMs)) this.#mustPersist = true
  }

  /** What was in the future is not any more. */
  #release(): void {
    const { agreedMs, held } = this.#parts
    if (held.quarantined === 0) return
    for (const aged of held.release(agreedMs + FUTURE_MAX_MS)) this.#intake.take(aged)
  }

  #decide(): void {
    const { away, nowMs } = this.#parts
    const awayMs = away.awayMs(nowMs)
    if (away.decide(nowMs)) this.#upkeep.dropStale(awayMs)
    // Whoever ends now is not to begin as if it were still away.
    this.#mustPersist = true
    this.#digests.greet(this.#spread.peers)
  }

  #tellOwn(): void {
    const written = this.#own.take()
    if (written.length === 0) return
    this.#mustPersist = true
    for (const row of written) this.counters.newsDropped += this.#spread.put(row, 0, true)
    this.#spread.flush(this.#parts.nowMs, null)
  }

  #effects(): TablesEffect[] {
    const { effects, nowMs, replica, timers } = this.#parts
    this.#parts.effects = []
    const all: TablesEffect[] = []
    if (this.#mustPersist) all.push({ type: 'persist', change: this.#upkeep.persist() })
    else if (replica.dirty > 0) timers.soon('persist', nowMs + PERSIST_MS)
    this.#mustPersist = false
    const changes = replica.takeChanges()
    if (changes.length > 0) all.push({ type: 'changed', changes })
    return [...all, ...effects, ...this.#post.take()]
  }
}
