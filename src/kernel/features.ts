// What this kernel can do for the packet path, found by trying it once at start.
import {
  TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN, TUN_F_USO4, TUN_F_USO6,
} from './constants.ts'
import { loadPacketProgram } from './ebpf.ts'
import { inFreshNetns } from './netns.ts'
import { close } from './syscalls.ts'
import { makeTap, type Tap, type TapSpec } from './tap-device.ts'

const TCP = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN
/** Since Linux 6.2. A kernel that takes it from us also takes such frames. */
const UDP = TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6
const PROBE_DEVICE = 'tm-probe'

export type TapFeatures = Readonly<{
  /** Super-frames of TCP, and of UDP, between TAP and kernel. */
  tcp: boolean
  udp: boolean
}>

/** Of the features that are wanted, those that the TAPs of this kernel have. */
export function probeTap(wanted: TapFeatures): TapFeatures {
  return {
    tcp: wanted.tcp && takes({ offload: tapOffload({ tcp: true, udp: false }) }),
    udp: wanted.udp && takes({ offload: tapOffload({ tcp: false, udp: true }) }),
  }
}

/** The argument of TUNSETOFFLOAD: what the kernel may leave to the reader of the TAP. */
export function tapOffload(features: TapFeatures): number {
  return (features.tcp ? TCP : 0) | (features.udp ? UDP : 0)
}

/**
 * Load the program that chooses among the queues of a TAP, if this kernel's TAPs have queues that a
 * program can choose among: since Linux 4.16, and with the right to use bpf(2).
 * @returns its descriptor, or -1
 */
export function probeSteering(program: Uint8Array): number {
  let steering: number
  try {
    steering = loadPacketProgram(program)
  } catch {
    return -1
  }
  if (takes({ count: 2, steering }, tap => tap.isMultiQueue)) return steering
  close(steering)
  return -1
}

function takes(spec: Partial<TapSpec>, isRight = (_tap: Tap): boolean => true): boolean {
  return inFreshNetns(() => {
    try {
      const tap = makeTap({ name: PROBE_DEVICE, offload: 0, count: 1, steering: -1, ...spec })
      for (const fd of tap.fds) close(fd)
      return isRight(tap)
    } catch {
      return false
    }
  })
}
