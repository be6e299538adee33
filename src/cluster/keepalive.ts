// Are the tunnels up? Each member sends a small message to others several times a second. Who is
// not heard for most of a second is in doubt: traffic should go elsewhere, but nobody is dead by
// this, for that is decided by SWIM, which takes longer and asks others too. Each message says what
// was last heard from the other side, so a loss in one direction is seen at both ends.
//
// In a large cluster everybody keeps up only some tunnels, with its neighbours in the order of
// names, and tells all others whom it doubts; two such words count like own silence.
import {
  decodeKeepAlive, encodeBeat, encodeDoubts, type Beat, type Doubts,
} from './keepalive-message.ts'
import { zeroCounters } from './swim/context.ts'
import {
  doubtOf, hearBeat, KEEP_ALIVE_TIMINGS, makeTunnelPeer, measureRoundTrip, neighbours,
  type DoubtReason, type KeepAliveTimings, type TunnelPeer,
} from './tunnel-peer.ts'

export const KEEP_ALIVE_COUNTERS = [
  'beatsOut', 'beatsIn', 'beatsLost', 'doubtsOut', 'doubtsIn', 'replays', 'malformed', 'strangers',
  'stalls',
] as const
export type KeepAliveCounters = Record<(typeof KEEP_ALIVE_COUNTERS)[number], number>

export type KeepAliveEffect =
  | Readonly<{ type: 'send'; to: string; octets: Uint8Array }>
  | Readonly<{ type: 'heard'; name: string }>
  /** `reason` null: no doubt any more, or no member. */
  | Readonly<{ type: 'doubt'; name: string; reason: DoubtReason | null; silentMs: number }>

/** What is known of one tunnel. */
export type Tunnel = Readonly<{
  doubt: DoubtReason | null
  /** Since something was heard; Infinity for never. */
  silentMs: number
  /** Smoothed; null until it was measured. */
  roundTripMs: number | null
  /** Part of what it sent that did not come, smoothed. */
  lossIn: number
}>

export type KeepAliveOptions = Readonly<{
  name: string
  /** Seconds of the boot: a message of an earlier one is a replay. */
  epoch: number
  nowMs: number
  timings?: KeepAliveTimings
}>

/** Own messages whose times are kept, for round trips. */
const SENT_KEPT = 32
/** Doubts that last are said again after so many rounds. */
const ROUNDS_PER_WORD = 3

export class KeepAlive {
  readonly counters: KeepAliveCounters = zeroCounters(KEEP_ALIVE_COUNTERS)
  readonly #name: string
  readonly #epoch: number
  readonly #timings: KeepAliveTimings
  readonly #peers = new Map<string, TunnelPeer>()
  readonly #sentMs = new Float64Array(SENT_KEPT)
  /** The last of our messages, and of our words on others. */
  #counter = 0
  #word = 0
  #nextRoundMs: number
  #effects: KeepAliveEffect[] = []

  constructor({ epoch, name, nowMs, timings }: KeepAliveOptions) {
    this.#name = name
    this.#epoch = epoch
    this.#timings = timings ?? KEEP_ALIVE_TIMINGS
    this.#nextRoundMs = nowMs
  }

  /** @param names members that are not gone and understand this, without ourselves */
  setPeers(nowMs: number, names: readonly string[]): KeepAliveEffect[] {
    return this.#do(() => {
      const known = new Set(names)
      for (const peer of this.#peers.values()) if (!known.has(peer.name)) this.#drop(nowMs, peer)
      const { sentTo, listenedTo } = neighbours(this.#name, names, this.#timings.peersMax)
      for (const name of names) {
        const peer = this.#peers.get(name) ?? makeTunnelPeer(name)
        this.#peers.set(name, peer)
        const isSentTo = sentTo.has(name)
        if (peer.isSentTo !== isSentTo) {
          peer.isEnding = !isSentTo
          peer.sentSinceMs = isSentTo ? nowMs : Infinity
        }
        peer.isSentTo = isSentTo
        peer.isListenedTo = listenedTo.has(name)
      }
    })
  }

  /** @param from who sent it, by the address that it came from */
  receive(nowMs: number, from: string, octets: Uint8Array): KeepAliveEffect[] {
    return this.#do(() => {
      this.#noticeStall(nowMs)
      const peer = this.#peers.get(from)
      const message = decodeKeepAlive(octets)
      if (message === null) return void (this.counters.malformed += 1)
      if (peer === undefined) return void (this.counters.strangers += 1)
      const window = message.kind === 'beat' ? peer.beats : peer.words
      if (!window.accept(message.epoch, message.counter)) return void (this.counters.replays += 1)
      if (message.kind === 'beat') this.#hear(nowMs, peer, message)
      else this.#takeWord(nowMs, peer, message)
    })
  }

  tick(nowMs: number): KeepAliveEffect[] {
    return this.#do(() => {
      this.#noticeStall(nowMs)
      const isRound = nowMs >= this.#nextRoundMs
      if (isRound) this.#round(nowMs)
      let isNew = false
      for (const peer of this.#peers.values()) {
        if (this.#judge(nowMs, peer) && peer.doubt === 'silent') isNew = true
      }
      if (isNew || (isRound && this.#counter % ROUNDS_PER_WORD === 0)) this.#tellDoubts(isNew)
    })
  }

  /** When the next tick is due. */
  nextMs(): number {
    let nextMs = this.#nextRoundMs
    for (const peer of this.#peers.values()) {
      if (!peer.isListenedTo || peer.heardMs === -Infinity || peer.doubt !== null) continue
      nextMs = Math.min(nextMs, peer.heardMs + this.#timings.doubtfulAfterMs)
    }
    return nextMs
  }

  tunnel(nowMs: number, name: string): Tunnel | undefined {
    const peer = this.#peers.get(name)
    if (peer === undefined) return undefined
    const { doubt, heardMs, lossIn, roundTripMs } = peer
    return { doubt, silentMs: nowMs - heardMs, roundTripMs, lossIn }
  }

  #do(work: () => void): KeepAliveEffect[] {
    this.#effects = []
    work()
    return this.#effects
  }

  /** Who is no member is not in doubt: that would be left over when it comes back. */
  #drop(nowMs: number, peer: TunnelPeer): void {
    this.#peers.delete(peer.name)
    if (peer.doubt === null) return
    const silentMs = nowMs - peer.heardMs
    this.#effects.push({ type: 'doubt', name: peer.name, reason: null, silentMs })
  }

  #round(nowMs: number): void {
    this.#counter += 1
    this.#nextRoundMs = nowMs + this.#timings.intervalMs
    this.#sentMs[this.#counter % SENT_KEPT] = nowMs
    for (const peer of this.#peers.values()) {
      if (peer.isSentTo || peer.isEnding) this.#beat(nowMs, peer)
      peer.isEnding = false
    }
  }

  #beat(nowMs: number, peer: TunnelPeer): void {
    const octets = encodeBeat({
      kind: 'beat', epoch: this.#epoch, counter: this.#counter, heardEpoch: peer.heardEpoch,
      heardCounter: peer.heardCounter, heardAgoMs: nowMs - peer.heardMs, isLast: peer.isEnding,
    })
    this.counters.beatsOut += 1
    this.#effects.push({ type: 'send', to: peer.name, octets })
  }

  #hear(nowMs: number, peer: TunnelPeer, beat: Beat): void {
    this.counters.beatsIn += 1
    this.counters.beatsLost += hearBeat(peer, nowMs, beat, this.#epoch)
    const isRecent = beat.heardEpoch === this.#epoch && beat.heardCounter > 0
      && this.#counter - beat.heardCounter < SENT_KEPT
    if (isRecent) {
      measureRoundTrip(peer, nowMs - this.#sentMs[beat.heardCounter % SENT_KEPT]!)
    }
    this.#effects.push({ type: 'heard', name: peer.name })
    this.#judge(nowMs, peer)
  }

  #takeWord(nowMs: number, peer: TunnelPeer, { names }: Doubts): void {
    this.counters.doubtsIn += 1
    const doubted = new Set(names)
    for (const other of this.#peers.values()) {
      if (doubted.has(other.name)) other.witnesses.set(peer.name, nowMs)
      else other.witnesses.delete(peer.name)
      this.#judge(nowMs, other)
    }
  }

  /** True when the answer has changed. */
  #judge(nowMs: number, peer: TunnelPeer): boolean {
    const reason = doubtOf(peer, nowMs, this.#timings)
    if (reason === peer.doubt) return false
    peer.doubt = reason
    const silentMs = nowMs - peer.heardMs
    this.#effects.push({ type: 'doubt', name: peer.name, reason, silentMs })
    return true
  }

  /** For those who do not listen themselves: where all listen to all, nobody needs it. */
  #tellDoubts(isNew: boolean): void {
    if (this.#peers.size <= this.#timings.peersMax) return
    const names = [...this.#peers.values()].filter(peer => peer.doubt === 'silent')
      .map(({ name }) => name)
    if (names.length === 0 && !isNew) return
    this.#word += 1
    const octets = encodeDoubts({ kind: 'doubts', epoch: this.#epoch, counter: this.#word, names })
    for (const peer of this.#peers.values()) {
      this.counters.doubtsOut += 1
      this.#effects.push({ type: 'send', to: peer.name, octets })
    }
  }

  /** Who did not run for a while cannot say that others were silent, and was silent itself. */
  #noticeStall(nowMs: number): void {
    const lateMs = nowMs - this.nextMs()
    if (lateMs <= this.#timings.stallMs) return
    this.counters.stalls += 1
    this.#nextRoundMs = nowMs
    for (const peer of this.#peers.values()) {
      peer.heardMs = Math.min(nowMs, peer.heardMs + lateMs)
      if (peer.isSentTo) peer.sentSinceMs = nowMs
    }
  }
}
