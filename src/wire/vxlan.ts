// hot: every frame between hosts carries this header.
// VXLAN: RFC 7348 section 5.

export const VXLAN_HEADER_OCTETS = 8
export const VXLAN_PORT = 4789
/** Outer IPv4, UDP and VXLAN headers and the inner Ethernet header: what an underlay MTU loses. */
export const VXLAN_OVERHEAD_OCTETS = 50
export const VNI_MAX = 0xffffff

/** First octet: the VNI is valid. */
const I_FLAG = 0x08
const VNI = 4
/** Second octet: the last one says where the receiver is to finish a checksum. */
const RCO_FLAG = 0x20
const RCO_FIELD = 7
const RCO_UDP = 0x80

/**
 * VXLAN network identifier of the header at `at`, or -1 (drop it) when the I flag is clear.
 * Reserved bits are ignored, as the RFC asks of a receiver. VXLAN_HEADER_OCTETS must be there.
 */
export function vxlanVni(dv: DataView, at: number): number {
  return (dv.getUint8(at) & I_FLAG) === 0 ? -1 : dv.getUint32(at + VNI) >>> 8
}

/** Where checksumming may begin for the header to be able to say so, in octets; even. */
export const REMOTE_CHECKSUM_START_MAX = 254

/**
 * Mark the header at `at`: the receiver is to finish the inner checksum (remote checksum offload,
 * draft-herbert-vxlan-rco section 2; VXLAN_HF_RCO in Linux include/net/vxlan.h).
 * @param checksumStart  where checksumming begins in the inner frame: even, at most
 *                       REMOTE_CHECKSUM_START_MAX
 */
export function markRemoteChecksum(
  dv: DataView, at: number, checksumStart: number, isUdp: boolean,
): void {
  dv.setUint8(at + 1, dv.getUint8(at + 1) | RCO_FLAG)
  dv.setUint8(at + RCO_FIELD, (checksumStart >> 1) | (isUdp ? RCO_UDP : 0))
}

/** Whether the header at `at` says that the receiver is to finish an inner checksum. */
export function vxlanHasRemoteChecksum(dv: DataView, at: number): boolean {
  return (dv.getUint8(at + 1) & RCO_FLAG) !== 0
}

/** Write a header with the I flag, network `vni` (0 to VNI_MAX), and reserved bits zero. */
export function writeVxlan(dv: DataView, at: number, vni: number): void {
  dv.setInt32(at, I_FLAG << 24)
  dv.setInt32(at + VNI, vni << 8)
}
