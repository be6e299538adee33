// hot: published ports: what comes to a port of the host goes to a task, and its answer back
//
// The kernel routes what is for a published port into a device of ours: the way to the host. Its
// station in the ingress network is this node, with an address that backends see as the client's
// (docs/decisions/0022). So the way there is that of a virtual address (virtual.ts), and the way
// back that of its answers (backend-answer.ts). Here stands what is different: who may speak with
// whom in that network, and how a client is answered whose own address the backend sees.
import { VNET_HEADER_OCTETS } from '../kernel/ring.ts'
import {
  ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHER_HEADER_OCTETS, writeEtherHeader, writeMac,
} from '../wire/ether.ts'
import { ICMP_HEADER_OCTETS, icmpIsError, icmpType } from '../wire/icmp.ts'
import {
  ipv4Destination, ipv4FragmentOffset, ipv4Protocol, ipv4Source, PROTOCOL_ICMP, PROTOCOL_TCP,
  PROTOCOL_UDP,
} from '../wire/ipv4.ts'
import { swapPorts } from '../wire/rewrite.ts'
import { TCP_ACK, TCP_SYN, tcpFlags } from '../wire/tcp.ts'
import { switchArp } from './answer.ts'
import {
  applyAnswer, findAnswer, isAnswerFromTunnel, kindOf, portedProtocol,
} from './backend-answer.ts'
import { deliverBundled } from './bundle.ts'
import {
  DROP_INGRESS_APART, DROP_INGRESS_NO_FLOW, DROP_MALFORMED, DROP_NO_VTEP, DROP_VIP_PROTOCOL,
} from './counters.ts'
import { keepsBackend } from './flow-age.ts'
import {
  FLOW_BACKEND, FLOW_BACKEND_ID, FLOW_CLIENT, FLOW_KIND, FLOW_MARK, FLOW_PORTS, FLOW_REPLY_PORTS,
  FLOW_SHIFT, FLOW_SOURCE, FLOW_VIRTUAL, PHASE_DATAGRAMS, PHASE_OPENING,
} from './flow-memory.ts'
import {
  enterFlow, findReply, flowWord, isOwnFlow, NO_FLOW, removeFlow, ROW_MASK, takeRow,
} from './flow-table.ts'
import { STATE_IN_MIDDLE, touchFlow, trackForward } from './flow-track.ts'
import { flush } from './flush.ts'
import { flowHash, parseFrame } from './frame.ts'
import {
  NOWHERE, PLACE_GATEWAY, PLACE_HOST, PORT_MAC_HIGH, PORT_MAC_LOW, PORT_NETWORK, STATION_ADDRESS,
  STATION_KEY, STATION_MAC_LOW, STATION_PLACE,
} from './image.ts'
import { isPartial } from './partial.ts'
import { deliver, drop, outerTos, type Plane } from './plane.ts'
import { tunnelAlone } from './segment.ts'
import { BACKEND_ID, BACKEND_MARK } from './service-image.ts'
import {
  backendWord, findBackendAt, findStation, findStationByAddress, isBalanced, portWord, stationWord,
} from './tables.ts'
import { fitsNetwork } from './too-large.ts'
import { errorToService, FROM_HOST, partToService, toService } from './virtual.ts'

/** RFC 1812 section 4.3.2.3; what is longer might not fit through the tunnel. */
const HOST_ERROR_OCTETS_MAX = 576

/** What the kernel has routed to the way to the host, in `slot`: it is for a published port. */
export function fromHost(plane: Plane, slot: number, at: number, lengthOctets: number): void {
  const { frame } = plane
  const view = plane.ring.view
  const network = portWord(plane.tables, slot, PORT_NETWORK)
  if (!parseFrame(view, at, lengthOctets, frame)) return drop(plane, DROP_MALFORMED)
  if (frame.etherType !== ETHERTYPE_IPV4) return drop(plane, DROP_VIP_PROTOCOL)
  if (frame.ipHeaderOctets === 0) return drop(plane, DROP_MALFORMED)
  if (!fitsNetwork(plane, slot, network)) return
  const protocol = ipv4Protocol(view, frame.l3At)
  if (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP) return drop(plane, DROP_VIP_PROTOCOL)
  if (ipv4FragmentOffset(view, frame.l3At) !== 0) return partToService(plane, network, protocol)
  if (portedProtocol(view, frame) < 0) return drop(plane, DROP_MALFORMED)
  toService(plane, slot, network, FROM_HOST, protocol)
}

/**
 * An ICMP error that the host was sent about an answer to a client, because a router is in the way
 * that it is too long for: its task is told.
 * @param packet from its IPv4 header on
 */
export function errorFromHost(plane: Plane, packet: Uint8Array): void {
  const { frame, ring, tables } = plane
  const slot = tables.hostSlot
  if (slot < 0) return
  if (packet.length > HOST_ERROR_OCTETS_MAX) return drop(plane, DROP_MALFORMED)
  const at = plane.scratch + VNET_HEADER_OCTETS
  const high = portWord(tables, slot, PORT_MAC_HIGH)
  const low = portWord(tables, slot, PORT_MAC_LOW)
  ring.octets.fill(0, plane.scratch, at)
  writeEtherHeader(ring.view, at, high, low, high, low, ETHERTYPE_IPV4)
  ring.octets.set(packet, at + ETHER_HEADER_OCTETS)
  parseFrame(ring.view, at, ETHER_HEADER_OCTETS + packet.length, frame)
  if (frame.protocol !== PROTOCOL_ICMP || frame.l4Octets < ICMP_HEADER_OCTETS
    || !icmpIsError(icmpType(ring.view, frame.l4At))) return drop(plane, DROP_MALFORMED)
  errorToService(plane, portWord(tables, slot, PORT_NETWORK))
  flush(plane)
}

/**
 * plane.frame comes from a task in the ingress network, and from its own addresses. It may answer
 * nodes; tasks that have nothing else in common do not meet there.
 */
export function fromPublished(plane: Plane, slot: number, network: number): void {
  const { frame, tables } = plane
  if (frame.etherType === ETHERTYPE_ARP) {
    return switchArp(plane, slot, network) ? undefined : drop(plane, DROP_INGRESS_APART)
  }
  if (frame.etherType !== ETHERTYPE_IPV4) return drop(plane, DROP_INGRESS_APART)
  const station = findStation(tables, network, frame.destinationHigh, frame.destinationLow)
  const place = station < 0 ? NOWHERE : stationWord(tables, station, STATION_PLACE)
  if (place === PLACE_HOST) return answerToHost(plane, network)
  if (place === PLACE_GATEWAY) return answerToClient(plane, network)
  if (place >= 0 || place <= NOWHERE || isBalanced(tables, station)) {
    return drop(plane, DROP_INGRESS_APART)
  }
  tunnelAlone(plane, network, ~place, flowHash(plane.ring.view, frame), outerTos(plane, frame))
}

/** A frame from the tunnel for the host: it answers a client that has asked this node. */
export function tunnelToHost(plane: Plane, network: number): void {
  plane.isAnswer = isAnswerFromTunnel(plane, network)
  if (plane.isAnswer) deliverBundled(plane, plane.tables.hostSlot)
  else drop(plane, DROP_INGRESS_NO_FLOW)
  plane.isAnswer = false
}

function answerToHost(plane: Plane, network: number): void {
  const { frame } = plane
  if (!findAnswer(plane, network)) return drop(plane, DROP_INGRESS_NO_FLOW)
  applyAnswer(plane, frame, isPartial(plane.ring.view, frame))
  deliver(plane, plane.tables.hostSlot, frame)
}

/** A task answers a client whose own address it sees: by way of the node that the client asked. */
function answerToClient(plane: Plane, network: number): void {
  const { frame, tables } = plane
  const view = plane.ring.view
  if (!findAnswer(plane, network)) return drop(plane, DROP_INGRESS_NO_FLOW)
  // Where another node was asked, the flow has that node's address: see noteClient().
  const station = findStationByAddress(tables, network, plane.answerSource)
  if (station < 0) {
    // Its kernel has sent it to the gateway.
    writeMac(view, frame.at, portWord(tables, tables.hostSlot, PORT_MAC_HIGH),
      portWord(tables, tables.hostSlot, PORT_MAC_LOW))
    applyAnswer(plane, frame, isPartial(view, frame))
    return deliver(plane, tables.hostSlot, frame)
  }
  const place = stationWord(tables, station, STATION_PLACE)
  if (place >= 0 || place <= NOWHERE) return drop(plane, DROP_NO_VTEP)
  writeMac(view, frame.at, stationWord(tables, station, STATION_KEY) & 0xffff,
    stationWord(tables, station, STATION_MAC_LOW))
  tunnelAlone(plane, network, ~place, flowHash(view, frame), outerTos(plane, frame))
}

/**
 * plane.frame comes from another node, plane.sourceStation, in the name of its client. Remember
 * which node it was: it alone knows how the answer is to look.
 */
export function noteClient(plane: Plane, network: number): void {
  const { flows, frame, tables } = plane
  const view = plane.ring.view
  const protocol = portedProtocol(view, frame)
  if (protocol < 0) return
  const kind = kindOf(plane, network, protocol)
  const client = ipv4Source(view, frame.l3At)
  const address = ipv4Destination(view, frame.l3At)
  const node = stationWord(tables, plane.sourceStation, STATION_ADDRESS)
  const ports = view.getInt32(frame.l4At)
  const flags = protocol === PROTOCOL_TCP ? tcpFlags(view, frame.l4At) : 0
  const flow = findReply(flows, kind, address, client, swapPorts(ports))
  if (flow !== NO_FLOW && keepsBackend(flows, flow, tables)) {
    const isSame = flowWord(flows, flow, FLOW_VIRTUAL) === node
    if (isSame && protocol === PROTOCOL_UDP) return touchFlow(flows, flow, plane.nowSeconds)
    if (isSame && trackForward(flows, flow, flags, plane.nowSeconds)) return
    // By another node the client has begun another connection, with the same four numbers.
    if (!isSame && isOwnFlow(flows, flow)) removeFlow(flows, flow & ROW_MASK)
  }
  const backend = findBackendAt(tables, network, address)
  if (backend < 0) return
  const row = takeRow(flows)
  const { rows } = flows.own
  const at = row << FLOW_SHIFT
  rows[at + FLOW_KIND] = kind
  rows[at + FLOW_CLIENT] = client
  rows[at + FLOW_VIRTUAL] = node
  rows[at + FLOW_PORTS] = ports
  rows[at + FLOW_BACKEND] = address
  rows[at + FLOW_SOURCE] = client
  rows[at + FLOW_REPLY_PORTS] = swapPorts(ports)
  rows[at + FLOW_MARK] = backendWord(tables, backend, BACKEND_MARK)
  rows[at + FLOW_BACKEND_ID] = backendWord(tables, backend, BACKEND_ID)
  const state = protocol === PROTOCOL_UDP ? PHASE_DATAGRAMS
    : (flags & (TCP_SYN | TCP_ACK)) === TCP_SYN ? PHASE_OPENING : STATE_IN_MIDDLE
  enterFlow(flows, row, state, tables.generation, plane.nowSeconds)
}
