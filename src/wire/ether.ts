// hot: every frame is switched by what is read here.
// Ethernet II (IEEE 802.3-2022 clause 3.2) and the VLAN tags of IEEE 802.1Q-2022 clause 9.
// A MAC is two numbers: its first 16 bits, and its last 32 bits signed, as in an Int32Array.

export const ETHER_HEADER_OCTETS = 14
export const ETHER_SOURCE = 6
export const ETHER_TYPE = 12
export const VLAN_TAG_OCTETS = 4
/** One service tag around one customer tag; deeper stacks are carried, but not looked into. */
export const VLAN_TAGS_MAX = 2

export const ETHERTYPE_IPV4 = 0x0800
export const ETHERTYPE_ARP = 0x0806
export const ETHERTYPE_VLAN = 0x8100
export const ETHERTYPE_IPV6 = 0x86dd
export const ETHERTYPE_QINQ = 0x88a8

/** First 16 bits of the MAC at `at`. */
export function macHigh(dv: DataView, at: number): number {
  return dv.getUint16(at)
}

/** Last 32 bits of the MAC at `at`, signed. */
export function macLow(dv: DataView, at: number): number {
  return dv.getInt32(at + 2)
}

export function writeMac(dv: DataView, at: number, high: number, low: number): void {
  dv.setUint16(at, high)
  dv.setInt32(at + 2, low)
}

/** Whether the MAC at `at` means several stations: multicast, or broadcast as its special case. */
export function isGroupMac(dv: DataView, at: number): boolean {
  return (dv.getUint8(at) & 1) === 1
}

export function isBroadcastMac(dv: DataView, at: number): boolean {
  return dv.getInt32(at + 2) === -1 && dv.getUint16(at) === 0xffff
}

/** Exchange destination and source of the frame at `frameAt`. */
export function swapMacs(dv: DataView, frameAt: number): void {
  const high = dv.getUint16(frameAt)
  const low = dv.getInt32(frameAt + 2)
  dv.setUint16(frameAt, dv.getUint16(frameAt + ETHER_SOURCE))
  dv.setInt32(frameAt + 2, dv.getInt32(frameAt + ETHER_SOURCE + 2))
  dv.setUint16(frameAt + ETHER_SOURCE, high)
  dv.setInt32(frameAt + ETHER_SOURCE + 2, low)
}

/**
 * Absolute offset of the EtherType field that says what the payload is, behind at most
 * VLAN_TAGS_MAX tags; the payload begins two octets further. -1 when the frame ends before it.
 */
export function typeFieldAt(dv: DataView, frameAt: number, lengthOctets: number): number {
  let at = frameAt + ETHER_TYPE
  const last = frameAt + lengthOctets - 2
  if (at > last) return -1
  for (let tags = 0; tags < VLAN_TAGS_MAX; tags += 1) {
    const type = dv.getUint16(at)
    if (type !== ETHERTYPE_VLAN && type !== ETHERTYPE_QINQ) return at
    at += VLAN_TAG_OCTETS
    if (at > last) return -1
  }
  return at
}

/** VLAN identifier, 0 to 4095, of the tag whose EtherType field is at `typeAt`. */
export function vlanIdentifier(dv: DataView, typeAt: number): number {
  return dv.getUint16(typeAt + 2) & 0x0fff
}

/** Priority code point, 0 to 7, of the tag whose EtherType field is at `typeAt`. */
export function vlanPriority(dv: DataView, typeAt: number): number {
  return dv.getUint8(typeAt + 2) >>> 5
}

/** Write a header without tags; `frameAt` is the destination's first octet. */
export function writeEtherHeader(
  dv: DataView, frameAt: number, destinationHigh: number, destinationLow: number,
  sourceHigh: number, sourceLow: number, type: number,
): void {
  writeMac(dv, frameAt, destinationHigh, destinationLow)
  writeMac(dv, frameAt + ETHER_SOURCE, sourceHigh, sourceLow)
  dv.setUint16(frameAt + ETHER_TYPE, type)
}
