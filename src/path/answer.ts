// hot: questions for a neighbour's MAC, answered from what the control plane has given
import { VNET_HEADER_OCTETS } from '../kernel/ring.ts'
import {
  ARP_REQUEST, arpOperation, arpSenderAddress, arpTargetAddress, turnArpIntoReply,
} from '../wire/arp.ts'
import { ETHER_HEADER_OCTETS, writeEtherHeader } from '../wire/ether.ts'
import { IPV6_SOURCE, ipv6Word, linkLocalMacHigh, linkLocalMacLow } from '../wire/ipv6.ts'
import {
  isNeighbourSolicitation, NDP_TARGET, ndpTargetWord, writeNeighbourAdvertisement,
} from '../wire/ndp.ts'
import {
  COUNT_ARP_ANSWERED, COUNT_NDP_ANSWERED, DROP_NO_VTEP, DROP_UNKNOWN_ADDRESS,
} from './counters.ts'
import { floodUnknown } from './flood.ts'
import { NETWORK_STRICT, NOWHERE, STATION_KEY, STATION_MAC_LOW, STATION_PLACE } from './image.ts'
import { deliver, drop, type Plane, sendTo } from './plane.ts'
import { findStation, findStationByAddress, networkWord, stationWord } from './tables.ts'

/**
 * Answer an ARP request for an address that was given to somebody else, so that the question goes
 * no further. Where all is given, one for an unknown address is asked only where unknown machines
 * may be. Answers false when plane.frame is to be flooded as any other.
 */
export function switchArp(plane: Plane, slot: number, network: number): boolean {
  const { frame, tables } = plane
  const view = plane.ring.view
  if (arpOperation(view, frame.l3At, frame.l3Octets) !== ARP_REQUEST) return false
  const target = arpTargetAddress(view, frame.l3At)
  const owner = findStationByAddress(tables, network, target)
  if (owner < 0) {
    if (networkWord(tables, network, NETWORK_STRICT) === 0) return false
    // "I have this address" is no question: RFC 5227 section 3.
    if (arpSenderAddress(view, frame.l3At) === target) return false
    if (floodUnknown(plane, slot, network) === 0) drop(plane, DROP_UNKNOWN_ADDRESS)
    return true
  }
  const place = stationWord(tables, owner, STATION_PLACE)
  if (place === slot) return false
  if (place === NOWHERE) {
    drop(plane, DROP_NO_VTEP)
    return true
  }
  turnArpIntoReply(view, frame.at, frame.l3At, stationWord(tables, owner, STATION_KEY) & 0xffff,
    stationWord(tables, owner, STATION_MAC_LOW))
  deliver(plane, slot, frame)
  plane.counters[COUNT_ARP_ANSWERED]! += 1
  return true
}

/**
 * Answer a neighbour solicitation for the link-local address of somebody else's MAC. A node that
 * asks whether its own address is free (RFC 4862 section 5.4.2) asks from no address, and gets no
 * answer. Answers false when plane.frame, which is ICMPv6, is to be flooded as any other.
 */
export function answerSolicitation(plane: Plane, slot: number, network: number): boolean {
  const { frame, tables } = plane
  const view = plane.ring.view
  const { l3At, l4At } = frame
  if (!isNeighbourSolicitation(view, l3At, l4At, frame.l4Octets)) return false
  const isUnspecified = (ipv6Word(view, l3At, 0) | ipv6Word(view, l3At, 1)
    | ipv6Word(view, l3At, 2) | ipv6Word(view, l3At, 3)) === 0
  if (isUnspecified) return false
  const high = linkLocalMacHigh(ndpTargetWord(view, l4At, 0), ndpTargetWord(view, l4At, 1),
    ndpTargetWord(view, l4At, 2), ndpTargetWord(view, l4At, 3))
  if (high < 0) return false
  const low = linkLocalMacLow(ndpTargetWord(view, l4At, 2), ndpTargetWord(view, l4At, 3))
  const owner = findStation(tables, network, high, low)
  const place = owner < 0 ? NOWHERE : stationWord(tables, owner, STATION_PLACE)
  if (place === slot || place <= NOWHERE) return false
  const at = plane.scratch + VNET_HEADER_OCTETS
  plane.ring.octets.fill(0, plane.scratch, at)
  writeEtherHeader(view, at, frame.sourceHigh, frame.sourceLow, high, low, frame.etherType)
  // VLAN tags of the question, so that the answer comes back in the same VLAN.
  const headOctets = l3At - frame.at
  for (let i = ETHER_HEADER_OCTETS - 2; i < headOctets; i++) {
    plane.ring.octets[at + i] = plane.ring.octets[frame.at + i]!
  }
  const octets = writeNeighbourAdvertisement(view, at + headOctets, l4At + NDP_TARGET,
    l3At + IPV6_SOURCE, high, low)
  sendTo(plane, slot, at, headOctets + octets)
  plane.counters[COUNT_NDP_ANSWERED]! += 1
  return true
}
