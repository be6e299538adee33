// Golden frames and noisy memory for the tests of this room. In vectors/ are whole frames of the
// underlay, recorded from the kernel's VXLAN device by scripts/capture-vectors.
import { readdirSync, readFileSync } from 'node:fs'

const DIRECTORY = new URL('./vectors/', import.meta.url)

/** Where a frame stands in test memory: odd, so that nothing relies on alignment or on offset 0. */
export const AT = 37
const NOISE = 0xa5
const MARGIN_OCTETS = 64

// The outer headers have no options, so everything inside has a fixed place in a vector.
export const OUTER_IPV4 = 14
export const OUTER_UDP = 34
export const OUTER_VXLAN = 42
export const INNER_FRAME = 50
export const INNER_PACKET = 64
export const INNER_IPV4_PAYLOAD = 84
export const INNER_IPV6_PAYLOAD = 104

/** Names of all vectors, without ".hex". */
export function vectorNames(): string[] {
  const names = readdirSync(DIRECTORY).filter(name => name.endsWith('.hex')).sort()
  return names.map(name => name.slice(0, -4))
}

/** The whole frame. */
export function vector(name: string): Uint8Array {
  const lines = readFileSync(new URL(`${name}.hex`, DIRECTORY), 'utf8').split('\n')
  return octetsOf(lines.filter(line => !line.startsWith('#')).join(''))
}

export function octetsOf(hex: string): Uint8Array {
  const pairs = hex.replaceAll(/\s/g, '').match(/../g) ?? []
  return Uint8Array.from(pairs, digits => Number.parseInt(digits, 16))
}

export function hexOf(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('hex')
}

/** `octets` (or hex) at AT in a memory that is noise elsewhere. */
export function ringOf(octets: Uint8Array | string): DataView {
  const frame = typeof octets === 'string' ? octetsOf(octets) : octets
  const memory = new Uint8Array(AT + frame.length + MARGIN_OCTETS).fill(NOISE)
  memory.set(frame, AT)
  return new DataView(memory.buffer)
}

/** Hex of `octets` octets at `at`. */
export function hexAt(dv: DataView, at: number, octets: number): string {
  return hexOf(new Uint8Array(dv.buffer, at, octets))
}

/**
 * What `write` puts into the `octets` octets at AT of a memory full of noise, as hex.
 * @throws Error when it writes anywhere else
 */
export function overNoise(octets: number, write: (dv: DataView) => void): string {
  const memory = new Uint8Array(AT + octets + MARGIN_OCTETS).fill(NOISE)
  write(new DataView(memory.buffer))
  const isOutside = (i: number) => i < AT || i >= AT + octets
  const strayAt = memory.findIndex((octet, i) => isOutside(i) && octet !== NOISE)
  if (strayAt >= 0) throw new Error(`wrote outside, ${strayAt - AT} octets from the start`)
  return hexOf(memory.subarray(AT, AT + octets))
}

/** `octets` from `at` to the end of the memory: a read behind them is a RangeError. */
export function atEnd(octets: Uint8Array): { dv: DataView; at: number } {
  const memory = new Uint8Array(AT + octets.length).fill(NOISE)
  memory.set(octets, AT)
  return { dv: new DataView(memory.buffer), at: AT }
}
