// Programs for the kernel, checked by its verifier and kept alive by a descriptor: bpf(2).
import { BPF_PROG_LOAD, BPF_PROG_TYPE_SOCKET_FILTER, EAGAIN, EPERM } from './constants.ts'
import { checkResult } from './node-error.ts'
import { addressOf, bpf } from './syscalls.ts'

/**
 * The verifier stops with EAGAIN when a signal waits for the thread, such as the end of a child
 * (linux/kernel/bpf/verifier.c, since 4.20). It is taken on the way back from the call.
 */
const LOAD_TRIES_MAX = 8
const INSTRUCTION_OCTETS = 8
// union bpf_attr of BPF_PROG_LOAD, linux/bpf.h.
const ATTRIBUTE_OCTETS = 48
const INSTRUCTIONS = 4
const INSTRUCTIONS_AT = 8
const LICENSE_AT = 16
const LICENSE = new TextEncoder().encode('Dual MIT/GPL\0')

/**
 * Load a program that looks at packets; it may be attached where the kernel takes a socket filter.
 * @param program instructions, such as wire/ebpf.ts assembles
 * @returns descriptor; the program lives as long as it, or whatever it is attached to
 * @throws KernelError EPERM (no CAP_BPF and CAP_NET_ADMIN, or forbidden here), EINVAL and EACCES
 * (refused by the verifier), EAGAIN (a signal came in each of LOAD_TRIES_MAX tries), ENOSYS
 */
export function loadPacketProgram(program: Uint8Array): number {
  // All in one memory: what only an address refers to could be collected before the kernel reads.
  const licenseAt = ATTRIBUTE_OCTETS + program.length
  const memory = new Uint8Array(licenseAt + LICENSE.length)
  memory.set(program, ATTRIBUTE_OCTETS)
  memory.set(LICENSE, licenseAt)
  const view = new DataView(memory.buffer)
  const address = addressOf(memory)
  view.setUint32(0, BPF_PROG_TYPE_SOCKET_FILTER, true)
  view.setUint32(INSTRUCTIONS, program.length / INSTRUCTION_OCTETS, true)
  view.setBigUint64(INSTRUCTIONS_AT, BigInt(address + ATTRIBUTE_OCTETS), true)
  view.setBigUint64(LICENSE_AT, BigInt(address + licenseAt), true)
  let result = -EAGAIN
  for (let tries = 0; result === -EAGAIN && tries < LOAD_TRIES_MAX; tries++) {
    result = bpf(BPF_PROG_LOAD, memory, ATTRIBUTE_OCTETS)
  }
  const hint = result === -EPERM ? 'it needs CAP_BPF and CAP_NET_ADMIN, or root' : ''
  return checkResult('bpf', result, {}, hint)
}
