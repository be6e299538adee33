// A message's map, asked for its fields by name and kind. A field that is absent or nil has Go's
// zero value; one of the wrong kind is a fault, and the first fault is kept.
import type { MemberlistFault } from './faults.ts'
import type { MsgpackReader, ReadValue } from './msgpack.ts'

/** Longer names of nodes are refused; Serf allows 128 octets. */
export const NAME_OCTETS_MAX = 255
/** memberlist's MetaMaxSize. */
export const META_OCTETS_MAX = 512
export const U16_MAX = 0xffff
export const U32_MAX = 0xffff_ffff

const EMPTY = new Uint8Array(0)
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class FieldReader {
  fault: MemberlistFault | undefined
  readonly #fields: ReadonlyMap<string, ReadValue>

  /** Reads one map where `reader` stands. */
  constructor(reader: MsgpackReader) {
    this.#fields = reader.fields()
    this.fault = reader.fault
  }

  uint(name: string, max: number): number {
    const value = this.#fields.get(name) ?? 0
    if (typeof value !== 'number') return this.#refuse('bad-value', 0)
    return value < 0 || value > max ? this.#refuse('out-of-range', 0) : value
  }

  bool(name: string): boolean {
    const value = this.#fields.get(name) ?? false
    return typeof value === 'boolean' ? value : this.#refuse('bad-value', false)
  }

  /** Octets, or null for nil and for a field that is absent. They are a view, not a copy. */
  octets(name: string): Uint8Array | null {
    const value = this.#fields.get(name) ?? null
    if (value === null || value instanceof Uint8Array) return value
    return this.#refuse('bad-value', null)
  }

  text(name: string, octetsMax: number): string {
    const octets = this.octets(name) ?? EMPTY
    if (octets.length > octetsMax) return this.#refuse('bad-name', '')
    try {
      return utf8.decode(octets)
    } catch {
      return this.#refuse('bad-name', '')
    }
  }

  /** The name of somebody: never empty. */
  name(name: string): string {
    const text = this.text(name, NAME_OCTETS_MAX)
    return text === '' ? this.#refuse('bad-name', '') : text
  }

  meta(name: string): Uint8Array {
    const octets = this.octets(name) ?? EMPTY
    return octets.length > META_OCTETS_MAX ? this.#refuse('bad-meta', EMPTY) : octets.slice()
  }

  /** 4 or 16 octets. */
  address(name: string): Uint8Array {
    const octets = this.addressOrNone(name)
    return octets.length === 0 ? this.#refuse('bad-address', EMPTY) : octets
  }

  /** 4 or 16 octets, or none. */
  addressOrNone(name: string): Uint8Array {
    const octets = this.octets(name) ?? EMPTY
    const fits = octets.length === 0 || octets.length === 4 || octets.length === 16
    return fits ? octets.slice() : this.#refuse('bad-address', EMPTY)
  }

  refuse(fault: MemberlistFault): void {
    this.fault ??= fault
  }

  #refuse<Zero>(fault: MemberlistFault, zero: Zero): Zero {
    this.refuse(fault)
    return zero
  }
}
