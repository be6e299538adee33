// Frames that a task sent faster than its TAP was read: the kernel drops them in front of us, and
// the device counts them. They are looked for when somebody asks and when tasks are reconciled,
// never on the way of a frame.
import { readTxDropped } from '../kernel/device-counters.ts'
import { withNetns } from '../kernel/netns.ts'
import type { EndpointRecord } from './state.ts'

type Port = Pick<EndpointRecord, 'portId' | 'interface'>
/** What the device showed when it was first seen, and what it showed last. */
type Seen = { first: number; last: number }

export class QueueDrops {
  readonly #read: (netns: string) => Map<string, number>
  readonly #seen = new Map<number, Seen>()
  /** Of ports that are no more. */
  #ended = 0

  /** @param read the devices of a namespace and what each dropped; throws when it is gone */
  constructor(read = (netns: string) => withNetns(netns, readTxDropped)) {
    this.#read = read
  }

  /** Frames dropped since the ports were first looked at. */
  get total(): number {
    let sum = this.#ended
    for (const { first, last } of this.#seen.values()) sum += last - first
    return sum
  }

  /** Look at the devices of one task. What one dropped before its first look is not counted. */
  look(netns: string, ports: readonly Port[]): void {
    const counts = this.#countsOf(netns)
    for (const port of ports) {
      const now = counts.get(port.interface)
      if (now === undefined) continue
      const seen = this.#seen.get(port.portId)
      if (seen === undefined) this.#seen.set(port.portId, { first: now, last: now })
      else if (now >= seen.last) seen.last = now
      else { // another device under the same name: it began at zero
        this.#ended += seen.last - seen.first
        this.#seen.set(port.portId, { first: 0, last: now })
      }
    }
  }

  /** These ports go; what was lost at them stays counted. */
  end(netns: string, ports: readonly Port[]): void {
    if (ports.length === 0) return
    this.look(netns, ports)
    for (const { portId } of ports) {
      const seen = this.#seen.get(portId)
      if (seen !== undefined) this.#ended += seen.last - seen.first
      this.#seen.delete(portId)
    }
  }

  #countsOf(netns: string): Map<string, number> {
    try {
      return this.#read(netns)
    } catch {
      return new Map() // the namespace is gone; reconciling says so, or it is being removed
    }
  }
}
