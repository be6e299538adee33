// hot: datagrams of other VTEPs: checked, opened, handed to local ports, never back to the tunnel
import { ARP_REQUEST, arpOperation, arpTargetAddress } from '../wire/arp.ts'
import { ecnInner } from '../wire/ecn.ts'
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, isGroupMac } from '../wire/ether.ts'
import { setIpv4Tos } from '../wire/ipv4.ts'
import { setIpv6TrafficClass } from '../wire/ipv6.ts'
import { VXLAN_HEADER_OCTETS, vxlanHasRemoteChecksum, vxlanVni } from '../wire/vxlan.ts'
import { isAnswerFromTunnel } from './backend-answer.ts'
import { continueLatest, deliverBundled, flushBundles } from './bundle.ts'
import { clampFromTunnel, isSyn } from './clamp.ts'
import {
  COUNT_UNDERLAY_IN, countFrame, DROP_BAD_FLAGS, DROP_BAD_VNI, DROP_ECN_CONGESTION, DROP_MALFORMED,
  DROP_SOURCE_IS_GROUP, DROP_TRUNCATED, DROP_UNKNOWN_MAC, DROP_UNKNOWN_VTEP,
} from './counters.ts'
import { floodPorts } from './flood.ts'
import { type Frame, parseFrame } from './frame.ts'
import {
  MEMBER_MARKS_PARTIAL, NETWORK_LEARNED_MAX, NETWORK_SERVICES, PLACE_HOST, STATION_PLACE,
} from './image.ts'
import { noteClient, tunnelToHost } from './ingress.ts'
import { findLearned, FROM_UNDERLAY, learn } from './learned.ts'
import { prepareForPort } from './partial.ts'
import { deliver, drop, innerTos, type Plane } from './plane.ts'
import { IS_FOR_CLIENT, IS_UNKNOWN, vtepSourceFault } from './source.ts'
import {
  findMember, findNetwork, findStation, findStationByAddress, memberWord, networkWord,
  stationWord,
} from './tables.ts'

/** Receive one batch of datagrams and hand every frame to the local ports it is for. */
export function fromUnderlay(plane: Plane): number {
  const count = plane.underlay.receive()
  const { ring } = plane
  for (let i = 0; i < count; i++) {
    const lengthOctets = ring.length[i]! - VXLAN_HEADER_OCTETS
    countFrame(plane.counters, COUNT_UNDERLAY_IN, Math.max(0, lengthOctets))
    plane.source = ring.source[i]!
    plane.tos = ring.tos[i]!
    if (!continueLatest(plane, ring.at[i]!, lengthOctets)) open(plane, ring.at[i]!, lengthOctets)
  }
  flushBundles(plane)
  return count
}

function open(plane: Plane, at: number, lengthOctets: number): void {
  const { frame, tables, source, tos } = plane
  const view = plane.ring.view
  if (lengthOctets === -1 - VXLAN_HEADER_OCTETS) return drop(plane, DROP_TRUNCATED)
  if (lengthOctets < 0) return drop(plane, DROP_MALFORMED)
  const vni = vxlanVni(view, at)
  if (vni < 0) return drop(plane, DROP_BAD_FLAGS)
  const network = findNetwork(tables, vni)
  if (network < 0) return drop(plane, DROP_BAD_VNI)
  const member = findMember(tables, network, source)
  if (member < 0) return drop(plane, DROP_UNKNOWN_VTEP)
  if (!parseFrame(view, at + VXLAN_HEADER_OCTETS, lengthOctets, frame)) {
    return drop(plane, DROP_MALFORMED)
  }
  if ((frame.sourceHigh & 0x0100) !== 0) return drop(plane, DROP_SOURCE_IS_GROUP)
  const fault = vtepSourceFault(plane, network, member)
  if (fault >= 0) return drop(plane, fault)
  if ((tos & 3) !== 0 && !mergeEcn(plane, frame, tos & 3)) return drop(plane, DROP_ECN_CONGESTION)
  plane.mayBePartial = memberWord(tables, member, MEMBER_MARKS_PARTIAL) === 0
    || vxlanHasRemoteChecksum(view, at)
  if (isSyn(view, frame)) clampFromTunnel(plane, network)
  if (fault === IS_FOR_CLIENT) noteClient(plane, network)
  else if (fault === IS_UNKNOWN) {
    learn(plane.learned, vni, networkWord(tables, network, NETWORK_LEARNED_MAX), frame.sourceHigh,
      frame.sourceLow, FROM_UNDERLAY, source, plane.nowSeconds)
  }
  if (isGroupMac(view, frame.at)) toGroup(plane, network)
  else toOne(plane, network, vni)
}

/** Congestion that the outer header met is told to the inner one: RFC 6040 section 4.2. */
function mergeEcn(plane: Plane, frame: Frame, outer: number): boolean {
  if (frame.ipHeaderOctets === 0) return true
  const view = plane.ring.view
  const inner = innerTos(view, frame)
  const merged = ecnInner(inner & 3, outer)
  if (merged < 0) return false
  if (merged === (inner & 3)) return true
  const tos = (inner & 0xfc) | merged
  if (frame.etherType === ETHERTYPE_IPV4) setIpv4Tos(view, frame.l3At, tos)
  else if (frame.etherType === ETHERTYPE_IPV6) setIpv6TrafficClass(view, frame.l3At, tos)
  return true
}

function toOne(plane: Plane, network: number, vni: number): void {
  const { frame, tables } = plane
  const station = findStation(tables, network, frame.destinationHigh, frame.destinationLow)
  if (station >= 0) {
    const place = stationWord(tables, station, STATION_PLACE)
    if (place < 0) {
      if (place === PLACE_HOST) return tunnelToHost(plane, network)
      // What was given to another VTEP came here by mistake, and is nobody's here.
      return drop(plane, DROP_UNKNOWN_MAC)
    }
    if (networkWord(tables, network, NETWORK_SERVICES) === 0) return deliverBundled(plane, place)
    plane.isAnswer = isAnswerFromTunnel(plane, network)
    deliverBundled(plane, place)
    plane.isAnswer = false
    return
  }
  const entry = findLearned(plane.learned, vni, frame.destinationHigh, frame.destinationLow)
  const port = entry < 0 ? FROM_UNDERLAY : plane.learned.port[entry]!
  if (port >= 0) return deliverBundled(plane, port)
  // It may be for a machine behind a promiscuous endpoint that has not spoken yet. What was learned
  // from the underlay does not go back there: split horizon.
  prepareForPort(plane, frame, plane.mayBePartial)
  if (floodPorts(plane, -1, network, true) === 0) drop(plane, DROP_UNKNOWN_MAC)
}

function toGroup(plane: Plane, network: number): void {
  const { frame, tables } = plane
  prepareForPort(plane, frame, plane.mayBePartial)
  if (frame.etherType === ETHERTYPE_ARP) {
    const view = plane.ring.view
    const asked = arpOperation(view, frame.l3At, frame.l3Octets) === ARP_REQUEST
      ? findStationByAddress(tables, network, arpTargetAddress(view, frame.l3At)) : -1
    const place = asked < 0 ? -1 : stationWord(tables, asked, STATION_PLACE)
    // Only the endpoint that is asked for needs to see the question.
    if (place >= 0) return deliver(plane, place, frame)
  }
  if (floodPorts(plane, -1, network, false) === 0) drop(plane, DROP_UNKNOWN_MAC)
}
