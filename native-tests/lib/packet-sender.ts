// Sends frames with virtio headers from a device, as a virtual machine's host does: through a
// packet socket with PACKET_VNET_HDR (packet(7)). The kernel takes such a frame for what it says.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Lab } from './lab.ts'

// linux/if_packet.h: AF_PACKET 17, SOCK_RAW 3, SOL_PACKET 263, PACKET_VNET_HDR 15
const SEND = `
  use strict;
  my ($device, $file) = @ARGV;
  open(my $index, "<", "/sys/class/net/$device/ifindex") or die "$device: $!";
  my $place = pack("S n i S C C a8", 17, 3, 0 + <$index>, 0, 0, 0, "");
  socket(my $socket, 17, 3, 0) or die "socket: $!";
  setsockopt($socket, 263, 15, pack("i", 1)) or die "PACKET_VNET_HDR: $!";
  open(my $lines, "<", $file) or die "$file: $!";
  while (my $line = <$lines>) {
    chomp $line;
    send($socket, pack("H*", $line), 0, $place) or die "send: $! at line $.";
  }
`

export type Offloaded = Readonly<{ header: Uint8Array; octets: Uint8Array }>

/** @throws Error when the kernel refuses one of them */
export async function sendOffloaded(lab: Lab, where: string, device: string,
  frames: readonly Offloaded[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tapmesh-frames-'))
  try {
    const file = join(folder, 'frames.hex')
    writeFileSync(file, frames.map(({ header, octets }) =>
      `${Buffer.concat([header, octets]).toString('hex')}\n`).join(''))
    await lab.out(where, 'perl', '-e', SEND, device, file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
