// One tunnel to another member, as keep-alives see it: when it was heard, whether it hears us, how
// much gets lost, and what others say of it.
import type { Beat } from './keepalive-message.ts'
import { ReplayWindow } from './replay-window.ts'

export type KeepAliveTimings = Readonly<{
  intervalMs: number
  /** Three intervals and some time for what is on its way. */
  doubtfulAfterMs: number
  /** Others to whom messages go; all of them in a cluster that is not larger. */
  peersMax: number
  /** A word of others holds so long, and so many are needed. */
  witnessMs: number
  witnesses: number
  /** A tick that is later than this was not late: this process stood still. */
  stallMs: number
}>

export const KEEP_ALIVE_TIMINGS: KeepAliveTimings = Object.freeze({
  intervalMs: 300, doubtfulAfterMs: 950, peersMax: 16, witnessMs: 2000, witnesses: 2, stallMs: 250,
})

/**
 * - silent: nothing is heard from it
 * - deaf: it says that it hears nothing from us
 * - reported: others hear nothing from it, and we do not listen to it ourselves
 */
export type DoubtReason = 'silent' | 'deaf' | 'reported'

export type TunnelPeer = {
  readonly name: string
  isSentTo: boolean
  isListenedTo: boolean
  /** The next message to it is the last. */
  isEnding: boolean
  /** Since when it is sent to; counted anew when one of us began anew. */
  sentSinceMs: number
  /** When it was heard last, -Infinity for never, and as which boot and message of its. */
  heardMs: number
  heardEpoch: number
  heardCounter: number
  /** How long ago it had heard us, when it last spoke. */
  heardUsAgoMs: number
  /** Smoothed; null until it was measured. */
  roundTripMs: number | null
  lossIn: number
  readonly beats: ReplayWindow
  readonly words: ReplayWindow
  /** Who doubts it, and when that was said. */
  readonly witnesses: Map<string, number>
  doubt: DoubtReason | null
}

/** A new round trip counts for this part of the smoothed one: RFC 6298 section 2.3, alpha. */
const ROUND_TRIP_PART = 1 / 8
/** One message, come or lost, counts for this part of the loss. */
const LOSS_PART = 1 / 32
/** A gap that is longer is no loss: nobody was speaking. */
const GAP_MAX = 64

export function makeTunnelPeer(name: string): TunnelPeer {
  return {
    name, isSentTo: false, isListenedTo: false, isEnding: false, sentSinceMs: Infinity,
    heardMs: -Infinity, heardEpoch: 0, heardCounter: 0, heardUsAgoMs: 0, roundTripMs: null,
    lossIn: 0,
    beats: new ReplayWindow(), words: new ReplayWindow(), witnesses: new Map(), doubt: null,
  }
}

/** Takes a message that is no replay. Answers how many before it are missing. */
export function hearBeat(peer: TunnelPeer, nowMs: number, beat: Beat, ownEpoch: number): number {
  const isSameBoot = beat.epoch === peer.heardEpoch
  const isLate = isSameBoot && beat.counter < peer.heardCounter
  if (isLate) return 0
  const gap = beat.counter - peer.heardCounter - 1
  const lost = isSameBoot && peer.heardMs > -Infinity && gap <= GAP_MAX ? gap : 0
  for (let i = 0; i < lost; i += 1) peer.lossIn += (1 - peer.lossIn) * LOSS_PART
  peer.lossIn -= peer.lossIn * LOSS_PART
  if (!isSameBoot && peer.isSentTo) peer.sentSinceMs = nowMs
  peer.heardMs = beat.isLast ? -Infinity : nowMs
  peer.heardEpoch = beat.epoch
  peer.heardCounter = beat.counter
  peer.heardUsAgoMs = beat.heardEpoch === ownEpoch ? beat.heardAgoMs : Infinity
  return lost
}

/** @param sinceSentMs from our message that it last heard to now */
export function measureRoundTrip(peer: TunnelPeer, sinceSentMs: number): void {
  const roundTripMs = sinceSentMs - peer.heardUsAgoMs
  if (!(roundTripMs >= 0)) return
  const before = peer.roundTripMs ?? roundTripMs
  peer.roundTripMs = before + (roundTripMs - before) * ROUND_TRIP_PART
}

/** Why traffic should not go there; null for no reason. */
export function doubtOf(peer: TunnelPeer, nowMs: number,
  timings: KeepAliveTimings): DoubtReason | null {
  const { doubtfulAfterMs, witnessMs } = timings
  const isHeard = peer.heardMs > -Infinity
  if (peer.isListenedTo && isHeard && nowMs >= peer.heardMs + doubtfulAfterMs) return 'silent'
  const isSettled = nowMs - peer.sentSinceMs >= 2 * doubtfulAfterMs
  const isDeaf = peer.isSentTo && peer.isListenedTo && isHeard && isSettled
    && peer.heardUsAgoMs >= doubtfulAfterMs
  if (isDeaf) return 'deaf'
  if (peer.isListenedTo && isHeard) return null
  for (const [name, saidMs] of peer.witnesses) {
    if (nowMs - saidMs > witnessMs) peer.witnesses.delete(name)
  }
  return peer.witnesses.size >= timings.witnesses ? 'reported' : null
}

/**
 * With whom tunnels are kept up: the next in the ring of names are sent to, those before listened
 * to; with everybody when there are not more.
 */
export function neighbours(self: string, others: readonly string[], peersMax: number):
Readonly<{ sentTo: ReadonlySet<string>; listenedTo: ReadonlySet<string> }> {
  const after = others.filter(name => name > self).sort()
  const before = others.filter(name => name < self).sort()
  const ring = [...after, ...before]
  return {
    sentTo: new Set(ring.slice(0, peersMax)),
    listenedTo: new Set(ring.slice(Math.max(0, ring.length - peersMax))),
  }
}
