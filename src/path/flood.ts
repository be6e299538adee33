// hot: frames for several: copied to local ports, and sent to VTEPs by head-end replication
import { COUNT_FLOODED } from './counters.ts'
import { flowHash } from './frame.ts'
import {
  MEMBER_PROMISCUOUS, NETWORK_FIRST_MEMBER, NETWORK_FIRST_PORT, NETWORK_MEMBERS, NETWORK_PORTS,
  NETWORK_STRICT, PORT_PROMISCUOUS,
} from './image.ts'
import { deliver, outerTos, type Plane } from './plane.ts'
import { tunnel } from './segment.ts'
import { listedSlot, memberWord, networkWord, portWord } from './tables.ts'

/**
 * Send plane.frame, whose receiver nobody knows, wherever that may be: behind a promiscuous port or
 * VTEP, and where not all is given, behind any VTEP. Answers to how many it went.
 */
export function floodUnknown(plane: Plane, from: number, network: number): number {
  const isStrict = networkWord(plane.tables, network, NETWORK_STRICT) !== 0
  return floodPorts(plane, from, network, true) + floodTunnel(plane, network, isStrict)
}

/** Copy plane.frame to the other local ports: all, or the promiscuous ones only. */
export function floodPorts(plane: Plane, from: number, network: number,
  promiscuous: boolean): number {
  const { frame, tables } = plane
  const first = networkWord(tables, network, NETWORK_FIRST_PORT)
  const end = first + networkWord(tables, network, NETWORK_PORTS)
  let sent = 0
  for (let n = first; n < end; n++) {
    const slot = listedSlot(tables, n)
    if (slot === from) continue
    if (promiscuous && portWord(tables, slot, PORT_PROMISCUOUS) === 0) continue
    deliver(plane, slot, frame)
    sent += 1
  }
  return sent
}

/** One datagram to every VTEP of the network, or to the promiscuous ones; none of them a copy. */
export function floodTunnel(plane: Plane, network: number, promiscuous: boolean): number {
  const { frame, tables } = plane
  const members = networkWord(tables, network, NETWORK_MEMBERS)
  if (members === 0) return 0
  const first = networkWord(tables, network, NETWORK_FIRST_MEMBER)
  const flow = flowHash(plane.ring.view, frame)
  const tos = outerTos(plane, frame)
  let sent = 0
  for (let member = first; member < first + members; member++) {
    if (promiscuous && memberWord(tables, member, MEMBER_PROMISCUOUS) === 0) continue
    tunnel(plane, network, member, flow, tos)
    sent += 1
  }
  plane.counters[COUNT_FLOODED]! += sent
  return sent
}
