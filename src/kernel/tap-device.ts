// Making the TAP device of an endpoint. Its frames go through tap.ts.
import { KernelError } from '../base/errors.ts'
import {
  EBUSY, EINVAL, ENOENT, EPERM, F_DUPFD_CLOEXEC, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, IFF_VNET_HDR,
  O_CLOEXEC, O_NONBLOCK, O_RDWR, TUNGETDEVNETNS, TUNSETIFF, TUNSETOFFLOAD, TUNSETPERSIST,
  TUNSETSTEERINGEBPF,
} from './constants.ts'
import { close, fcntl, ioctl, ioctlValue, open } from './syscalls.ts'

const TUN_DEVICE = '/dev/net/tun'
const IFNAME_OCTETS = 16
const IFREQ_OCTETS = 40
const NO_PROGRAM = -1

export type TapSpec = Readonly<{
  /** 1 to 15 octets, no slash. */
  name: string
  /** What the kernel may leave to us, from tapOffload(): checksums, segmentation. */
  offload: number
  /** Descriptors that are asked for, one for each who reads or writes. */
  count: number
  /** Program that chooses among that many queues, or -1: a device is to have one queue. */
  steering: number
  /** It goes with its last descriptor; else it stays until it is deleted. */
  isPassing?: boolean
}>

export type Tap = Readonly<{
  /** Non-blocking; one read is a virtio_net_hdr and one Ethernet frame. */
  fds: readonly number[]
  /** Whether each descriptor is a queue of its own; else all of them are the same queue. */
  isMultiQueue: boolean
}>

/**
 * Create or attach to a persistent TAP in the calling thread's network namespace. It outlives this
 * process with its addresses and routes, so that a restart of the daemon costs a task nothing.
 *
 * A device has one queue or many from its making on. One that was made otherwise than is asked for
 * now stays as it is, for to make it anew would take the task's addresses and routes away: then
 * all descriptors are one queue.
 * @throws KernelError ENOENT (no tun driver), EPERM (no CAP_NET_ADMIN), EBUSY (held by another
 *                     process)
 * @source Linux Documentation/networking/tuntap.rst 3.1 and 3.3, linux/if_tun.h
 */
export function makeTap(spec: TapSpec): Tap {
  const { name, offload, count, steering, isPassing = false } = spec
  const isWanted = count > 1 && steering >= 0
  const fds: number[] = []
  try {
    const isMultiQueue = attachAny(name, isWanted, fds)
    const first = fds[0]!
    check('TUNSETPERSIST', ioctlValue(first, TUNSETPERSIST, isPassing ? 0 : 1), name)
    check('TUNSETOFFLOAD', ioctlValue(first, TUNSETOFFLOAD, offload), name)
    if (isMultiQueue) steer(first, isWanted ? steering : NO_PROGRAM, name)
    while (fds.length < count) {
      if (isMultiQueue && isWanted) attach(name, true, fds)
      else fds.push(check('F_DUPFD_CLOEXEC', fcntl(first, F_DUPFD_CLOEXEC, 0), name))
    }
    return { fds, isMultiQueue: isMultiQueue && isWanted }
  } catch (error) {
    for (const fd of fds) close(fd)
    throw error
  }
}

/**
 * The network namespace in which the device of an open TAP stands, wherever else it still shows.
 * @returns a descriptor that the caller closes; null when the device is gone, or the kernel does
 *          not tell
 */
export function openNetnsOfTap(fd: number): number | null {
  const netns = ioctlValue(fd, TUNGETDEVNETNS, 0)
  return netns < 0 ? null : netns
}

/** Attach to the device as it is, or make it as wanted. @returns whether it has many queues */
function attachAny(name: string, isWanted: boolean, fds: number[]): boolean {
  try {
    attach(name, isWanted, fds)
    return isWanted
  } catch (error) {
    if (!(error instanceof KernelError && error.errno === EINVAL)) throw error
  }
  attach(name, !isWanted, fds)
  return !isWanted
}

/** One more queue of the device, at the end of `fds`. */
function attach(name: string, isMultiQueue: boolean, fds: number[]): void {
  const fd = check('open', open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC), name)
  const request = new Uint8Array(IFREQ_OCTETS)
  request.set(new TextEncoder().encode(name).subarray(0, IFNAME_OCTETS - 1))
  const flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (isMultiQueue ? IFF_MULTI_QUEUE : 0)
  new DataView(request.buffer).setUint16(IFNAME_OCTETS, flags, true)
  const made = ioctl(fd, TUNSETIFF, request)
  if (made < 0) close(fd)
  check('TUNSETIFF', made, name)
  fds.push(fd)
}

function steer(fd: number, program: number, name: string): void {
  const argument = new Uint8Array(Int32Array.of(program).buffer)
  check('TUNSETSTEERINGEBPF', ioctl(fd, TUNSETSTEERINGEBPF, argument), name)
}

function check(call: string, result: number, device: string): number {
  if (result >= 0) return result
  const errno = -result
  const hint = errno === ENOENT ? `${TUN_DEVICE} is missing; load the driver with: modprobe tun`
    : errno === EPERM ? 'creating a TAP needs root or CAP_NET_ADMIN'
      : errno === EBUSY ? 'another process holds this TAP; is a second daemon running?'
        : errno === EINVAL ? 'a device of this name that is no TAP of ours stands in the way' : ''
  throw new KernelError(call, errno, { device }, hint)
}
