// hot: frames whose TCP or UDP checksum the sender's kernel has left to its hardware
//
// A kernel VXLAN device over a link with checksum offload leaves the inner checksum partial: the
// field holds the sum of the pseudo-header only (Linux
// Documentation/networking/checksum-offloads.rst), and on a link without real hardware, such as a
// veth pair, nobody ever completes it. A UDP socket hands the packet over all the same. It is told
// to the receiving kernel as what it is: VIRTIO_NET_HDR_F_NEEDS_CSUM.
//
// Such a device does not say so: the field is known by its value, which one whole checksum in
// 65,536 has, too. That does no harm to good octets, but damage to such a frame would go unseen. So
// of who is known to mark what it leaves partial (remote checksum offload), only that is believed.
import { foldSum, pseudoSumIpv4, pseudoSumIpv6 } from '../wire/checksum.ts'
import { ETHERTYPE_IPV4 } from '../wire/ether.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.ts'
import { TCP_CHECKSUM_FIELD } from '../wire/tcp.ts'
import { UDP_CHECKSUM_FIELD } from '../wire/udp.ts'
import {
  clearVirtio, virtioChecksumStart, virtioNeedsChecksum, writeVirtioChecksum,
} from '../wire/virtio.ts'
import { COUNT_PARTIAL } from './counters.ts'
import type { Frame } from './frame.ts'
import type { Plane } from './plane.ts'

/**
 * Write the virtio header of a frame from the underlay. It stands apart, because in front of the
 * frame another one may end.
 * @param mayBePartial  whether who sent it may have left its checksum partial
 */
export function prepareForPort(plane: Plane, frame: Frame, mayBePartial: boolean): void {
  const view = plane.ring.view
  frame.vnetAt = plane.vnet
  const field = frame.protocol === PROTOCOL_TCP ? TCP_CHECKSUM_FIELD
    : frame.protocol === PROTOCOL_UDP ? UDP_CHECKSUM_FIELD : -1
  if (!mayBePartial || field < 0 || frame.l4Octets < field + 2) {
    return clearVirtio(view, plane.vnet)
  }
  if (!isPseudoSum(view, frame, field)) return clearVirtio(view, plane.vnet)
  writeVirtioChecksum(view, plane.vnet, frame.l4At - frame.at, field)
  plane.counters[COUNT_PARTIAL]! += 1
}

/** Whether the checksum that covers the addresses of a task's frame is still to be completed. */
export function isPartial(view: DataView, frame: Frame): boolean {
  return virtioNeedsChecksum(view, frame.vnetAt)
    && virtioChecksumStart(view, frame.vnetAt) === frame.l4At - frame.at
}

/** Whether the checksum of a TCP segment from the underlay is partial, as far as can be seen. */
export function isLeftPartial(view: DataView, frame: Frame): boolean {
  return isPseudoSum(view, frame, TCP_CHECKSUM_FIELD)
}

function isPseudoSum(view: DataView, frame: Frame, field: number): boolean {
  const sum = view.getUint16(frame.l4At + field)
  return sum !== 0 && sum === pseudoSum(view, frame)
}

function pseudoSum(view: DataView, frame: Frame): number {
  return foldSum(frame.etherType === ETHERTYPE_IPV4
    ? pseudoSumIpv4(view, frame.l3At, frame.protocol, frame.l4Octets)
    : pseudoSumIpv6(view, frame.l3At, frame.protocol, frame.l4Octets))
}
