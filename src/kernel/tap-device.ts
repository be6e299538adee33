// Making the TAP device of an endpoint. Its frames go through tap.ts.
import { KernelError } from '../base/errors.ts'
import {
  EBUSY, EINVAL, ENOENT, EPERM, IFF_NO_PI, IFF_TAP, IFF_VNET_HDR, O_CLOEXEC, O_NONBLOCK, O_RDWR,
  TUNSETIFF, TUNSETOFFLOAD, TUNSETPERSIST,
} from './constants.ts'
import { close, ioctl, ioctlValue, open } from './syscalls.ts'

const TUN_DEVICE = '/dev/net/tun'
const IFNAME_OCTETS = 16
const IFREQ_OCTETS = 40

/**
 * Create or attach to the persistent TAP `name` in the calling thread's network namespace. It
 * outlives this process with its addresses and routes, so that a restart of the daemon costs a task
 * nothing.
 * @param name     1 to 15 octets, no slash
 * @param offload  what the kernel may leave to us, from tapOffload(): checksums, segmentation
 * @returns        descriptor, non-blocking; one read is a virtio_net_hdr and one Ethernet frame
 * @throws         KernelError ENOENT (no tun driver), EPERM (no CAP_NET_ADMIN), EBUSY (held by
 *                 another process)
 * @source         Linux Documentation/networking/tuntap.rst 3.1, linux/if_tun.h
 */
export function makeTap(name: string, offload: number): number {
  const fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC)
  if (fd < 0) throw makeTunError('open', -fd, name)
  const request = new Uint8Array(IFREQ_OCTETS)
  request.set(new TextEncoder().encode(name).subarray(0, IFNAME_OCTETS - 1))
  new DataView(request.buffer).setUint16(IFNAME_OCTETS, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true)
  const made = ioctl(fd, TUNSETIFF, request)
  const kept = made < 0 ? made : ioctlValue(fd, TUNSETPERSIST, 1)
  const result = kept < 0 ? kept : ioctlValue(fd, TUNSETOFFLOAD, offload)
  if (result >= 0) return fd
  close(fd)
  throw makeTunError(made < 0 ? 'ioctl TUNSETIFF' : 'ioctl TUNSETPERSIST', -result, name)
}

function makeTunError(call: string, errno: number, device: string): KernelError {
  const hint = errno === ENOENT ? `${TUN_DEVICE} is missing; load the driver with: modprobe tun`
    : errno === EPERM ? 'creating a TAP needs root or CAP_NET_ADMIN'
      : errno === EBUSY ? 'another process holds this TAP; is a second daemon running?'
        : errno === EINVAL ? 'a device of this name that is no TAP of ours stands in the way' : ''
  return new KernelError(call, errno, { device }, hint)
}
