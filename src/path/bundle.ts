// hot: consecutive segments of a flow from the tunnel, put together for one write to a TAP
//
// The counterpart of segment.ts. What may be put together is in bundle-match.ts; all else passes
// singly, and never overtakes its own flow: a frame that fits no bundle first lets go of the one
// that its flow may be in.
import { foldSum, pseudoSumIpv4, pseudoSumIpv6 } from '../wire/checksum.ts'
import { ETHERTYPE_IPV6, ETHER_HEADER_OCTETS } from '../wire/ether.ts'
import { IPV4_HEADER_OCTETS, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.ts'
import { PROTOCOL_ICMPV6 } from '../wire/ipv6.ts'
import {
  setTcpFlags, TCP_CHECKSUM_FIELD, tcpFlags, TCP_PSH, tcpSequence,
} from '../wire/tcp.ts'
import { UDP_CHECKSUM_FIELD } from '../wire/udp.ts'
import {
  GSO_NONE, GSO_UDP, VIRTIO_HEADER_OCTETS, virtioNeedsChecksum, writeVirtioGso,
} from '../wire/virtio.ts'
import { VXLAN_HEADER_OCTETS } from '../wire/vxlan.ts'
import { applyAnswer } from './backend-answer.ts'
import { bundleType, continuation, isPushed, l4HeadOctets } from './bundle-match.ts'
import { BUNDLES, BUNDLE_PIECES_MAX } from './bundle-state.ts'
import { COUNT_COALESCED, COUNT_TAP_OUT } from './counters.ts'
import { flowHash, type Frame, parseFrame } from './frame.ts'
import { prepareForPort } from './partial.ts'
import { deliver, gatherTo, HEAD_LEAD_OCTETS, type Plane } from './plane.ts'

const IPV4_CHECKSUM = 10
const IPV6_PAYLOAD = 4
const UDP_LENGTH = 4

/** Deliver plane.frame, which came from the tunnel, to a local port: now, or with its bundle. */
export function deliverBundled(plane: Plane, slot: number): void {
  const { frame, bundles } = plane
  const view = plane.ring.view
  if (frame.ipHeaderOctets === 0) return deliverSingle(plane, slot)
  // A fragment, or what stands behind an extension header, may belong to any flow.
  if (!showsFlow(frame)) {
    flushBundles(plane)
    return deliverSingle(plane, slot)
  }
  const key = flowHash(view, frame) & (BUNDLES - 1)
  const type = bundleType(plane)
  if (bundles.count[key] !== 0) {
    const isAlike = type === bundles.type[key] && slot === bundles.slot[key]
      && plane.mayBePartial === (bundles.partial[key] !== 0)
    const payload = isAlike ? continuation(plane, key, frame.at, frame.lengthOctets) : -1
    if (payload >= 0) return append(plane, key, frame.at, payload)
    flushBundle(plane, key)
  }
  if (type === GSO_NONE || isPushed(view, frame)) return deliverSingle(plane, slot)
  begin(plane, key, slot, type)
}

/**
 * The short way for the datagram at `at`: it goes on where the latest bundle ends, from the same
 * VTEP, with the same outer TOS octet and VXLAN header. All that would be looked up for it has been
 * for the bundle's first frame, a moment ago. Answers false when it must go the long way.
 */
export function continueLatest(plane: Plane, at: number, lengthOctets: number): boolean {
  const { bundles } = plane
  const key = bundles.latest[0]!
  if (key < 0 || bundles.latestSource[0] !== plane.source || bundles.latestTos[0] !== plane.tos) {
    return false
  }
  const view = plane.ring.view
  const header = bundles.at[key]! - VXLAN_HEADER_OCTETS
  if (view.getInt32(at) !== view.getInt32(header)
    || view.getInt32(at + 4) !== view.getInt32(header + 4)) return false
  const frameAt = at + VXLAN_HEADER_OCTETS
  const payload = continuation(plane, key, frameAt, lengthOctets)
  if (payload < 0) return false
  append(plane, key, frameAt, payload)
  return true
}

/** Whether the ports stand where they are looked for, or there are none. */
function showsFlow(frame: Frame): boolean {
  if (frame.etherType !== ETHERTYPE_IPV6) return frame.protocol >= 0
  return frame.protocol === PROTOCOL_TCP || frame.protocol === PROTOCOL_UDP
    || frame.protocol === PROTOCOL_ICMPV6
}

/** Let go of everything: at the end of a batch nothing may wait. */
export function flushBundles(plane: Plane): void {
  if (plane.bundles.open[0] === 0) return
  for (let key = 0; key < BUNDLES; key++) {
    if (plane.bundles.count[key] !== 0) flushBundle(plane, key)
  }
}

function begin(plane: Plane, key: number, slot: number, type: number): void {
  const { frame, bundles } = plane
  const head = l4HeadOctets(plane.ring.view, frame)
  const payload = frame.l4Octets - head
  bundles.slot[key] = slot
  bundles.type[key] = type
  bundles.at[key] = frame.at
  bundles.lengthOctets[key] = frame.lengthOctets
  bundles.l4At[key] = frame.l4At
  bundles.headOctets[key] = frame.l4At + head - frame.at
  bundles.size[key] = payload
  bundles.octets[key] = payload
  bundles.count[key] = 1
  bundles.verified[key] = 0
  bundles.partial[key] = plane.mayBePartial ? 1 : 0
  bundles.isAnswer[key] = plane.isAnswer ? 1 : 0
  if (plane.isAnswer) {
    bundles.answerSource[key] = plane.answerSource
    bundles.answerDestination[key] = plane.answerDestination
    bundles.answerPorts[key] = plane.answerPorts
  }
  bundles.flags[key] = 0
  bundles.sequence[key] = type === GSO_UDP ? 0
    : (tcpSequence(plane.ring.view, frame.l4At) + payload) | 0
  bundles.pieceAt[key * BUNDLE_PIECES_MAX] = frame.l4At + head
  bundles.pieceOctets[key * BUNDLE_PIECES_MAX] = payload
  bundles.open[0]! += 1
  bundles.latest[0] = key
  bundles.latestSource[0] = plane.source
  bundles.latestTos[0] = plane.tos
}

function append(plane: Plane, key: number, at: number, payload: number): void {
  const { bundles } = plane
  const count = bundles.count[key]!
  const piece = key * BUNDLE_PIECES_MAX + count
  bundles.pieceAt[piece] = at + bundles.headOctets[key]!
  bundles.pieceOctets[piece] = payload
  bundles.octets[key]! += payload
  bundles.count[key] = count + 1
  if (bundles.type[key] !== GSO_UDP) {
    const l4At = at + bundles.l4At[key]! - bundles.at[key]!
    bundles.sequence[key] = (bundles.sequence[key]! + payload) | 0
    bundles.flags[key]! |= tcpFlags(plane.ring.view, l4At) & TCP_PSH
  }
  // A shorter one is the last that a bundle can take, and what is pushed is wanted now.
  if (payload < bundles.size[key]! || bundles.flags[key] !== 0) flushBundle(plane, key)
}

function flushBundle(plane: Plane, key: number): void {
  const { bundles, bundleFrame, ring } = plane
  const count = bundles.count[key]!
  bundles.count[key] = 0
  bundles.open[0]! -= 1
  if (bundles.latest[0] === key) bundles.latest[0] = -1
  parseFrame(ring.view, bundles.at[key]!, bundles.lengthOctets[key]!, bundleFrame)
  if (count === 1) {
    prepareForPort(plane, bundleFrame, bundles.partial[key] !== 0)
    if (bundles.isAnswer[key] !== 0) translateBundle(plane, key)
    return deliver(plane, bundles.slot[key]!, bundleFrame)
  }
  if (bundles.isAnswer[key] !== 0) translateBundle(plane, key)
  const headOctets = bundles.headOctets[key]!
  writeHead(plane, key)
  const head = plane.bundleHead + HEAD_LEAD_OCTETS - VIRTIO_HEADER_OCTETS
  const sent = gatherTo(plane, bundles.slot[key]!, head, VIRTIO_HEADER_OCTETS + headOctets,
    bundles.pieceAt, bundles.pieceOctets, key * BUNDLE_PIECES_MAX, count, count)
  if (!sent) return
  plane.counters[COUNT_TAP_OUT]! += count
  plane.counters[COUNT_TAP_OUT + 1]! += count * headOctets + bundles.octets[key]!
  plane.counters[COUNT_COALESCED]! += count - 1
}

/** The first frame's headers stand for all. Of several, both checksums are written anew later. */
function translateBundle(plane: Plane, key: number): void {
  const { bundles, answerSource, answerDestination, answerPorts } = plane
  plane.answerSource = bundles.answerSource[key]!
  plane.answerDestination = bundles.answerDestination[key]!
  plane.answerPorts = bundles.answerPorts[key]!
  applyAnswer(plane, plane.bundleFrame, virtioNeedsChecksum(plane.ring.view, plane.vnet))
  // A frame that is being looked at may have let go of this bundle.
  plane.answerSource = answerSource
  plane.answerDestination = answerDestination
  plane.answerPorts = answerPorts
}

/** One header for all: the first frame's, with the lengths of the whole and a partial checksum. */
function writeHead(plane: Plane, key: number): void {
  const { bundles, bundleFrame, ring } = plane
  const view = ring.view
  const at = plane.bundleHead + HEAD_LEAD_OCTETS
  const headOctets = bundles.headOctets[key]!
  for (let i = 0; i < headOctets; i++) ring.octets[at + i] = ring.octets[bundleFrame.at + i]!
  const l3At = at + ETHER_HEADER_OCTETS
  const l4At = at + bundleFrame.l4At - bundleFrame.at
  const l4Octets = at + headOctets - l4At + bundles.octets[key]!
  let pseudo: number
  if (bundleFrame.etherType === ETHERTYPE_IPV6) {
    view.setUint16(l3At + IPV6_PAYLOAD, l4Octets)
    pseudo = pseudoSumIpv6(view, l3At, bundleFrame.protocol, l4Octets)
  } else {
    view.setUint16(l3At + 2, IPV4_HEADER_OCTETS + l4Octets)
    view.setUint16(l3At + IPV4_CHECKSUM, 0)
    view.setUint16(l3At + IPV4_CHECKSUM, ~ring.sum(l3At, IPV4_HEADER_OCTETS) & 0xffff)
    pseudo = pseudoSumIpv4(view, l3At, bundleFrame.protocol, l4Octets)
  }
  const isTcp = bundles.type[key] !== GSO_UDP
  const field = isTcp ? TCP_CHECKSUM_FIELD : UDP_CHECKSUM_FIELD
  if (isTcp) setTcpFlags(view, l4At, tcpFlags(view, l4At) | bundles.flags[key]!)
  else view.setUint16(l4At + UDP_LENGTH, l4Octets)
  view.setUint16(l4At + field, foldSum(pseudo))
  writeVirtioGso(view, at - VIRTIO_HEADER_OCTETS, bundles.type[key]!, bundles.size[key]!,
    headOctets, l4At - at, field)
}

function deliverSingle(plane: Plane, slot: number): void {
  const { frame } = plane
  prepareForPort(plane, frame, plane.mayBePartial)
  if (plane.isAnswer) applyAnswer(plane, frame, virtioNeedsChecksum(plane.ring.view, plane.vnet))
  deliver(plane, slot, frame)
}
