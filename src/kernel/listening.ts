// Sockets that are bound here and now, in the network namespace in which the calling thread is at
// this moment: Node's own calls bind later, and then it is home again. Node takes them over by
// their descriptors.
import { KernelError } from '../base/errors.ts'
import { formatIpv4 } from '../base/text.ts'
import {
  AF_INET, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_STREAM, SO_REUSEADDR, SO_REUSEPORT,
  SOL_SOCKET,
} from './constants.ts'
import { socketAddress } from './socket-address.ts'
import { bind, close, setsockopt, socket } from './syscalls.ts'

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
