// hot: frames for a virtual address, on the node of the client: they go to a backend of its service
//
// The backend sees the client's own address, so its answer comes to this node by itself: see
// backend-answer.ts. Only where a task meets itself it is shown the gateway, or it would answer
// itself without us.
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHER_SOURCE, writeMac } from '../wire/ether.ts'
import { ICMP_ECHO_REQUEST, icmpIsError, icmpType } from '../wire/icmp.ts'
import {
  ipv4Destination, ipv4FragmentOffset, ipv4Identification, ipv4Protocol, ipv4Source,
  PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP,
} from '../wire/ipv4.ts'
import {
  quotedDestination, quotedIsWhole, quotedPortsAt, quotedProtocol, quotedSource, rewriteIpv4,
  rewriteQuoted, swapPorts,
} from '../wire/rewrite.ts'
import { tcpFlags } from '../wire/tcp.ts'
import { switchArp } from './answer.ts'
import { answerToGateway, kindOf, portedProtocol } from './backend-answer.ts'
import {
  DROP_MALFORMED, DROP_NO_VTEP, DROP_VIP_FRAGMENT, DROP_VIP_NO_BACKEND, DROP_VIP_NO_FLOW,
  DROP_VIP_PROTOCOL,
} from './counters.ts'
import { keepsBackend } from './flow-age.ts'
import { beginFlow } from './flow-begin.ts'
import {
  FLOW_BACKEND, FLOW_BACKEND_ID, FLOW_CLIENT, FLOW_REPLY_PORTS, FLOW_SOURCE,
} from './flow-memory.ts'
import { findForward, flowWord, NO_FLOW } from './flow-table.ts'
import { touchFlow, trackForward } from './flow-track.ts'
import { findFragment, noteFragment } from './fragments.ts'
import { flowHash } from './frame.ts'
import { NETWORK_GATEWAY, NOWHERE, PLACE_FIRST_SERVICE } from './image.ts'
import { isPartial } from './partial.ts'
import { deliver, drop, outerTos, type Plane } from './plane.ts'
import { takesFlows } from './schedule.ts'
import { tunnelAlone } from './segment.ts'
import {
  BACKEND_MAC_HIGH, BACKEND_MAC_LOW, BACKEND_PLACE, SERVICE_ADDRESS, VIRTUAL_MAC_HIGH,
} from './service-image.ts'
import { backendWord, findBackend, networkWord, serviceWord } from './tables.ts'
import { answerEcho, answerUnreachable } from './virtual-answer.ts'

/** In the place of a service: it follows from the port that was asked; see ingress.ts. */
export const FROM_HOST = -1

/** plane.frame comes from the port in `slot`, and is for the virtual station at `place`. */
export function toVirtual(plane: Plane, slot: number, network: number, place: number): void {
  const { frame, tables } = plane
  const view = plane.ring.view
  // A kernel asks anew for a MAC that it knows, and asks that MAC.
  if (frame.etherType === ETHERTYPE_ARP) {
    return switchArp(plane, slot, network) ? undefined : drop(plane, DROP_VIP_PROTOCOL)
  }
  if (frame.etherType !== ETHERTYPE_IPV4) return drop(plane, DROP_VIP_PROTOCOL)
  const service = PLACE_FIRST_SERVICE - place
  const address = service < 0 ? networkWord(tables, network, NETWORK_GATEWAY)
    : serviceWord(tables, service, SERVICE_ADDRESS)
  if (frame.ipHeaderOctets === 0 || ipv4Destination(view, frame.l3At) !== address) {
    return drop(plane, DROP_VIP_PROTOCOL)
  }
  const protocol = ipv4Protocol(view, frame.l3At)
  if (protocol === PROTOCOL_ICMP) return icmpToVirtual(plane, slot, network, service)
  if (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP) return drop(plane, DROP_VIP_PROTOCOL)
  if (service < 0) return answerToGateway(plane, network)
  if (ipv4FragmentOffset(view, frame.l3At) !== 0) return partToService(plane, network, protocol)
  if (portedProtocol(view, frame) < 0) return drop(plane, DROP_MALFORMED)
  toService(plane, slot, network, service, protocol)
}

/**
 * plane.frame shows its ports. @param slot where it came from
 * @param service its row, or FROM_HOST
 */
export function toService(plane: Plane, slot: number, network: number, service: number,
  protocol: number): void {
  const { flows, frame } = plane
  const view = plane.ring.view
  const client = ipv4Source(view, frame.l3At)
  const virtual = ipv4Destination(view, frame.l3At)
  const kind = kindOf(plane, network, protocol)
  let flow = findForward(flows, kind, client, virtual, view.getInt32(frame.l4At))
  if (flow !== NO_FLOW && !keepsBackend(flows, flow, plane.tables)) flow = NO_FLOW
  if (flow !== NO_FLOW) {
    if (protocol === PROTOCOL_UDP) touchFlow(flows, flow, plane.nowSeconds)
    else if (!trackForward(flows, flow, tcpFlags(view, frame.l4At), plane.nowSeconds)) {
      flow = NO_FLOW
    }
  }
  if (flow === NO_FLOW) flow = beginFlow(plane, slot, network, service, kind)
  if (flow === NO_FLOW) return
  const source = flowWord(flows, flow, FLOW_SOURCE)
  const destination = flowWord(flows, flow, FLOW_BACKEND)
  const id = flowWord(flows, flow, FLOW_BACKEND_ID)
  if (frame.protocol < 0) {
    noteFragment(plane.fragments, kind, client, virtual, ipv4Identification(view, frame.l3At),
      source, destination, id, plane.nowSeconds)
  }
  rewriteIpv4(view, frame.l3At, frame.l4At, frame.l4Octets, protocol, source, destination,
    swapPorts(flowWord(flows, flow, FLOW_REPLY_PORTS)), isPartial(view, frame))
  sendToBackend(plane, network, findBackend(plane.tables, id), source !== client)
}

/** A later fragment goes where the first one went. */
export function partToService(plane: Plane, network: number, protocol: number): void {
  const { fragments, frame, tables } = plane
  const view = plane.ring.view
  const { l3At } = frame
  const client = ipv4Source(view, l3At)
  const row = findFragment(fragments, kindOf(plane, network, protocol), client,
    ipv4Destination(view, l3At), ipv4Identification(view, l3At), plane.nowSeconds)
  const backend = row < 0 ? -1 : findBackend(tables, fragments.backend[row]!)
  if (backend < 0) return drop(plane, DROP_VIP_FRAGMENT)
  const source = fragments.newSource[row]!
  rewriteIpv4(view, l3At, frame.l4At, frame.l4Octets, -1, source, fragments.newDestination[row]!, 0,
    false)
  sendToBackend(plane, network, backend, source !== client)
}

/** Send plane.frame, which has been translated. @param inOurName its source is not the client */
function sendToBackend(plane: Plane, network: number, backend: number, inOurName: boolean): void {
  const { frame, tables } = plane
  const view = plane.ring.view
  const place = backendWord(tables, backend, BACKEND_PLACE)
  if (place === NOWHERE) return drop(plane, DROP_NO_VTEP)
  writeMac(view, frame.at, backendWord(tables, backend, BACKEND_MAC_HIGH),
    backendWord(tables, backend, BACKEND_MAC_LOW))
  if (inOurName) {
    writeMac(view, frame.at + ETHER_SOURCE, VIRTUAL_MAC_HIGH, ipv4Source(view, frame.l3At))
  }
  if (place >= 0) return deliver(plane, place, frame)
  tunnelAlone(plane, network, ~place, flowHash(view, frame), outerTos(plane, frame))
}

/** @param service  -1: the gateway */
function icmpToVirtual(plane: Plane, slot: number, network: number, service: number): void {
  const { frame, tables } = plane
  const view = plane.ring.view
  const isLater = ipv4FragmentOffset(view, frame.l3At) !== 0
  if (!isLater && frame.l4Octets < 8) return drop(plane, DROP_MALFORMED)
  if (isLater || icmpType(view, frame.l4At) === ICMP_ECHO_REQUEST) {
    if (service < 0 || takesFlows(tables, service)) return answerEcho(plane, slot)
    answerUnreachable(plane, slot)
    return drop(plane, DROP_VIP_NO_BACKEND)
  }
  if (!icmpIsError(icmpType(view, frame.l4At))) return drop(plane, DROP_VIP_PROTOCOL)
  if (service < 0) return answerToGateway(plane, network)
  errorToService(plane, network)
}

/**
 * An ICMP error of the client, or of somebody on the way to it, about an answer: what it quotes is
 * what the backend sent.
 */
export function errorToService(plane: Plane, network: number): void {
  const { flows, frame, tables } = plane
  const view = plane.ring.view
  const { l3At, l4At } = frame
  if (frame.protocol < 0 || !quotedIsWhole(view, l4At, frame.l4Octets)) {
    return drop(plane, DROP_VIP_NO_FLOW)
  }
  const flow = findForward(flows, kindOf(plane, network, quotedProtocol(view, l4At)),
    quotedDestination(view, l4At), quotedSource(view, l4At),
    swapPorts(view.getInt32(quotedPortsAt(view, l4At))))
  if (flow === NO_FLOW || !keepsBackend(flows, flow, tables)) return drop(plane, DROP_VIP_NO_FLOW)
  const source = flowWord(flows, flow, FLOW_SOURCE)
  const backend = flowWord(flows, flow, FLOW_BACKEND)
  rewriteQuoted(view, l4At, frame.l4Octets, backend, source,
    flowWord(flows, flow, FLOW_REPLY_PORTS))
  rewriteIpv4(view, l3At, l4At, frame.l4Octets, -1, source, backend, 0, false)
  const row = findBackend(tables, flowWord(flows, flow, FLOW_BACKEND_ID))
  sendToBackend(plane, network, row, source !== flowWord(flows, flow, FLOW_CLIENT))
}
