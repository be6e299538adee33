// The ways to the other nodes: what the probes of the underlay and the tunnels' keep-alives found,
// and a closer look at one of them for `tapmesh ping`.
import { randomInt } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { makeRandom } from '../base/prng.ts'
import { parseIpv4 } from '../base/text.ts'
import { openEcho } from '../kernel/echo.ts'
import type { ClusterHost } from './cluster-host.ts'
import type { ClusterNode } from './cluster-node.ts'
import type { SeenMember } from './cluster-show.ts'
import type { NodeView, PingLine, PingView } from './cluster-views.ts'
import { setPathMtu } from './path-mtu.ts'
import { PathProber } from './path-prober.ts'

/** Of an ICMP echo as `ping` sends it: 20 of IP, 8 of ICMP, 56 of data. */
const PING_OCTETS = 84
/** Between two looks; a keep-alive comes every 300 ms. */
const PING_INTERVAL_MS = 300
/** What has not come back by then is lost. */
const PING_WAIT_MS = 1000

export class ClusterPaths {
  readonly #host: ClusterHost
  readonly #node: ClusterNode
  readonly #prober: PathProber

  constructor(host: ClusterHost, node: ClusterNode) {
    const { changes, clock, core, log } = host
    this.#host = host
    this.#node = node
    this.#prober = new PathProber({
      clock, random: makeRandom(randomInt(2 ** 32)), log: log.child({ room: 'paths' }),
      underlay: core.underlay, beforeOctets: core.state.pathMtu,
      onPathMtu: octets => void changes.run(() => setPathMtu(core, octets))
        .catch(error => log.warn({ err: error }, 'path MTU not used')),
    })
  }

  start(): void {
    this.#prober.start([])
  }

  /** Probe those that are here; who is gone is not asked. */
  follow(members: readonly SeenMember[]): void {
    this.#prober.setMembers(members
      .filter(({ id, state }) => id !== null && (state === 'alive' || state === 'suspect'))
      .map(({ address, name }) => ({ name, address: parseIpv4(address.split(':')[0]!) })))
  }

  /** Octets of the largest packet that gets there whole; null: not known. */
  mtuTo(name: string): number | null {
    return this.#prober.path(name)?.pathMtuOctets ?? null
  }

  async ping(node: NodeView, count: number, signal: AbortSignal): Promise<PingView> {
    const notes: string[] = []
    this.#prober.rise(node.name) // who asks wants to know what it is now
    const [underlay, mesh] = await Promise.all([
      this.#pingUnderlay(node, count, signal, notes), this.#pingMesh(node, count, signal, notes),
    ])
    return { node: node.name, underlay, mesh, pathMtuOctets: this.mtuTo(node.name), notes }
  }

  close(): void {
    this.#prober.close()
  }

  async #pingUnderlay(node: NodeView, count: number, signal: AbortSignal,
    notes: string[]): Promise<PingLine | null> {
    const { absent } = this.#prober.view()
    if (absent !== null) {
      notes.push(`the underlay is not measured: ${absent}`)
      return null
    }
    const times: number[] = []
    const all = Promise.withResolvers<void>()
    const echo = openEcho({
      address: this.#host.core.underlay.number,
      nowMs: () => this.#host.clock.nowMs(),
      onAnswer: answer => {
        if (answer.type === 'reply') times.push(answer.rttMs)
        else notes.push(`the underlay answered: ${answer.type}`)
        if (times.length === count) all.resolve()
      },
      onError: error => notes.push(`the underlay cannot be measured: ${error.message}`),
    })
    try {
      for (let sequence = 0; sequence < count && !signal.aborted; sequence++) {
        if (sequence > 0) await pause(PING_INTERVAL_MS)
        echo.send(parseIpv4(node.address), PING_OCTETS, sequence)
      }
      await Promise.race([all.promise, pause(PING_WAIT_MS)])
    } finally {
      echo.close()
    }
    return lineOf(count, times)
  }

  /** The keep-alives of the tunnel, as they come anyway. */
  async #pingMesh(node: NodeView, count: number, signal: AbortSignal,
    notes: string[]): Promise<PingLine | null> {
    const tunnel = () => this.#node.mesh.tunnel(node.name)
    if (tunnel() === undefined) {
      notes.push('the mesh sends this node no keep-alives: it is not here, or there are many nodes')
      return null
    }
    const times: number[] = []
    for (let n = 0; n < count && !signal.aborted; n++) {
      await pause(PING_INTERVAL_MS)
      const now = tunnel()
      if (now === undefined || now.silentMs > PING_INTERVAL_MS * 2) continue
      if (now.roundTripMs !== null) times.push(now.roundTripMs)
    }
    return lineOf(count, times)
  }
}

function lineOf(sent: number, times: readonly number[]): PingLine {
  const sum = times.reduce((total, ms) => total + ms, 0)
  return {
    sent, received: times.length, avgMs: times.length === 0 ? 0 : sum / times.length,
    minMs: Math.min(...times, Infinity) === Infinity ? 0 : Math.min(...times),
    maxMs: Math.max(0, ...times),
  }
}
