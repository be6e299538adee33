// struct sockaddr_in, linux/in.h, and struct sockaddr_in6, linux/in6.h.
import { AF_INET, AF_INET6 } from './constants.ts'

/** @param address host order */
export function socketAddress(address: number, port: number): Uint8Array {
  const octets = new Uint8Array(16)
  const view = new DataView(octets.buffer)
  view.setUint16(0, AF_INET, true)
  view.setUint16(2, port, false)
  view.setUint32(4, address >>> 0, false)
  return octets
}

/** All addresses of IPv6, and of IPv4 where the socket takes both. */
export function anyAddress6(port: number): Uint8Array {
  const octets = new Uint8Array(28)
  const view = new DataView(octets.buffer)
  view.setUint16(0, AF_INET6, true)
  view.setUint16(2, port, false)
  return octets
}
