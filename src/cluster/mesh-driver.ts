// Runs a member of the mesh over a transport, with one clock and one timer. What happens is told to
// the program above, one piece after the other, also when that says something meanwhile.
import type { Clock } from '../base/clock.ts'
import type { Mesh } from './mesh.ts'
import type { MeshEffect, MeshEvent, MeshNews } from './mesh-events.ts'
import type { MeshTransport, TransportHandlers } from './transport.ts'

/** One timer: setting it again moves it. */
export interface Alarm {
  set(inMs: number, ring: () => void): void
  clear(): void
}

export function makeSystemAlarm(): Alarm {
  let timer: NodeJS.Timeout | undefined
  return {
    set(inMs, ring) {
      clearTimeout(timer)
      // setTimeout drops parts of milliseconds, and a timer that is early rings twice.
      timer = setTimeout(ring, Math.ceil(inMs))
    },
    clear: () => clearTimeout(timer),
  }
}

/** Longest wait: setTimeout cannot wait for longer than 2^31 - 1 ms. */
const WAIT_MAX_MS = 60_000

export type MeshDriverOptions = Readonly<{
  mesh: Mesh
  transport: MeshTransport
  clock: Clock
  alarm?: Alarm
  onNews: (news: MeshNews) => void
}>

export class MeshDriver {
  readonly mesh: Mesh
  readonly #transport: MeshTransport
  readonly #clock: Clock
  readonly #alarm: Alarm
  readonly #onNews: (news: MeshNews) => void
  readonly #waiting: MeshEvent[] = []
  #isBusy = false
  #isClosed = false
  #alarmMs = Infinity

  constructor({ alarm, clock, mesh, onNews, transport }: MeshDriverOptions) {
    this.mesh = mesh
    this.#transport = transport
    this.#clock = clock
    this.#alarm = alarm ?? makeSystemAlarm()
    this.#onNews = onNews
  }

  /** What the transport has to call. */
  get handlers(): TransportHandlers {
    return {
      datagram: (from, octets) => this.handle({ type: 'datagram', from, octets }),
      reader: side => this.mesh.reader(side),
      stream: (id, from, read) => this.handle({ type: 'stream', id, from, read }),
      exchanged: (id, read, reason) => this.handle({ type: 'exchanged', id, read, reason }),
    }
  }

  /** @throws what the transport throws */
  async open(): Promise<void> {
    await this.#transport.open(this.handlers)
    this.handle({ type: 'tick' })
  }

  /** From outside, and from within onNews. */
  handle(event: MeshEvent): void {
    if (this.#isClosed) return
    this.#waiting.push(event)
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        for (const effect of this.mesh.step(this.#clock.nowMs(), next)) this.#do(effect)
      }
    } finally {
      this.#isBusy = false
    }
    this.#setAlarm()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#alarm.clear()
    await this.#transport.close()
  }

  #do(effect: MeshEffect): void {
    if (this.#isClosed) return
    switch (effect.type) {
      case 'datagram': return this.#transport.send(effect.to, effect.octets)
      case 'exchange': return this.#transport.exchange(effect)
      case 'answer': return this.#transport.answer(effect.id, effect.octets)
      default: this.#onNews(effect)
    }
  }

  #setAlarm(): void {
    const nextMs = this.mesh.nextMs()
    if (nextMs === this.#alarmMs || this.#isClosed) return
    this.#alarmMs = nextMs
    const inMs = Math.min(WAIT_MAX_MS, Math.max(0, nextMs - this.#clock.nowMs()))
    this.#alarm.set(inMs, () => {
      this.#alarmMs = Infinity
      this.handle({ type: 'tick' })
    })
  }
}
