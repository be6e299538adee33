// How one task is answered: out of the directory, as its networks have it, or by the outside, as
// far as it may ask there and does not ask too much.
import type { Random32 } from '../base/prng.ts'
import type { Clock } from '../base/clock.ts'
import { answerName, type Note, type Verdict } from '../cluster/services/names-answer.ts'
import {
  CLASS_IN, datagramLimit, MESSAGE_OCTETS_MAX, type Query, readQuery, writeReply,
} from '../cluster/services/names-message.ts'
import { SearchMemory } from '../cluster/services/names-search.ts'
import type { DnsCounts } from './dns-counts.ts'
import type { NameDirectory } from './dns-directory.ts'
import type { Forwarder, Way } from './dns-forwarder.ts'
import type { HostResolver } from './dns-host.ts'

/** Questions of one task in a second; the rest is dropped, so that it takes no time from others. */
export const QUERIES_PER_SECOND_MAX = 5000
/** Questions of one task that wait for servers outside at one time. */
export const TASK_FORWARDS_MAX = 256

export type NameParts = Readonly<{
  clock: Clock
  random: Random32
  counts: DnsCounts
  directory: NameDirectory
  forwarder: Forwarder
  host: Pick<HostResolver, 'search'>
}>

/** A task, as far as its names go: the networks of its interfaces, in their order. */
export type NamedTask = Readonly<{ endpoints: readonly Readonly<{ network: string }>[] }>

export class TaskNames {
  readonly #parts: NameParts
  readonly #task: NamedTask
  readonly #memory = new SearchMemory()
  #forwarding = 0
  #secondMs = 0
  #inSecond = 0

  constructor(parts: NameParts, task: NamedTask) {
    this.#parts = parts
    this.#task = task
  }

  /** null: nothing is answered. It never throws or rejects, whatever the octets are. */
  answer(octets: Buffer, isTcp: boolean): Buffer | null | Promise<Buffer> {
    const { counts } = this.#parts
    counts.queries += 1
    if (!this.#isWithinRate()) {
      counts.limited += 1
      return null
    }
    const reading = readQuery(octets)
    if (reading.kind === 'ignored') {
      counts.ignored += 1
      return null
    }
    if (reading.kind === 'refused') {
      counts.malformed += 1
      return reading.reply
    }
    const { query } = reading
    const limitOctets = isTcp ? MESSAGE_OCTETS_MAX : datagramLimit(query)
    return this.reply(query, { isTcp, limitOctets })
  }

  reply(query: Query, way: Way, note?: Note): Buffer | Promise<Buffer> {
    const { counts } = this.#parts
    if (query.class !== CLASS_IN) {
      note?.('only names of the internet (class IN) are known: REFUSED')
      return writeReply(query, 'REFUSED', [], way.limitOctets)
    }
    const verdict = this.#verdict(query, note)
    if (verdict.kind === 'forward') return this.#forward(query, verdict.below, way, note)
    counts.own += 1
    if (verdict.rcode === 'NXDOMAIN') counts.own_nxdomain += 1
    const reply = writeReply(query, verdict.rcode, verdict.records, way.limitOctets)
    if ((reply[2]! & 0x02) !== 0) {
      counts.truncated += 1
      note?.(`they do not fit into ${way.limitOctets} octets: the asker is told to use TCP`)
    }
    return reply
  }

  #verdict(query: Query, note?: Note): Verdict {
    const { clock, directory, host, random } = this.#parts
    const nowMs = clock.nowMs()
    const origin = this.#memory.origin(query.name, host.search, nowMs)
    if (origin !== null) {
      note?.(`it is "${origin}", which was just asked for, with a search domain: NXDOMAIN`)
      return { kind: 'ours', rcode: 'NXDOMAIN', records: [], isKnown: false }
    }
    const verdict = answerName(directory.askerOf(this.#task), query, random, note)
    if (verdict.kind === 'ours' && verdict.isKnown && verdict.records.length === 0) {
      this.#memory.remember(query.name, nowMs)
    }
    return verdict
  }

  #forward(query: Query, below: string | null, way: Way, note?: Note): Buffer | Promise<Buffer> {
    const { counts, directory, forwarder } = this.#parts
    if (!directory.mayAskOutside(this.#task)) {
      counts.internal += 1
      note?.('all networks of the task are internal, so nothing is asked outside: REFUSED')
      return writeReply(query, 'REFUSED', [], way.limitOctets)
    }
    if (this.#forwarding >= TASK_FORWARDS_MAX) {
      counts.task_forwards_full += 1
      note?.(`${TASK_FORWARDS_MAX} questions of the task wait already: REFUSED`)
      return writeReply(query, 'REFUSED', [], way.limitOctets)
    }
    this.#forwarding += 1
    return forwarder.forward(query, below, way, note).finally(() => { this.#forwarding -= 1 })
  }

  #isWithinRate(): boolean {
    const nowMs = this.#parts.clock.nowMs()
    if (nowMs - this.#secondMs >= 1000) {
      this.#secondMs = nowMs
      this.#inSecond = 0
    }
    this.#inSecond += 1
    return this.#inSecond <= QUERIES_PER_SECOND_MAX
  }
}
