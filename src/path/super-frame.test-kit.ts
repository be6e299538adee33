// Super-frames for tests: of any kind that a kernel hands over, and how they are varied.
import fc from 'fast-check'
import { linkLocalWords, parseMac } from '../base/text.ts'
import { makeRandom } from '../base/prng.ts'
import { type Station, viewOf, type Words4 } from './frames.test-kit.ts'
import {
  A, ACK, B, CWR, finished, gsoTypeOf, IP_OCTETS_MAX, type Passed, plainChecksum, pseudoHeader, PSH,
  shapeOf, TCP, UDP, virtioHeader,
} from './offload.test-kit.ts'

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
