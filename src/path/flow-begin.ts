// hot: the first packet of a flow: to which backend, and in whose name
import { ipv4Destination, ipv4Source, PROTOCOL_TCP } from '../wire/ipv4.ts'
import { swapPorts } from '../wire/rewrite.ts'
import { TCP_ACK, TCP_RST, TCP_SYN, tcpFlags } from '../wire/tcp.ts'
import { DROP_VIP_NO_BACKEND, DROP_VIP_NO_FLOW, DROP_VIP_PORTS } from './counters.ts'
import {
  FLOW_BACKEND, FLOW_BACKEND_ID, FLOW_CLIENT, FLOW_KIND, FLOW_MARK, FLOW_PORTS, FLOW_REPLY_PORTS,
  FLOW_SHIFT, FLOW_SOURCE, FLOW_VIRTUAL, PHASE_DATAGRAMS, PHASE_OPENING,
} from './flow-memory.ts'
import { enterFlow, findReply, type Flows, NO_FLOW, takeRow } from './flow-table.ts'
import { STATE_IN_MIDDLE } from './flow-track.ts'
import { NETWORK_GATEWAY } from './image.ts'
import { drop, type Plane } from './plane.ts'
import { followsFromFlow, pickBackend, takesFlows } from './schedule.ts'
import { BACKEND_ADDRESS, BACKEND_ID, SERVICE_MARK } from './service-image.ts'
import { backendWord, networkWord, serviceWord } from './tables.ts'
import { answerReset, answerUnreachable } from './virtual-answer.ts'

/** Source ports that are tried when the client's own is in use on the way to the backend. */
export const PORT_TRIES_MAX = 64
const FIRST_PORT = 1024
const NO_STATE = -1

/**
 * Choose a backend for plane.frame, TCP or UDP from the client to a virtual address, and remember
 * it. Answers NO_FLOW when there is none; then the frame has been counted, and its sender told.
 */
export function beginFlow(plane: Plane, slot: number, network: number, service: number,
  kind: number): number {
  const { flows, frame, tables } = plane
  const view = plane.ring.view
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
  const ports = view.getInt32(frame.l4At)
  const backend = pickBackend(flows, tables, service, kind, client, ports)
  const address = backendWord(tables, backend, BACKEND_ADDRESS)
  // A task that meets itself would answer itself, past us, and never see the virtual address.
  const source = address === client ? networkWord(tables, network, NETWORK_GATEWAY) : client
  const replyPorts = freePorts(flows, kind, address, source, swapPorts(ports))
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
