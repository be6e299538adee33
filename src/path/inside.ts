// hot: frames that an endpoint sends: checked, then switched to a neighbour, the tunnel, or all
import {
  arpOperation, arpSenderAddress, arpSenderMacHigh, arpSenderMacLow,
} from '../wire/arp.ts'
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, isGroupMac } from '../wire/ether.ts'
import { ipv4Source } from '../wire/ipv4.ts'
import { ipv6Word, PROTOCOL_ICMPV6 } from '../wire/ipv6.ts'
import { ndpTargetWord } from '../wire/ndp.ts'
import { answerSolicitation, switchArp } from './answer.ts'
import { answerFromPort } from './backend-answer.ts'
import {
  COUNT_TAP_IN, countFrame, DROP_MALFORMED, DROP_NO_VTEP, DROP_SOURCE_IS_GROUP,
  DROP_SPOOFED_ADDRESS, DROP_SPOOFED_MAC, DROP_TO_ITSELF,
} from './counters.ts'
import { floodPorts, floodTunnel, floodUnknown } from './flood.ts'
import { flushMany } from './flush.ts'
import { FOLDED, foldBatch } from './fold.ts'
import { flowHash, type Frame, parseFrame } from './frame.ts'
import {
  NETWORK_LEARNED_MAX, NETWORK_STRICT, NETWORK_VNI, NOWHERE, PORT_ADDRESS, PORT_BALANCED,
  PORT_LINK_LOCAL, PORT_MAC_HIGH, PORT_MAC_LOW, PORT_NETWORK, PORT_PROMISCUOUS, PORT_ROLE,
  ROLE_HOST, ROLE_PUBLISHED, STATION_PLACE,
} from './image.ts'
import { fromHost, fromPublished } from './ingress.ts'
import { findLearned, learn } from './learned.ts'
import { deliver, drop, outerTos, type Plane } from './plane.ts'
import { tunnelAlone } from './segment.ts'
import { addressFault, advertisementAt, holdsTarget } from './source.ts'
import { findMember, findStation, networkWord, portWord, stationWord } from './tables.ts'
import { fitsNetwork } from './too-large.ts'
import { toVirtual } from './virtual.ts'

/**
 * Receive one batch from the port in `slot` and send every frame where it belongs; what goes into
 * the tunnel may wait for flushAll(). Answers how many there were.
 */
export function fromPort(plane: Plane, slot: number): number {
  const port = plane.ports[slot]
  if (port === undefined) return 0
  const count = port.receive()
  const isHost = portWord(plane.tables, slot, PORT_ROLE) === ROLE_HOST
  if (count < 0) {
    plane.deadSlot = slot
    plane.deadErrno = -count
    return 0
  }
  if (count > 1 && plane.folds) foldBatch(plane, count)
  for (let i = 0; i < count; i++) {
    const at = plane.ring.at[i]!
    const lengthOctets = plane.ring.length[i]!
    if (lengthOctets === FOLDED) continue
    countFrame(plane.counters, COUNT_TAP_IN, lengthOctets)
    if (isHost) fromHost(plane, slot, at, lengthOctets)
    else switchFromPort(plane, slot, at, lengthOctets)
  }
  flushMany(plane)
  return count
}

function switchFromPort(plane: Plane, slot: number, at: number, lengthOctets: number): void {
  const { frame, tables } = plane
  const view = plane.ring.view
  const network = portWord(tables, slot, PORT_NETWORK)
  if (!parseFrame(view, at, lengthOctets, frame)) return drop(plane, DROP_MALFORMED)
  if ((frame.sourceHigh & 0x0100) !== 0) return drop(plane, DROP_SOURCE_IS_GROUP)
  if (portWord(tables, slot, PORT_PROMISCUOUS) === 0) {
    const reason = sourceFault(plane, slot, frame)
    if (reason >= 0) return drop(plane, reason)
  } else {
    const reason = promiscuousFault(plane, slot, network)
    if (reason >= 0) return drop(plane, reason)
  }
  if (!fitsNetwork(plane, slot, network)) return
  if (portWord(tables, slot, PORT_ROLE) === ROLE_PUBLISHED) {
    return fromPublished(plane, slot, network)
  }
  if (isGroupMac(view, at)) switchGroup(plane, slot, network)
  else switchUnicast(plane, slot, network)
}

/** The reason to drop what does not come from the endpoint's own addresses, or -1. */
function sourceFault(plane: Plane, slot: number, frame: Frame): number {
  const { tables } = plane
  const view = plane.ring.view
  const high = portWord(tables, slot, PORT_MAC_HIGH)
  const low = portWord(tables, slot, PORT_MAC_LOW)
  if (frame.sourceHigh !== high || frame.sourceLow !== low) return DROP_SPOOFED_MAC
  if (frame.etherType === ETHERTYPE_IPV4) {
    if (frame.ipHeaderOctets === 0) return DROP_MALFORMED
    const own = ipv4Source(view, frame.l3At) === portWord(tables, slot, PORT_ADDRESS)
    return own ? -1 : DROP_SPOOFED_ADDRESS
  }
  if (frame.etherType === ETHERTYPE_ARP) return arpFault(plane, slot, frame)
  if (frame.etherType === ETHERTYPE_IPV6) {
    if (frame.ipHeaderOctets === 0) return DROP_MALFORMED
    return isOwnLinkLocal(plane, slot, frame) ? advertisementFault(plane, slot, frame)
      : DROP_SPOOFED_ADDRESS
  }
  return -1
}

function arpFault(plane: Plane, slot: number, frame: Frame): number {
  const view = plane.ring.view
  if (arpOperation(view, frame.l3At, frame.l3Octets) < 0) return DROP_MALFORMED
  if (arpSenderMacHigh(view, frame.l3At) !== frame.sourceHigh
    || arpSenderMacLow(view, frame.l3At) !== frame.sourceLow) return DROP_SPOOFED_MAC
  const sender = arpSenderAddress(view, frame.l3At)
  // A probe before an address is taken has sender 0: RFC 5227 section 1.1.
  const own = sender === 0 || sender === portWord(plane.tables, slot, PORT_ADDRESS)
  return own ? -1 : DROP_SPOOFED_ADDRESS
}

/** Who says where an IPv6 address is says so of its own. */
function advertisementFault(plane: Plane, slot: number, frame: Frame): number {
  const view = plane.ring.view
  const at = advertisementAt(view, frame)
  if (at < 0) return -1
  if (!holdsTarget(frame, at)) return DROP_MALFORMED
  for (let i = 0; i < 4; i++) {
    const word = ndpTargetWord(view, at, i)
    if (word !== portWord(plane.tables, slot, PORT_LINK_LOCAL + i)) return DROP_SPOOFED_ADDRESS
  }
  return -1
}

/** Duplicate address detection sends from the unspecified address: RFC 4862 section 5.4.2. */
function isOwnLinkLocal(plane: Plane, slot: number, frame: Frame): boolean {
  const view = plane.ring.view
  let unspecified = true
  let own = true
  for (let i = 0; i < 4; i++) {
    const word = ipv6Word(view, frame.l3At, i)
    if (word !== 0) unspecified = false
    if (word !== portWord(plane.tables, slot, PORT_LINK_LOCAL + i)) own = false
  }
  return own || unspecified
}

/**
 * A promiscuous endpoint may send from any MAC, and what was given to nobody is learned. But in a
 * strict network it takes nothing from others.
 */
function promiscuousFault(plane: Plane, slot: number, network: number): number {
  const { frame, tables } = plane
  const station = findStation(tables, network, frame.sourceHigh, frame.sourceLow)
  if (networkWord(tables, network, NETWORK_STRICT) !== 0) {
    if (station >= 0 && stationWord(tables, station, STATION_PLACE) !== slot) {
      return DROP_SPOOFED_MAC
    }
    const fault = addressFault(plane, network, slot, true, station)
    if (fault >= 0) return fault === DROP_MALFORMED ? fault : DROP_SPOOFED_ADDRESS
  }
  if (station < 0) {
    learn(plane.learned, networkWord(tables, network, NETWORK_VNI),
      networkWord(tables, network, NETWORK_LEARNED_MAX), frame.sourceHigh, frame.sourceLow, slot, 0,
      plane.nowSeconds)
  }
  return -1
}

function switchGroup(plane: Plane, slot: number, network: number): void {
  const { frame } = plane
  if (frame.etherType === ETHERTYPE_ARP) {
    if (switchArp(plane, slot, network)) return
  } else if (frame.protocol === PROTOCOL_ICMPV6 && answerSolicitation(plane, slot, network)) return
  const sent = floodPorts(plane, slot, network, false) + floodTunnel(plane, network, false)
  if (sent === 0) drop(plane, DROP_NO_VTEP)
}

function switchUnicast(plane: Plane, slot: number, network: number): void {
  const { frame, tables } = plane
  const station = findStation(tables, network, frame.destinationHigh, frame.destinationLow)
  if (station >= 0) {
    const place = stationWord(tables, station, STATION_PLACE)
    if (place === slot) return drop(plane, DROP_TO_ITSELF)
    if (place >= 0) {
      if (portWord(tables, slot, PORT_BALANCED) !== 0) answerFromPort(plane, network)
      return deliver(plane, place, frame)
    }
    if (place < NOWHERE) return toVirtual(plane, slot, network, place)
    if (place === NOWHERE) return drop(plane, DROP_NO_VTEP)
    return tunnelAlone(plane, network, ~place, flowHash(plane.ring.view, frame),
      outerTos(plane, frame))
  }
  const entry = findLearned(plane.learned, networkWord(tables, network, NETWORK_VNI),
    frame.destinationHigh, frame.destinationLow)
  if (entry >= 0) {
    const port = plane.learned.port[entry]!
    if (port === slot) return drop(plane, DROP_TO_ITSELF)
    if (port >= 0) return deliver(plane, port, frame)
    const member = findMember(tables, network, plane.learned.address[entry]!)
    if (member >= 0) {
      return tunnelAlone(plane, network, member, flowHash(plane.ring.view, frame),
        outerTos(plane, frame))
    }
  }
  if (floodUnknown(plane, slot, network) === 0) drop(plane, DROP_NO_VTEP)
}
