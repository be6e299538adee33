// Classic BPF programs on sockets: what a socket does not want is dropped before it is queued.
import { KernelError } from '../base/errors.ts'
import { SO_ATTACH_FILTER, SOL_SOCKET } from './constants.ts'
import { addressOf, setsockopt } from './syscalls.ts'

const SOCK_FPROG_OCTETS = 16
const SOCK_FILTER_OCTETS = 8
// linux/bpf_common.h, linux/filter.h
const BPF_RET_K = 0x06
const BPF_JMP_JEQ_K = 0x15
const BPF_LDX_B_MSH = 0xb1
const BPF_LD_B_IND = 0x50
const BPF_LD_H_IND = 0x48

/** struct sock_filter, linux/filter.h */
export type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number]

/** Nothing is let in. */
export const REFUSE_ALL: readonly Instruction[] = [[BPF_RET_K, 0, 0, 0]]

/**
 * For a raw ICMP socket, which gets packets from their IPv4 header on: echo replies with this
 * identifier, and "unreachable" or "time exceeded" about somebody's ICMP. Whatever else comes to
 * the host, a flood for one, does not wake its reader.
 */
export function echoAnswers(identifier: number): readonly Instruction[] {
  return [
    [BPF_LDX_B_MSH, 0, 0, 0], // X = length of the IPv4 header
    [BPF_LD_B_IND, 0, 0, 0], // ICMP type
    [BPF_JMP_JEQ_K, 0, 2, 0], // echo reply?
    [BPF_LD_H_IND, 0, 0, 4], // its identifier
    [BPF_JMP_JEQ_K, 4, 5, identifier],
    [BPF_JMP_JEQ_K, 1, 0, 3], // unreachable?
    [BPF_JMP_JEQ_K, 0, 3, 11], // time exceeded?
    [BPF_LD_B_IND, 0, 0, 17], // protocol of the packet that it quotes
    [BPF_JMP_JEQ_K, 0, 1, 1], // ICMP?
    [BPF_RET_K, 0, 0, 0xffff],
    [BPF_RET_K, 0, 0, 0],
  ]
}

/** As above: "fragmentation needed", which a router says of a packet that is too long for it. */
export function narrowPaths(): readonly Instruction[] {
  return [
    [BPF_LDX_B_MSH, 0, 0, 0],
    [BPF_LD_B_IND, 0, 0, 0], // ICMP type
    [BPF_JMP_JEQ_K, 0, 3, 3], // unreachable?
    [BPF_LD_B_IND, 0, 0, 1], // its code
    [BPF_JMP_JEQ_K, 0, 1, 4], // fragmentation needed?
    [BPF_RET_K, 0, 0, 0xffff],
    [BPF_RET_K, 0, 0, 0],
  ]
}

/** @throws KernelError */
export function attachFilter(fd: number, program: readonly Instruction[]): void {
  // struct sock_fprog and its instructions in one memory: what only an address refers to could be
  // collected before the kernel reads it.
  const octets = new Uint8Array(SOCK_FPROG_OCTETS + program.length * SOCK_FILTER_OCTETS)
  const view = new DataView(octets.buffer)
  view.setUint16(0, program.length, true)
  view.setBigUint64(8, BigInt(addressOf(octets) + SOCK_FPROG_OCTETS), true)
  program.forEach(([code, ifTrue, ifFalse, value], n) => {
    const at = SOCK_FPROG_OCTETS + n * SOCK_FILTER_OCTETS
    view.setUint16(at, code, true)
    view.setUint8(at + 2, ifTrue)
    view.setUint8(at + 3, ifFalse)
    view.setUint32(at + 4, value, true)
  })
  const head = octets.subarray(0, SOCK_FPROG_OCTETS)
  const result = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, head)
  if (result < 0) throw new KernelError('setsockopt SO_ATTACH_FILTER', -result)
}
