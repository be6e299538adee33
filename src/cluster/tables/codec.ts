// Messages between the tables of two nodes, as octets. Ours alone: they travel inside memberlist's
// user messages and begin with 0x54. Numbers are big-endian.
//   u8 0x54 | u8 version | u8 flags | u32 from | u32 to | u32 epoch | u48 sequence | u48 wall clock
// and then items (item-codec.ts) up to the end.
import { type Item, readItem } from './item-codec.ts'
import { OctetReader, OctetWriter } from './octets.ts'

/** First octet of user messages that are for the tables. */
export const TABLES_MESSAGE = 0x54
export const VERSION = 1
export const HEADER_OCTETS = 27
/** A message that is to fit into one datagram, whatever rides along. */
export const DATAGRAM_OCTETS_MAX = 1200
/** A message that goes over TCP. */
export const STREAM_OCTETS_MAX = 32_768
/** What is read at all. */
export const MESSAGE_OCTETS_MAX = 65_536
/** A row with everything at its largest, with an item around it. */
export const ITEM_OCTETS_MAX = STREAM_OCTETS_MAX - HEADER_OCTETS

/** The sender has taken part for so long that it has let tombstones go (see away.ts). */
export const STEADY = 0x01
/** The sender may be sent any number of rows that it lacks. */
export const WANTS_BULK = 0x02

export type Header = Readonly<{
  flags: number
  /** of the names of sender and receiver, see hash.ts */
  from: number
  to: number
  /** boot epoch of the sender */
  epoch: number
  /** grows with every message of this sender to this receiver in this epoch */
  sequence: number
  /** the sender's wall clock */
  wallMs: number
}>
export type Message = Readonly<{ header: Header; items: readonly Item[] }>

/** Why a message cannot be read. */
export type CodecFault = 'long' | 'version' | 'malformed'

export function encodeMessage(header: Header, body: Uint8Array): Uint8Array {
  const writer = new OctetWriter(HEADER_OCTETS + body.length)
  writer.u8(TABLES_MESSAGE)
  writer.u8(VERSION)
  writer.u8(header.flags)
  writer.u32(header.from)
  writer.u32(header.to)
  writer.u32(header.epoch)
  writer.u48(header.sequence)
  writer.u48(header.wallMs)
  writer.raw(body)
  return writer.done()
}

/** A message whole and in bounds, or why not. */
export function decodeMessage(octets: Uint8Array): Message | CodecFault {
  if (octets.length > MESSAGE_OCTETS_MAX) return 'long'
  const reader = new OctetReader(octets)
  if (reader.u8() !== TABLES_MESSAGE) return 'malformed'
  if (reader.u8() !== VERSION) return 'version'
  const header = {
    flags: reader.u8(), from: reader.u32() | 0, to: reader.u32() | 0, epoch: reader.u32(),
    sequence: reader.u48(), wallMs: reader.u48(),
  }
  const items: Item[] = []
  while (reader.left > 0) {
    const item = readItem(reader)
    if (item !== null) items.push(item)
  }
  return reader.isGood ? { header, items } : 'malformed'
}
