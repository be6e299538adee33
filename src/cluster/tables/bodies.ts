// Puts rows and other items together into as few messages as they need.
import { DATAGRAM_OCTETS_MAX, HEADER_OCTETS, ITEM_OCTETS_MAX } from './codec.ts'
import { beginRows, endRows } from './item-codec.ts'
import { OctetWriter } from './octets.ts'
import { writeRow } from './row-codec.ts'
import type { Row } from './rows.ts'

/** What stands behind the header of a message. */
export type Body = Readonly<{ octets: Uint8Array; isReliable: boolean }>

export const DATAGRAM_BODY_OCTETS = DATAGRAM_OCTETS_MAX - HEADER_OCTETS
/** Around the rows of one table: kind, length of the name, end. */
const RUN_OCTETS = 3

export function encodeRow(row: Row, ageMs: number): Uint8Array {
  const writer = new OctetWriter(128)
  writeRow(writer, row, ageMs)
  return writer.done()
}

export class Bodies {
  readonly #isNews: boolean
  readonly #octetsMax: number
  readonly #writer = new OctetWriter(1024)
  readonly #bodies: Body[] = []
  #table = ''

  /** @param isReliable for streams: larger bodies */
  constructor(isNews: boolean, isReliable = false) {
    this.#isNews = isNews
    this.#octetsMax = isReliable ? ITEM_OCTETS_MAX : DATAGRAM_BODY_OCTETS
  }

  get count(): number {
    return this.#bodies.length
  }

  add(table: string, row: Uint8Array): void {
    const run = this.#table === table ? 0 : RUN_OCTETS + table.length
    const octets = this.#writer.length + (this.#table === '' ? 0 : 1) + run + row.length
    if (octets > this.#octetsMax) this.#finish()
    if (this.#table !== table) {
      if (this.#table !== '') endRows(this.#writer)
      beginRows(this.#writer, this.#isNews, table)
      this.#table = table
    }
    this.#writer.raw(row)
  }

  /** An item that is no row. */
  addItem(octets: Uint8Array): void {
    if (this.#writer.length + 1 + octets.length > this.#octetsMax) this.#finish()
    if (this.#table !== '') endRows(this.#writer)
    this.#table = ''
    this.#writer.raw(octets)
  }

  done(): Body[] {
    this.#finish()
    return this.#bodies
  }

  #finish(): void {
    if (this.#writer.length === 0) return
    if (this.#table !== '') endRows(this.#writer)
    const octets = this.#writer.done()
    this.#bodies.push({ octets, isReliable: octets.length > DATAGRAM_BODY_OCTETS })
    this.#writer.clear()
    this.#table = ''
  }
}
