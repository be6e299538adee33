// What the probing of a path is told, and what it shows.
import type { RoundTripView } from './path-round-trip.ts'

/** What became of a probe. */
export type PathAnswer =
  | Readonly<{ type: 'reply'; sequence: number; rttMs: number }>
  /** `mtuOctets`: what would pass there, 0 when the router did not say. */
  | Readonly<{ type: 'too-large'; sequence: number; mtuOctets: number }>
  /** Longer than the MTU of the own device. */
  | Readonly<{ type: 'too-large-here'; sequence: number }>
  | Readonly<{ type: 'unreachable'; sequence: number }>
  | Readonly<{ type: 'expired'; sequence: number }>
  | Readonly<{ type: 'refused'; sequence: number }>

export type PathView = RoundTripView & Readonly<{
  member: string
  /** IPv4, as base/text.ts has it */
  address: number
  /** Null: not known yet. */
  pathMtuOctets: number | null
  /** Whether the MTU is being searched for at this moment. */
  searching: boolean
  /** What the last small probe met: silence is "lost". Null before the first. */
  last: 'reply' | 'lost' | 'too-large' | 'too-large-here' | 'unreachable' | 'expired' | 'refused'
    | null
}>
