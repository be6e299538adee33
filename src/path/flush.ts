// hot: frames of local ports that wait to be sent through the tunnel
//
// All that a breath reads from the ports is sent at its end, so that frames of several endpoints
// share a system call, and a train. What is much is sent at once: then nothing would be shared, and
// it is to leave the cache of the processor before more comes.
import { VXLAN_HEADER_OCTETS } from '../wire/vxlan.ts'
import {
  COUNT_UNDERLAY_OUT, DROP_UNDERLAY_FULL, DROP_UNDERLAY_REFUSED, DROP_UNDERLAY_TOO_LARGE,
  DROP_UNDERLAY_UNREACHABLE,
} from './counters.ts'
import {
  EAGAIN, EHOSTUNREACH, EMSGSIZE, ENETDOWN, ENETUNREACH, ENOBUFS, ENOMEM,
} from './errno.ts'
import type { Plane } from './plane.ts'

/** Octets of frames, with the room between them, that may wait for the end of a breath. */
const WAITING_OCTETS_MAX = 16_384

/** Behind a batch of a port: send what waits when it is much. */
export function flushMany(plane: Plane): void {
  if (plane.ring.taken[0]! > WAITING_OCTETS_MAX) flushAll(plane)
}

/** Send what waits; of no port a frame is needed any more. */
export function flushAll(plane: Plane): void {
  flush(plane)
  plane.ring.taken[0] = 0
}

/** Send what was queued, and count what the kernel refused under its reason. */
export function flush(plane: Plane): void {
  plane.underlay.flush()
  plane.headsUsed = 0
  const refused = plane.underlay.refused
  if (refused[0] === plane.refusedSeen) return
  const datagrams = refused[0]! - plane.refusedSeen
  const octets = plane.underlay.refusedOctets[0]! - plane.refusedOctetsSeen
  plane.counters[COUNT_UNDERLAY_OUT]! -= datagrams
  plane.counters[COUNT_UNDERLAY_OUT + 1]! -= octets - datagrams * VXLAN_HEADER_OCTETS
  plane.refusedSeen += datagrams
  plane.refusedOctetsSeen += octets
  const full = refused[EAGAIN]! + refused[ENOBUFS]! + refused[ENOMEM]!
  const unreachable = refused[ENETUNREACH]! + refused[EHOSTUNREACH]! + refused[ENETDOWN]!
  plane.counters[DROP_UNDERLAY_FULL] = full
  plane.counters[DROP_UNDERLAY_UNREACHABLE] = unreachable
  plane.counters[DROP_UNDERLAY_TOO_LARGE] = refused[EMSGSIZE]!
  plane.counters[DROP_UNDERLAY_REFUSED] = refused[0]! - full - unreachable - refused[EMSGSIZE]!
}
