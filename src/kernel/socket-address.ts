// struct sockaddr_in, linux/in.h.
import { AF_INET } from './constants.ts'

/** @param address host order */
export function socketAddress(address: number, port: number): Uint8Array {
  const octets = new Uint8Array(16)
  const view = new DataView(octets.buffer)
  view.setUint16(0, AF_INET, true)
  view.setUint16(2, port, false)
  view.setUint32(4, address >>> 0, false)
  return octets
}
