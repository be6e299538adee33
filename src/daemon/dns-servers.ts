// The name servers of this node: one for each task, in its network namespace, for as long as the
// task is there.
import { randomBytes, randomInt } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { makeRandom } from '../base/prng.ts'
import { netnsInode } from '../kernel/netns.ts'
import { NETNS_DIRECTORY } from '../kernel/netns-directory.ts'
import { dnsCountsView, makeDnsCounts } from './dns-counts.ts'
import { type DirectoryOwner, NameDirectory } from './dns-directory.ts'
import { Forwarder } from './dns-forwarder.ts'
import { HostResolver } from './dns-host.ts'
import { DNS_PORT, DnsSockets } from './dns-sockets.ts'
import { type NamedTask, type NameParts, TaskNames } from './dns-task.ts'
import { netnsOf } from './endpoints.ts'
import type { TaskRecord } from './state.ts'
import type { NameServer } from './dns-upstream.ts'

/** The sockets of a task, and the namespace that they are in. */
type Served = Readonly<{ sockets: DnsSockets; inode: number }>

export class DnsServers {
  readonly #counts = makeDnsCounts()
  readonly #host: HostResolver
  readonly #parts: NameParts
  readonly #log: Log
  readonly #served = new Map<string, Served>()
  /** Tasks whose sockets could not be opened: it is said once for each. */
  readonly #told = new Set<string>()
  #addresses: readonly string[] = []
  #servers: readonly NameServer[] = []

  constructor(owner: DirectoryOwner, clock: Clock, log: Log) {
    this.#log = log
    this.#host = new HostResolver(clock)
    this.#parts = {
      clock, counts: this.#counts, host: this.#host, directory: new NameDirectory(owner),
      random: makeRandom(randomInt(2 ** 32)),
      forwarder: new Forwarder({
        clock, counts: this.#counts, servers: () => this.#upstreams(),
        randomId: () => randomBytes(2).readUInt16BE(0),
      }),
    }
  }

  get directory(): NameDirectory {
    return this.#parts.directory
  }

  /** How many tasks are served, and by whom they are answered otherwise. */
  view(): { servers: number; upstreams: string[] } {
    return { servers: this.#served.size, upstreams: [...this.#host.upstreams] }
  }

  counts(): Record<string, number> {
    return dnsCountsView(this.#counts)
  }

  /** What a task with these endpoints would hear. */
  namesFor(task: NamedTask): TaskNames {
    return new TaskNames(this.#parts, task)
  }

  /** Serve the task, whose namespace and loopback are there; again changes nothing. */
  look(task: TaskRecord): void {
    const netns = netnsOf(task)
    const inode = netnsInode(`${NETNS_DIRECTORY}/${netns}`)
    const served = this.#served.get(task.id)
    if (inode === null || served?.inode === inode) return
    this.#close(task.id) // another namespace has the name now
    try {
      const names = this.namesFor(task)
      const sockets = DnsSockets.open(netns, {
        answer: (octets, isTcp) => names.answer(octets, isTcp),
        onFull: () => { this.#counts.streams_full += 1 },
        onFailure: error => this.#failed(task, error),
      })
      this.#served.set(task.id, { sockets, inode })
      this.#told.delete(task.id)
    } catch (error) {
      // The task runs without names, and the next look tries again.
      this.#failed(task, error)
    }
  }

  /** The task is served no more. Its namespace may go when this returns. */
  end({ id }: Pick<TaskRecord, 'id'>): void {
    this.#close(id)
    this.#told.delete(id)
  }

  close(): void {
    for (const id of [...this.#served.keys()]) this.#close(id)
    this.#parts.forwarder.close()
  }

  #close(id: string): void {
    this.#served.get(id)?.sockets.close()
    this.#served.delete(id)
  }

  #failed(task: TaskRecord, error: unknown): void {
    this.#served.delete(task.id)
    this.#counts.socket_failed += 1
    if (this.#told.has(task.id)) return
    this.#told.add(task.id)
    this.#log.warn({ task: task.name, err: error }, 'the names of a task are not served yet')
  }

  #upstreams(): readonly NameServer[] {
    const { upstreams } = this.#host
    if (upstreams !== this.#addresses) {
      this.#addresses = upstreams
      this.#servers = upstreams.map(address => ({ address, port: DNS_PORT }))
    }
    return this.#servers
  }
}
