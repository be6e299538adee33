// hot: where the later fragments of a translated datagram go: only the first one shows ports
//
// Fragments of one datagram hash alike, so all of them come to one worker (steering.ts). One that
// comes before the first is not kept: it is dropped, and counted.
import { hash3 } from './hash.ts'

/** Datagrams in parts that are known at one time, a power of two. */
export const FRAGMENTS_MAX = 1024
/** How long the parts of a datagram may take: net.ipv4.ipfrag_time of the kernel. */
export const FRAGMENT_SECONDS = 30

export type Fragments = Readonly<{
  kind: Int32Array
  source: Int32Array
  destination: Int32Array
  identification: Int32Array
  sinceSeconds: Int32Array
  /** What the addresses become. */
  newSource: Int32Array
  newDestination: Int32Array
  /** Id of the backend that it goes to; -1: it comes from one. */
  backend: Int32Array
}>

export function makeFragments(): Fragments {
  const list = () => new Int32Array(FRAGMENTS_MAX)
  return {
    kind: list(), source: list(), destination: list(), identification: list(),
    sinceSeconds: list(), newSource: list(), newDestination: list(), backend: list(),
  }
}

/** Note what the first fragment became. The datagram that was noted in its place is forgotten. */
export function noteFragment(t: Fragments, kind: number, source: number, destination: number,
  identification: number, newSource: number, newDestination: number, backend: number,
  nowSeconds: number): void {
  const n = placeOf(kind, source, destination, identification)
  t.kind[n] = kind
  t.source[n] = source
  t.destination[n] = destination
  t.identification[n] = identification
  t.sinceSeconds[n] = nowSeconds
  t.newSource[n] = newSource
  t.newDestination[n] = newDestination
  t.backend[n] = backend
}

/** Row of the datagram that a later fragment belongs to, or -1. */
export function findFragment(t: Fragments, kind: number, source: number, destination: number,
  identification: number, nowSeconds: number): number {
  const n = placeOf(kind, source, destination, identification)
  const isIt = t.kind[n] === kind && t.source[n] === source && t.destination[n] === destination
    && t.identification[n] === identification
    && nowSeconds - t.sinceSeconds[n]! < FRAGMENT_SECONDS
  return isIt ? n : -1
}

function placeOf(kind: number, source: number, destination: number,
  identification: number): number {
  return hash3(kind, source, destination, identification) & (FRAGMENTS_MAX - 1)
}
