// Takes messages in: whether each is whole, meant for this node, and new; then its rows go to the
// intake and the rest to the exchange.
import { ReplayWindow } from '../replay-window.ts'
import { AWAY_MAX_MS, DECIDE_MS } from './away.ts'
import { DATAGRAM_OCTETS_MAX, decodeMessage, type Header, STEADY, WANTS_BULK } from './codec.ts'
import type { Digests } from './digests.ts'
import type { Exchange } from './exchange.ts'
import { forgetOldest } from './forget.ts'
import { hashText } from './hash.ts'
import type { Intake } from './intake.ts'
import type { Item, RowsItem } from './item-codec.ts'
import type { Membership } from './membership.ts'
import type { Parts } from './parts.ts'
import type { Spread } from './spread.ts'

/** Senders whose messages are told from copies of them. */
export const WINDOWS_MAX = 4096

/** Whether most of the cluster is here is looked at so often: it is a look at every member. */
const MOST_HERE_LOOK_MS = 1000

/** A claim to have taken part all the time counts for so long, by wall clocks, which may be off. */
const CLAIM_MAX_MS = AWAY_MAX_MS / 2

/** Of the boot that the membership knows, of a later one, or to be dropped. */
type Standing = 'current' | 'early' | 'replayed'

export class Mailbox {
  readonly #parts: Parts
  readonly #membership: Membership
  readonly #intake: Intake
  readonly #spread: Spread
  readonly #digests: Digests
  readonly #exchange: Exchange
  readonly #windows = new Map<string, ReplayWindow>()
  readonly #self: number
  #isMostHere = false
  #lookedAtMs = -Infinity

  constructor(parts: Parts, membership: Membership, intake: Intake, spread: Spread,
    digests: Digests, exchange: Exchange) {
    this.#parts = parts
    this.#membership = membership
    this.#intake = intake
    this.#spread = spread
    this.#digests = digests
    this.#exchange = exchange
    this.#self = hashText(parts.options.name)
  }

  /** @param sender null when only the message itself can tell: it came over a stream */
  receive(sender: string | null, octets: Uint8Array): void {
    const { counters, nowMs } = this.#parts
    counters.messagesIn += 1
    counters.octetsIn += octets.length
    const message = decodeMessage(octets)
    if (typeof message === 'string') {
      counters.malformed += 1
      return
    }
    const { header, items } = message
    const from = sender ?? this.#membership.named(header.from)
    if (from === null || header.to !== this.#self || header.from !== hashText(from)) {
      counters.misdirected += 1
      return
    }
    const standing = this.#standing(from, header)
    if (standing === 'replayed') {
      counters.replayed += 1
      return
    }
    if (standing === 'current' && !this.#isHere(from, header)) return
    const isSmall = octets.length <= DATAGRAM_OCTETS_MAX
    for (const item of items) {
      if (item.kind === 'rows') this.#takeRows(from, item, isSmall)
    }
    if (standing === 'current') this.#answer(from, header, items)
    if (standing === 'current' && items.length === 0) this.#digests.begin(from)
    this.#spread.flush(nowMs, from)
  }

  /**
   * What a later boot says than the membership knows of is merged, for rows are checked; no more.
   * When the membership has gone back to an earlier one, the clock of that node has, and it has
   * lost its disk: it is listened to, and learns from the answers what its epoch must be.
   */
  #standing(from: string, { epoch, sequence }: Header): Standing {
    const peer = this.#membership.peer(from)
    if (peer === undefined || epoch > peer.epoch) return 'early'
    if (epoch < peer.epoch) return 'replayed'
    let window = this.#windows.get(from)
    if (window === undefined || epoch < window.epoch) {
      forgetOldest(this.#windows, WINDOWS_MAX)
      window = new ReplayWindow()
      this.#windows.set(from, window)
    }
    return window.accept(epoch, sequence) ? 'current' : 'replayed'
  }

  /** False while this node is back from far away and finds out whether it missed anything. */
  #isHere(from: string, { flags, wallMs }: Header): boolean {
    const { away, nowMs, peerClocks, timers } = this.#parts
    peerClocks.heard(nowMs, from, wallMs)
    if (nowMs - this.#lookedAtMs >= MOST_HERE_LOOK_MS) {
      this.#isMostHere = this.#membership.isMostHere()
      this.#lookedAtMs = nowMs
    }
    const most = this.#isMostHere ? this.#parts.agreedMs : null
    // Who slept for long finds what was sent before: that says nothing of the time between.
    const isSteady = (flags & STEADY) !== 0 && this.#parts.wallMs - wallMs < CLAIM_MAX_MS
    const isBack = away.heard(nowMs, from, isSteady, most)
    if (isBack) timers.soon('decide', nowMs + DECIDE_MS)
    return away.state === 'here'
  }

  /** News, and differences that are small, are passed on; a bulk is left to the digests. */
  #takeRows(from: string, item: RowsItem, isSmall: boolean): void {
    const { counters } = this.#parts
    let accepted = 0
    for (const aged of item.rows) {
      const verdict = this.#intake.take(aged)
      if (verdict === 'known') this.#spread.heard(aged.row)
      if (verdict !== 'accepted') continue
      accepted += 1
      if (isSmall) counters.newsDropped += this.#spread.put(aged.row, aged.ageMs, false)
    }
    if (accepted === 0) return
    if (item.isNews) this.#digests.newsCame()
    else this.#digests.differed(from)
  }

  #answer(from: string, { flags }: Header, items: readonly Item[]): void {
    for (const item of items) if (item.kind === 'roots') this.#digests.compare(from, item.roots)
    const rest = items.filter(item => item.kind !== 'rows' || !item.isNews)
    if (rest.length === 0) return
    // Only who saw a difference says more than its roots. What follows may be lost: ask again soon.
    if (rest.some(({ kind }) => kind === 'sums' || kind === 'list')) this.#digests.hurry()
    this.#exchange.answer(this.#parts.nowMs, from, rest, (flags & WANTS_BULK) !== 0,
      () => this.#digests.mayBulk(from))
  }
}
