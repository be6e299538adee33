// The control side of the packet worker: starts it, hands images over, asks it, and stops it.
import { Worker } from 'node:worker_threads'
import { TapmeshError } from '../base/errors.ts'
import { closeUnderlay, receiveQueueDrops, type UnderlaySockets } from '../kernel/underlay.ts'
import type { TapFeatures } from '../kernel/features.ts'
import { makeWake, wake } from '../kernel/wake.ts'
import { COUNT_NAMES, DROP_NAMES } from '../path/counter-names.ts'
import {
  type Counters, DROP_UNDERLAY_RECEIVE_FULL, GAUGE_LEARNED, makeCounters,
} from '../path/counters.ts'
import type { LearnedRow } from '../path/learned.ts'

export const ANSWER_TIMEOUT_MS = 5000

/** What the worker is started with. */
export type WorkerSpec = {
  sockets: UnderlaySockets
  wakeFd: number
  counters: Counters
  inheritDscp: boolean
  offload: TapFeatures
  spinMicros: number
  seed: number
}

export type ToWorker =
  | { type: 'image'; image: ArrayBuffer }
  | { type: 'learned'; ask: number }
  | { type: 'stop' }

export type FromWorker =
  | { type: 'ready' }
  | { type: 'learned'; ask: number; rows: LearnedRow[] }
  | { type: 'port-dead'; portId: number; errno: number }

export class Datapath {
  readonly counters: Counters
  /** Rejects when the worker dies by itself. */
  readonly failed: Promise<never>
  readonly #worker: Worker
  readonly #sockets: UnderlaySockets
  readonly #wakeFd: number
  readonly #asks = new Map<number, (rows: LearnedRow[]) => void>()
  readonly #exited: Promise<void>
  #lastAsk = 0
  #stopping = false

  private constructor(worker: Worker, spec: WorkerSpec) {
    this.#worker = worker
    this.#sockets = spec.sockets
    this.#wakeFd = spec.wakeFd
    this.counters = spec.counters
    this.#exited = new Promise(resolve => worker.once('exit', () => resolve()))
    this.failed = new Promise((_, reject) => {
      worker.once('error', error => reject(error))
      worker.once('exit', code => {
        if (this.#stopping) return
        reject(new TapmeshError('TM_PLANE', `the packet worker ended by itself (exit ${code})`))
      })
    })
    this.failed.catch(() => {}) // also when nobody listens yet; daemon.failed passes it on
  }

  /**
   * Start the worker and wait until it serves. It owns the sockets and every TAP from then on.
   * @param onPortDead the TAP of this port is gone from the kernel
   */
  static async start(given: Omit<WorkerSpec, 'wakeFd' | 'counters'>,
    onPortDead: (portId: number, errno: number) => void): Promise<Datapath> {
    const spec = { ...given, wakeFd: makeWake(), counters: makeCounters() }
    const worker = new Worker(new URL('./packet-thread.ts', import.meta.url), { workerData: spec })
    const datapath = new Datapath(worker, spec)
    const ready = new Promise<void>(resolve => {
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'ready') resolve()
        else if (message.type === 'port-dead') onPortDead(message.portId, message.errno)
        else datapath.#answer(message.ask, message.rows)
      })
    })
    await Promise.race([ready, datapath.failed])
    return datapath
  }

  /** Hand a table image over. It belongs to the worker from now on. */
  publish(image: ArrayBuffer): void {
    this.#send({ type: 'image', image }, [image])
  }

  /** What the worker has learned so far. */
  learned(): Promise<LearnedRow[]> {
    const ask = ++this.#lastAsk
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#asks.delete(ask)
        reject(new TapmeshError('TM_PLANE', 'the packet worker did not answer in time'))
      }, ANSWER_TIMEOUT_MS)
      this.#asks.set(ask, rows => {
        clearTimeout(late)
        resolve(rows)
      })
      this.#send({ type: 'learned', ask })
    })
  }

  drops(): Record<string, number> {
    const named = DROP_NAMES.map((name, n) => [name, this.counters[n] ?? 0] as const)
    const kernel = receiveQueueDrops(this.#sockets.receiver)
    return { ...Object.fromEntries(named), [DROP_NAMES[DROP_UNDERLAY_RECEIVE_FULL]]: kernel }
  }

  learnedCount(): number {
    return this.counters[GAUGE_LEARNED] ?? 0
  }

  counts(): Record<string, number> {
    return Object.fromEntries(COUNT_NAMES.map((name, n) =>
      [name, this.counters[DROP_NAMES.length + n] ?? 0]))
  }

  async stop(): Promise<void> {
    if (this.#stopping) return this.#exited
    this.#stopping = true
    this.#send({ type: 'stop' })
    const late = setTimeout(() => { void this.#worker.terminate() }, ANSWER_TIMEOUT_MS)
    await this.#exited
    clearTimeout(late)
    closeUnderlay(this.#sockets)
  }

  #send(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer)
    wake(this.#wakeFd)
  }

  #answer(ask: number, rows: LearnedRow[]): void {
    this.#asks.get(ask)?.(rows)
    this.#asks.delete(ask)
  }
}
