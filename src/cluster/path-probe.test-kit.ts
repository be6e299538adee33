// A world for PathProbe: paths with their own MTU, delay and loss, routers that speak or not, and a
// clock that jumps from event to event. The same seed gives the same run.
import { makeRandom, pick, type Random32 } from '../base/prng.ts'
import {
  PATH_PROBE_DEFAULTS, PathProbe, type PathProbeEffect, type PathProbeOptions,
} from './path-probe.ts'
import type { PathAnswer, PathView } from './path-view.ts'

export type VirtualPath = {
  mtuOctets: number
  /** What the router says of what is too long; a number: a wrong one. */
  router: 'right' | 'silent' | 'no number' | number
  /** Each way. */
  lossPercent: number
  delayMs: number
  jitterMs: number
  /** An answer comes twice. */
  duplicatePercent: number
  /** `unreachable`: a router says so. */
  state: 'up' | 'silent' | 'unreachable'
}

export function virtualPath(over: Partial<VirtualPath> = {}): VirtualPath {
  return {
    mtuOctets: 1500, router: 'right', lossPercent: 0, delayMs: 1, jitterMs: 0, duplicatePercent: 0,
    state: 'up', ...over,
  }
}

/** More steps than this without time passing: the machine turns in a circle. */
const STEPS_AT_ONCE_MAX = 20_000

export type SentProbe = { atMs: number; address: number; sizeOctets: number }

export class World {
  readonly paths = new Map<number, VirtualPath>()
  readonly sent: SentProbe[] = []
  readonly results: { atMs: number; result: PathView }[] = []
  readonly probe: PathProbe
  readonly random: Random32
  readonly #deviceMtu: number
  readonly #queue: { atMs: number; answer: PathAnswer }[] = []
  nowMs = 1000

  constructor(seed: number, over: Partial<PathProbeOptions> = {}) {
    this.random = makeRandom(seed)
    this.#deviceMtu = over.deviceMtuOctets ?? 1500
    this.probe = new PathProbe({
      ...PATH_PROBE_DEFAULTS, random: this.random, deviceMtuOctets: 1500, ...over,
    })
  }

  /** Members named after their addresses, one for each path of the world. */
  setMembers(): void {
    const members = [...this.paths.keys()].map(address => ({ name: String(address), address }))
    this.apply(this.probe.step(this.nowMs, { type: 'members', members }))
  }

  add(path: VirtualPath): number {
    const address = this.paths.size + 1
    this.paths.set(address, path)
    this.setMembers()
    return address
  }

  mtuOf(address: number): number | null {
    return this.probe.view(String(address))?.pathMtuOctets ?? null
  }

  run(forMs: number): void {
    const endMs = this.nowMs + forMs
    let steps = 0
    for (;;) {
      const atMs = Math.min(this.#queue[0]?.atMs ?? Number.POSITIVE_INFINITY, this.probe.nextMs())
      if (atMs > endMs) break
      steps = atMs > this.nowMs ? 0 : steps + 1
      if (steps > STEPS_AT_ONCE_MAX) throw new Error(`no progress at ${this.nowMs} ms`)
      this.nowMs = Math.max(this.nowMs, atMs)
      const first = this.#queue[0]
      if (first !== undefined && first.atMs <= this.nowMs) {
        this.#queue.shift()
        this.apply(this.probe.step(this.nowMs, { type: 'answer', answer: first.answer }))
      } else this.apply(this.probe.step(this.nowMs, { type: 'tick' }))
    }
    this.nowMs = endMs
  }

  /** Run until `holds`, looking each millisecond. @returns how long that took, or null */
  runUntil(holds: () => boolean, mostMs: number): number | null {
    const startMs = this.nowMs
    while (!holds()) {
      if (this.nowMs - startMs >= mostMs) return null
      this.run(1)
    }
    return this.nowMs - startMs
  }

  apply(effects: readonly PathProbeEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'result') {
        this.results.push({ atMs: this.nowMs, result: effect.result })
        continue
      }
      const { address, sizeOctets, sequence } = effect
      this.sent.push({ atMs: this.nowMs, address, sizeOctets })
      const answer = this.#answerTo(address, sizeOctets, sequence)
      if (answer === null) continue
      this.#enqueue(answer)
      const path = this.paths.get(address)!
      if (this.#happens(path.duplicatePercent)) this.#enqueue(answer)
    }
  }

  #answerTo(address: number, size: number, sequence: number): PathAnswer | null {
    const path = this.paths.get(address)
    if (size > this.#deviceMtu) return { type: 'too-large-here', sequence }
    if (path === undefined || path.state === 'silent') return null
    if (this.#happens(path.lossPercent) || this.#happens(path.lossPercent)) return null
    if (path.state === 'unreachable') return { type: 'unreachable', sequence }
    if (size <= path.mtuOctets) {
      const rttMs = path.delayMs + (path.jitterMs * pick(this.random, 1001)) / 1000
      return { type: 'reply', sequence, rttMs }
    }
    if (path.router === 'silent') return null
    const said = path.router === 'right' ? path.mtuOctets
      : path.router === 'no number' ? 0 : path.router
    return { type: 'too-large', sequence, mtuOctets: said }
  }

  #enqueue(answer: PathAnswer): void {
    const atMs = this.nowMs + (answer.type === 'reply' ? answer.rttMs : 0.5)
    const at = this.#queue.findIndex(other => other.atMs > atMs)
    this.#queue.splice(at < 0 ? this.#queue.length : at, 0, { atMs, answer })
  }

  #happens(percent: number): boolean {
    return percent > 0 && pick(this.random, 10_000) < percent * 100
  }
}
