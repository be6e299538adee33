// hot: the congestion marks of every tunnelled packet are joined here.
// Explicit congestion notification through a tunnel: RFC 6040 sections 4.1 and 4.2.
// An ECN field is the lower two bits of IPv4's type of service or IPv6's traffic class.

export const ECN_MASK = 3
export const ECN_NOT_ECT = 0
export const ECN_ECT_1 = 1
export const ECN_ECT_0 = 2
export const ECN_CE = 3

/** Field of the outer header for a packet that enters: normal mode, figure 3. */
export function ecnOuter(innerEcn: number): number {
  return innerEcn & ECN_MASK
}

/**
 * New field of the inner header for a packet that leaves, 0 to 3, or -1: drop it (figure 4).
 * A packet whose sender cannot hear of congestion has to be lost to tell it.
 */
export function ecnInner(innerEcn: number, outerEcn: number): number {
  if (outerEcn === ECN_CE) return innerEcn === ECN_NOT_ECT ? -1 : ECN_CE
  if (outerEcn === ECN_ECT_1 && innerEcn === ECN_ECT_0) return ECN_ECT_1
  return innerEcn
}
