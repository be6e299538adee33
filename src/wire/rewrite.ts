// hot: addresses and ports of a packet changed in place, as network address translation does it
//
// The checksums that cover them are changed by the difference (RFC 1624 equation 3), so a packet
// that was damaged stays damaged, and its receiver finds out. A partial checksum, the sum of the
// pseudo-header that somebody else will complete, is not complemented and covers no ports.
import { foldSum } from './checksum.ts'
import { ICMP_HEADER_OCTETS } from './icmp.ts'
import {
  IPV4_DESTINATION, IPV4_HEADER_OCTETS, IPV4_SOURCE, PROTOCOL_TCP, PROTOCOL_UDP,
} from './ipv4.ts'
import { TCP_CHECKSUM_FIELD } from './tcp.ts'
import { UDP_CHECKSUM_FIELD } from './udp.ts'

const IPV4_CHECKSUM = 10
const IPV4_PROTOCOL = 9
const ICMP_CHECKSUM = 2
const NO_PORTS = -1

/**
 * Give an IPv4 packet another source and destination.
 * @param l4At, l4Octets  what IP carries
 * @param protocol   TCP or UDP, of a first fragment too; any other has no ports and no checksum
 *                   that covers addresses, as later fragments have none
 * @param ports      source port in the upper 16 bits, destination port in the lower
 * @param isPartial  its TCP or UDP checksum is partial
 */
export function rewriteIpv4(dv: DataView, l3At: number, l4At: number, l4Octets: number,
  protocol: number, source: number, destination: number, ports: number, isPartial: boolean): void {
  const addresses = rewriteAddresses(dv, l3At, source, destination)
  const field = checksumField(protocol)
  if (field < 0 || l4Octets < 4) return
  const before = dv.getInt32(l4At)
  dv.setInt32(l4At, ports)
  if (l4Octets < field + 2) return
  const at = l4At + field
  const checksum = dv.getUint16(at)
  if (isPartial) {
    if (addresses !== 0) dv.setUint16(at, foldSum(checksum + addresses))
    return
  }
  const change = addresses + difference(before, ports)
  if (change === 0 || (checksum === 0 && protocol === PROTOCOL_UDP)) return
  dv.setUint16(at, changed(checksum, change, protocol))
}

/**
 * Give the packet that an ICMP error quotes another source and destination, and the error its
 * checksum. What the error is for is the caller's to rewrite, by rewriteIpv4().
 * @param octets length of the ICMP message; quotedIsWhole() has found it long enough
 */
export function rewriteQuoted(dv: DataView, icmpAt: number, octets: number, source: number,
  destination: number, ports: number): void {
  const l3At = icmpAt + ICMP_HEADER_OCTETS
  const l4At = quotedPortsAt(dv, icmpAt)
  const checksumBefore = dv.getUint16(l3At + IPV4_CHECKSUM)
  const addresses = rewriteAddresses(dv, l3At, source, destination)
  let change = addresses + difference(checksumBefore, dv.getUint16(l3At + IPV4_CHECKSUM))
  const protocol = dv.getUint8(l3At + IPV4_PROTOCOL)
  const portsChange = difference(dv.getInt32(l4At), ports)
  dv.setInt32(l4At, ports)
  change += portsChange
  const at = l4At + checksumField(protocol)
  if (at + 2 <= icmpAt + octets) {
    const inner = dv.getUint16(at)
    if (inner !== 0 || protocol !== PROTOCOL_UDP) {
      const next = addresses + portsChange === 0 ? inner
        : changed(inner, addresses + portsChange, protocol)
      dv.setUint16(at, next)
      change += difference(inner, next)
    }
  }
  // Words of the quoted packet stand at even distances from the checksum: headers are even.
  const outer = dv.getUint16(icmpAt + ICMP_CHECKSUM)
  if (change !== 0) dv.setUint16(icmpAt + ICMP_CHECKSUM, ~foldSum((~outer & 0xffff) + change))
}

/** Whether the ICMP error quotes the addresses and ports of a TCP or UDP packet over IPv4. */
export function quotedIsWhole(dv: DataView, icmpAt: number, octets: number): boolean {
  const l3At = icmpAt + ICMP_HEADER_OCTETS
  const quoted = octets - ICMP_HEADER_OCTETS
  if (quoted < IPV4_HEADER_OCTETS || dv.getUint8(l3At) >>> 4 !== 4) return false
  const header = (dv.getUint8(l3At) & 15) << 2
  if (header < IPV4_HEADER_OCTETS || quoted < header + 4) return false
  // Later fragments show no ports.
  if ((dv.getUint16(l3At + 6) & 0x1fff) !== 0) return false
  return checksumField(dv.getUint8(l3At + IPV4_PROTOCOL)) >= 0
}

/** Where the ports of the quoted packet stand, when quotedIsWhole(). */
export function quotedPortsAt(dv: DataView, icmpAt: number): number {
  const l3At = icmpAt + ICMP_HEADER_OCTETS
  return l3At + ((dv.getUint8(l3At) & 15) << 2)
}

/** Of the quoted packet, when quotedIsWhole(). */
export function quotedProtocol(dv: DataView, icmpAt: number): number {
  return dv.getUint8(icmpAt + ICMP_HEADER_OCTETS + IPV4_PROTOCOL)
}

export function quotedSource(dv: DataView, icmpAt: number): number {
  return dv.getInt32(icmpAt + ICMP_HEADER_OCTETS + IPV4_SOURCE)
}

export function quotedDestination(dv: DataView, icmpAt: number): number {
  return dv.getInt32(icmpAt + ICMP_HEADER_OCTETS + IPV4_DESTINATION)
}

/** Both ports the other way round. */
export function swapPorts(ports: number): number {
  return ports << 16 | ports >>> 16
}

/** Answers the sum by which a checksum over the addresses changes, 0 when they stay. */
function rewriteAddresses(dv: DataView, l3At: number, source: number, destination: number): number {
  const change = difference(dv.getInt32(l3At + IPV4_SOURCE), source)
    + difference(dv.getInt32(l3At + IPV4_DESTINATION), destination)
  if (change === 0) return 0
  dv.setInt32(l3At + IPV4_SOURCE, source)
  dv.setInt32(l3At + IPV4_DESTINATION, destination)
  const checksum = dv.getUint16(l3At + IPV4_CHECKSUM)
  dv.setUint16(l3At + IPV4_CHECKSUM, ~foldSum((~checksum & 0xffff) + change))
  return change
}

/** What is added to a sum when one 32-bit word in it changes; 0 when it does not. */
function difference(before: number, after: number): number {
  return before === after ? 0 : (~before >>> 16) + (~before & 0xffff) + (after >>> 16)
    + (after & 0xffff)
}

function changed(checksum: number, change: number, protocol: number): number {
  const next = ~foldSum((~checksum & 0xffff) + change) & 0xffff
  // Zero would mean "no checksum" to UDP; both are the same number (RFC 768).
  return next === 0 && protocol === PROTOCOL_UDP ? 0xffff : next
}

function checksumField(protocol: number): number {
  return protocol === PROTOCOL_TCP ? TCP_CHECKSUM_FIELD
    : protocol === PROTOCOL_UDP ? UDP_CHECKSUM_FIELD : NO_PORTS
}
