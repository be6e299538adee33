// Addresses as members have them: octets in messages, text for a transport.
import { addressText } from '../../wire/memberlist/address.ts'
import type { MeshAddress } from '../mesh-address.ts'

/** memberlist's default; a message without a port (protocol 1) means it. */
export const MESH_PORT = 7946

/** @param octets 4 or 16 of them */
export function addressOf(octets: Uint8Array, port: number): MeshAddress {
  return { host: addressText(octets), port: port === 0 ? MESH_PORT : port }
}

export function sameAddress(a: MeshAddress, b: MeshAddress): boolean {
  return a.port === b.port && a.host === b.host
}

export function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i])
}
