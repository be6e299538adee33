// Ethernet frames and VXLAN datagrams made by hand, for what no ordinary program sends.
import type { Lab } from './lab.ts'

/** An EtherType for experiments: IEEE Std 802, 9.2.3. No kernel takes such frames for its own. */
export const EXPERIMENT = '88b5'
export const BROADCAST = 'ff:ff:ff:ff:ff:ff'

/** The length of a frame that Ethernet does not fill up. */
const FRAME_OCTETS_MIN = 60

/** `02:42:…` or `88b5` or plain hexadecimal, one after the other. */
export function hex(...parts: string[]): string {
  return parts.map(part => part.replaceAll(/[:\s]/g, '')).join('')
}

/** A frame of at least 60 octets, in hexadecimal. @param tags of 802.1Q, for example "81000007" */
export function frame(to: string, from: string, etherType: string, payload: string,
  tags = ''): string {
  return hex(to, from, tags, etherType, payload).padEnd(FRAME_OCTETS_MIN * 2, '0')
}

/** The payload of an ARP request or reply (RFC 826). */
export function arp(operation: 1 | 2, senderMac: string, sender: string, target: string): string {
  return hex('0001', '0800', '06', '04', operation.toString(16).padStart(4, '0'), senderMac,
    ipv4(sender), '000000000000', ipv4(target))
}

/** An IPv4 header with a good checksum, and a UDP datagram to the discard port with none. */
export function udpPacket(source: string, destination: string): string {
  const start = hex('45', '00', '0020', '0000', '4000', '40', '11')
  const addresses = hex(ipv4(source), ipv4(destination))
  const sum = checksum(hex(start, '0000', addresses))
  return hex(start, sum, addresses, '0007', '0009', '000c', '0000', '64617461')
}

/** A VXLAN datagram (RFC 7348) around a frame. @param flags 08: there is a network identifier */
export function vxlan(vni: number, inner: string, flags = '08'): string {
  return hex(flags, '000000', vni.toString(16).padStart(6, '0'), '00', inner)
}

function ipv4(address: string): string {
  return address.split('.').map(part => Number(part).toString(16).padStart(2, '0')).join('')
}

/** RFC 1071 */
function checksum(octets: string): string {
  let sum = 0
  for (const word of octets.match(/.{4}/g) ?? []) sum += Number.parseInt(word, 16)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return (~sum & 0xffff).toString(16).padStart(4, '0')
}

// linux/if_packet.h: AF_PACKET 17, SOCK_RAW 3; struct sockaddr_ll
const SEND_FRAMES = `
  use strict;
  my ($device, @frames) = @ARGV;
  open(my $file, "<", "/sys/class/net/$device/ifindex") or die "$device: $!";
  my $place = pack("S n i S C C a8", 17, 3, 0 + <$file>, 0, 0, 0, "");
  socket(my $socket, 17, 3, 0) or die "socket: $!";
  send($socket, pack("H*", $_), 0, $place) or die "send: $!" for @frames;
`

/** Send frames from a device, as they are. */
export async function sendFrames(lab: Lab, where: string, device: string,
  ...frames: string[]): Promise<void> {
  await lab.out(where, 'perl', '-e', SEND_FRAMES, device, ...frames)
}

// linux/in.h: AF_INET 2; struct sockaddr_in
const SEND_DATAGRAMS = `
  use strict;
  my ($host, $port, @datagrams) = @ARGV;
  my $place = pack("S n C4 x8", 2, $port, split(/[.]/, $host));
  socket(my $socket, 2, 2, 0) or die "socket: $!";
  send($socket, pack("H*", $_), 0, $place) or die "send: $!" for @datagrams;
`

/** Send datagrams from any port of a host to the VXLAN port of the address `to`. */
export async function sendDatagrams(lab: Lab, host: string, to: string,
  ...datagrams: string[]): Promise<void> {
  await sendToPort(lab, host, to, 4789, ...datagrams)
}

export async function sendToPort(lab: Lab, host: string, to: string, port: number,
  ...datagrams: string[]): Promise<void> {
  await lab.out(host, 'perl', '-e', SEND_DATAGRAMS, to, String(port), ...datagrams)
}
