// hot: the first packet of a flow: to which backend, and in whose name
import { ipv4Destination, ipv4Source, PROTOCOL_TCP } from '../wire/ipv4.ts'
import { swapPorts } from '../wire/rewrite.ts'
import { TCP_ACK, TCP_RST, TCP_SYN, tcpFlags } from '../wire/tcp.ts'
import {
  DROP_INGRESS_NO_FLOW, DROP_VIP_NO_BACKEND, DROP_VIP_NO_FLOW, DROP_VIP_PORTS,
} from './counters.ts'
import {
  FLOW_BACKEND, FLOW_BACKEND_ID, FLOW_CLIENT, FLOW_KIND, FLOW_MARK, FLOW_PORTS, FLOW_REPLY_PORTS,
  FLOW_SHIFT, FLOW_SOURCE, FLOW_VIRTUAL, PHASE_DATAGRAMS, PHASE_OPENING,
} from './flow-memory.ts'
import {
  enterFlow, findReply, type Flows, flowWord, isOwnFlow, NO_FLOW, removeFlow, ROW_MASK, takeRow,
} from './flow-table.ts'
import { STATE_IN_MIDDLE } from './flow-track.ts'
import { NETWORK_GATEWAY, PORT_ADDRESS } from './image.ts'
import { drop, type Plane } from './plane.ts'
import {
  PUBLISHED_PRESERVING, PUBLISHED_SERVICE, PUBLISHED_TARGET,
} from './published-image.ts'
import { followsFromFlow, pickBackend, takesFlows } from './schedule.ts'
import { BACKEND_ADDRESS, BACKEND_ID, SERVICE_MARK } from './service-image.ts'
import {
  backendWord, findPublished, findStationByAddress, networkWord, portWord, publishedWord,
  serviceWord,
} from './tables.ts'
import { answerReset, answerUnreachable } from './virtual-answer.ts'

/** Source ports that are tried when the client's own is in use on the way to the backend. */
export const PORT_TRIES_MAX = 64
const FIRST_PORT = 1024
const NO_STATE = -1
/** In the place of a published port. */
const NONE = -1
/** 127.0.0.0/8: a task would take it for itself. */
const LOOPBACK_NETWORK = 127

/**
 * Choose a backend for plane.frame, TCP or UDP from the client to a virtual address, and remember
 * it. Answers NO_FLOW when there is none; then the frame has been counted, and its sender told.
 * @param given row of the service; below 0: that of the published port that the frame is for
 */
export function beginFlow(plane: Plane, slot: number, network: number, given: number,
  kind: number): number {
  const { flows, frame, tables } = plane
  const view = plane.ring.view
  const ports = view.getInt32(frame.l4At)
  const published = given >= 0 ? NONE : findPublished(tables, kind >>> 24, ports & 0xffff)
  const service = published < 0 ? given
    : publishedWord(tables, published, PUBLISHED_SERVICE)
  if (service < 0) {
    // The kernel has heard of a port before or after us.
    if (kind >>> 24 === PROTOCOL_TCP) answerReset(plane, slot)
    drop(plane, DROP_INGRESS_NO_FLOW)
    return NO_FLOW
  }
  if (!takesFlows(tables, service)) {
    answerUnreachable(plane, slot)
    drop(plane, DROP_VIP_NO_BACKEND)
    return NO_FLOW
  }
  const state = firstState(plane, service, kind)
  if (state === NO_STATE) {
    answerReset(plane, slot)
    drop(plane, DROP_VIP_NO_FLOW)
    return NO_FLOW
  }
  const client = ipv4Source(view, frame.l3At)
  const backend = pickBackend(flows, tables, service, kind, client, ports)
  const address = backendWord(tables, backend, BACKEND_ADDRESS)
  const source = shownAs(plane, network, published, client, address)
  const wanted = published < 0 ? swapPorts(ports)
    : publishedWord(tables, published, PUBLISHED_TARGET) << 16 | ports >>> 16
  if (published >= 0 && state === STATE_IN_MIDDLE) {
    takeOver(plane, network, kind, address, source, wanted)
  }
  const replyPorts = freePorts(flows, kind, address, source, wanted)
  if (replyPorts === NO_PORTS) {
    drop(plane, DROP_VIP_PORTS)
    return NO_FLOW
  }
  const row = takeRow(flows)
  const { rows } = flows.own
  const at = row << FLOW_SHIFT
  rows[at + FLOW_KIND] = kind
  rows[at + FLOW_CLIENT] = client
  rows[at + FLOW_VIRTUAL] = ipv4Destination(view, frame.l3At)
  rows[at + FLOW_PORTS] = ports
  rows[at + FLOW_BACKEND] = address
  rows[at + FLOW_SOURCE] = source
  rows[at + FLOW_REPLY_PORTS] = replyPorts
  rows[at + FLOW_MARK] = serviceWord(tables, service, SERVICE_MARK)
  rows[at + FLOW_BACKEND_ID] = backendWord(tables, backend, BACKEND_ID)
  return enterFlow(flows, row, state, tables.generation, plane.nowSeconds)
}

/** In whose name a client is shown to the backend at `address`. */
function shownAs(plane: Plane, network: number, published: number, client: number,
  address: number): number {
  const { tables } = plane
  if (published < 0) {
    // A task that meets itself would answer itself, past us, and never see the virtual address.
    return address === client ? networkWord(tables, network, NETWORK_GATEWAY) : client
  }
  const isShown = publishedWord(tables, published, PUBLISHED_PRESERVING) === 1
    && client >>> 24 !== LOOPBACK_NETWORK
  return isShown ? client : portWord(tables, tables.hostSlot, PORT_ADDRESS)
}

/** Below all that two ports can be as a word, which has 32 bits. */
const NO_PORTS = -(2 ** 40)

/** State of a flow that begins with plane.frame; NO_STATE: where it belongs is not known. */
function firstState(plane: Plane, service: number, kind: number): number {
  if (kind >>> 24 !== PROTOCOL_TCP) return PHASE_DATAGRAMS
  const flags = tcpFlags(plane.ring.view, plane.frame.l4At)
  if ((flags & (TCP_SYN | TCP_ACK | TCP_RST)) === TCP_SYN) return PHASE_OPENING
  return (flags & TCP_RST) === 0 && followsFromFlow(plane.tables, service) ? STATE_IN_MIDDLE
    : NO_STATE
}

/** A connection goes on by this node which another one has led here until now: see noteClient(). */
function takeOver(plane: Plane, network: number, kind: number, backend: number, source: number,
  ports: number): void {
  const { flows, tables } = plane
  const flow = findReply(flows, kind, backend, source, ports)
  if (flow === NO_FLOW || !isOwnFlow(flows, flow)) return
  if (findStationByAddress(tables, network, flowWord(flows, flow, FLOW_VIRTUAL)) < 0) return
  if (flowWord(flows, flow, FLOW_CLIENT) === source) removeFlow(flows, flow & ROW_MASK)
}

/** Ports of an answer that no other flow of this backend has; at first those of the client. */
function freePorts(t: Flows, kind: number, backend: number, source: number,
  wanted: number): number {
  let ports = wanted
  for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
    if (findReply(t, kind, backend, source, ports) === NO_FLOW) return ports
    const port = ports & 0xffff
    const next = FIRST_PORT + (port * 31 + 7) % (0x10000 - FIRST_PORT)
    ports = ports & ~0xffff | next
  }
  return NO_PORTS
}
