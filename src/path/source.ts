// hot: what a VTEP may send from. The control plane gives MACs and addresses to endpoints, and no
// frame takes one away: not in any network, and in a strict one (those of a cluster) nobody sends
// from what was not given, but from behind a promiscuous endpoint.
import {
  arpOperation, arpSenderAddress, arpSenderMacHigh, arpSenderMacLow,
} from '../wire/arp.ts'
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/ether.ts'
import { ipv4Source, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.ts'
import {
  IPV6_SOURCE, ipv6Upper, linkLocalMacHigh, linkLocalMacLow, PROTOCOL_ICMPV6,
} from '../wire/ipv6.ts'
import { isNeighbourAdvertisement, NDP_OCTETS, NDP_TARGET } from '../wire/ndp.ts'
import {
  DROP_MALFORMED, DROP_SOURCE_IS_LOCAL, DROP_UNKNOWN_SOURCE, DROP_WRONG_VTEP,
} from './counters.ts'
import type { Frame } from './frame.ts'
import {
  MEMBER_PROMISCUOUS, NETWORK_INGRESS, NETWORK_STRICT, STATION_ADDRESS, STATION_PLACE,
} from './image.ts'
import type { Plane } from './plane.ts'
import {
  findStation, findStationByAddress, isBalanced, memberWord, networkWord, stationWord,
  type Tables,
} from './tables.ts'

/** The source MAC was given to who sends from it. */
export const IS_GIVEN = -1
/** The source MAC was given to nobody, and may be learned. */
export const IS_UNKNOWN = -2
/** It comes from a node, in the name of a client that has asked it for a published port. */
export const IS_FOR_CLIENT = -3

/**
 * The reason to drop plane.frame, which came from `member`; else IS_GIVEN, IS_UNKNOWN or
 * IS_FOR_CLIENT. Whose MAC it has is left in plane.sourceStation.
 */
export function vtepSourceFault(plane: Plane, network: number, member: number): number {
  const { frame, tables } = plane
  const station = findStation(tables, network, frame.sourceHigh, frame.sourceLow)
  plane.sourceStation = station
  if (networkWord(tables, network, NETWORK_STRICT) === 0) {
    return station < 0 ? IS_UNKNOWN : ownerFault(tables, ~member, false, station)
  }
  const isPromiscuous = memberWord(tables, member, MEMBER_PROMISCUOUS) !== 0
  let fault = ownerFault(tables, ~member, isPromiscuous, station)
  if (fault < 0) fault = addressFault(plane, network, ~member, isPromiscuous, station)
  if (fault < 0) return station < 0 ? IS_UNKNOWN : fault
  return fault === DROP_UNKNOWN_SOURCE && isNode(plane, network, station) ? IS_FOR_CLIENT : fault
}

/** Whether plane.frame is IPv4 of a node itself: what backends are not is a node, in ingress. */
function isNode(plane: Plane, network: number, station: number): boolean {
  const { frame, tables } = plane
  return networkWord(tables, network, NETWORK_INGRESS) === 1 && station >= 0
    && frame.etherType === ETHERTYPE_IPV4 && !isBalanced(tables, station)
}

/**
 * The reason to drop plane.frame for the address that it says it is from, or -1.
 * @param place          where it came from: slot of a port, or ~member
 * @param isPromiscuous  who is there may send from what was given to nobody
 * @param station        of its source MAC, or -1
 */
export function addressFault(plane: Plane, network: number, place: number, isPromiscuous: boolean,
  station: number): number {
  const { frame, tables } = plane
  const view = plane.ring.view
  if (frame.etherType === ETHERTYPE_IPV4) {
    if (frame.ipHeaderOctets === 0) return DROP_MALFORMED
    const address = ipv4Source(view, frame.l3At)
    if (station >= 0 && stationWord(tables, station, STATION_ADDRESS) === address) return -1
    return ownerFault(tables, place, isPromiscuous, findStationByAddress(tables, network, address))
  }
  if (frame.etherType === ETHERTYPE_ARP) {
    return arpFault(plane, network, place, isPromiscuous, station)
  }
  if (frame.etherType === ETHERTYPE_IPV6) return ipv6Fault(plane, network, place, isPromiscuous)
  return -1
}

/** Who sends from `place` has the station, or it is nobody's (-1) and may be used from there. */
function ownerFault(tables: Tables, place: number, isPromiscuous: boolean,
  station: number): number {
  if (station < 0) return isPromiscuous ? -1 : DROP_UNKNOWN_SOURCE
  const owner = stationWord(tables, station, STATION_PLACE)
  if (owner === place) return -1
  return owner >= 0 ? DROP_SOURCE_IS_LOCAL : DROP_WRONG_VTEP
}

function arpFault(plane: Plane, network: number, place: number, isPromiscuous: boolean,
  station: number): number {
  const { frame, tables } = plane
  const view = plane.ring.view
  const at = frame.l3At
  if (arpOperation(view, at, frame.l3Octets) < 0) return DROP_MALFORMED
  const high = arpSenderMacHigh(view, at)
  const low = arpSenderMacLow(view, at)
  if (high !== frame.sourceHigh || low !== frame.sourceLow) {
    const fault = ownerFault(tables, place, isPromiscuous, findStation(tables, network, high, low))
    if (fault >= 0) return fault
  }
  const sender = arpSenderAddress(view, at)
  // A probe before an address is taken has sender 0: RFC 5227 section 1.1.
  if (sender === 0) return -1
  if (station >= 0 && stationWord(tables, station, STATION_ADDRESS) === sender) return -1
  return ownerFault(tables, place, isPromiscuous, findStationByAddress(tables, network, sender))
}

function ipv6Fault(plane: Plane, network: number, place: number, isPromiscuous: boolean): number {
  const { frame } = plane
  const view = plane.ring.view
  const at = frame.l3At
  if (frame.ipHeaderOctets === 0) return DROP_MALFORMED
  const fault = ipv6AddressFault(plane, network, place, isPromiscuous, at + IPV6_SOURCE)
  if (fault >= 0) return fault
  const advertisement = advertisementAt(view, frame)
  if (advertisement < 0) return -1
  if (!holdsTarget(frame, advertisement)) return DROP_MALFORMED
  return ipv6AddressFault(plane, network, place, isPromiscuous, advertisement + NDP_TARGET)
}

/** A link-local address is given with the MAC that it is made of; no other is given to anybody. */
function ipv6AddressFault(plane: Plane, network: number, place: number, isPromiscuous: boolean,
  at: number): number {
  const { frame, tables } = plane
  const view = plane.ring.view
  const word0 = view.getInt32(at)
  const word1 = view.getInt32(at + 4)
  const word2 = view.getInt32(at + 8)
  const word3 = view.getInt32(at + 12)
  const high = linkLocalMacHigh(word0, word1, word2, word3)
  if (high >= 0) {
    const low = linkLocalMacLow(word2, word3)
    if (high === frame.sourceHigh && low === frame.sourceLow) return -1
    return ownerFault(tables, place, isPromiscuous, findStation(tables, network, high, low))
  }
  // Duplicate address detection sends from the unspecified address: RFC 4862 section 5.4.2.
  const isUnspecified = (word0 | word1 | word2 | word3) === 0
  return isUnspecified || isPromiscuous ? -1 : DROP_UNKNOWN_SOURCE
}

/**
 * Where the neighbour advertisement in `frame`, which is well-formed IPv6, begins, or -1. It says
 * "this address is at this MAC", as ARP does, so who may send it is looked at in the same way.
 */
export function advertisementAt(view: DataView, frame: Frame): number {
  let at = frame.l4At
  if (frame.protocol !== PROTOCOL_ICMPV6) {
    if (frame.protocol === PROTOCOL_TCP || frame.protocol === PROTOCOL_UDP) return -1
    const upper = ipv6Upper(view, frame.l3At, frame.l4Octets)
    if (upper < 0 || (upper & 0xff) !== PROTOCOL_ICMPV6) return -1
    at = frame.l3At + (upper >> 8)
  }
  const octets = frame.l4At + frame.l4Octets - at
  return isNeighbourAdvertisement(view, at, octets) ? at : -1
}

/** Whether the advertisement at `at` is long enough to have a target. */
export function holdsTarget(frame: Frame, at: number): boolean {
  return frame.l4At + frame.l4Octets - at >= NDP_OCTETS
}
