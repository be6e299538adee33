// Messages in and out of what is around them on the wire: the mesh's label, its keys, and what was
// refused because of them.
import { MEMBERLIST_FAULTS, type MemberlistFault } from '../wire/memberlist/faults.ts'
import type { PacketMessage, StreamMessage } from '../wire/memberlist/messages.ts'
import type { MeshKeys } from './mesh-events.ts'
import { openPacket, packetOverheadOctets, sealPacket, type SealTerms } from './mesh-packet.ts'
import type { RandomOctets } from './mesh-seal.ts'
import { sealStream, StreamReader } from './mesh-stream.ts'
import { zeroCounters } from './swim/context.ts'

/** Octets of a datagram, sealing and all: memberlist's UDPBufferSize. */
export const DATAGRAM_OCTETS_MAX = 1400

export class Envelope {
  keys: MeshKeys
  readonly refused: Record<MemberlistFault, number> = zeroCounters(MEMBERLIST_FAULTS)
  readonly #label: string
  readonly #random: RandomOctets

  constructor(label: string, keys: MeshKeys, random: RandomOctets) {
    this.#label = label
    this.keys = keys
    this.#random = random
  }

  /** Octets for messages in one datagram. */
  get roomOctets(): number {
    return DATAGRAM_OCTETS_MAX - packetOverheadOctets({ ...this.#terms(), checksum: true })
  }

  /** @param checksum the receiver understands it; what is sealed does not need it */
  packet(parts: readonly Uint8Array[], checksum: boolean): Uint8Array {
    const isClear = this.keys.primary === null
    return sealPacket(parts, { ...this.#terms(), checksum: checksum && isClear })
  }

  stream(message: StreamMessage, side: 'caller' | 'answerer'): Uint8Array {
    return sealStream(message, { ...this.#terms(), side })
  }

  /** The good messages; `refuse` is told about the others. */
  open(octets: Uint8Array, refuse: (fault: MemberlistFault) => void): readonly PacketMessage[] {
    const { faults, messages } = openPacket(octets, { label: this.#label, keys: this.keys.all })
    for (const fault of faults) {
      this.refused[fault] += 1
      refuse(fault)
    }
    return messages
  }

  reader(side: 'caller' | 'answerer'): StreamReader {
    return new StreamReader({ label: this.#label, keys: this.keys.all, side })
  }

  #terms(): SealTerms {
    return {
      label: this.#label, key: this.keys.primary, compress: false, random: this.#random,
    }
  }
}
