// Round trip and MTU of the underlay's path to each member, by echo requests with DF. A pure
// machine: it says what to send and is told what was answered. Small requests measure the round
// trip and show that a path lives; large ones search for its MTU, and watch over it.
import { assert } from '../base/assert.ts'
import { pick, type Random32 } from '../base/prng.ts'
import type { PathAnswer, PathView } from './path-view.ts'
import { ProbedPath } from './probed-path.ts'

/** Paths that are probed; further members are not, and are counted. */
export const PATHS_MAX = 4096
/** Probes that may leave at once, after a quiet time. */
export const PROBE_BURST = 16
const SEQUENCES = 65_536
/** Less than what is lost when tokens are added up in parts. */
const ROUNDING = 1e-6

export type PathMember = Readonly<{
  name: string
  /** IPv4, as base/text.ts has it */
  address: number
}>

export type PathProbeOptions = Readonly<{
  random: Random32
  /** MTU of the device that leads to the members: nothing longer is tried. */
  deviceMtuOctets: number
  /** Of all members together. When there are too many, each is probed less often. */
  probesPerSecondMax: number
  /** How often a member is asked for its round trip, milliseconds. */
  roundTripEveryMs: number
  /** How often it is seen whether the path still carries what was found. */
  verifyEveryMs: number
  /** How often it is tried whether it carries more. RFC 8899 section 5.1.1, PMTU_RAISE_TIMER. */
  riseEveryMs: number
}>

export const PATH_PROBE_DEFAULTS = {
  probesPerSecondMax: 100, roundTripEveryMs: 1000, verifyEveryMs: 5000, riseEveryMs: 600_000,
}

export type PathProbeEvent =
  /** All members there are; those that are not named are forgotten. */
  | Readonly<{ type: 'members'; members: readonly PathMember[] }>
  | Readonly<{ type: 'answer'; answer: PathAnswer }>
  /** Look for a wider path now, not only when it is time: to `member`, or to all. */
  | Readonly<{ type: 'rise'; member?: string }>
  | Readonly<{ type: 'tick' }>

export type PathProbeEffect =
  /** Send an echo request with DF, an IPv4 packet of `sizeOctets` altogether. */
  | Readonly<{ type: 'probe'; address: number; sizeOctets: number; sequence: number }>
  /** What is known of a path has changed. */
  | Readonly<{ type: 'result'; result: PathView }>

export class PathProbe {
  readonly #options: PathProbeOptions
  readonly #paths = new Map<string, ProbedPath>()
  /** Whom an answer with this number is from. */
  readonly #asked = new Map<number, ProbedPath>()
  readonly #effects: PathProbeEffect[] = []
  #tokens = PROBE_BURST
  #tokensMs = Number.NEGATIVE_INFINITY
  #counts = { probes: 0, delayed: 0, membersOverLimit: 0, unknownAnswers: 0 }

  constructor(options: PathProbeOptions) {
    assert(options.probesPerSecondMax > 0, 'probes have a rate')
    this.#options = options
  }

  /** @param nowMs monotonic */
  step(nowMs: number, event: PathProbeEvent): PathProbeEffect[] {
    if (event.type === 'members') this.#setMembers(event.members, nowMs)
    else if (event.type === 'answer') this.#answer(event.answer, nowMs)
    else if (event.type === 'rise') this.#rise(event.member, nowMs)
    for (const path of this.#paths.values()) {
      if (path.expire(nowMs)) this.#tell(path)
    }
    this.#send(nowMs)
    return this.#effects.splice(0)
  }

  /** When `tick` is due at the latest. */
  nextMs(): number {
    let sendMs = Number.POSITIVE_INFINITY
    let expireMs = Number.POSITIVE_INFINITY
    for (const path of this.#paths.values()) {
      sendMs = Math.min(sendMs, path.sendMs)
      expireMs = Math.min(expireMs, path.expireMs)
    }
    const tokenMs = this.#tokensMs
      + Math.max(0, 1 - this.#tokens) * (1000 / this.#options.probesPerSecondMax)
    return Math.min(expireMs, Math.max(sendMs, tokenMs))
  }

  views(): PathView[] {
    return [...this.#paths.values()].map(path => path.view())
  }

  view(member: string): PathView | null {
    return this.#paths.get(member)?.view() ?? null
  }

  /** The narrowest path of those that are known; null when none is. */
  smallestMtuOctets(): number | null {
    const known = [...this.#paths.values()].flatMap(path => path.mtuOctets ?? [])
    return known.length === 0 ? null : Math.min(...known)
  }

  /** Paths of members that may answer, and whose MTU is still being searched for the first time. */
  get undecided(): number {
    return [...this.#paths.values()].filter(path => path.isUndecided).length
  }

  get paths(): number {
    return this.#paths.size
  }

  /** Probes whose answers would still be understood. */
  get outstanding(): number {
    return this.#asked.size
  }

  /** `delayed`: times that probes had to wait for probesPerSecondMax. */
  counts(): Readonly<Record<'probes' | 'delayed' | 'membersOverLimit' | 'unknownAnswers', number>> {
    return { ...this.#counts }
  }

  #setMembers(members: readonly PathMember[], nowMs: number): void {
    const taken = members.slice(0, PATHS_MAX)
    this.#counts.membersOverLimit = members.length - taken.length
    const addresses = new Map(taken.map(({ name, address }) => [name, address]))
    for (const [name, path] of this.#paths) {
      if (addresses.get(name) !== path.address) this.#forget(name, path)
    }
    for (const [name, address] of addresses) {
      if (this.#paths.has(name)) continue
      this.#paths.set(name, new ProbedPath(name, address, this.#options, nowMs))
    }
  }

  #forget(name: string, path: ProbedPath): void {
    this.#paths.delete(name)
    for (const [sequence, asked] of this.#asked) {
      if (asked === path) this.#asked.delete(sequence)
    }
  }

  #answer(answer: PathAnswer, nowMs: number): void {
    const path = this.#asked.get(answer.sequence)
    if (path === undefined) {
      this.#counts.unknownAnswers += 1
      return
    }
    this.#asked.delete(answer.sequence)
    if (path.answer(answer, nowMs)) this.#tell(path)
  }

  #rise(member: string | undefined, nowMs: number): void {
    for (const path of this.#paths.values()) {
      if (member === undefined || member === path.name) path.riseNow(nowMs)
    }
  }

  /** The longest due first, so that none is left out for ever. */
  #send(nowMs: number): void {
    this.#refill(nowMs)
    const due = [...this.#paths.values()].filter(path => path.sendMs <= nowMs)
      .sort((a, b) => a.sendMs - b.sendMs)
    for (const path of due) {
      while (path.sendMs <= nowMs) {
        if (this.#tokens < 1 - ROUNDING) {
          this.#counts.delayed += 1
          return
        }
        this.#tokens -= 1
        this.#probe(path, nowMs)
      }
    }
  }

  #probe(path: ProbedPath, nowMs: number): void {
    for (const gone of path.takeGone()) {
      if (this.#asked.get(gone) === path) this.#asked.delete(gone)
    }
    const sequence = this.#freeSequence()
    this.#asked.set(sequence, path)
    const sizeOctets = path.send(sequence, nowMs)
    this.#counts.probes += 1
    this.#effects.push({ type: 'probe', address: path.address, sizeOctets, sequence })
  }

  /** Not in order: who forges answers shall not know the next one. */
  #freeSequence(): number {
    let sequence = pick(this.#options.random, SEQUENCES)
    while (this.#asked.has(sequence)) sequence = (sequence + 1) % SEQUENCES
    return sequence
  }

  #refill(nowMs: number): void {
    const passedMs = nowMs - this.#tokensMs
    const earned = passedMs * (this.#options.probesPerSecondMax / 1000)
    this.#tokens = Math.min(PROBE_BURST, this.#tokens + earned)
    this.#tokensMs = nowMs
  }

  #tell(path: ProbedPath): void {
    this.#effects.push({ type: 'result', result: path.view() })
  }
}
