// What we asked by ICMP echo, and whether what comes in answers it. Anybody can send ICMP to a
// host, so each request carries a random cookie: a reply without it, or from somebody else, is
// counted and forgotten (RFC 5927 section 4 tells what forged ICMP errors do otherwise).
import { timingSafeEqual } from 'node:crypto'
import { assert } from '../base/assert.ts'
import { complementSum, sumOctets } from '../wire/checksum.ts'
import {
  ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, ICMP_FRAGMENTATION_NEEDED_CODE, ICMP_HEADER_OCTETS,
  ICMP_TIME_EXCEEDED, ICMP_UNREACHABLE, icmpCode, icmpIdentifier, icmpMtu, icmpSequence, icmpType,
  writeIcmpEcho,
} from '../wire/icmp.ts'
import {
  IPV4_HEADER_OCTETS, ipv4Destination, ipv4HeaderOctets, ipv4Protocol, ipv4Source, ipv4TotalOctets,
  PROTOCOL_ICMP,
} from '../wire/ipv4.ts'

const COOKIE_OCTETS = 16
const HEADERS_OCTETS = IPV4_HEADER_OCTETS + ICMP_HEADER_OCTETS
/** The shortest request: headers and cookie. */
export const ECHO_OCTETS_MIN = HEADERS_OCTETS + COOKIE_OCTETS
/** The longest IPv4 packet. */
export const ECHO_OCTETS_MAX = 65_535
/** Requests that are remembered; the oldest is forgotten for a new one. */
export const ECHO_OUTSTANDING_MAX = 4096
/** RFC 791 section 3.2: no hop carries less, so less cannot be a next-hop MTU. */
const HOP_MTU_MIN_OCTETS = 68

/** An answer to the request with this number. Addresses are numbers, as in base/text.ts. */
export type EchoAnswer =
  | Readonly<{ type: 'reply'; sequence: number; rttMs: number }>
  /** A router dropped it. `mtuOctets`: what would pass there, 0 when the router does not say. */
  | Readonly<{ type: 'too-large'; sequence: number; from: number; mtuOctets: number }>
  /** Somebody on the way, or the host itself, says that it cannot be reached. RFC 792. */
  | Readonly<{ type: 'unreachable'; sequence: number; from: number; code: number }>
  | Readonly<{ type: 'expired'; sequence: number; from: number }>

/** Why something that came in is no answer. */
export type EchoRefusal = 'malformed' | 'unknown' | 'forged'

type Outstanding = {
  readonly destination: number
  readonly sizeOctets: number
  readonly cookie: Uint8Array
  sentMs: number
}

export class EchoLedger {
  readonly identifier: number
  readonly #randomOctets: (octets: number) => Uint8Array
  /** By sequence number, oldest first. */
  readonly #outstanding = new Map<number, Outstanding>()
  #forgotten = 0

  /** @param randomOctets unpredictable ones, new at each call */
  constructor(randomOctets: (octets: number) => Uint8Array) {
    this.#randomOctets = randomOctets
    const [high = 0, low = 0] = randomOctets(2)
    this.identifier = (high << 8) | low
  }

  /** Requests that were forgotten unanswered because ECHO_OUTSTANDING_MAX others came after. */
  get forgotten(): number {
    return this.#forgotten
  }

  /**
   * The ICMP message of a request; the kernel puts the IPv4 header before it.
   * @param sizeOctets length of the whole packet, ECHO_OCTETS_MIN to ECHO_OCTETS_MAX
   * @param sequence   0 to 65535; an older request with it is forgotten
   */
  request(destination: number, sizeOctets: number, sequence: number, nowMs: number): Buffer {
    assert(sizeOctets >= ECHO_OCTETS_MIN && sizeOctets <= ECHO_OCTETS_MAX, 'an echo has its size')
    const cookie = this.#randomOctets(COOKIE_OCTETS)
    this.#outstanding.delete(sequence)
    if (this.#outstanding.size >= ECHO_OUTSTANDING_MAX) {
      const [oldest] = this.#outstanding.keys()
      this.#outstanding.delete(oldest!)
      this.#forgotten += 1
    }
    this.#outstanding.set(sequence, { destination, sizeOctets, cookie, sentMs: nowMs })
    const message = Buffer.alloc(sizeOctets - IPV4_HEADER_OCTETS)
    message.set(cookie, ICMP_HEADER_OCTETS)
    writeIcmpEcho(viewOf(message), 0, ICMP_ECHO_REQUEST, this.identifier, sequence, message.length)
    return message
  }

  /** It leaves only now: round trips are counted from here. */
  sent(sequence: number, nowMs: number): void {
    const request = this.#outstanding.get(sequence)
    if (request !== undefined) request.sentMs = nowMs
  }

  /** It did not leave. */
  drop(sequence: number): void {
    this.#outstanding.delete(sequence)
  }

  /** @param packet as a raw socket gives it, from the IPv4 header on */
  receive(packet: Buffer, nowMs: number): EchoAnswer | EchoRefusal {
    const view = viewOf(packet)
    const headerOctets = ipv4HeaderOctets(view, 0, packet.length)
    if (headerOctets < 0 || ipv4Protocol(view, 0) !== PROTOCOL_ICMP) return 'malformed'
    const octets = ipv4TotalOctets(view, 0) - headerOctets
    if (octets < ICMP_HEADER_OCTETS) return 'malformed'
    if (complementSum(sumOctets(view, headerOctets, octets, 0)) !== 0) return 'malformed'
    const from = ipv4Source(view, 0) >>> 0
    const type = icmpType(view, headerOctets)
    if (type === ICMP_ECHO_REPLY) return this.#reply(view, headerOctets, octets, from, nowMs)
    if (type !== ICMP_UNREACHABLE && type !== ICMP_TIME_EXCEEDED) return 'unknown'
    const sequence = this.#quoted(view, headerOctets + ICMP_HEADER_OCTETS,
      octets - ICMP_HEADER_OCTETS)
    if (typeof sequence !== 'number') return sequence
    const { sizeOctets } = this.#outstanding.get(sequence)!
    this.#outstanding.delete(sequence)
    if (type === ICMP_TIME_EXCEEDED) return { type: 'expired', sequence, from }
    const code = icmpCode(view, headerOctets)
    if (code !== ICMP_FRAGMENTATION_NEEDED_CODE) {
      return { type: 'unreachable', sequence, from, code }
    }
    const mtuOctets = icmpMtu(view, headerOctets)
    const isPlausible = mtuOctets >= HOP_MTU_MIN_OCTETS && mtuOctets < sizeOctets
    return { type: 'too-large', sequence, from, mtuOctets: isPlausible ? mtuOctets : 0 }
  }

  #reply(view: DataView, at: number, octets: number, from: number,
    nowMs: number): EchoAnswer | EchoRefusal {
    const sequence = icmpSequence(view, at)
    const request = this.#outstanding.get(sequence)
    if (icmpIdentifier(view, at) !== this.identifier || request === undefined) return 'unknown'
    const isOurs = request.destination === from && icmpCode(view, at) === 0
      && octets === request.sizeOctets - IPV4_HEADER_OCTETS
      && hasCookie(view, at + ICMP_HEADER_OCTETS, request.cookie)
    if (!isOurs) return 'forged'
    this.#outstanding.delete(sequence)
    return { type: 'reply', sequence, rttMs: Math.max(0, nowMs - request.sentMs) }
  }

  /**
   * Which of our requests an error quotes: RFC 792 asks for the header and 8 octets more, which
   * hold identifier and sequence number; RFC 1812 section 4.3.2.3 for as much as fits, and then the
   * cookie must be right.
   */
  #quoted(view: DataView, at: number, octets: number): number | EchoRefusal {
    if (octets < HEADERS_OCTETS) return 'malformed'
    const headerOctets = (view.getUint8(at) & 0x0f) * 4
    if (view.getUint8(at) >>> 4 !== 4 || headerOctets < IPV4_HEADER_OCTETS
      || octets < headerOctets + ICMP_HEADER_OCTETS) return 'malformed'
    const icmpAt = at + headerOctets
    if (ipv4Protocol(view, at) !== PROTOCOL_ICMP || icmpType(view, icmpAt) !== ICMP_ECHO_REQUEST
      || icmpIdentifier(view, icmpAt) !== this.identifier) return 'unknown'
    const sequence = icmpSequence(view, icmpAt)
    const request = this.#outstanding.get(sequence)
    if (request === undefined) return 'unknown'
    const cookieAt = icmpAt + ICMP_HEADER_OCTETS
    const hasRoom = octets >= headerOctets + ICMP_HEADER_OCTETS + COOKIE_OCTETS
    const isOurs = ipv4Destination(view, at) >>> 0 === request.destination
      && ipv4TotalOctets(view, at) === request.sizeOctets
      && (!hasRoom || hasCookie(view, cookieAt, request.cookie))
    return isOurs ? sequence : 'forged'
  }
}

function hasCookie(view: DataView, at: number, cookie: Uint8Array): boolean {
  const found = new Uint8Array(view.buffer, view.byteOffset + at, COOKIE_OCTETS)
  return timingSafeEqual(found, cookie)
}

function viewOf(octets: Buffer): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.length)
}
