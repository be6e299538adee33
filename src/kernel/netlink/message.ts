// Bodies of rtnetlink messages: a fixed header and attributes after it. Only the attributes that
// are asked for are decoded: the package's own decoders refuse a whole answer for one attribute
// that they do not know the length of, RTA_VIA for example.
import netlink from 'netlink'

export type Attribute = readonly [type: number, value: Uint8Array]
export type Attributes = ReadonlyMap<number, Buffer>

export function formatBody(header: Uint8Array, attributes: readonly Attribute[]): Buffer {
  const stream = new netlink.AttrStream()
  stream.emit(header)
  for (const [type, value] of attributes) stream.push(type, value)
  return Buffer.concat(stream.bufs)
}

/** @throws Error when the lengths inside do not fit `octets` */
export function parseAttributes(octets: Buffer): Attributes {
  const attributes = new Map<number, Buffer>()
  netlink.parseAttributes(octets, ({ type, data }) => attributes.set(type, data))
  return attributes
}

export function u32(value: number): Buffer {
  return netlink.putU32(value)
}

/** The value of a 32-bit attribute, 0 when it is not there. */
export function u32Of(attributes: Attributes, type: number): number {
  const value = attributes.get(type)
  return value === undefined ? 0 : netlink.getU32(value)
}

export function text(value: string): Buffer {
  return netlink.putString(value)
}

/** The value of a text attribute, null when it is not there. */
export function textOf(attributes: Attributes, type: number): string | null {
  const value = attributes.get(type)
  return value === undefined ? null : netlink.getString(value)
}

/** "02:42:0a:00:01:08" of a hardware address; null for one that is no Ethernet MAC. */
export function macOf(attributes: Attributes, type: number): string | null {
  const value = attributes.get(type)
  if (value?.length !== 6) return null
  return Array.from(value, octet => octet.toString(16).padStart(2, '0')).join(':')
}
