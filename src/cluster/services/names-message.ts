// Questions and answers of DNS as octets: RFC 1035 section 4, RFC 6891 (EDNS). dns-packet reads
// and writes them; what it would trust a stranger with is looked at here before.
import dnsPacket from 'dns-packet'

export const TYPE_A = 1
export const TYPE_NS = 2
export const TYPE_SOA = 6
export const TYPE_PTR = 12
export const TYPE_AAAA = 28
export const TYPE_SRV = 33
export const TYPE_OPT = 41
export const TYPE_DS = 43
export const TYPE_DNSKEY = 48
export const TYPE_ANY = 255
export const CLASS_IN = 1

export const HEADER_OCTETS = 12
/** Questions have some dozens; what is longer is not read. */
export const QUERY_OCTETS_MAX = 4096
/** RFC 1035 section 2.3.4, with the octets of lengths. */
const NAME_OCTETS_MAX = 255
/** RFC 1035 section 4.2.1: what fits into a datagram when nothing was said. */
export const DATAGRAM_OCTETS = 512
export const MESSAGE_OCTETS_MAX = 65_535
/** Docker's, and the addresses of services and their slots stay. */
export const TTL_SECONDS = 600
/** OPT, and perhaps a signature. */
const ADDITIONALS_MAX = 2

export const FLAG_RESPONSE = 0x8000
export const FLAG_AUTHORITATIVE = 0x0400
export const FLAG_TRUNCATED = 0x0200
export const FLAG_RECURSION_DESIRED = 0x0100
export const FLAG_RECURSION_AVAILABLE = 0x0080
export const FLAG_AUTHENTIC = 0x0020
export const FLAG_CHECKING_DISABLED = 0x0010
/** Of the flags of an OPT record. */
export const EDNS_DNSSEC_OK = 0x8000

export const RCODES = {
  NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16,
} as const
export type Rcode = keyof typeof RCODES

export function rcodeText(rcode: number): string {
  const named = (Object.keys(RCODES) as Rcode[]).find(name => RCODES[name] === rcode)
  return named ?? `rcode ${rcode}`
}

export type Edns = Readonly<{ datagramOctets: number; isDnssecOk: boolean }>

export type Query = Readonly<{
  id: number
  /** Small letters, without the dot at the end; the root is "". */
  name: string
  type: number
  class: number
  isRecursionDesired: boolean
  /** Whether the asker minds signatures: bits AD and CD, RFC 4035 section 3.2. */
  isAuthenticWanted: boolean
  isCheckingDisabled: boolean
  edns: Edns | null
  /** The question section as it came. */
  question: Buffer
}>

/** What is asked; or why not, and then whether that is answered. */
export type Reading =
  | Readonly<{ kind: 'query'; query: Query }>
  | Readonly<{ kind: 'refused'; rcode: Rcode; reply: Buffer }>
  | Readonly<{ kind: 'ignored' }>

export type NameRecord =
  | Readonly<{ type: 'A'; data: string }>
  | Readonly<{ type: 'AAAA'; data: string }>
  | Readonly<{ type: 'PTR'; data: string }>
  | Readonly<{ type: 'SRV'; data: Readonly<{ port: number; target: string }> }>

/** Understand what came in; whatever its octets are, nothing is thrown. */
export function readQuery(octets: Buffer): Reading {
  if (octets.length < HEADER_OCTETS || octets.length > QUERY_OCTETS_MAX) return { kind: 'ignored' }
  const flags = octets.readUInt16BE(2)
  // An answer to an answer would be answered again.
  if ((flags & FLAG_RESPONSE) !== 0) return { kind: 'ignored' }
  if ((flags & 0x7800) !== 0) return refusal(octets, 'NOTIMP')
  const end = questionEnd(octets)
  const [questions, answers, authorities, additionals] =
    [4, 6, 8, 10].map(at => octets.readUInt16BE(at)) as [number, number, number, number]
  // dns-packet makes lists of as many as the header says, before it looks what is there.
  if (questions !== 1 || answers + authorities > 0 || additionals > ADDITIONALS_MAX || end < 0) {
    return refusal(octets, 'FORMERR')
  }
  try {
    return asked(octets, flags, end)
  } catch {
    return refusal(octets, 'FORMERR')
  }
}

function asked(octets: Buffer, flags: number, end: number): Reading {
  const { questions = [], additionals = [] } = dnsPacket.decode(octets)
  const opts = additionals.filter(record => record.type === 'OPT')
  const [opt] = opts
  if (opts.length > 1) return refusal(octets, 'FORMERR')
  if (opt !== undefined && opt.ednsVersion !== 0) return refusal(octets, 'BADVERS')
  return {
    kind: 'query',
    query: {
      id: octets.readUInt16BE(0),
      name: questions[0]!.name.replace(/\.$/, '').toLowerCase(),
      type: octets.readUInt16BE(end - 4),
      class: octets.readUInt16BE(end - 2),
      isRecursionDesired: (flags & FLAG_RECURSION_DESIRED) !== 0,
      isAuthenticWanted: (flags & FLAG_AUTHENTIC) !== 0,
      isCheckingDisabled: (flags & FLAG_CHECKING_DISABLED) !== 0,
      edns: opt === undefined ? null : {
        datagramOctets: Math.max(DATAGRAM_OCTETS, opt.udpPayloadSize),
        isDnssecOk: (opt.flags & EDNS_DNSSEC_OK) !== 0,
      },
      question: octets.subarray(HEADER_OCTETS, end),
    },
  }
}

/**
 * Where the question section of a message with one question ends, -1 when it does not: with name,
 * type and class. A name in a question is whole: there is nothing before it to point at.
 */
export function questionEnd(octets: Buffer): number {
  let at = HEADER_OCTETS
  while (at < octets.length && octets[at] !== 0) {
    if (octets[at]! > 63) return -1
    at += 1 + octets[at]!
  }
  const end = at + 1 + 4
  return at - HEADER_OCTETS >= NAME_OCTETS_MAX || end > octets.length ? -1 : end
}

/** The most octets that an answer to `query` may have. */
export function datagramLimit({ edns }: Pick<Query, 'edns'>): number {
  return edns?.datagramOctets ?? DATAGRAM_OCTETS
}

/** The answer to `query`: as many of `records` as fit, and the flag TC when they are not all. */
export function writeReply(query: Query, rcode: Rcode, records: readonly NameRecord[],
  limitOctets: number): Buffer {
  const opt = query.edns === null ? [] : [optOctets(query.edns.datagramOctets, 0, rcode)]
  const fixed = HEADER_OCTETS + query.question.length + (opt[0]?.length ?? 0)
  const fitting: Buffer[] = []
  let octets = fixed
  for (const record of records) {
    const next = recordOctets(record)
    if (octets + next.length > limitOctets) break
    octets += next.length
    fitting.push(next)
  }
  const flags = FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE
    | (rcode === 'NOERROR' || rcode === 'NXDOMAIN' ? FLAG_AUTHORITATIVE : 0)
    | (query.isRecursionDesired ? FLAG_RECURSION_DESIRED : 0)
    | (query.isCheckingDisabled ? FLAG_CHECKING_DISABLED : 0)
    | (fitting.length < records.length ? FLAG_TRUNCATED : 0)
  return Buffer.concat([
    header(query.id, flags | RCODES[rcode] & 0xf, 1, fitting.length, opt.length),
    query.question, ...fitting, ...opt,
  ])
}

/** The question as it goes to a name server of the outside: nothing of the asker goes with it. */
export function writeQuery(query: Query, id: number, datagramOctets: number): Buffer {
  const flags = FLAG_RECURSION_DESIRED
    | (query.isAuthenticWanted ? FLAG_AUTHENTIC : 0)
    | (query.isCheckingDisabled ? FLAG_CHECKING_DISABLED : 0)
  const opt = query.edns === null ? []
    : [optOctets(datagramOctets, query.edns.isDnssecOk ? EDNS_DNSSEC_OK : 0, 'NOERROR')]
  return Buffer.concat([header(id, flags, 1, 0, opt.length), query.question, ...opt])
}

/** A refusal of what was not understood: the header, and the question where it is whole. */
function refusal(octets: Buffer, rcode: Rcode): Reading {
  const end = octets.readUInt16BE(4) === 1 ? questionEnd(octets) : -1
  const question = end < 0 ? [] : [octets.subarray(HEADER_OCTETS, end)]
  // The upper bits of BADVERS have their place in an OPT record.
  const opt = rcode === 'BADVERS' ? [optOctets(DATAGRAM_OCTETS, 0, rcode)] : []
  const flags = FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE
    | octets.readUInt16BE(2) & (0x7800 | FLAG_RECURSION_DESIRED)
  return {
    kind: 'refused', rcode,
    reply: Buffer.concat([header(octets.readUInt16BE(0), flags | RCODES[rcode] & 0xf,
      question.length, 0, opt.length), ...question, ...opt]),
  }
}

function header(id: number, flags: number, questions: number, answers: number,
  additionals: number): Buffer {
  const octets = Buffer.alloc(HEADER_OCTETS)
  for (const [index, value] of [id, flags, questions, answers, 0, additionals].entries()) {
    octets.writeUInt16BE(value, index * 2)
  }
  return octets
}

/** RFC 6891 section 6.1.2; the rcode's upper bits stand here. */
function optOctets(datagramOctets: number, flags: number, rcode: Rcode): Buffer {
  const octets = Buffer.alloc(11)
  octets.writeUInt16BE(TYPE_OPT, 1)
  octets.writeUInt16BE(datagramOctets, 3)
  octets.writeUInt8(RCODES[rcode] >>> 4, 5)
  octets.writeUInt16BE(flags, 7)
  return octets
}

/** A record whose owner is the name of the question: a pointer to it, RFC 1035 section 4.1.4. */
function recordOctets(record: NameRecord): Buffer {
  const named = dnsPacket.encode({ answers: [{ name: '.', ttl: TTL_SECONDS, ...record }] })
  const owner = Buffer.from([0xc0, HEADER_OCTETS])
  return Buffer.concat([owner, named.subarray(HEADER_OCTETS + 1)])
}
