// hot: frames whose TCP or UDP checksum the sender's kernel has left to its hardware
//
// A kernel VXLAN device over a link with checksum offload leaves the inner checksum partial: the field
// holds the sum of the pseudo-header only (Linux Documentation/networking/checksum-offloads.rst), and on
// a link without real hardware, such as a veth pair, nobody ever completes it. A UDP socket hands the
// packet over all the same. It is told to the receiving kernel as what it is: VIRTIO_NET_HDR_F_NEEDS_CSUM.
import { VNET_HEADER_OCTETS } from '../kernel/ring.ts'
import { foldSum, pseudoSumIpv4, pseudoSumIpv6 } from '../wire/checksum.ts'
import { ETHERTYPE_IPV4 } from '../wire/ether.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.ts'
import { COUNT_PARTIAL } from './counters.ts'
import type { Frame } from './frame.ts'
import type { Plane } from './plane.ts'

// struct virtio_net_hdr, linux/virtio_net.h; all fields little-endian on the machines we run on
const FLAGS = 0
const CHECKSUM_START = 6
const CHECKSUM_OFFSET = 8
const NEEDS_CHECKSUM = 1
const TCP_CHECKSUM_AT = 16
const UDP_CHECKSUM_AT = 6

/** Write the virtio header in front of a frame from the underlay. */
export function prepareForPort(plane: Plane, frame: Frame): void {
  const view = plane.ring.view
  const at = frame.at - VNET_HEADER_OCTETS
  view.setInt32(at, 0)
  view.setInt32(at + 4, 0)
  view.setInt16(at + 8, 0)
  const field = frame.protocol === PROTOCOL_TCP ? TCP_CHECKSUM_AT
    : frame.protocol === PROTOCOL_UDP ? UDP_CHECKSUM_AT : -1
  if (field < 0 || frame.l4Octets < field + 2) return
  const sum = view.getUint16(frame.l4At + field)
  if (sum === 0 || sum !== pseudoSum(view, frame)) return
  view.setUint8(at + FLAGS, NEEDS_CHECKSUM)
  view.setUint16(at + CHECKSUM_START, frame.l4At - frame.at, true)
  view.setUint16(at + CHECKSUM_OFFSET, field, true)
  plane.counters[COUNT_PARTIAL]! += 1
}

function pseudoSum(view: DataView, frame: Frame): number {
  return foldSum(frame.etherType === ETHERTYPE_IPV4
    ? pseudoSumIpv4(view, frame.l3At, frame.protocol, frame.l4Octets)
    : pseudoSumIpv6(view, frame.l3At, frame.protocol, frame.l4Octets))
}
