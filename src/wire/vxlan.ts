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

/**
 * VXLAN network identifier of the header at `at`, or -1 (drop it) when the I flag is clear.
 * Reserved bits are ignored, as the RFC asks of a receiver. VXLAN_HEADER_OCTETS must be there.
 */
export function vxlanVni(dv: DataView, at: number): number {
  return (dv.getUint8(at) & I_FLAG) === 0 ? -1 : dv.getUint32(at + VNI) >>> 8
}

/** Write a header with the I flag, network `vni` (0 to VNI_MAX), and reserved bits zero. */
export function writeVxlan(dv: DataView, at: number, vni: number): void {
  dv.setInt32(at, I_FLAG << 24)
  dv.setInt32(at + VNI, vni << 8)
}
