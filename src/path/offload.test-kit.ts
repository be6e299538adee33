// What must become of super-frames, worked out in the plainest way: a sum octet by octet, a
// segmenter that writes every header anew, a receiver that does with a virtio header what the
// kernel does. Nothing of the code under test is used here.
import { station, viewOf } from './frames.test-kit.ts'

export const A = station('10.0.1.2')
export const B = station('10.0.1.3')
export const TCP = 6
export const UDP = 17
export const FIN = 0x01
export const PSH = 0x08
export const ACK = 0x10
export const CWR = 0x80
const NO_GSO = 0
const GSO_TCPV4 = 1
const GSO_TCPV6 = 4
const GSO_UDP = 5
export const IP_OCTETS_MAX = 65_535
const UDP_SEGMENTS_MAX = 128 // UDP_MAX_SEGMENTS of linux/udp.h

/** A frame as it passes a TAP: octets, and the virtio header in front of them. */
export type Passed = { octets: Uint8Array; header: Uint8Array }

// ---- checks ----

/** Internet checksum over all parts, each but the last of even length: RFC 1071, word by word. */
export function plainChecksum(...parts: Uint8Array[]): number {
  let sum = 0
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) {
      sum += part[i]! * 256 + (part[i + 1] ?? 0)
      if (sum > 0xffff) sum -= 0xffff
    }
  }
  return 0xffff - sum
}

/** One after the other; quicker than spreading them. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** Where things stand in a frame. */
export type Shape = {
  version: 4 | 6
  l3At: number
  /** TCP or UDP header; of a fragment, the IP payload. */
  l4At: number
  protocol: number
  /** First octet behind the packet. */
  end: number
  isFragment: boolean
}

const EXTENSIONS = [0, 43, 60]

/** Undefined for what is not a whole IPv4 or IPv6 packet behind any number of VLAN tags. */
export function shapeOf(frame: Uint8Array): Shape | undefined {
  const view = viewOf(frame)
  let typeAt = 12
  while (typeAt + 4 < frame.length && [0x8100, 0x88a8].includes(view.getUint16(typeAt))) typeAt += 4
  const l3At = typeAt + 2
  if (l3At + 20 > frame.length) return undefined
  const type = view.getUint16(typeAt)
  if (type === 0x0800 && frame[l3At]! >> 4 === 4) {
    const l4At = l3At + (frame[l3At]! & 15) * 4
    const end = l3At + view.getUint16(l3At + 2)
    const isFragment = (view.getUint16(l3At + 6) & 0x3fff) !== 0
    return end > frame.length || l4At > end || l4At < l3At + 20 ? undefined
      : { version: 4, l3At, l4At, protocol: frame[l3At + 9]!, end, isFragment }
  }
  if (type !== 0x86dd || frame[l3At]! >> 4 !== 6 || l3At + 40 > frame.length) return undefined
  const end = l3At + 40 + view.getUint16(l3At + 4)
  let l4At = l3At + 40
  let protocol = frame[l3At + 6]!
  while (EXTENSIONS.includes(protocol) && l4At + 8 <= end) {
    protocol = frame[l4At]!
    l4At += 8 + frame[l4At + 1]! * 8
  }
  return end > frame.length || l4At > end ? undefined
    : { version: 6, l3At, l4At, protocol, end, isFragment: protocol === 44 }
}

/** The pseudo-header of RFC 9293 section 3.1, or of RFC 8200 section 8.1. */
export function pseudoHeader(frame: Uint8Array, shape: Shape, l4Octets: number): Uint8Array {
  const { version, l3At, protocol } = shape
  const addresses = version === 4 ? frame.subarray(l3At + 12, l3At + 20)
    : frame.subarray(l3At + 8, l3At + 40)
  const length = [l4Octets >> 24, l4Octets >> 16, l4Octets >> 8, l4Octets]
  return version === 4 ? Uint8Array.of(...addresses, 0, protocol, ...length.slice(2))
    : Uint8Array.of(...addresses, ...length, 0, 0, 0, protocol)
}

/** What a receiver would find wrong with lengths or checksums of a frame, or ''. */
export function faultOf(frame: Uint8Array): string {
  const shape = shapeOf(frame)
  if (shape === undefined) return 'no IP packet'
  const { version, l3At, l4At, protocol, end, isFragment } = shape
  const view = viewOf(frame)
  if (end !== frame.length) return `${frame.length - end} octets behind the packet`
  if (version === 4 && plainChecksum(frame.subarray(l3At, l4At)) !== 0) {
    return 'IPv4 header checksum'
  }
  if (isFragment || (protocol !== TCP && protocol !== UDP)) return ''
  if (end - l4At < (protocol === TCP ? 20 : 8)) return 'cut transport header'
  if (protocol === UDP && view.getUint16(l4At + 4) !== end - l4At) return 'UDP length'
  if (protocol === UDP && view.getUint16(l4At + 6) === 0) {
    return version === 4 ? '' : 'UDP over IPv6 without a checksum'
  }
  const sum = plainChecksum(pseudoHeader(frame, shape, end - l4At), frame.subarray(l4At, end))
  return sum === 0 ? '' : 'transport checksum'
}

// ---- the reference segmenter and the reference receiver ----

/** The payload of TCP or UDP. */
export function payloadAt(frame: Uint8Array, { protocol, l4At }: Shape): number {
  return l4At + (protocol === TCP ? (frame[l4At + 12]! >> 4) * 4 : 8)
}

/** Write lengths and checksums of a whole frame anew. */
export function finished(frame: Uint8Array, shape: Shape): Uint8Array {
  const done = frame.slice()
  const view = viewOf(done)
  const { version, l3At, l4At, protocol } = shape
  const l4Octets = done.length - l4At
  if (version === 6) {
    view.setUint16(l3At + 4, done.length - l3At - 40)
  } else {
    view.setUint16(l3At + 2, done.length - l3At)
    view.setUint16(l3At + 10, 0)
    view.setUint16(l3At + 10, plainChecksum(done.subarray(l3At, l4At)))
  }
  const field = l4At + (protocol === TCP ? 16 : 6)
  if (protocol === UDP) view.setUint16(l4At + 4, l4Octets)
  view.setUint16(field, 0)
  const sum = plainChecksum(pseudoHeader(done, shape, l4Octets), done.subarray(l4At))
  view.setUint16(field, protocol === UDP && sum === 0 ? 0xffff : sum)
  return done
}

/** Cut a super-frame into frames with `size` octets of payload each, as Linux does in software. */
export function segmentsOf(frame: Uint8Array, size: number): Uint8Array[] {
  const shape = shapeOf(frame)
  if (shape === undefined) throw new Error('a super-frame is an IP packet')
  const begin = payloadAt(frame, shape)
  const segments: Uint8Array[] = []
  for (let at = begin; at < shape.end; at += size) {
    const part = joined(frame.subarray(0, begin),
      frame.subarray(at, Math.min(at + size, shape.end)))
    const view = viewOf(part)
    if (shape.version === 4) {
      view.setUint16(shape.l3At + 4, (view.getUint16(shape.l3At + 4) + segments.length) % 65_536)
    }
    if (shape.protocol === TCP) {
      view.setUint32(shape.l4At + 4, (view.getUint32(shape.l4At + 4) + at - begin) % 2 ** 32)
      const isFirst = at === begin
      const isLast = at + size >= shape.end
      const cleared = (isFirst ? 0 : CWR) + (isLast ? 0 : FIN + PSH)
      view.setUint8(shape.l4At + 13, view.getUint8(shape.l4At + 13) & ~cleared)
    }
    segments.push(finished(part, shape))
  }
  return segments
}

/** The first difference between two lists of frames, in little room, or ''. */
export function firstDifference(got: readonly Uint8Array[],
  expected: readonly Uint8Array[]): string {
  const count = Math.min(got.length, expected.length)
  for (let n = 0; n < count; n++) {
    if (Buffer.compare(got[n]!, expected[n]!) === 0) continue
    const texts = [got, expected].map(frames =>
      `${frames[n]!.length} octets ${Buffer.from(frames[n]!).toString('hex', 0, 140)}`)
    return `frame ${n}: ${texts.join('\nnot ')}`
  }
  return got.length === expected.length ? '' : `${got.length} frames, not ${expected.length}`
}

/** The fields of a virtio header: struct virtio_net_hdr of linux/virtio_net.h. */
export type VirtioWords = {
  flags: number
  type: number
  headerOctets: number
  size: number
  start: number
  offset: number
}

export function virtioHeader(words: Partial<VirtioWords>): Uint8Array {
  const header = new Uint8Array(10)
  const view = viewOf(header)
  view.setUint8(0, words.flags ?? 0)
  view.setUint8(1, words.type ?? 0)
  view.setUint16(2, words.headerOctets ?? 0, true)
  view.setUint16(4, words.size ?? 0, true)
  view.setUint16(6, words.start ?? 0, true)
  view.setUint16(8, words.offset ?? 0, true)
  return header
}

export function virtioWords(header: Uint8Array): VirtioWords {
  const view = viewOf(header)
  return {
    flags: view.getUint8(0), type: view.getUint8(1), headerOctets: view.getUint16(2, true),
    size: view.getUint16(4, true), start: view.getUint16(6, true), offset: view.getUint16(8, true),
  }
}

/** The type that a super-frame of this packet has. */
export function gsoTypeOf({ version, protocol }: Shape): number {
  return protocol === UDP ? GSO_UDP : version === 4 ? GSO_TCPV4 : GSO_TCPV6
}

/**
 * The frames that the kernel makes of what is written to a TAP.
 * @throws Error for what it would refuse, or what would be lost with it
 */
export function unpacked({ octets, header }: Passed): Uint8Array[] {
  const { flags, type, headerOctets, size, start, offset } = virtioWords(header)
  if (flags === 0 && type === NO_GSO && size + start + offset + headerOctets === 0) return [octets]
  const shape = shapeOf(octets)
  if (shape === undefined) throw new Error('a virtio header in front of no IP packet')
  if (flags !== 1) throw new Error(`flags ${flags}`)
  if (start !== shape.l4At) throw new Error(`checksum from ${start}, not ${shape.l4At}`)
  if (offset !== (shape.protocol === TCP ? 16 : 6)) throw new Error(`checksum offset ${offset}`)
  const field = viewOf(octets).getUint16(start + offset)
  const pseudo = 0xffff - plainChecksum(pseudoHeader(octets, shape, shape.end - shape.l4At))
  if (field !== pseudo) throw new Error('the partial checksum is not that of the pseudo-header')
  if (type === NO_GSO) {
    if (size + headerOctets !== 0) throw new Error('sizes without a type')
    return [finished(octets, shape)]
  }
  if (type !== gsoTypeOf(shape)) throw new Error(`type ${type}`)
  const begin = payloadAt(octets, shape)
  if (headerOctets !== begin) throw new Error(`header of ${headerOctets} octets, not ${begin}`)
  const payload = octets.length - begin
  if (size === 0 || payload <= size) throw new Error(`${payload} octets in segments of ${size}`)
  if (type === GSO_UDP && payload > size * UDP_SEGMENTS_MAX) throw new Error('too many datagrams')
  const fault = faultOf(finished(octets, shape))
  if (fault !== '' || shape.end !== octets.length) throw new Error(`in the super-frame: ${fault}`)
  if (shape.version === 4 && plainChecksum(octets.subarray(shape.l3At, shape.l4At)) !== 0) {
    throw new Error('the IPv4 header checksum of the super-frame')
  }
  return segmentsOf(octets, size)
}
