// hot: answers of backends, on the node of the client: they come from the virtual address again
//
// A backend answers the client itself, whose address it was shown, so its frames are like all
// others on their way, and pass the same checks of their source. Only here, where the flow is
// known, they are changed. From the tunnel that happens behind the bundling: once for a bundle.
import { ETHERTYPE_IPV4, ETHER_SOURCE, writeMac } from '../wire/ether.ts'
import { icmpIsError, icmpType } from '../wire/icmp.ts'
import {
  ipv4Destination, ipv4FragmentOffset, ipv4Identification, ipv4Protocol, ipv4Source,
  PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP,
} from '../wire/ipv4.ts'
import {
  quotedIsWhole, quotedPortsAt, quotedProtocol, quotedSource, quotedDestination, rewriteIpv4,
  rewriteQuoted, swapPorts,
} from '../wire/rewrite.ts'
import { TCP_HEADER_OCTETS, tcpFlags } from '../wire/tcp.ts'
import { UDP_HEADER_OCTETS } from '../wire/udp.ts'
import { DROP_VIP_NO_FLOW } from './counters.ts'
import { keepsBackend } from './flow-age.ts'
import { FLOW_CLIENT, FLOW_PORTS, FLOW_VIRTUAL } from './flow-memory.ts'
import { findReply, flowWord, NO_FLOW } from './flow-table.ts'
import { touchFlow, trackReply } from './flow-track.ts'
import { findFragment, noteFragment } from './fragments.ts'
import { flowHash, type Frame } from './frame.ts'
import { NETWORK_VNI, NOWHERE, STATION_KEY, STATION_MAC_LOW, STATION_PLACE } from './image.ts'
import { isPartial } from './partial.ts'
import { deliver, drop, outerTos, type Plane } from './plane.ts'
import { tunnelAlone } from './segment.ts'
import { VIRTUAL_MAC_HIGH } from './service-image.ts'
import { findStationByAddress, isBalanced, networkWord, stationWord } from './tables.ts'

const FROM_BACKEND = -1

/** What flows of this protocol in this network have in common. */
export function kindOf(plane: Plane, network: number, protocol: number): number {
  return protocol << 24 | networkWord(plane.tables, network, NETWORK_VNI)
}

/** Protocol of a packet that shows ports, first fragments too; -1 of any other. */
export function portedProtocol(view: DataView, frame: Frame): number {
  if (ipv4FragmentOffset(view, frame.l3At) !== 0) return -1
  const protocol = ipv4Protocol(view, frame.l3At)
  if (protocol === PROTOCOL_TCP) return frame.l4Octets < TCP_HEADER_OCTETS ? -1 : protocol
  return protocol === PROTOCOL_UDP && frame.l4Octets >= UDP_HEADER_OCTETS ? protocol : -1
}

/** A frame of a backend of this host for a client of this host. */
export function answerFromPort(plane: Plane, network: number): void {
  const { frame } = plane
  if (frame.etherType !== ETHERTYPE_IPV4) return
  if (findAnswer(plane, network)) applyAnswer(plane, frame, isPartial(plane.ring.view, frame))
}

/** Whether plane.frame, from a station behind the tunnel, is to be changed when it is delivered. */
export function isAnswerFromTunnel(plane: Plane, network: number): boolean {
  const { frame, sourceStation } = plane
  return sourceStation >= 0 && isBalanced(plane.tables, sourceStation)
    && frame.etherType === ETHERTYPE_IPV4 && frame.ipHeaderOctets !== 0
    && findAnswer(plane, network)
}

/** A frame for the gateway: a backend answers a flow that was begun in the gateway's name. */
export function answerToGateway(plane: Plane, network: number): void {
  const { frame } = plane
  if (!findAnswer(plane, network)) return drop(plane, DROP_VIP_NO_FLOW)
  applyAnswer(plane, frame, isPartial(plane.ring.view, frame))
  sendToClient(plane, network)
}

function sendToClient(plane: Plane, network: number): void {
  const { frame, tables } = plane
  const view = plane.ring.view
  const station = findStationByAddress(tables, network, ipv4Destination(view, frame.l3At))
  const place = station < 0 ? NOWHERE : stationWord(tables, station, STATION_PLACE)
  if (place <= NOWHERE) return drop(plane, DROP_VIP_NO_FLOW)
  writeMac(view, frame.at, stationWord(tables, station, STATION_KEY) & 0xffff,
    stationWord(tables, station, STATION_MAC_LOW))
  if (place >= 0) return deliver(plane, place, frame)
  tunnelAlone(plane, network, ~place, flowHash(view, frame), outerTos(plane, frame))
}

/**
 * Whether plane.frame, IPv4, belongs to a flow of a client: then plane.answerSource and its
 * neighbours say what it becomes.
 */
export function findAnswer(plane: Plane, network: number): boolean {
  const { flows, frame } = plane
  const view = plane.ring.view
  const { l3At } = frame
  const protocol = portedProtocol(view, frame)
  const source = ipv4Source(view, l3At)
  const destination = ipv4Destination(view, l3At)
  if (protocol < 0) return findAnswerOfPart(plane, network, source, destination)
  const kind = kindOf(plane, network, protocol)
  const flow = findReply(flows, kind, source, destination, view.getInt32(frame.l4At))
  if (flow === NO_FLOW || !keepsBackend(flows, flow, plane.tables)) return false
  if (protocol === PROTOCOL_UDP) touchFlow(flows, flow, plane.nowSeconds)
  else if (!trackReply(flows, flow, tcpFlags(view, frame.l4At), plane.nowSeconds)) return false
  plane.answerSource = flowWord(flows, flow, FLOW_VIRTUAL)
  plane.answerDestination = flowWord(flows, flow, FLOW_CLIENT)
  plane.answerPorts = swapPorts(flowWord(flows, flow, FLOW_PORTS))
  if (frame.protocol < 0) {
    noteFragment(plane.fragments, kind, source, destination, ipv4Identification(view, l3At),
      plane.answerSource, plane.answerDestination, FROM_BACKEND, plane.nowSeconds)
  }
  return true
}

/** As findAnswer(), of what shows no ports: a later fragment, or an error, changed in part here. */
function findAnswerOfPart(plane: Plane, network: number, source: number,
  destination: number): boolean {
  const { fragments, frame } = plane
  const view = plane.ring.view
  const protocol = ipv4Protocol(view, frame.l3At)
  if (frame.protocol >= 0) {
    return protocol === PROTOCOL_ICMP && findAnswerOfError(plane, network, source)
  }
  const row = findFragment(fragments, kindOf(plane, network, protocol), source, destination,
    ipv4Identification(view, frame.l3At), plane.nowSeconds)
  if (row < 0) return false
  plane.answerSource = fragments.newSource[row]!
  plane.answerDestination = fragments.newDestination[row]!
  return true
}

/** An ICMP error about what was sent to a backend: what it quotes is what the client sent. */
function findAnswerOfError(plane: Plane, network: number, source: number): boolean {
  const { flows, frame } = plane
  const view = plane.ring.view
  const { l4At } = frame
  if (frame.l4Octets < 8 || !icmpIsError(icmpType(view, l4At))
    || !quotedIsWhole(view, l4At, frame.l4Octets)) return false
  const backend = quotedDestination(view, l4At)
  const ports = swapPorts(view.getInt32(quotedPortsAt(view, l4At)))
  const flow = findReply(flows, kindOf(plane, network, quotedProtocol(view, l4At)), backend,
    quotedSource(view, l4At), ports)
  if (flow === NO_FLOW || !keepsBackend(flows, flow, plane.tables)) return false
  const client = flowWord(flows, flow, FLOW_CLIENT)
  const virtual = flowWord(flows, flow, FLOW_VIRTUAL)
  rewriteQuoted(view, l4At, frame.l4Octets, client, virtual, flowWord(flows, flow, FLOW_PORTS))
  plane.answerSource = source === backend ? virtual : source
  plane.answerDestination = client
  return true
}

/** Change `frame` to what findAnswer() found. Its virtio header has been written. */
export function applyAnswer(plane: Plane, frame: Frame, isPartialNow: boolean): void {
  const view = plane.ring.view
  if (plane.answerSource !== ipv4Source(view, frame.l3At)) {
    writeMac(view, frame.at + ETHER_SOURCE, VIRTUAL_MAC_HIGH, plane.answerSource)
  }
  rewriteIpv4(view, frame.l3At, frame.l4At, frame.l4Octets, portedProtocol(view, frame),
    plane.answerSource, plane.answerDestination, plane.answerPorts, isPartialNow)
}
