// Segments as one read of a TAP brings them, for the tests of fold.ts.
import { octetsOf } from '../wire/vectors.test-kit.ts'
import {
  ether, ipv4, type Ipv4Words, payloadOf, segmentOf, station, viewOf, withChecksum,
} from './frames.test-kit.ts'
import { Lab, type LabEndpoint, type LabOptions } from './lab.test-kit.ts'
import { payloadAt, shapeOf, unpacked, virtioHeader } from './offload.test-kit.ts'
import { ACK, RST, SYN } from './services.test-kit.ts'

export const A = station('10.0.1.2')
export const B = station('10.0.1.3')
export const [FIN, PSH, URG, ECE, CWR] = [0x01, 0x08, 0x20, 0x40, 0x80] as const
export const SEEN = 500
const STAMPS = '0101 080a 01020304 05060708'
export const L4 = 34

export type Words = {
  flags?: number
  sequence?: number
  acknowledgment?: number
  window?: number
  options?: string
  payload?: number
  port?: number
  to?: typeof A
  ip?: Partial<Ipv4Words>
  tags?: number[]
  /** The kernel has left the checksum to us, as it does; else it is right already. */
  kind?: 'partial' | 'right'
  /** Octets of payload that each segment of a super-frame has. */
  size?: number
}
export type Sent = { octets: Uint8Array; header: Uint8Array }

/** A frame as a TAP hands it over: of a connection with time stamps, unless told otherwise. */
export function sent(words: Words): Sent {
  const { flags = ACK, sequence = 100, acknowledgment = SEEN, window = 64, options = STAMPS,
    payload = 0, port = 5000, to = B, ip = {}, tags = [], kind = 'partial', size = 0 } = words
  const list = octetsOf(options)
  const segment = segmentOf(port, 80, flags, sequence, acknowledgment,
    Uint8Array.of(...list, ...payloadOf(payload, sequence)))
  segment[12] = (20 + list.length) << 2
  viewOf(segment).setUint16(14, window)
  const packet = ipv4({ source: A.address, destination: to.address, protocol: 6, ...ip }, segment)
  const isPlain = tags.length === 0 && ip.options === undefined && ip.protocol === undefined
  const whole = isPlain ? withChecksum(packet, kind) : packet
  const header = isPlain && kind === 'partial' ? virtioHeader({ flags: 1, start: L4, offset: 16,
    ...size > 0 && { type: 1, size, headerOctets: L4 + 20 + list.length } }) : virtioHeader({})
  return { octets: ether(to.mac, A.mac, 0x0800, whole, tags), header }
}

export function pair(options: LabOptions = {}) {
  const lab = new Lab(options)
  const [one, two] = [lab.host(0), lab.host(1)]
  return { lab, one, a: one.addEndpoint(A.address), b: two.addEndpoint(B.address) }
}

/** One read of the TAP brings all of it. */
export function send(from: LabEndpoint, frames: readonly Sent[]): void {
  for (const { octets, header } of frames) {
    from.port.inbound.push({ octets, source: 0, tos: 0, flow: 0, vnetHeader: header })
  }
}

/** What the kernel makes of all that was handed over. */
export function takeAll(from: LabEndpoint): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let next = from.take(); next !== undefined; next = from.take()) {
    frames.push(...unpacked({ octets: next.octets, header: next.vnetHeader }))
  }
  return frames
}

/** "A 100+64" is a segment with ACK, sequence 100, and 64 octets. */
export function nameOf(frame: Uint8Array): string {
  const shape = shapeOf(frame)!
  const view = viewOf(frame)
  const flags = view.getUint8(shape.l4At + 13)
  const letters = [[SYN, 'S'], [FIN, 'F'], [RST, 'R'], [PSH, 'P'], [ACK, 'A'], [URG, 'U'],
    [ECE, 'E'], [CWR, 'W']] as const
  const payload = shape.end - payloadAt(frame, shape)
  return `${letters.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter).join('')} `
    + `${view.getUint32(shape.l4At + 4)}${payload > 0 ? `+${payload}` : ''}`
}
