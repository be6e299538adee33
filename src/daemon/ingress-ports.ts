// Published ports are taken on the host, so that no program of it gets one, and who has one already
// is named.
import { ConflictError, KernelError } from '../base/errors.ts'
import { EADDRINUSE } from '../kernel/constants.ts'
import { closeDescriptor } from '../kernel/descriptor.ts'
import { openReserved } from '../kernel/listening.ts'
import { heldPorts, programsOf } from '../kernel/port-holders.ts'
import type { Steered } from './ingress-device.ts'

export class IngressPorts {
  /** Descriptors, by "8080/tcp". */
  readonly #held = new Map<string, number>()
  /** Who has a port that is to be ours. */
  readonly #refused = new Map<string, string>()

  /** As of the last take(): "8080/tcp" and "nginx (pid 12)". */
  get refused(): ReadonlyMap<string, string> {
    return this.#refused
  }

  /** Take these, and no others. Answers those that are ours. */
  take<T extends Steered>(wanted: readonly T[]): T[] {
    const keys = new Set(wanted.map(portKey))
    for (const [key, fd] of this.#held) {
      if (keys.has(key)) continue
      closeDescriptor(fd)
      this.#held.delete(key)
    }
    for (const key of this.#refused.keys()) if (!keys.has(key)) this.#refused.delete(key)
    return wanted.filter(port => this.#take(port))
  }

  /** @throws ConflictError when a program of this host has the port */
  check(port: Steered, node: string): void {
    const key = portKey(port)
    if (this.#held.has(key) || this.#tryTake(port)) return
    throw new ConflictError(`port ${key} is in use on ${node} by ${holderOf(port)}; stop that `
      + 'program, or publish another port', { port: key, node })
  }

  #take(port: Steered): boolean {
    const key = portKey(port)
    if (this.#held.has(key)) return true
    const isOurs = this.#tryTake(port)
    if (isOurs) this.#refused.delete(key)
    else this.#refused.set(key, holderOf(port))
    return isOurs
  }

  /** Kept when it succeeds; the next take() lets go of it, if it is not wanted by then. */
  #tryTake(port: Steered): boolean {
    try {
      this.#held.set(portKey(port), openReserved(port.protocol, port.published))
      return true
    } catch (error) {
      if (error instanceof KernelError && error.errno === EADDRINUSE) return false
      throw error
    }
  }
}

/** "8080/tcp" */
export function portKey({ protocol, published }: Steered): string {
  return `${published}/${protocol}`
}

function holderOf({ protocol, published }: Steered): string {
  const inodes = new Set(heldPorts()
    .filter(one => one.protocol === protocol && one.port === published).map(({ inode }) => inode))
  const programs = [...new Set(programsOf(inodes).values())]
  return programs.length === 0 ? 'another program' : programs.join(', ')
}
