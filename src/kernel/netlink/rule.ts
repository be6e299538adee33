// Rules that say which routing table is asked for a packet, in which order: ip-rule(8). IPv4 only.
import netlink from 'netlink'
import { KernelError } from '../../base/errors.ts'
import { parseIpv4 } from '../../base/text.ts'
import { AF_INET, EEXIST, ENOENT } from '../constants.ts'
import { ipOfOctets, octetsOfIpv4 } from './ip-octets.ts'
import type { Attribute, Attributes } from './message.ts'
import { formatBody, parseAttributes, u32, u32Of } from './message.ts'
import type { Rtnetlink } from './rtnetlink.ts'

export type Rule = Readonly<{
  /** The lowest is asked first. */
  priority: number
  table: number
  /** Of IP: 6 for TCP, 17 for UDP; null: any. */
  protocol: number | null
  /** The only destination port that it is for; null: any, and with `isPlain` false others, too. */
  port: number | null
  /** The only source address that it is for; null: any. */
  source: string | null
  /** Nothing else is asked of a packet than what stands here. */
  isPlain: boolean
}>

export type RuleSpec = Pick<Rule, 'priority' | 'table'>
  & Partial<Pick<Rule, 'protocol' | 'port' | 'source'>>

// linux/fib_rules.h
const FRA_SRC = 2
const FRA_PRIORITY = 6
const FRA_SUPPRESS_IFGROUP = 13
const FRA_SUPPRESS_PREFIXLEN = 14
const FRA_TABLE = 15
const FRA_PROTOCOL = 21
const FRA_IP_PROTO = 22
const FRA_DPORT_RANGE = 24
/** Told since Linux 6.15, of every rule that has a port. */
const FRA_DPORT_MASK = 29
const WHOLE_PORT = 0xffff
const FR_ACT_TO_TBL = 1
const IPV4_BITS = 32
/** What asks nothing of a packet, or what a Rule has a field for. Suppressed: -1 for "not". */
const KNOWN = [FRA_SRC, FRA_PRIORITY, FRA_SUPPRESS_IFGROUP, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE,
  FRA_PROTOCOL, FRA_IP_PROTO, FRA_DPORT_RANGE, FRA_DPORT_MASK]
// struct fib_rule_hdr { u8 family, dst_len, src_len, tos, table, res1, res2, action; u32 flags; }
const HEADER_OCTETS = 12
const SOURCE_BITS_AT = 2
const TABLE_AT = 4
const ACTION_AT = 7
const FLAGS_AT = 8

const { NEWRULE, DELRULE, GETRULE } = netlink.rt.MessageType
const { CREATE, EXCL } = netlink.FlagsNew

/** Those that lead to a table, in the order in which they are asked. */
export async function rules(rt: Rtnetlink): Promise<Rule[]> {
  const messages = await rt.dump(GETRULE, formatBody(headerOf(0, 0), []))
  return messages.map(parseRule).filter(rule => rule !== null)
    .sort((a, b) => a.priority - b.priority)
}

/** One that is there already is no error. */
export async function addRule(rt: Rtnetlink, spec: RuleSpec): Promise<void> {
  try {
    await rt.change(NEWRULE, CREATE | EXCL, formatRule(spec), spec)
  } catch (error) {
    if (!(error instanceof KernelError && error.errno === EEXIST)) throw error
  }
}

/** One that is not there is no error. */
export async function deleteRule(rt: Rtnetlink, spec: RuleSpec): Promise<void> {
  try {
    await rt.change(DELRULE, 0, formatRule(spec), spec)
  } catch (error) {
    if (!(error instanceof KernelError && error.errno === ENOENT)) throw error
  }
}

export function isSameRule(rule: Rule, spec: RuleSpec): boolean {
  return rule.isPlain && rule.priority === spec.priority && rule.table === spec.table
    && rule.protocol === (spec.protocol ?? null) && rule.port === (spec.port ?? null)
    && rule.source === (spec.source ?? null)
}

function headerOf(sourceBits: number, action: number): Buffer {
  const header = Buffer.alloc(HEADER_OCTETS)
  header.writeUInt8(AF_INET, 0)
  header.writeUInt8(sourceBits, SOURCE_BITS_AT)
  header.writeUInt8(action, ACTION_AT)
  return header
}

function formatRule({ priority, table, protocol, port, source }: RuleSpec): Buffer {
  const attributes: Attribute[] = [[FRA_PRIORITY, u32(priority)], [FRA_TABLE, u32(table)]]
  if (source != null) attributes.push([FRA_SRC, octetsOfIpv4(parseIpv4(source))])
  if (protocol != null) attributes.push([FRA_IP_PROTO, Uint8Array.of(protocol)])
  // struct fib_rule_port_range { u16 start, end; }, both in it.
  if (port != null) {
    attributes.push([FRA_DPORT_RANGE, new Uint8Array(Uint16Array.of(port, port).buffer)])
  }
  return formatBody(headerOf(source == null ? 0 : IPV4_BITS, FR_ACT_TO_TBL), attributes)
}

function parseRule(message: Buffer): Rule | null {
  if (message.length < HEADER_OCTETS || message.readUInt8(ACTION_AT) !== FR_ACT_TO_TBL) return null
  const attributes = parseAttributes(message.subarray(HEADER_OCTETS))
  const range = attributes.get(FRA_DPORT_RANGE)
  const [first, last] = range === undefined ? [null, null] : [range.readUInt16LE(0),
    range.readUInt16LE(2)]
  const source = attributes.get(FRA_SRC)
  return Object.freeze({
    priority: u32Of(attributes, FRA_PRIORITY),
    table: u32Of(attributes, FRA_TABLE) || message.readUInt8(TABLE_AT),
    protocol: attributes.get(FRA_IP_PROTO)?.readUInt8(0) ?? null,
    port: first === last ? first : null,
    source: source === undefined ? null : ipOfOctets(source),
    isPlain: first === last && isPlain(message, attributes),
  })
}

function isPlain(message: Buffer, attributes: Attributes): boolean {
  const sourceBits = message.readUInt8(SOURCE_BITS_AT)
  return message.readUInt8(1) === 0 && message.readUInt8(3) === 0
    && (attributes.get(FRA_DPORT_MASK)?.readUInt16LE(0) ?? WHOLE_PORT) === WHOLE_PORT
    && (sourceBits === 0 || sourceBits === IPV4_BITS) && message.readUInt32LE(FLAGS_AT) === 0
    && [...attributes.keys()].every(type => KNOWN.includes(type))
}
