// One path that is probed: which probes are under way, what their answers or silence mean, and when
// the next ones are due.
import { pick, type Random32 } from '../base/prng.ts'
import { RoundTrips } from './path-round-trip.ts'
import { PathSearch, TRIES_MAX } from './path-search.ts'
import type { PathAnswer, PathView } from './path-view.ts'

/** As long as what ping sends, so that figures can be compared: 56 octets of data. */
export const SMALL_PROBE_OCTETS = 84
/** Without an answer for so long, a small probe is lost. */
export const SMALL_TIMEOUT_MS = 2000
/** Bounds of what a large probe is waited for: three round trips and four times the jitter. */
export const LARGE_TIMEOUT_MIN_MS = 150
export const LARGE_TIMEOUT_MAX_MS = 1000
/** After a search that loss may have deceived, look again so soon. */
export const RISE_AFTER_LOSS_MS = 60_000
/** Times between probes vary by a tenth of themselves, so that members do not fall into step. */
const SPREAD = 0.1
/** Who has not answered so many small probes is not waited for. */
const SILENT_SAMPLES = 3
const NEVER = Number.POSITIVE_INFINITY

export type PathTimes = Readonly<{
  random: Random32
  deviceMtuOctets: number
  roundTripEveryMs: number
  verifyEveryMs: number
  riseEveryMs: number
}>

type Probe = Readonly<{ sequence: number; sentMs: number; deadlineMs: number }>

/**
 * waiting: until a small probe is answered, because nothing can be said of a path that is dead;
 * trying: large probes are sent; judging: three were lost, and a small one shall tell whether that
 * was for their size.
 */
type Phase = 'waiting' | 'trying' | 'judging'

export class ProbedPath {
  readonly name: string
  readonly address: number
  readonly #times: PathTimes
  readonly #trips = new RoundTrips()
  readonly #search: PathSearch
  #phase: Phase = 'waiting'
  #small: Probe | null = null
  #large: Probe | null = null
  /** Large ones of the same size that are overdue: an answer still shows that it passes. */
  #late: number[] = []
  /** Numbers of probes whose answers mean nothing any more. */
  #gone: number[] = []
  #smallMs: number
  #largeMs = NEVER
  #riseMs = NEVER
  /** When the first try of the present size was sent. */
  #firstTryMs = 0
  /** When the latest small probe was sent that was answered. */
  #witnessMs = Number.NEGATIVE_INFINITY
  #last: PathView['last'] = null

  constructor(name: string, address: number, times: PathTimes, nowMs: number) {
    this.name = name
    this.address = address
    this.#times = times
    this.#search = new PathSearch(times.deviceMtuOctets)
    this.#smallMs = nowMs
  }

  get mtuOctets(): number | null {
    return this.#search.foundOctets
  }

  get isUndecided(): boolean {
    return this.mtuOctets === null
      && (this.#last === 'reply' || this.#trips.samples < SILENT_SAMPLES)
  }

  /** When the next probe is due. */
  get sendMs(): number {
    return Math.min(this.#small === null ? this.#smallMs : NEVER,
      this.#large === null ? this.#largeMs : NEVER)
  }

  /** When the next probe will be overdue. */
  get expireMs(): number {
    return Math.min(this.#small?.deadlineMs ?? NEVER, this.#large?.deadlineMs ?? NEVER)
  }

  view(): PathView {
    return {
      ...this.#trips.view(), member: this.name, address: this.address,
      pathMtuOctets: this.#search.foundOctets, searching: this.#search.isSearching,
      last: this.#last,
    }
  }

  /** Note that the probe that is due is sent. @returns its size, octets */
  send(sequence: number, nowMs: number): number {
    return this.#small === null && this.#smallMs <= nowMs
      ? this.#sendSmall(sequence, nowMs) : this.#sendLarge(sequence, nowMs)
  }

  /** Numbers of probes that need not be remembered; each is told once. */
  takeGone(): number[] {
    return this.#gone.splice(0)
  }

  /** @returns whether the view has changed */
  answer(answer: PathAnswer, nowMs: number): boolean {
    if (answer.sequence === this.#small?.sequence) {
      const { sentMs } = this.#small
      this.#small = null
      this.#last = answer.type
      if (answer.type === 'reply') this.#smallAnswered(answer.rttMs, sentMs, nowMs)
      else this.#smallLost(sentMs, nowMs)
      return true
    }
    const isLate = this.#late.includes(answer.sequence)
    if (isLate) this.#late = this.#late.filter(one => one !== answer.sequence)
    else if (answer.sequence === this.#large?.sequence) this.#large = null
    else return false
    if (answer.type === 'reply') {
      this.#search.passed()
      return this.#settled(nowMs)
    }
    if (answer.type === 'too-large' || answer.type === 'too-large-here') {
      this.#search.tooLarge(answer.type === 'too-large' ? answer.mtuOctets : 0)
      return this.#settled(nowMs)
    }
    return isLate ? false : this.#largeLost(nowMs)
  }

  /** Take probes for lost that are overdue. @returns whether the view has changed */
  expire(nowMs: number): boolean {
    let changed = false
    if (this.#small !== null && this.#small.deadlineMs <= nowMs) {
      const { sentMs, sequence } = this.#small
      this.#gone.push(sequence)
      this.#small = null
      this.#last = 'lost'
      this.#smallLost(sentMs, nowMs)
      changed = true
    }
    if (this.#large !== null && this.#large.deadlineMs <= nowMs) {
      this.#late.push(this.#large.sequence)
      this.#large = null
      changed = this.#largeLost(nowMs) || changed
    }
    return changed
  }

  riseNow(nowMs: number): void {
    this.#riseMs = nowMs
    if (this.#phase === 'trying' && !this.#search.isSearching) this.#largeMs = nowMs
  }

  #sendSmall(sequence: number, nowMs: number): number {
    this.#small = { sequence, sentMs: nowMs, deadlineMs: nowMs + SMALL_TIMEOUT_MS }
    this.#smallMs = nowMs + this.#spread(this.#times.roundTripEveryMs)
    return SMALL_PROBE_OCTETS
  }

  #sendLarge(sequence: number, nowMs: number): number {
    const search = this.#search
    if (this.#riseMs <= nowMs && search.tries === 0 && !search.isSearching) {
      this.#riseMs = nowMs + this.#times.riseEveryMs
      if (search.mayRise) search.rise()
    }
    if (search.tries === 0) {
      this.#gone.push(...this.#late.splice(0))
      this.#firstTryMs = nowMs
    }
    search.tried()
    // With the last try goes a small one, which shows whether the path lives.
    if (search.tries === TRIES_MAX && this.#witnessMs < this.#firstTryMs) this.#smallMs = nowMs
    const timeoutMs = this.#trips.timeoutMs(LARGE_TIMEOUT_MIN_MS, LARGE_TIMEOUT_MAX_MS)
    this.#large = { sequence, sentMs: nowMs, deadlineMs: nowMs + timeoutMs }
    return search.sizeOctets
  }

  #smallAnswered(rttMs: number, sentMs: number, nowMs: number): void {
    this.#trips.add(rttMs)
    this.#witnessMs = sentMs
    if (this.#phase === 'waiting') {
      this.#phase = 'trying'
      this.#largeMs = nowMs
    } else if (this.#phase === 'judging') this.#judge(nowMs)
  }

  #smallLost(sentMs: number, nowMs: number): void {
    this.#trips.addLost()
    if (this.#phase !== 'judging') return
    if (sentMs < this.#firstTryMs) {
      this.#smallMs = nowMs
      return
    }
    // The path is dead or very lossy: that says nothing about sizes.
    this.#search.forgetTries()
    this.#phase = 'waiting'
  }

  #largeLost(nowMs: number): boolean {
    if (this.#search.tries < TRIES_MAX) {
      this.#largeMs = nowMs
      return false
    }
    this.#phase = 'judging'
    this.#largeMs = NEVER
    return this.#judge(nowMs)
  }

  #judge(nowMs: number): boolean {
    if (this.#witnessMs < this.#firstTryMs) {
      this.#smallMs = Math.min(this.#smallMs, nowMs)
      return false
    }
    this.#search.failed()
    return this.#settled(nowMs)
  }

  /** Something is known of the present size: go on with the next. @returns true */
  #settled(nowMs: number): boolean {
    if (this.#large !== null) this.#gone.push(this.#large.sequence)
    this.#gone.push(...this.#late.splice(0))
    this.#large = null
    this.#phase = 'trying'
    if (this.#search.isSearching) {
      this.#largeMs = nowMs
      return true
    }
    this.#largeMs = nowMs + this.#spread(this.#times.verifyEveryMs)
    const isDoubtful = this.#search.wasSilent && this.#trips.hasLoss
    const { riseEveryMs } = this.#times
    const everyMs = isDoubtful ? Math.min(RISE_AFTER_LOSS_MS, riseEveryMs) : riseEveryMs
    this.#riseMs = Math.min(this.#riseMs, nowMs + everyMs)
    return true
  }

  #spread(everyMs: number): number {
    return everyMs * (1 - SPREAD + (2 * SPREAD * pick(this.#times.random, 1001)) / 1000)
  }
}
