// Super-frames for tests, and what must become of them, worked out in the plainest way: a sum octet
// by octet, a segmenter that writes every header anew, a receiver that does with a virtio header
// what the kernel does. Nothing of the code under test is used here.
import fc from 'fast-check'
import { linkLocalWords, parseMac } from '../base/text.ts'
import { makeRandom } from '../base/prng.ts'
import { type Station, station, viewOf, type Words4 } from './frames.test-kit.ts'

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
const IP_OCTETS_MAX = 65_535
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

// ---- making them ----

export type SuperSpec = {
  version: 4 | 6
  protocol: typeof TCP | typeof UDP
  tags: readonly number[]
  /** Options behind the IPv4 header, or octets of an extension header in IPv6, in 4 or 8 octets. */
  options: number
  extension: number
  tos: number
  ttl: number
  id: number
  fragment: number
  flowLabel: number
  tcpOptions: number
  flags: number
  sequence: number
  acknowledgment: number
  window: number
  urgent: number
  sourcePort: number
  size: number
  segments: number
  /** Which part of a full segment the last one has, in thousandths. */
  last: number
  fill: 'random' | 'zeros' | 'ones'
  seed: number
}

const PLAIN_SPEC: SuperSpec = {
  version: 4, protocol: TCP, tags: [], options: 0, extension: 60, tos: 0, ttl: 64, id: 1000,
  fragment: 0x4000, flowLabel: 0, tcpOptions: 3, flags: ACK, sequence: 5000, acknowledgment: 77,
  window: 502, urgent: 0, sourcePort: 5001, size: 1000, segments: 5, last: 1000, fill: 'random',
  seed: 1,
}

export function specOf(over: Partial<SuperSpec>): SuperSpec {
  return { ...PLAIN_SPEC, ...over }
}

const often = (max: number) => fc.oneof({ weight: 3, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max }) })
const octet = fc.integer({ min: 0, max: 255 })
const word = fc.integer({ min: 0, max: 0xffff })
const long = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }),
  fc.integer({ min: 0xffffffff - 70_000, max: 0xffffffff }))

/** All that TCP and UDP can be in one frame of a TAP. */
export const anySpec: fc.Arbitrary<SuperSpec> = fc.record({
  version: fc.constantFrom(4 as const, 6 as const),
  protocol: fc.constantFrom(TCP as typeof TCP, UDP as typeof UDP),
  tags: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1,
    arbitrary: fc.constantFrom([0x8100000a], [0x88a80064, 0x8100e00a]) }),
  options: often(31),
  extension: fc.constantFrom(0, 43, 60),
  tos: octet,
  ttl: octet,
  id: fc.oneof(word, fc.integer({ min: 65_500, max: 65_535 })),
  fragment: fc.constantFrom(0, 0x4000),
  flowLabel: fc.integer({ min: 0, max: 0xfffff }),
  tcpOptions: fc.integer({ min: 0, max: 10 }),
  flags: octet,
  sequence: long,
  acknowledgment: long,
  window: word,
  urgent: word,
  sourcePort: word,
  size: fc.integer({ min: 1, max: 1400 }),
  segments: fc.integer({ min: 1, max: 64 }),
  last: fc.integer({ min: 0, max: 1000 }),
  fill: fc.constantFrom('random' as const, 'zeros' as const, 'ones' as const),
  seed: fc.integer(),
})

/** The same with only what the receive side may put together: no VLAN tags, options, odd flags. */
export const joinableSpec = anySpec.map(spec => ({
  ...spec, tags: [], options: 0, flags: ACK | (spec.flags & (PSH | 0x40)),
  segments: Math.max(2, spec.segments),
}))

export type SuperFrame = Passed & { spec: SuperSpec; payload: Uint8Array; size: number }

function fillOf({ fill, seed }: SuperSpec, octets: number): Uint8Array {
  const random = makeRandom(seed)
  const payload = new Uint8Array(octets).fill(fill === 'ones' ? 255 : 0)
  if (fill === 'random') for (let i = 0; i < octets; i++) payload[i] = random() & 255
  return payload
}

function transportHead(spec: SuperSpec): Uint8Array {
  const isTcp = spec.protocol === TCP
  const head = new Uint8Array(isTcp ? 20 + spec.tcpOptions * 4 : 8).fill(1)
  const view = viewOf(head)
  view.setUint16(0, spec.sourcePort)
  view.setUint16(2, 5201)
  if (!isTcp) return head
  view.setUint32(4, spec.sequence)
  view.setUint32(8, spec.acknowledgment)
  view.setUint8(12, (head.length / 4) << 4)
  view.setUint8(13, spec.flags)
  view.setUint16(14, spec.window)
  view.setUint16(18, spec.urgent)
  return head
}

function networkHead(spec: SuperSpec, from: Station, to: Station): Uint8Array {
  if (spec.version === 4) {
    const head = new Uint8Array(20 + Math.min(spec.options, 10) * 4).fill(1)
    const view = viewOf(head)
    head.set([0x40 | (head.length / 4), spec.tos, 0, 0, 0, 0, 0, 0, spec.ttl, spec.protocol, 0, 0,
      ...from.address.split('.').map(Number), ...to.address.split('.').map(Number)])
    view.setUint16(4, spec.id)
    view.setUint16(6, spec.fragment)
    return head
  }
  const extensions = Math.min(spec.options, 31)
  const head = new Uint8Array(40 + extensions * 8)
  const view = viewOf(head)
  view.setUint32(0, 0x60000000 + spec.tos * 2 ** 20 + spec.flowLabel)
  head[6] = extensions === 0 ? spec.protocol : spec.extension
  head[7] = spec.ttl
  writeWords(view, 8, linkLocalWords(from.mac))
  writeWords(view, 24, linkLocalWords(to.mac))
  if (extensions > 0) head.set([spec.protocol, extensions - 1, 1, extensions * 8 - 4], 40)
  return head
}

function writeWords(view: DataView, at: number, words: Words4): void {
  words.forEach((value, i) => view.setInt32(at + i * 4, value))
}

/** The frame that a kernel would hand over for `spec`, its checksum partial. */
export function superFrame(spec: SuperSpec, from: Station = A, to: Station = B): SuperFrame {
  const ether = new Uint8Array(14 + spec.tags.length * 4)
  const view = viewOf(ether)
  for (const [at, { mac }] of [[0, to], [6, from]] as const) {
    const [high, low] = parseMac(mac)
    view.setUint16(at, high)
    view.setInt32(at + 2, low)
  }
  spec.tags.forEach((tag, i) => view.setUint32(12 + i * 4, tag))
  view.setUint16(ether.length - 2, spec.version === 4 ? 0x0800 : 0x86dd)
  const head = Uint8Array.of(...ether, ...networkHead(spec, from, to), ...transportHead(spec))
  const wanted = (spec.segments - 1) * spec.size + Math.max(1, spec.size * spec.last / 1000 | 0)
  const room = IP_OCTETS_MAX - (head.length - ether.length)
  const payload = fillOf(spec, Math.min(wanted, room))
  const octets = new Uint8Array(head.length + payload.length)
  octets.set(head)
  octets.set(payload, head.length)
  const { octets: partial, start, offset } = withPartial(octets, ether.length, head.length
    - transportHead(spec).length)
  const shape = shapeOf(partial)!
  const type = gsoTypeOf(shape) | (spec.protocol === TCP && (spec.flags & CWR) !== 0 ? 0x80 : 0)
  return { spec, payload, size: spec.size, octets: partial,
    header: virtioHeader({ flags: 1, type, headerOctets: head.length, size: spec.size, start,
      offset }) }
}

/** Right lengths, and the pseudo-header's sum in place of the checksum. */
function withPartial(octets: Uint8Array, l3At: number, l4At: number) {
  const version = octets[l3At]! >> 4
  viewOf(octets).setUint16(l3At + (version === 4 ? 2 : 4),
    octets.length - l3At - (version === 4 ? 0 : 40))
  const shape = shapeOf(octets)!
  const partial = finished(octets, shape)
  const offset = shape.protocol === TCP ? 16 : 6
  viewOf(partial).setUint16(l4At + offset,
    0xffff - plainChecksum(pseudoHeader(partial, shape, partial.length - l4At)))
  return { octets: partial, start: l4At, offset }
}
