// One machine whose clock, peers and messages the test makes itself.
import { makeRandom } from '../../base/prng.ts'
import { Bodies, encodeRow } from './bodies.ts'
import { decodeMessage, encodeMessage, type Message, STEADY } from './codec.ts'
import { encodeOwnerEpoch } from './epochs.ts'
import type { Change, Notice, Peer, Persist, TablesEffect, TablesEvent, TablesOptions }
  from './events.ts'
import { hashText } from './hash.ts'
import type { Item } from './item-codec.ts'
import type { Row } from './rows.ts'
import { TABLE_SPECS, WALL_START_MS } from './simulation.test-kit.ts'
import { Tables } from './tables.ts'

export const octets = (text: string): Uint8Array => new TextEncoder().encode(text)

export type Sent = Extract<TablesEffect, { type: 'send' }>

/** One machine with its clock, and everything that it ever said. */
export class Bench {
  nowMs = 0
  aheadMs = 0
  readonly tables: Tables
  readonly options: TablesOptions
  changes: Change[] = []
  notices: Notice[] = []
  sent: Sent[] = []
  persisted: Persist[] = []
  #sequence = 0

  constructor(name: string, options: Partial<TablesOptions> = {}) {
    this.options = {
      name, node: `${name}-id`, epoch: 100, tables: TABLE_SPECS, random: makeRandom(1),
      wallMs: () => WALL_START_MS + this.nowMs + this.aheadMs, ...options,
    }
    this.tables = new Tables(this.options, 0)
    this.step({ type: 'start' })
  }

  step(event: TablesEvent): TablesEffect[] {
    const effects = this.tables.step(this.nowMs, event)
    for (const effect of effects) {
      if (effect.type === 'changed') this.changes.push(...effect.changes)
      else if (effect.type === 'notice') this.notices.push(effect.notice)
      else if (effect.type === 'send') this.sent.push(effect)
      else if (effect.type === 'persist') this.persisted.push(effect.change)
    }
    return effects
  }

  /** Time passes, with every tick that is due in it. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms
    while (this.tables.nextMs() <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.tables.nextMs())
      this.step({ type: 'tick' })
    }
    this.nowMs = untilMs
  }

  /** The same as if this machine had stood still all the time. */
  leap(ms: number): void {
    this.nowMs += ms
    this.pass(0)
  }

  write(table: string, key: string, text: string | null): TablesEffect[] {
    const value = text === null ? null : octets(text)
    return this.step({ type: 'write', writes: [{ table, key, value }] })
  }

  peers(...peers: Peer[]): void {
    this.step({ type: 'peers', peers })
  }

  /** Rows come from `peer`, as it would send them. */
  get(peer: Peer, rows: readonly Row[], ageMs = 0, isNews = false): void {
    const bodies = new Bodies(isNews, true)
    for (const row of rows) bodies.add(row.table, encodeRow(row, ageMs))
    for (const body of bodies.done()) {
      this.step({ type: 'message', from: peer.name, octets: this.wrap(peer, body.octets) })
    }
  }

  wrap(peer: Peer, body: Uint8Array, flags = 0): Uint8Array {
    this.#sequence += 1
    return encodeMessage({
      flags, from: hashText(peer.name), to: hashText(this.options.name), epoch: peer.epoch,
      sequence: this.#sequence, wallMs: WALL_START_MS + this.nowMs,
    }, body)
  }

  /** What `peer` says, one item a message. */
  hear(peer: Peer, ...items: Uint8Array[]): void {
    for (const item of items) {
      this.step({ type: 'message', from: peer.name, octets: this.wrap(peer, item) })
    }
  }

  /** Everything that it has said since it was last asked, but news. */
  said(): Item[] {
    const { sent } = this
    this.sent = []
    return sent.flatMap(({ octets }) => messageOf(octets).items)
      .filter(item => item.kind !== 'rows' || !item.isNews)
  }

  /** Whether its digest claims that it knows of every deletion. */
  saysSteady(): boolean {
    this.sent = []
    this.pass(1100)
    const flags = this.sent.map(({ octets }) => messageOf(octets).header.flags & STEADY)
    if (new Set(flags).size !== 1) throw new Error(`${flags.length} messages, of two minds`)
    return flags[0] !== 0
  }

  /** The text of a row that is shown. */
  text(table: string, key: string): string | null {
    const row = this.tables.get(table, key)
    return row?.value == null ? null : new TextDecoder().decode(row.value)
  }
}

function messageOf(octets: Uint8Array): Message {
  const message = decodeMessage(octets)
  if (typeof message === 'string') throw new Error(message)
  return message
}

export function peer(name: string, state: Peer['state'] = 'alive', epoch = 100): Peer {
  return { name, node: `${name}-id`, epoch, state }
}

/** A row as `name` would write it, so many milliseconds after the start. */
export function rowOf(
  name: string, table: string, key: string, text: string | null, ms = 0, epoch = 100,
): Row {
  return {
    table, key, value: text === null ? null : octets(text), proof: new Uint8Array(),
    stamp: { ms: WALL_START_MS + ms, counter: 0, node: `${name}-id`, epoch },
  }
}

/** What `by` says of the boot that `name` is in. */
export function epochRow(name: string, epoch: number, isActive = true, by = name): Row {
  const row = rowOf(by, 'epochs', `${name}-id/`, '', 0, by === name ? epoch : 100)
  return { ...row, value: encodeOwnerEpoch({ epoch, isActive }) }
}

/** The machine `a`, which knows `b` and `c`, and has heard which boots they are in. */
export function acquainted(options: Partial<TablesOptions> = {}): Bench {
  const a = new Bench('a', options)
  a.peers(peer('b'), peer('c'))
  a.get(peer('b'), [epochRow('b', 100), epochRow('c', 100)])
  return a
}
