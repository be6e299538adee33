// What this kernel can do for the packet path, found by trying it once at start.
import { AbsentError } from '../base/errors.ts'
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

/** Is told of each feature that was asked for and is not there. */
export type OnLack = (feature: string, why: unknown) => void

/** Of the features that are wanted, those that the TAPs of this kernel have. */
export function probeTap(wanted: TapFeatures, onLack: OnLack): TapFeatures {
  const tcp = { offload: tapOffload({ tcp: true, udp: false }) }
  const udp = { offload: tapOffload({ tcp: false, udp: true }) }
  return {
    tcp: wanted.tcp && has('tcpSegmentation', onLack, () => tryTap(tcp)),
    udp: wanted.udp && has('udpSegmentation', onLack, () => tryTap(udp)),
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
export function probeSteering(program: Uint8Array, onLack: OnLack): number {
  let steering = -1
  const isThere = has('multiQueue', onLack, () => {
    steering = loadPacketProgram(program)
    const { isMultiQueue } = tryTap({ count: 2, steering })
    if (!isMultiQueue) throw new AbsentError('a TAP of this kernel has one queue')
  })
  if (isThere || steering < 0) return steering
  close(steering)
  return -1
}

/** Try it in a network namespace that nobody else sees. */
function has(feature: string, onLack: OnLack, attempt: () => void): boolean {
  return inFreshNetns(() => {
    try {
      attempt()
      return true
    } catch (error) {
      onLack(feature, error)
      return false
    }
  })
}

function tryTap(spec: Partial<TapSpec>): Tap {
  const tap = makeTap({ name: PROBE_DEVICE, offload: 0, count: 1, steering: -1, ...spec })
  for (const fd of tap.fds) close(fd)
  return tap
}
