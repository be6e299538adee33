// All packet workers as one: what is told to it goes to each of them, what is asked of it is their
// sum.
import { preferHugePages } from '../kernel/huge-pages.ts'
import { closeUnderlay, receiveQueueDrops, type UnderlaySockets } from '../kernel/underlay.ts'
import { COUNT_NAMES, DROP_NAMES } from '../path/counter-names.ts'
import { DROP_UNDERLAY_RECEIVE_FULL, GAUGE_GENERATION, GAUGE_LEARNED } from '../path/counters.ts'
import { makeFlowMemory, openFlowMemory, type Shard } from '../path/flow-memory.ts'
import { type LearnedRow, mergeLearnedRows } from '../path/learned-rows.ts'
import { makeNewsMemory } from '../path/news.ts'
import { type OnPortDead, PacketWorker, type PlaneSpec } from './packet-worker.ts'

export class Datapath {
  /** Rejects when a worker dies by itself. */
  readonly failed: Promise<never>
  readonly #workers: readonly PacketWorker[]
  readonly #sockets: UnderlaySockets
  /** The flows of each worker, which it goes on changing. */
  readonly flows: readonly Shard[]

  private constructor(workers: readonly PacketWorker[], sockets: UnderlaySockets,
    flows: readonly Shard[]) {
    this.#workers = workers
    this.#sockets = sockets
    this.flows = flows
    this.failed = Promise.race(workers.map(worker => worker.failed))
    this.failed.catch(() => {}) // also when nobody listens yet; daemon.failed passes it on
  }

  /**
   * Start a worker for each receiving socket and wait until all serve. The sockets and every TAP
   * are theirs from then on.
   * @param flowsMax    flows that all of them together may keep
   * @param onPortDead called once by each worker that read from it
   */
  static async start(spec: PlaneSpec, flowsMax: number, onPortDead: OnPortDead,
  ): Promise<Datapath> {
    const workers = spec.sockets.receivers.length
    const news = workers === 1 ? [] : spec.sockets.receivers.map(makeNewsMemory)
    const capacity = Math.ceil(flowsMax / workers)
    const memories = spec.sockets.receivers.map(() => makeFlowMemory(capacity))
    memories.forEach(preferHugePages)
    const starts = await Promise.allSettled(spec.sockets.receivers.map((_, worker) =>
      PacketWorker.start({ ...spec, worker, workers, news,
        flows: { memories, mine: worker, capacity } }, onPortDead)))
    const started = starts.flatMap(start => start.status === 'fulfilled' ? [start.value] : [])
    const failure = starts.find(start => start.status === 'rejected')
    if (failure === undefined) {
      return new Datapath(started, spec.sockets,
        memories.map(memory => openFlowMemory(memory, capacity)))
    }
    await Promise.all(started.map(worker => worker.stop()))
    throw failure.reason
  }

  get workers(): number {
    return this.#workers.length
  }

  /** The nice value that the workers have got. */
  get nice(): number {
    return this.#workers[0]!.nice
  }

  /** Hand table images over, one for each worker. They belong to the workers from now on. */
  publish(images: readonly ArrayBuffer[]): void {
    this.#workers.forEach((worker, n) => worker.publish(images[n]!))
  }

  /** Number of the table images that all workers have, this one or a later one. */
  get generation(): number {
    return Math.min(...this.#workers.map(({ counters }) => counters[GAUGE_GENERATION] ?? 0))
  }

  /** An ICMP error about an answer to a client of a published port, from its IPv4 header on. */
  tellError(packet: Uint8Array): void {
    this.#workers[0]!.tellError(packet)
  }

  /** What the workers have learned so far. */
  async learned(): Promise<LearnedRow[]> {
    return mergeLearnedRows(await Promise.all(this.#workers.map(worker => worker.learned())))
  }

  /** Settles when every worker has said that it lives; rejects when one does not in time. */
  async alive(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.alive()))
  }

  drops(): Record<string, number> {
    const named = DROP_NAMES.map((name, n) => [name, this.#sum(n)] as const)
    const kernel = this.#sockets.receivers.reduce((sum, fd) => sum + receiveQueueDrops(fd), 0)
    return { ...Object.fromEntries(named), [DROP_NAMES[DROP_UNDERLAY_RECEIVE_FULL]]: kernel }
  }

  /** Entries of the learned table; each worker has all of them, or nearly. */
  learnedCount(): number {
    return Math.max(...this.#workers.map(({ counters }) => counters[GAUGE_LEARNED] ?? 0))
  }

  counts(): Record<string, number> {
    return Object.fromEntries(COUNT_NAMES.map((name, n) =>
      [name, this.#sum(DROP_NAMES.length + n)]))
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.stop()))
    closeUnderlay(this.#sockets)
  }

  #sum(which: number): number {
    return this.#workers.reduce((sum, { counters }) => sum + (counters[which] ?? 0), 0)
  }
}
