// Which packet worker has a flow. Its hash, the same that chooses the sending socket, decides: so
// the frames of a flow are all of one worker, in order, and no two workers share a sender.
//
// The kernel asks a program which queue of a TAP gets a frame (TUNSETSTEERINGEBPF). This is that
// program. Left to itself the kernel would remember from which queue a flow was answered last, and
// go back to a hash of its own after 3 s of silence (tun_automq_select_queue, drivers/net/tun.c):
// each such change lets frames overtake those that wait in the other queue.
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/ether.ts'
import {
  assemble, compute, exit, jump, jumpIf, type Line, load, loadFrom, takePacket,
} from '../wire/ebpf.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.ts'
import { HASH_A, HASH_B, HASH_C, HASH_MIX, HASH_SHIFT_FIRST, HASH_SHIFT_LAST } from './hash.ts'

/** Workers that one daemon may have. */
export const WORKERS_MAX = 16

/** The worker of the flow with this hash, from flowHash(). @param senders a power of two */
export function workerOf(flow: number, workers: number, senders: number): number {
  return Math.floor((flow & (senders - 1)) * workers / senders)
}

/**
 * The program, as octets of eBPF: from a frame without virtio header to workerOf() its flowHash().
 * Only behind VLAN tags that stand in the frame itself it does not look; such a frame is hashed by
 * its MACs, and stays with one worker as well.
 * @param senders a power of two, at most 2^15
 */
export function makeSteering(workers: number, senders: number): Uint8Array {
  return assemble([
    takePacket,
    load(2, 12),
    jumpIf('r0', 'equals', ETHERTYPE_IPV4, 'IPv4'),
    jumpIf('r0', 'equals', ETHERTYPE_IPV6, 'IPv6'),
    ...MACS, jump('mix'),
    'IPv4', ...IPV4, jump('mix'),
    'IPv6', ...IPV6,
    'mix', ...MIX,
    compute('and', 'r0', senders - 1),
    compute('times', 'r0', workers),
    compute('right', 'r0', Math.log2(senders)),
    exit,
  ])
}

// As flowHash() in frame.ts and hash3() in hash.ts have it. r7 gathers the hash: the first word
// with the seed, then the second, then the third.

/** r0 is the EtherType, the seed. */
const MACS: readonly Line[] = [
  compute('set', 'r8', 'r0'),
  load(2, 0), compute('set', 'r7', 'r0'),
  load(4, 2), compute('xor', 'r7', 'r0'),
  compute('xor', 'r7', 'r8'), compute('times', 'r7', HASH_A),
  load(4, 8), compute('times', 'r0', HASH_B), compute('xor', 'r7', 'r0'),
  load(2, 6), compute('times', 'r0', HASH_C), compute('xor', 'r7', 'r0'),
]

/** r8 becomes the protocol, -1 for a fragment; r9 the ports, 0 where there are none. */
const IPV4: readonly Line[] = [
  compute('set', 'r8', -1), compute('set', 'r9', 0),
  load(2, 20), jumpIf('r0', 'hasBits', 0x3fff, 'IPv4 addresses'),
  load(1, 23), compute('set', 'r8', 'r0'),
  jumpIf('r0', 'equals', PROTOCOL_TCP, 'IPv4 ports'),
  jumpIf('r0', 'equals', PROTOCOL_UDP, 'IPv4 ports'),
  jump('IPv4 addresses'),
  'IPv4 ports',
  load(1, 14), compute('and', 'r0', 0xf), compute('left', 'r0', 2), compute('set', 'r7', 'r0'),
  loadFrom('r7', 4, 14), compute('set', 'r9', 'r0'),
  'IPv4 addresses',
  load(4, 26), compute('set', 'r7', 'r0'),
  compute('xor', 'r7', 'r8'), compute('times', 'r7', HASH_A),
  load(4, 30), compute('times', 'r0', HASH_B), compute('xor', 'r7', 'r0'),
  compute('times', 'r9', HASH_C), compute('xor', 'r7', 'r9'),
]

const IPV6: readonly Line[] = [
  compute('set', 'r9', 0),
  load(1, 20), compute('set', 'r7', 'r0'),
  jumpIf('r0', 'equals', PROTOCOL_TCP, 'IPv6 ports'),
  jumpIf('r0', 'equals', PROTOCOL_UDP, 'IPv6 ports'),
  jump('IPv6 addresses'),
  'IPv6 ports',
  load(4, 54), compute('set', 'r9', 'r0'),
  'IPv6 addresses',
  ...[22, 26, 30, 34].flatMap(at => [load(4, at), compute('xor', 'r7', 'r0')]),
  compute('times', 'r7', HASH_A),
  compute('set', 'r8', 0),
  ...[38, 42, 46, 50].flatMap(at => [load(4, at), compute('xor', 'r8', 'r0')]),
  compute('times', 'r8', HASH_B), compute('xor', 'r7', 'r8'),
  compute('times', 'r9', HASH_C), compute('xor', 'r7', 'r9'),
]

/** The end of hash3(); r0 becomes the hash. */
const MIX: readonly Line[] = [
  compute('set', 'r0', 'r7'), compute('right', 'r0', HASH_SHIFT_FIRST), compute('xor', 'r7', 'r0'),
  compute('times', 'r7', HASH_MIX),
  compute('set', 'r0', 'r7'), compute('right', 'r0', HASH_SHIFT_LAST), compute('xor', 'r0', 'r7'),
]
