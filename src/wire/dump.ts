// One line of text per frame, much as `tcpdump -e` writes it: for captures, errors and tests.
// Whatever the octets are, a line comes back: nothing is read outside the frame, nothing is thrown.
import {
  arpOperation, ARP_OCTETS, ARP_REPLY, ARP_REQUEST, ARP_SENDER_ADDRESS, ARP_SENDER_MAC,
  ARP_TARGET_ADDRESS,
} from './arp.ts'
import { packetText } from './dump-packet.ts'
import { IPV6_HEADER_OCTETS } from './ipv6.ts'
import { hex, ipv4AddressText, macText, TRUNCATED } from './dump-text.ts'
import {
  typeFieldAt, vlanIdentifier, vlanPriority, ETHER_HEADER_OCTETS, ETHER_SOURCE, ETHER_TYPE,
  ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, VLAN_TAG_OCTETS,
} from './ether.ts'
import { vxlanVni, VXLAN_HEADER_OCTETS, VXLAN_PORT } from './vxlan.ts'

/** Below this the field is the length of an IEEE 802.3 frame, not an EtherType. */
const ETHERTYPE_MIN = 0x0600
/** Where the length field of an IPv6 header ends, from the EtherType field. */
const IPV6_LENGTH_END = 8
/** Datagrams of a train that are shown: UDP_MAX_SEGMENTS of linux/udp.h. */
const TRAIN_MAX = 128

/**
 * "02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv4 10.0.1.8 > 10.0.1.9: ICMP echo request, id 5, seq 1,
 * length 64". A frame, or a part of it, that is not there is shown as "[truncated]".
 * @param lengthOctets  of the Ethernet frame at `at`, without frame check sequence
 */
export function frameLine(dv: DataView, at: number, lengthOctets: number): string {
  const octets = presentOctets(dv, at, lengthOctets)
  if (octets < ETHER_HEADER_OCTETS) return TRUNCATED
  const macs = `${macText(dv, at + ETHER_SOURCE)} > ${macText(dv, at)}`
  const typeAt = typeFieldAt(dv, at, octets)
  const tags = vlanTags(dv, at + ETHER_TYPE, typeAt < 0 ? at + octets : typeAt)
  if (typeAt < 0) return `${macs}${tags}, ${TRUNCATED}`
  return `${macs}${tags}, ${payloadText(dv, typeAt, at + octets - typeAt - 2)}`
}

/**
 * "192.168.56.11.52341 > 192.168.56.12.4789: VXLAN vni 4097: " and the inner frame as frameLine has
 * it. Of a train of datagrams, which a capture shows as one large packet, each further one has a
 * line of its own that begins with "  + ". A packet that is not UDP to `port` is shown as it is.
 * @param lengthOctets  of the outer IPv4 or IPv6 packet at `at`
 */
export function vxlanLine(
  dv: DataView, at: number, lengthOctets: number, port = VXLAN_PORT,
): string {
  return packetText(dv, at, presentOctets(dv, at, lengthOctets),
    (view, payloadAt, octets, to) => to === port ? trainText(view, payloadAt, octets) : undefined)
}

/** What is declared, cut to what the view holds; 0 for a place that the view does not have. */
function presentOctets(dv: DataView, at: number, lengthOctets: number): number {
  if (!Number.isSafeInteger(at) || at < 0 || !(lengthOctets > 0)) return 0
  return Math.max(0, Math.min(Math.trunc(lengthOctets), dv.byteLength - at))
}

function trainText(dv: DataView, at: number, octets: number): string {
  const segment = segmentOctets(dv, at, octets)
  const texts: string[] = []
  for (let offset = 0; offset < octets || offset === 0; offset += segment) {
    texts.push(vxlanText(dv, at + offset, Math.min(segment, octets - offset)))
    if (texts.length === TRAIN_MAX) break
  }
  return texts.join('\n  + ')
}

/**
 * Octets of the first datagram in a UDP payload that may be a train: as the inner IP header says,
 * if the same VXLAN header stands behind it. The kernel does not tell a capture.
 */
function segmentOctets(dv: DataView, at: number, octets: number): number {
  const frameAt = at + VXLAN_HEADER_OCTETS
  const typeAt = typeFieldAt(dv, frameAt, octets - VXLAN_HEADER_OCTETS)
  if (typeAt < 0 || typeAt + IPV6_LENGTH_END > at + octets) return Math.max(octets, 1)
  const type = dv.getUint16(typeAt)
  const ipOctets = type === ETHERTYPE_IPV4 ? dv.getUint16(typeAt + 4)
    : type === ETHERTYPE_IPV6 ? dv.getUint16(typeAt + 6) + IPV6_HEADER_OCTETS : octets
  const next = typeAt + 2 + ipOctets
  const isTrain = next + VXLAN_HEADER_OCTETS <= at + octets
    && dv.getInt32(next) === dv.getInt32(at) && dv.getInt32(next + 4) === dv.getInt32(at + 4)
  return isTrain ? next - at : Math.max(octets, 1)
}

function vxlanText(dv: DataView, at: number, octets: number): string {
  if (octets < VXLAN_HEADER_OCTETS) return `VXLAN ${TRUNCATED}`
  const vni = vxlanVni(dv, at)
  const network = vni < 0 ? 'without I flag' : `vni ${vni}`
  const frame = frameLine(dv, at + VXLAN_HEADER_OCTETS, octets - VXLAN_HEADER_OCTETS)
  return `VXLAN ${network}: ${frame}`
}

/** ", VLAN 7" for each tag between the first EtherType field and the last one. */
function vlanTags(dv: DataView, firstTypeAt: number, lastTypeAt: number): string {
  let text = ''
  for (let at = firstTypeAt; at + VLAN_TAG_OCTETS <= lastTypeAt; at += VLAN_TAG_OCTETS) {
    const priority = vlanPriority(dv, at)
    text += `, VLAN ${vlanIdentifier(dv, at)}${priority === 0 ? '' : ` priority ${priority}`}`
  }
  return text
}

function payloadText(dv: DataView, typeAt: number, octets: number): string {
  const type = dv.getUint16(typeAt)
  const at = typeAt + 2
  if (type === ETHERTYPE_IPV4) return `IPv4 ${packetText(dv, at, octets)}`
  if (type === ETHERTYPE_IPV6) return `IPv6 ${packetText(dv, at, octets)}`
  if (type === ETHERTYPE_ARP) return `ARP ${arpText(dv, at, octets)}`
  if (type < ETHERTYPE_MIN) return `802.3 length ${type}, length ${octets}`
  return `ethertype 0x${hex(type, 4)}, length ${octets}`
}

function arpText(dv: DataView, at: number, octets: number): string {
  if (octets < ARP_OCTETS) return TRUNCATED
  const operation = arpOperation(dv, at, octets)
  if (operation < 0) return `not about IPv4 over Ethernet, length ${octets}`
  const sender = ipv4AddressText(dv, at + ARP_SENDER_ADDRESS)
  const target = ipv4AddressText(dv, at + ARP_TARGET_ADDRESS)
  if (operation === ARP_REQUEST) return `who-has ${target} tell ${sender}`
  if (operation === ARP_REPLY) return `${sender} is-at ${macText(dv, at + ARP_SENDER_MAC)}`
  return `operation ${operation}, ${sender} to ${target}`
}
