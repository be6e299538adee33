// The mesh over the sockets of the system: one UDP socket and one TCP listener at one address.
import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import type { MeshAddress } from './mesh-address.ts'
import { zeroCounters } from './swim/context.ts'
import { NodeStreams, type StreamOptions } from './transport-streams.ts'
import {
  TRANSPORT_COUNTERS, type Exchange, type MeshTransport, type TransportCounters,
  type TransportHandlers,
} from './transport.ts'

/** Bursts of a large cluster wait in the kernel; what it allows is net.core.rmem_max. */
const RECEIVE_BUFFER_OCTETS = 2 << 20

export type NodeTransportOptions = StreamOptions & Readonly<{
  /** IPv4 to listen at; port 0 takes any. */
  address: MeshAddress
}>

export class NodeTransport implements MeshTransport {
  readonly counters: TransportCounters = zeroCounters(TRANSPORT_COUNTERS)
  readonly #wanted: MeshAddress
  readonly #udp: DatagramSocket
  readonly #streams: NodeStreams
  #address: MeshAddress
  #isClosed = false

  constructor(options: NodeTransportOptions) {
    this.#wanted = options.address
    this.#address = options.address
    this.#streams = new NodeStreams(options, this.counters)
    this.#udp = createSocket({
      type: 'udp4',
      recvBufferSize: RECEIVE_BUFFER_OCTETS,
      // Hosts are literals. Without this each datagram would wait for a turn of the resolver.
      lookup: (host, _, done) => done(null, host, 4),
    })
  }

  /** Where it listens, once open. */
  get address(): MeshAddress {
    return this.#address
  }

  async open(handlers: TransportHandlers): Promise<void> {
    const { host } = this.#wanted
    try {
      const port = await this.#streams.listen(this.#wanted, handlers)
      await this.#bind(host, port)
      this.#address = { host, port }
    } catch (error) {
      await this.close()
      throw error
    }
    this.#udp.on('error', () => { this.counters.datagramsFailed += 1 })
    this.#udp.on('message', (octets, { address, port }) => {
      this.counters.datagramsIn += 1
      this.counters.datagramOctetsIn += octets.length
      handlers.datagram({ host: address, port }, octets)
    })
  }

  send(to: MeshAddress, octets: Uint8Array): void {
    if (this.#isClosed) return
    this.counters.datagramsOut += 1
    this.counters.datagramOctetsOut += octets.length
    this.#udp.send(octets, to.port, to.host, error => {
      if (error !== null) this.counters.datagramsFailed += 1
    })
  }

  exchange(exchange: Exchange): void {
    if (!this.#isClosed) this.#streams.exchange(exchange)
  }

  answer(id: number, octets: Uint8Array | null): void {
    this.#streams.answer(id, octets)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const isUdpClosed = new Promise<void>(resolve => { this.#udp.close(resolve) })
    await Promise.all([isUdpClosed, this.#streams.close()])
  }

  async #bind(address: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#udp.once('error', reject)
      this.#udp.bind({ address, port, exclusive: true }, () => {
        this.#udp.off('error', reject)
        resolve()
      })
    })
  }
}
