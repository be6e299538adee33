// Where the tunnels of this node begin: an address of the underlay, the sockets that are bound to
// it, and the packet workers that read from them. All three change together, or not at all.
import { randomBytes } from 'node:crypto'
import { closeUnderlay, openUnderlay, type UnderlaySockets } from '../kernel/underlay.ts'
import type { Config } from './config.ts'
import { Datapath } from './datapath.ts'
import type { TapKind } from './endpoints.ts'
import type { OnPortDead } from './packet-worker.ts'
import type { UnderlayAddress } from './underlay-address.ts'

export type TunnelSpec = Readonly<{
  config: Config
  tapKind: TapKind
  onPortDead: OnPortDead
}>

type Parts = Readonly<{ underlay: UnderlayAddress; sockets: UnderlaySockets; datapath: Datapath }>

export class Tunnel {
  /** Rejects when a worker dies by itself. */
  readonly failed: Promise<never>
  readonly #fail: (reason: unknown) => void
  readonly #spec: TunnelSpec
  #parts: Parts

  private constructor(spec: TunnelSpec, parts: Parts) {
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    this.failed.catch(() => {}) // also when nobody listens yet; daemon.failed passes it on
    this.#fail = reject
    this.#spec = spec
    this.#parts = parts
    parts.datapath.failed.catch(reject)
  }

  /** @throws KernelError or ConflictError when the address cannot be had; nothing is open then */
  static async open(spec: TunnelSpec, underlay: UnderlayAddress): Promise<Tunnel> {
    return new Tunnel(spec, await startParts(spec, underlay, openSockets(spec, underlay)))
  }

  get underlay(): UnderlayAddress {
    return this.#parts.underlay
  }

  get sockets(): UnderlaySockets {
    return this.#parts.sockets
  }

  get datapath(): Datapath {
    return this.#parts.datapath
  }

  /**
   * Begin at another address. The workers are started anew, so every TAP has to be opened again,
   * counters begin at zero, and connections through virtual addresses are forgotten.
   * @throws what keeps the address from being used; nothing has changed then
   */
  async move(underlay: UnderlayAddress): Promise<void> {
    const sockets = openSockets(this.#spec, underlay)
    await this.#parts.datapath.stop()
    try {
      this.#parts = await startParts(this.#spec, underlay, sockets)
    } catch (error) {
      this.#fail(error) // there is no way back
      throw error
    }
    this.#parts.datapath.failed.catch(this.#fail)
  }

  stop(): Promise<void> {
    return this.#parts.datapath.stop()
  }
}

function openSockets({ config }: TunnelSpec, underlay: UnderlayAddress): UnderlaySockets {
  const { port, ttl, udpChecksum, sourcePorts } = config.underlay
  const { udpSegment, udpGro, workers } = config.plane
  return openUnderlay({
    address: underlay.number, port, ttl, udpChecksum, mtu: underlay.mtu, segment: udpSegment,
    gro: udpGro, receivers: workers, senders: sourcePorts,
  })
}

async function startParts({ config, tapKind, onPortDead }: TunnelSpec, underlay: UnderlayAddress,
  sockets: UnderlaySockets): Promise<Parts> {
  try {
    const datapath = await Datapath.start({
      sockets, offload: tapKind.offload, spinMicros: config.plane.spinMicros,
      nice: config.plane.nice, inheritDscp: config.underlay.dscp === 'inherit',
      folds: config.plane.foldSegments, seed: randomBytes(4).readInt32LE(),
    }, config.plane.flows, onPortDead)
    return { underlay, sockets, datapath }
  } catch (error) {
    closeUnderlay(sockets)
    throw error
  }
}
