// Opening a netlink socket by the package `netlink`, so that it does not take the process down when
// it overflows.
import netlink from 'netlink'
import type { RawNetlinkSocket } from 'netlink'
import { TapmeshError } from '../../base/errors.ts'
import {
  AF_NETLINK, EPERM, NETLINK_NO_ENOBUFS, O_CLOEXEC, O_RDONLY, SO_RCVBUFFORCE, SOL_NETLINK,
  SOL_SOCKET,
} from '../constants.ts'
import { checkResult, kernelErrorOf } from '../node-error.ts'
import * as sys from '../syscalls.ts'

export const RECEIVE_BUFFER_OCTETS = 4 << 20
/** How often another thread may be in the way. */
export const OPEN_TRIES_MAX = 16
// struct sockaddr_nl, linux/netlink.h: family, pad, port, groups.
const SOCKADDR_NL_OCTETS = 12

/**
 * The package does not say which descriptor it opened; but the kernel takes the lowest one that is
 * free. Only another thread that opens something in this moment makes that wrong: then it is tried
 * again.
 * @throws KernelError as the kernel refuses
 */
export function openNetlinkSocket(protocol = netlink.Protocol.ROUTE): RawNetlinkSocket {
  for (let tries = 0; tries < OPEN_TRIES_MAX; tries += 1) {
    const fd = checkResult('open', sys.open('/', O_RDONLY | O_CLOEXEC), { path: '/' })
    sys.close(fd)
    const socket = openSocket(protocol)
    try {
      if (portOf(fd) === socket.address().port) {
        makeOverflowSafe(fd)
        return socket
      }
    } catch (error) {
      socket.close()
      throw error
    }
    socket.close()
  }
  throw new TapmeshError('TM_NETLINK', 'the descriptor of a new netlink socket is not found')
}

function openSocket(protocol: number): RawNetlinkSocket {
  try {
    return new netlink.RawNetlinkSocket(protocol)
  } catch (error) {
    throw kernelErrorOf(error)
  }
}

/** Port of a netlink socket; null when the descriptor is none. */
function portOf(fd: number): number | null {
  const address = Buffer.alloc(SOCKADDR_NL_OCTETS)
  if (sys.getsockname(fd, address) < 0) return null
  if (netlink.getU16(address.subarray(0, 2)) !== AF_NETLINK) return null
  return netlink.getU32(address.subarray(4, 8))
}

/** Make an overflow a lost answer, thus a time-out, instead of an error on the socket; and rare. */
function makeOverflowSafe(fd: number): void {
  const unreported = sys.setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, netlink.putU32(1))
  checkResult('setsockopt NETLINK_NO_ENOBUFS', unreported, { fd })
  const octets = netlink.putU32(RECEIVE_BUFFER_OCTETS)
  const forced = sys.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, octets)
  // Who only reads may lack CAP_NET_ADMIN, and does with the usual buffer.
  if (forced !== -EPERM) checkResult('setsockopt SO_RCVBUFFORCE', forced, { fd })
}
