// Sockets that are bound here and now, in the network namespace in which the calling thread is at
// this moment: Node's own calls bind later, and then it is home again. Node takes them over by
// their descriptors.
import { KernelError } from '../base/errors.ts'
import { formatIpv4 } from '../base/text.ts'
import {
  AF_INET, AF_INET6, EADDRNOTAVAIL, EAFNOSUPPORT, IPPROTO_IPV6, IPV6_V6ONLY, SOCK_CLOEXEC,
  SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM, SO_RCVBUF, SO_REUSEADDR, SO_REUSEPORT, SOL_SOCKET,
} from './constants.ts'
import { checkResult } from './node-error.ts'
import { anyAddress6, socketAddress } from './socket-address.ts'
import { bind, close, setsockopt, socket } from './syscalls.ts'

/**
 * A socket that takes a port of all addresses, of IPv6 too where there is any, so that nobody else
 * has it. It neither listens nor reads.
 * @returns a descriptor; the caller closes it
 * @throws KernelError EADDRINUSE
 */
export function openReserved(kind: 'udp' | 'tcp', port: number): number {
  const results = [reserve(AF_INET6, kind, port)]
  // Where IPv6 is not there, or switched off.
  if ([-EAFNOSUPPORT, -EADDRNOTAVAIL].includes(results[0]!)) {
    results.push(reserve(AF_INET, kind, port))
  }
  return checkResult('bind', results.at(-1)!, { kind, port })
}

/** Answers a descriptor, or minus errno. */
function reserve(family: number, kind: 'udp' | 'tcp', port: number): number {
  const type = kind === 'udp' ? SOCK_DGRAM : SOCK_STREAM
  const fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) return fd
  const number = (value: number): Uint8Array => new Uint8Array(new Int32Array([value]).buffer)
  const results = [
    // What is not for us piles up here: as little as the kernel allows.
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, number(1)),
    family === AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, number(0)) : 0,
    bind(fd, family === AF_INET6 ? anyAddress6(port) : socketAddress(0, port)),
  ]
  const fault = results.find(result => result < 0)
  if (fault === undefined) return fd
  close(fd)
  return fault
}

/**
 * A socket bound to one address, which whoever binds to all addresses may share: a name server of
 * a task's own, for one, if it asks for that (SO_REUSEPORT). A stream socket does not listen yet.
 * @param address host order
 * @returns a descriptor; the caller closes it, or gives it to Node
 * @throws KernelError EADDRINUSE when somebody has the port who does not share it
 */
export function openBound(kind: 'udp' | 'tcp', address: number, port: number): number {
  const type = kind === 'udp' ? SOCK_DGRAM : SOCK_STREAM
  const fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) throw new KernelError('socket', -fd, { kind })
  const one = new Uint8Array(new Int32Array([1]).buffer)
  const results = [
    ['setsockopt', setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, one)],
    ['setsockopt', setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, one)],
    ['bind', bind(fd, socketAddress(address, port))],
  ] as const
  for (const [call, result] of results) {
    if (result >= 0) continue
    close(fd)
    throw new KernelError(call, -result, { kind, address: `${formatIpv4(address)}:${port}` })
  }
  return fd
}
