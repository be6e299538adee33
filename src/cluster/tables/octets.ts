// Writing and reading the octets of messages. The reader never throws and never reads outside: the
// first fault makes it fail, and from then on it reads zeros.
import { Buffer } from 'node:buffer'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class OctetWriter {
  #octets: Buffer
  #at = 0

  constructor(sizeOctets = 256) {
    this.#octets = Buffer.allocUnsafe(sizeOctets)
  }

  get length(): number {
    return this.#at
  }

  /** A copy of what was written, for messages: it is small and soon gone, so it is pooled. */
  done(): Uint8Array {
    const { buffer, byteOffset, length } = Buffer.from(this.#octets.subarray(0, this.#at))
    return new Uint8Array(buffer, byteOffset, length)
  }

  clear(): void {
    this.#at = 0
  }

  u8(value: number): void {
    this.#room(1)
    this.#octets[this.#at] = value
    this.#at += 1
  }

  u16(value: number): void {
    this.#room(2)
    this.#at = this.#octets.writeUInt16BE(value, this.#at)
  }

  u32(value: number): void {
    this.#room(4)
    this.#at = this.#octets.writeUInt32BE(value >>> 0, this.#at)
  }

  u48(value: number): void {
    this.#room(6)
    this.#at = this.#octets.writeUIntBE(value, this.#at, 6)
  }

  /** Unsigned LEB128, up to 32 bits. */
  varint(value: number): void {
    let rest = value >>> 0
    while (rest > 0x7f) {
      this.u8((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    this.u8(rest)
  }

  raw(octets: Uint8Array): void {
    this.#room(octets.length)
    this.#octets.set(octets, this.#at)
    this.#at += octets.length
  }

  octets(octets: Uint8Array): void {
    this.varint(octets.length)
    this.raw(octets)
  }

  /** Text of at most 255 octets, after its length. */
  text(text: string): void {
    this.#room(1 + text.length * 3)
    const length = this.#octets.write(text, this.#at + 1, 'utf8')
    this.#octets[this.#at] = length
    this.#at += 1 + length
  }

  #room(octets: number): void {
    if (this.#at + octets <= this.#octets.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#octets.length * 2, this.#at + octets))
    larger.set(this.#octets.subarray(0, this.#at))
    this.#octets = larger
  }
}

export class OctetReader {
  readonly #octets: Buffer
  #at: number
  #isGood = true

  constructor(octets: Uint8Array, at = 0) {
    this.#octets = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
    this.#at = at
  }

  get isGood(): boolean {
    return this.#isGood
  }

  get left(): number {
    return this.#isGood ? this.#octets.length - this.#at : 0
  }

  fail(): void {
    this.#isGood = false
  }

  u8(): number {
    return this.#take(1) ? this.#octets[this.#at - 1]! : 0
  }

  u16(): number {
    return this.#take(2) ? this.#octets.readUInt16BE(this.#at - 2) : 0
  }

  u32(): number {
    return this.#take(4) ? this.#octets.readUInt32BE(this.#at - 4) : 0
  }

  u48(): number {
    return this.#take(6) ? this.#octets.readUIntBE(this.#at - 6, 6) : 0
  }

  varint(max: number): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const octet = this.u8()
      value += (octet & 0x7f) * 2 ** shift
      if (octet < 0x80) {
        if (value > max) this.fail()
        return this.#isGood ? value : 0
      }
    }
    this.fail()
    return 0
  }

  /** A copy, so that a small value does not keep a large datagram in memory. */
  octets(lengthMax: number): Uint8Array {
    const length = this.varint(lengthMax)
    if (!this.#take(length)) return new Uint8Array(0)
    return new Uint8Array(this.#octets.subarray(this.#at - length, this.#at))
  }

  /** Text of at most 255 octets, after its length. Anything but good UTF-8 is a fault. */
  text(): string {
    const length = this.u8()
    if (!this.#take(length)) return ''
    const from = this.#at - length
    for (let i = from; i < this.#at; i += 1) {
      if (this.#octets[i]! > 0x7f) return this.#unicode(from)
    }
    return this.#octets.toString('latin1', from, this.#at)
  }

  #unicode(from: number): string {
    try {
      return utf8.decode(this.#octets.subarray(from, this.#at))
    } catch {
      this.fail()
      return ''
    }
  }

  #take(octets: number): boolean {
    if (!this.#isGood || this.#at + octets > this.#octets.length) {
      this.#isGood = false
      return false
    }
    this.#at += octets
    return true
  }
}
