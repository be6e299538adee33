// Sends messages: puts the header before a body, and knows who can be sent anything.
import { encodeMessage, HEADER_OCTETS, STEADY, WANTS_BULK } from './codec.ts'
import type { Body } from './bodies.ts'
import type { TablesCounters } from './counters.ts'
import type { TablesEffect } from './events.ts'
import { forgetOldest } from './forget.ts'
import { hashText } from './hash.ts'
import { STAMP_MS_MAX } from './rows.ts'

export const RECEIVERS_MAX = 4096

export type Sender = Readonly<{
  name: string
  epoch: () => number
  wallMs: () => number
  isSteady: () => boolean
}>

export class Post {
  readonly #sender: Sender
  readonly #from: number
  readonly #counters: TablesCounters
  readonly #sequences = new Map<string, number>()
  #startMs: number | null = null
  #sends: TablesEffect[] = []

  constructor(sender: Sender, counters: TablesCounters) {
    this.#sender = sender
    this.#from = hashText(sender.name)
    this.#counters = counters
  }

  send(nowMs: number, to: string, body: Body, wantsBulk = false): void {
    const header = {
      flags: (this.#sender.isSteady() ? STEADY : 0) | (wantsBulk ? WANTS_BULK : 0),
      from: this.#from,
      to: hashText(to),
      epoch: this.#sender.epoch(),
      sequence: this.#nextSequence(nowMs, to),
      wallMs: Math.min(Math.max(Math.floor(this.#sender.wallMs()), 0), STAMP_MS_MAX),
    }
    const octets = encodeMessage(header, body.octets)
    this.#counters.messagesOut += 1
    this.#counters.octetsOut += HEADER_OCTETS + body.octets.length
    this.#sends.push({ type: 'send', to, octets, reliable: body.isReliable })
  }

  take(): TablesEffect[] {
    const sends = this.#sends
    this.#sends = []
    return sends
  }

  /** At least the milliseconds since the start, so that it grows for who was forgotten, too. */
  #nextSequence(nowMs: number, to: string): number {
    this.#startMs ??= nowMs
    const last = this.#sequences.get(to) ?? -1
    const sequence = Math.max(last + 1, Math.floor(nowMs - this.#startMs))
    if (last < 0) forgetOldest(this.#sequences, RECEIVERS_MAX)
    this.#sequences.set(to, sequence)
    return sequence
  }
}
