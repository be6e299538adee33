// hot: every ARP frame of an endpoint is read here, and answered in place.
// ARP for IPv4 over Ethernet: RFC 826. Addresses are signed 32-bit numbers.
import { writeMac, ETHER_SOURCE } from './ether.ts'

export const ARP_OCTETS = 28
export const ARP_REQUEST = 1
export const ARP_REPLY = 2
export const ARP_SENDER_MAC = 8
export const ARP_SENDER_ADDRESS = 14
export const ARP_TARGET_MAC = 18
export const ARP_TARGET_ADDRESS = 24

const HARDWARE_TYPE = 0
const LENGTHS = 4
const OPERATION = 6

/** Hardware type 1 (Ethernet) and protocol type 0x0800 (IPv4), in one word. */
const ETHERNET_IPV4 = 0x00010800
/** Hardware address length 6 and protocol address length 4, in one word. */
const SIX_FOUR = 0x0604

/** The operation, 0 to 65535, or -1 unless whole and about IPv4 over Ethernet. */
export function arpOperation(dv: DataView, at: number, availableOctets: number): number {
  if (availableOctets < ARP_OCTETS) return -1
  if (dv.getInt32(at + HARDWARE_TYPE) !== ETHERNET_IPV4) return -1
  if (dv.getUint16(at + LENGTHS) !== SIX_FOUR) return -1
  return dv.getUint16(at + OPERATION)
}

export function arpSenderMacHigh(dv: DataView, at: number): number {
  return dv.getUint16(at + ARP_SENDER_MAC)
}

export function arpSenderMacLow(dv: DataView, at: number): number {
  return dv.getInt32(at + ARP_SENDER_MAC + 2)
}

export function arpSenderAddress(dv: DataView, at: number): number {
  return dv.getInt32(at + ARP_SENDER_ADDRESS)
}

export function arpTargetMacHigh(dv: DataView, at: number): number {
  return dv.getUint16(at + ARP_TARGET_MAC)
}

export function arpTargetMacLow(dv: DataView, at: number): number {
  return dv.getInt32(at + ARP_TARGET_MAC + 2)
}

export function arpTargetAddress(dv: DataView, at: number): number {
  return dv.getInt32(at + ARP_TARGET_ADDRESS)
}

export function writeArp(
  dv: DataView, at: number, operation: number,
  senderHigh: number, senderLow: number, senderAddress: number,
  targetHigh: number, targetLow: number, targetAddress: number,
): void {
  dv.setInt32(at + HARDWARE_TYPE, ETHERNET_IPV4)
  dv.setUint16(at + LENGTHS, SIX_FOUR)
  dv.setUint16(at + OPERATION, operation)
  writeMac(dv, at + ARP_SENDER_MAC, senderHigh, senderLow)
  dv.setInt32(at + ARP_SENDER_ADDRESS, senderAddress)
  writeMac(dv, at + ARP_TARGET_MAC, targetHigh, targetLow)
  dv.setInt32(at + ARP_TARGET_ADDRESS, targetAddress)
}

/**
 * Turn the request of the frame at `frameAt` into the reply that the target address is at the given
 * MAC. As RFC 826 has it, the reply goes to the hardware address that the request names as sender.
 */
export function turnArpIntoReply(
  dv: DataView, frameAt: number, arpAt: number, macHigh: number, macLow: number,
): void {
  const askerHigh = arpSenderMacHigh(dv, arpAt)
  const askerLow = arpSenderMacLow(dv, arpAt)
  const asker = arpSenderAddress(dv, arpAt)
  const asked = arpTargetAddress(dv, arpAt)
  writeArp(dv, arpAt, ARP_REPLY, macHigh, macLow, asked, askerHigh, askerLow, asker)
  writeMac(dv, frameAt, askerHigh, askerLow)
  writeMac(dv, frameAt + ETHER_SOURCE, macHigh, macLow)
}
