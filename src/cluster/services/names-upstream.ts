// What a name server of the outside answered: checked against what was asked, and made to last for
// as long as it says. The octets stay as they are; no record is taken apart but for its time.
import {
  CLASS_IN, FLAG_RECURSION_DESIRED, FLAG_RESPONSE, FLAG_TRUNCATED, HEADER_OCTETS, questionEnd,
  type Query, RCODES, TYPE_OPT, TYPE_SOA,
} from './names-message.ts'

/** Longest that an answer is kept, and one that there is no such name. */
export const TTL_MAX_SECONDS = 3600
export const TTL_NEGATIVE_MAX_SECONDS = 300
/** Records of one answer that are looked at: it is not kept when there are more. */
const RECORDS_MAX = 1024

export type UpstreamReply = Readonly<{
  octets: Buffer
  rcode: number
  isTruncated: boolean
  /** How long it holds; 0: it is not to be kept. */
  ttlSeconds: number
  /** Where the times of its records stand. */
  ttlPlaces: readonly number[]
}>

/** It says something about the name: it is there, or it is not. */
export function isGood({ rcode }: Pick<UpstreamReply, 'rcode'>): boolean {
  return rcode === RCODES.NOERROR || rcode === RCODES.NXDOMAIN
}

/** The answer to a question that was sent as `id`; null when it is not that, or not to be read. */
export function readUpstream(octets: Buffer, id: number, question: Buffer): UpstreamReply | null {
  if (octets.length < HEADER_OCTETS || octets.readUInt16BE(0) !== id) return null
  const flags = octets.readUInt16BE(2)
  if ((flags & FLAG_RESPONSE) === 0 || (flags & 0x7800) !== 0) return null
  const rcode = flags & 0xf
  const bare = { octets, rcode, isTruncated: (flags & FLAG_TRUNCATED) !== 0, ttlSeconds: 0,
    ttlPlaces: [] }
  // A server that does not understand may leave out what it did not understand.
  if (octets.readUInt16BE(4) === 0 && !isGood(bare)) return bare
  if (octets.readUInt16BE(4) !== 1) return null
  const end = questionEnd(octets)
  if (end < 0 || !isSameQuestion(octets.subarray(HEADER_OCTETS, end), question)) return null
  const times = readTimes(octets, end, rcode)
  return times === null ? null : { ...bare, ...times }
}

/**
 * The answer as it goes to somebody who asks the same.
 * @param ageSeconds how long it was kept
 */
export function replyFor(query: Query, reply: UpstreamReply, ageSeconds: number,
  limitOctets: number): Buffer {
  const isWhole = reply.octets.length <= limitOctets
  const octets = Buffer.from(isWhole ? reply.octets
    : reply.octets.subarray(0, HEADER_OCTETS + query.question.length))
  octets.writeUInt16BE(query.id, 0)
  const flags = octets.readUInt16BE(2) & ~FLAG_RECURSION_DESIRED
  octets.writeUInt16BE(flags | (query.isRecursionDesired ? FLAG_RECURSION_DESIRED : 0)
    | (isWhole ? 0 : FLAG_TRUNCATED), 2)
  if (octets.readUInt16BE(4) === 1) query.question.copy(octets, HEADER_OCTETS)
  if (!isWhole) {
    octets.fill(0, 6, HEADER_OCTETS)
    return octets
  }
  for (const at of reply.ttlPlaces) {
    octets.writeUInt32BE(Math.max(0, lasting(octets.readUInt32BE(at)) - ageSeconds), at)
  }
  return octets
}

/** As the server spells the name: capitals do not count (RFC 4343). */
function isSameQuestion(theirs: Buffer, ours: Buffer): boolean {
  const nameOctets = ours.length - 4
  if (Buffer.compare(theirs.subarray(nameOctets), ours.subarray(nameOctets)) !== 0) return false
  for (let at = 0; at < nameOctets; at++) {
    if (small(theirs[at]!) !== small(ours[at]!)) return false
  }
  return true
}

function small(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet
}

/** The times of all records; null when they do not lie within the message. */
function readTimes(octets: Buffer, end: number, rcode: number,
): Pick<UpstreamReply, 'ttlSeconds' | 'ttlPlaces'> | null {
  const [answers, authorities, additionals] = [6, 8, 10].map(at => octets.readUInt16BE(at)) as
    [number, number, number]
  const count = answers + authorities + additionals
  if (count > RECORDS_MAX) return { ttlSeconds: 0, ttlPlaces: [] }
  const ttlPlaces: number[] = []
  let least = TTL_MAX_SECONDS
  let negative = 0
  let at = end
  for (let record = 0; record < count; record++) {
    at = nameEnd(octets, at)
    if (at < 0 || at + 10 > octets.length) return null
    const type = octets.readUInt16BE(at)
    const after = at + 10 + octets.readUInt16BE(at + 8)
    if (after > octets.length) return null
    if (type !== TYPE_OPT) {
      const ttl = lasting(octets.readUInt32BE(at + 4))
      ttlPlaces.push(at + 4)
      least = Math.min(least, ttl)
      const isSoa = type === TYPE_SOA && octets.readUInt16BE(at + 2) === CLASS_IN
      // RFC 2308 section 5: the SOA in the authority section says how long there is nothing.
      if (isSoa && record >= answers && after - at - 10 >= 20) {
        negative = Math.min(ttl, octets.readUInt32BE(after - 4), TTL_NEGATIVE_MAX_SECONDS)
      }
    }
    at = after
  }
  const isNegative = rcode === RCODES.NXDOMAIN || answers === 0
  return { ttlPlaces, ttlSeconds: isNegative ? Math.min(negative, least) : least }
}

/** RFC 2181 section 8: a time with its highest bit set is none. */
function lasting(seconds: number): number {
  return seconds > 0x7fffffff ? 0 : seconds
}

/** Behind the name at `at`, or -1: labels, and perhaps a pointer at their end. */
function nameEnd(octets: Buffer, at: number): number {
  while (at < octets.length) {
    const length = octets[at]!
    if (length === 0) return at + 1
    if ((length & 0xc0) === 0xc0) return at + 2
    if (length > 63) return -1
    at += 1 + length
  }
  return -1
}
