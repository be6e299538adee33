// What this kernel can do for the packet path, found by trying it once at start.
import {
  TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN, TUN_F_USO4, TUN_F_USO6,
} from './constants.ts'
import { inFreshNetns } from './netns.ts'
import { close } from './syscalls.ts'
import { makeTap } from './tap-device.ts'

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
    tcp: wanted.tcp && takes(tapOffload({ tcp: true, udp: false })),
    udp: wanted.udp && takes(tapOffload({ tcp: false, udp: true })),
  }
}

/** The argument of TUNSETOFFLOAD: what the kernel may leave to the reader of the TAP. */
export function tapOffload(features: TapFeatures): number {
  return (features.tcp ? TCP : 0) | (features.udp ? UDP : 0)
}

function takes(offload: number): boolean {
  return inFreshNetns(() => {
    try {
      close(makeTap(PROBE_DEVICE, offload))
      return true
    } catch {
      return false
    }
  })
}
