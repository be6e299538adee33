// A router on the way to a client of a published port says that an answer is too long for it. The
// kernel gets that, for the answer has an address of the host, and knows of no such connection: so
// it is handed to the packet path, which tells the task.
import type { Log } from '../base/log.ts'
import { hearNarrowPaths } from '../kernel/narrow-paths.ts'
import { ICMP_HEADER_OCTETS } from '../wire/icmp.ts'
import { ipv4HeaderOctets, PROTOCOL_TCP } from '../wire/ipv4.ts'
import { quotedIsWhole, quotedPortsAt, quotedProtocol } from '../wire/rewrite.ts'
import type { Core } from './core.ts'
import type { Steered } from './ingress-device.ts'

/** So many are handed on in a second; who sends more is no router. */
export const NARROW_PER_SECOND = 100
const SECOND_MS = 1000
/** Between two lines in the log about those that were not. */
const TELL_EVERY_MS = 60_000

export class IngressErrors {
  readonly #core: Core
  readonly #log: Log
  #ports: ReadonlySet<string> = new Set()
  #close: (() => void) | null = null
  #hasTried = false
  #secondMs = 0
  #left = NARROW_PER_SECOND
  #leftOut = 0
  #toldMs = -Infinity

  constructor(core: Core, log: Log) {
    this.#core = core
    this.#log = log
  }

  /** Listen for these, while there are any. */
  take(ports: readonly Steered[]): void {
    this.#ports = new Set(ports.map(({ protocol, published }) => `${published}/${protocol}`))
    if (ports.length === 0) {
      this.#close?.()
      this.#close = null
      this.#hasTried = false
    } else if (!this.#hasTried) this.#open()
  }

  #open(): void {
    this.#hasTried = true
    try {
      this.#close = hearNarrowPaths(packet => this.#hear(packet))
    } catch (error) {
      this.#log.warn({ err: error }, 'tasks do not hear of narrow paths to their clients')
    }
  }

  #hear(packet: Uint8Array): void {
    if (!this.#ports.has(quotedPort(packet))) return
    const nowMs = performance.now()
    if (nowMs - this.#secondMs >= SECOND_MS) {
      this.#secondMs = nowMs
      this.#left = NARROW_PER_SECOND
    }
    if (this.#left === 0) return this.#leaveOut(nowMs)
    this.#left -= 1
    this.#core.datapath.tellError(packet)
  }

  #leaveOut(nowMs: number): void {
    this.#leftOut += 1
    if (nowMs - this.#toldMs < TELL_EVERY_MS) return
    this.#toldMs = nowMs
    this.#log.warn({ leftOut: this.#leftOut, perSecond: NARROW_PER_SECOND },
      'tasks are not told of all narrow paths: too many errors come')
  }
}

/** "8080/tcp": from which port the packet came that an ICMP error quotes; '' when it shows none. */
export function quotedPort(packet: Uint8Array): string {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length)
  const header = ipv4HeaderOctets(view, 0, packet.length)
  if (header < 0 || packet.length < header + ICMP_HEADER_OCTETS
    || !quotedIsWhole(view, header, packet.length - header)) return ''
  const protocol = quotedProtocol(view, header) === PROTOCOL_TCP ? 'tcp' : 'udp'
  return `${view.getUint16(quotedPortsAt(view, header))}/${protocol}`
}
