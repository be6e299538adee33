// The control side of one packet worker: starts its thread, hands images over, asks it, stops it.
import { Worker } from 'node:worker_threads'
import { TapmeshError } from '../base/errors.ts'
import type { UnderlaySockets } from '../kernel/underlay.ts'
import type { TapFeatures } from '../kernel/features.ts'
import { makeWake, wake } from '../kernel/wake.ts'
import { type Counters, makeCounters } from '../path/counters.ts'
import type { FlowShards } from '../path/flow-table.ts'
import type { LearnedRow } from '../path/learned-rows.ts'

export const ANSWER_TIMEOUT_MS = 5000

/** What all workers of a daemon have in common. */
export type PlaneSpec = {
  sockets: UnderlaySockets
  inheritDscp: boolean
  folds: boolean
  offload: TapFeatures
  spinMicros: number
  /** Nice value of the worker's thread. */
  nice: number
  seed: number
}

/** What a worker is started with. */
export type WorkerSpec = PlaneSpec & {
  /** Which of how many it is. */
  worker: number
  workers: number
  wakeFd: number
  counters: Counters
  /** The lists by which the workers tell each other what they learned; none for one worker. */
  news: SharedArrayBuffer[]
  flows: FlowShards
}

export type ToWorker =
  | { type: 'image'; image: ArrayBuffer }
  | { type: 'error'; packet: Uint8Array }
  | { type: 'learned' | 'alive'; ask: number }
  | { type: 'stop' }

export type FromWorker =
  | { type: 'ready'; nice: number }
  | { type: 'answer'; ask: number; rows: LearnedRow[] }
  | { type: 'port-dead'; portId: number; fd: number; errno: number }

/** The device of a port is gone from the kernel, says the worker that held it as `fd`. */
export type OnPortDead = (dead: Readonly<{
  worker: number; portId: number; fd: number; errno: number
}>) => void

export class PacketWorker {
  readonly counters: Counters
  /** The nice value that its thread has got. */
  nice = 0
  /** Rejects when the worker dies by itself. */
  readonly failed: Promise<never>
  readonly #worker: Worker
  readonly #wakeFd: number
  readonly #asks = new Map<number, (rows: LearnedRow[]) => void>()
  readonly #exited: Promise<void>
  #lastAsk = 0
  #stopping = false

  private constructor(worker: Worker, spec: WorkerSpec) {
    this.#worker = worker
    this.#wakeFd = spec.wakeFd
    this.counters = spec.counters
    this.#exited = new Promise(resolve => worker.once('exit', () => resolve()))
    this.failed = new Promise((_, reject) => {
      worker.once('error', error => reject(error))
      worker.once('exit', code => {
        if (this.#stopping) return
        reject(new TapmeshError('TM_PLANE', `a packet worker ended by itself (exit ${code})`))
      })
    })
    this.failed.catch(() => {}) // also when nobody listens yet; daemon.failed passes it on
  }

  /** Start the thread and wait until it serves. It reads its sockets and owns its descriptors. */
  static async start(given: Omit<WorkerSpec, 'wakeFd' | 'counters'>,
    onPortDead: OnPortDead): Promise<PacketWorker> {
    const spec = { ...given, wakeFd: makeWake(), counters: makeCounters() }
    const thread = new Worker(new URL('./packet-thread.ts', import.meta.url), { workerData: spec })
    const worker = new PacketWorker(thread, spec)
    const ready = new Promise<void>(resolve => {
      thread.on('message', (message: FromWorker) => {
        if (message.type === 'ready') {
          worker.nice = message.nice
          resolve()
        } else if (message.type === 'port-dead') onPortDead({ ...message, worker: spec.worker })
        else worker.#answer(message.ask, message.rows)
      })
    })
    await Promise.race([ready, worker.failed])
    return worker
  }

  /** Hand a table image over. It belongs to the worker from now on. */
  publish(image: ArrayBuffer): void {
    this.#send({ type: 'image', image }, [image])
  }

  /** An ICMP error that is for a task of a published port. */
  tellError(packet: Uint8Array): void {
    this.#send({ type: 'error', packet })
  }

  /** What the worker knows of learned MACs. */
  learned(): Promise<LearnedRow[]> {
    return this.#askFor('learned')
  }

  /** Settles when the worker has said that it lives; rejects when it does not say so in time. */
  async alive(): Promise<void> {
    await this.#askFor('alive')
  }

  async stop(): Promise<void> {
    if (this.#stopping) return this.#exited
    this.#stopping = true
    this.#send({ type: 'stop' })
    const late = setTimeout(() => { void this.#worker.terminate() }, ANSWER_TIMEOUT_MS)
    await this.#exited
    clearTimeout(late)
  }

  #askFor(type: 'learned' | 'alive'): Promise<LearnedRow[]> {
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
      this.#send({ type, ask })
    })
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
