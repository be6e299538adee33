// Probes the underlay's paths to all members, and tells the smallest MTU. Where the package that it
// needs is absent it says so, and the daemon works without.
import type { Clock } from '../base/clock.ts'
import { AbsentError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Random32 } from '../base/prng.ts'
import {
  PATH_PROBE_DEFAULTS, type PathMember, PathProbe, type PathProbeEvent, type PathProbeOptions,
} from '../cluster/path-probe.ts'
import type { PathView } from '../cluster/path-view.ts'
import { type Echo, type EchoCounts, type EchoOptions, openEcho } from '../kernel/echo.ts'

/** Without a member for so long, nothing is known of paths; a restart passes through that. */
export const NO_MEMBERS_MS = 10_000
/** The longest that setTimeout takes. */
const TIMER_MAX_MS = 2 ** 31 - 1

export type PathProberParts = Readonly<{
  clock: Clock
  random: Random32
  log: Log
  /** Where the requests leave from: own address (as base/text.ts has it) and MTU of its device. */
  underlay: Readonly<{ number: number; mtu: number }>
  /**
   * The smallest path MTU of all members is another one now, octets; null: nobody knows it, for
   * there are no members, or they cannot be probed. Told once at least. A larger one is told only
   * when no path is new and unknown: at a start the wide ones are often known first.
   */
  onPathMtu: (octets: number | null) => void
  /** What was told last before a restart. */
  beforeOctets?: number | null
  /** Other times than the usual ones, and another echo, for tests. */
  times?: Partial<Omit<PathProbeOptions, 'random' | 'deviceMtuOctets'>>
  noMembersMs?: number
  open?: (options: EchoOptions) => Pick<Echo, 'send' | 'counts' | 'close'>
}>

export type PathProberView = Readonly<{
  /** Why nothing is probed, for people; null: all is well. */
  absent: string | null
  smallestMtuOctets: number | null
  paths: PathView[]
  counts: Record<string, number>
}>

export class PathProber {
  readonly #parts: PathProberParts
  readonly #probe: PathProbe
  #echo: Pick<Echo, 'send' | 'counts' | 'close'> | null = null
  #absent: string | null = 'not started'
  #timer: NodeJS.Timeout | undefined
  /** Since when there are no members. */
  #emptyMs: number
  /** What was told last. */
  #told: number | null | undefined

  constructor(parts: PathProberParts) {
    this.#parts = parts
    this.#emptyMs = parts.clock.nowMs()
    this.#probe = new PathProbe({
      ...PATH_PROBE_DEFAULTS, ...parts.times, random: parts.random,
      deviceMtuOctets: parts.underlay.mtu,
    })
  }

  /** In the network namespace of the underlay, once. That it cannot probe is no error. */
  start(members: readonly PathMember[]): void {
    const { clock, log, underlay, open = openEcho } = this.#parts
    try {
      this.#echo = open({
        address: underlay.number,
        nowMs: () => clock.nowMs(),
        onAnswer: answer => this.#step({ type: 'answer', answer }),
        onError: error => this.#giveUp(error),
      })
    } catch (error) {
      this.#giveUp(error)
      return
    }
    this.#absent = null
    log.info({ members: members.length }, 'probing the paths of the underlay')
    this.setMembers(members)
  }

  /** All members but ourselves. A known one keeps what is known of it. */
  setMembers(members: readonly PathMember[]): void {
    if (members.length > 0) this.#emptyMs = Number.POSITIVE_INFINITY
    else if (this.#emptyMs === Number.POSITIVE_INFINITY) this.#emptyMs = this.#parts.clock.nowMs()
    this.#step({ type: 'members', members })
  }

  /** See now whether paths got wider; else that is found out every ten minutes. */
  rise(member?: string): void {
    this.#step(member === undefined ? { type: 'rise' } : { type: 'rise', member })
  }

  /** What is known of the path to one member; null: nothing, or it is none. */
  path(member: string): PathView | null {
    return this.#absent === null ? this.#probe.view(member) : null
  }

  view(): PathProberView {
    const echo: Partial<EchoCounts> = this.#echo?.counts() ?? {}
    return {
      absent: this.#absent,
      smallestMtuOctets: this.#absent === null ? this.#probe.smallestMtuOctets() : null,
      paths: this.#absent === null ? this.#probe.views() : [],
      counts: { ...echo, ...this.#probe.counts() },
    }
  }

  /** A second call does nothing. */
  close(): void {
    clearTimeout(this.#timer)
    this.#echo?.close()
    this.#echo = null
    this.#absent ??= 'closed'
  }

  #step(event: PathProbeEvent): void {
    if (this.#echo === null) return
    const nowMs = this.#parts.clock.nowMs()
    for (const effect of this.#probe.step(nowMs, event)) {
      if (effect.type === 'probe') {
        this.#echo.send(effect.address, effect.sizeOctets, effect.sequence)
      }
    }
    this.#tell(nowMs)
    this.#wait(nowMs)
  }

  #tell(nowMs: number): void {
    const { beforeOctets, noMembersMs = NO_MEMBERS_MS, underlay } = this.#parts
    const smallest = this.#probe.smallestMtuOctets()
    const isUnknown = smallest === null
    if (isUnknown && (this.#probe.paths > 0 || nowMs - this.#emptyMs < noMembersMs)) return
    const before = this.#told ?? beforeOctets ?? underlay.mtu
    if (smallest !== null && smallest >= before && this.#probe.undecided > 0) return
    this.#tellOnce(smallest)
  }

  #tellOnce(octets: number | null): void {
    if (octets === this.#told) return
    this.#told = octets
    this.#parts.onPathMtu(octets)
  }

  #wait(nowMs: number): void {
    const { noMembersMs = NO_MEMBERS_MS } = this.#parts
    clearTimeout(this.#timer)
    const untilMs = this.#probe.paths > 0 ? this.#probe.nextMs()
      : this.#told === null ? Number.POSITIVE_INFINITY : this.#emptyMs + noMembersMs
    if (untilMs === Number.POSITIVE_INFINITY) return
    const forMs = Math.min(TIMER_MAX_MS, Math.max(0, Math.ceil(untilMs - nowMs)))
    this.#timer = setTimeout(() => this.#step({ type: 'tick' }), forMs)
    this.#timer.unref()
  }

  #giveUp(error: unknown): void {
    const { log } = this.#parts
    this.close()
    this.#absent = error instanceof Error ? error.message : String(error)
    if (error instanceof AbsentError) log.info({ reason: this.#absent }, 'paths are not probed')
    else log.warn({ err: error }, 'paths are not probed any more')
    this.#tellOnce(null)
  }
}
