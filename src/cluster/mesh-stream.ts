// A TCP stream of the mesh carries one message each way: the one who called says its own, the other
// answers. From the outside in: label (only from who called), seal with its length, pack, message.
// A StreamReader takes octets as they come; nothing thrown gets out of it, whatever somebody sends.
import type { Decoded } from '../wire/memberlist/decode.ts'
import { encodeStreamMessage } from '../wire/memberlist/encode.ts'
import {
  decodeCompressed, encodeCompressed, labelHeader, labelOctets,
} from '../wire/memberlist/frames.ts'
import type { StreamMessage } from '../wire/memberlist/messages.ts'
import { TYPE } from '../wire/memberlist/messages.ts'
import { joinOctets } from '../wire/memberlist/msgpack.ts'
import {
  decodeStreamMessage, STREAM_OCTETS_MAX, StreamMessageDecoder,
} from '../wire/memberlist/stream-decoder.ts'
import type { OpenTerms, SealTerms } from './mesh-packet.ts'
import { seal, sealedOctets, unseal } from './mesh-seal.ts'

const SEAL_HEADER_OCTETS = 5
/** Room at first; it doubles. */
const FIRST_OCTETS = 4096
const utf8 = new TextEncoder()

export type StreamTerms = SealTerms & Readonly<{
  /** Who called says which mesh it means, who answers does not say it again. */
  side: 'caller' | 'answerer'
}>

/** The message as it goes into the stream. */
export function sealStream(message: StreamMessage, terms: StreamTerms): Uint8Array {
  const label = utf8.encode(terms.label)
  const plain = encodeStreamMessage(message)
  const packed = terms.compress ? encodeCompressed(plain) : plain
  const shorter = packed.length < plain.length ? packed : plain
  const pieces = terms.side === 'caller' ? [labelHeader(label)] : []
  if (terms.key === null) return joinOctets([...pieces, shorter])
  const version = terms.sealVersion ?? 1
  const header = sealHeader(sealedOctets(shorter.length, version))
  const bound = joinOctets([header, label])
  pieces.push(header, seal(shorter, terms.key, bound, version, terms.random))
  return joinOctets(pieces)
}

function sealHeader(octets: number): Uint8Array {
  const header = new Uint8Array(SEAL_HEADER_OCTETS)
  header[0] = TYPE.encrypt
  new DataView(header.buffer).setUint32(1, octets)
  return header
}

export type StreamReaderTerms = OpenTerms & Readonly<{
  /** Who is read: a caller's stream begins with its label. */
  side: 'caller' | 'answerer'
  /** More is refused, as it comes and once it is unpacked; STREAM_OCTETS_MAX if it is not said. */
  octetsMax?: number
}>

/**
 * Reads one message. It holds no more than has come, and for a moment the same opened and unpacked:
 * three times `octetsMax` at most.
 */
export class StreamReader {
  readonly #label: Uint8Array
  readonly #terms: StreamReaderTerms
  readonly #octetsMax: number
  readonly #decoder = new StreamMessageDecoder()
  #held: Uint8Array = new Uint8Array(FIRST_OCTETS)
  #heldOctets = 0
  #labelOctets: number | undefined
  #result: Decoded<StreamMessage> | undefined

  constructor(terms: StreamReaderTerms) {
    this.#terms = terms
    this.#label = utf8.encode(terms.label)
    this.#octetsMax = terms.octetsMax ?? STREAM_OCTETS_MAX
    if (terms.side === 'answerer') this.#labelOctets = 0
  }

  /** The next octets. The result once there is one, which then stays; until then undefined. */
  push(octets: Uint8Array): Decoded<StreamMessage> | undefined {
    if (this.#result !== undefined) return this.#result
    const fits = this.#hold(octets)
    const result = this.#read() ?? (fits ? undefined : { fault: 'too-large' as const })
    return result === undefined ? undefined : this.#finish(result)
  }

  /** The other side sends no more. */
  end(): Decoded<StreamMessage> {
    return this.#result ?? this.#finish({ fault: this.#heldOctets === 0 ? 'empty' : 'cut' })
  }

  #finish(result: Decoded<StreamMessage>): Decoded<StreamMessage> {
    this.#result = result
    this.#held = new Uint8Array(0)
    return result
  }

  /** False when it is more than may be held. */
  #hold(octets: Uint8Array): boolean {
    const room = this.#octetsMax - this.#heldOctets
    const taken = octets.length > room ? octets.subarray(0, room) : octets
    const wanted = this.#heldOctets + taken.length
    if (wanted > this.#held.length) {
      const larger = new Uint8Array(Math.min(this.#octetsMax, wanted * 2))
      larger.set(this.#held.subarray(0, this.#heldOctets))
      this.#held = larger
    }
    this.#held.set(taken, this.#heldOctets)
    this.#heldOctets = wanted
    return taken.length === octets.length
  }

  /** What is held as a message, or undefined while more is needed. */
  #read(): Decoded<StreamMessage> | undefined {
    const held = this.#held.subarray(0, this.#heldOctets)
    const label = this.#labelOctets ?? labelOctets(held, this.#label)
    if (typeof label !== 'number') return label === 'cut' ? undefined : { fault: label }
    this.#labelOctets = label
    const octets = held.subarray(label)
    if (octets.length === 0) return undefined
    if (octets[0] === TYPE.encrypt) return this.#readSealed(octets)
    if (octets[0] === TYPE.label) return { fault: 'other-label' }
    return this.#terms.keys.length > 0 ? { fault: 'not-sealed' } : this.#readClear(octets)
  }

  #readSealed(octets: Uint8Array): Decoded<StreamMessage> | undefined {
    if (this.#terms.keys.length === 0) return { fault: 'sealed' }
    if (octets.length < SEAL_HEADER_OCTETS) return undefined
    const header = octets.subarray(0, SEAL_HEADER_OCTETS)
    const end = SEAL_HEADER_OCTETS + new DataView(octets.buffer, octets.byteOffset).getUint32(1)
    if (end > this.#octetsMax) return { fault: 'too-large' }
    if (octets.length < end) return undefined
    const bound = joinOctets([header, this.#label])
    const unsealed = unseal(octets.subarray(SEAL_HEADER_OCTETS, end), this.#terms.keys, bound)
    if ('fault' in unsealed) return unsealed
    if (unsealed.octets[0] !== TYPE.compress) return decodeStreamMessage(unsealed.octets)
    return this.#unpack(unsealed.octets)
  }

  #readClear(octets: Uint8Array): Decoded<StreamMessage> | undefined {
    const decoded = octets[0] === TYPE.compress
      ? decodeCompressed(octets, this.#octetsMax) : this.#decoder.decode(octets)
    if ('fault' in decoded) return decoded.fault === 'cut' ? undefined : decoded
    // What was packed is whole: more octets would not help it.
    return 'octets' in decoded ? decodeStreamMessage(decoded.octets) : decoded
  }

  #unpack(octets: Uint8Array): Decoded<StreamMessage> {
    const inside = decodeCompressed(octets, this.#octetsMax)
    return 'fault' in inside ? inside : decodeStreamMessage(inside.octets)
  }
}
