// The streams of the mesh over TCP. Each has a time limit and a limit of octets; those that speak
// TLS are not for the mesh and are given away whole.
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import type { MeshAddress } from './mesh-address.ts'
import {
  HELD_OCTETS_MAX, HELD_OF_SOURCE_OCTETS_MAX, STREAMS_MAX, type Exchange,
  type ReadMessage, type StreamReading, type TransportCounters,
  type TransportHandlers,
} from './transport.ts'

/** First octet of TLS (RFC 8446 section 5.1, handshake); no message of memberlist begins so. */
const TLS_HANDSHAKE = 0x16
/** From the connection to the last octet of the answer. */
const STREAM_TIMEOUT_MS = 10_000

export type StreamOptions = Readonly<{
  /** Takes a connection that begins with TLS, its first octets put back. Without it: closed. */
  onTls?: (socket: Socket) => void
  streamTimeoutMs?: number
}>

/** What of an unfinished message is in memory. */
type Held = { readonly source: string; octets: number }

export class NodeStreams {
  readonly #options: StreamOptions
  readonly #counters: TransportCounters
  readonly #server: Server
  readonly #asked = new Map<number, Socket>()
  /** Incoming ones, and all that have to be closed at the end. */
  readonly #incoming = new Map<Socket, Held>()
  readonly #sockets = new Set<Socket>()
  #handlers: TransportHandlers | undefined
  #id = 0

  constructor(options: StreamOptions, counters: TransportCounters) {
    this.#options = options
    this.#counters = counters
    this.#server = createServer({ noDelay: true }, socket => this.#accept(socket))
  }

  /** @returns the port, which the system chooses when it is 0 */
  async listen(address: MeshAddress, handlers: TransportHandlers): Promise<number> {
    this.#handlers = handlers
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(address, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
    this.#server.on('error', () => { this.#counters.streamsFailed += 1 })
    const bound = this.#server.address()
    return typeof bound === 'object' && bound !== null ? bound.port : address.port
  }

  exchange({ id, to, octets, awaitsAnswer, timeoutMs }: Exchange): void {
    const handlers = this.#handlers
    if (handlers === undefined) return
    this.#counters.exchanges += 1
    const socket = createConnection({ host: to.host, port: to.port, noDelay: true })
    let isDone = false
    const done = (read: ReadMessage | null, reason: string) => {
      if (isDone) return
      isDone = true
      if (reason !== '') this.#counters.exchangesFailed += 1
      handlers.exchanged(id, read, reason)
      socket.destroy()
    }
    this.#watch(socket, timeoutMs, () => done(null, `no answer within ${Math.round(timeoutMs)} ms`))
    socket.on('error', error => done(null, error.message))
    socket.on('close', () => done(null, 'the stream was closed without an answer'))
    if (awaitsAnswer) {
      socket.write(octets)
      this.#read(socket, handlers.reader('answerer'), read => done(read, ''))
    } else {
      socket.resume()
      socket.end(octets)
      // The other side closes when it has read all.
      socket.on('end', () => done(null, ''))
    }
  }

  answer(id: number, octets: Uint8Array | null): void {
    const socket = this.#asked.get(id)
    this.#asked.delete(id)
    if (octets === null) socket?.destroy()
    else socket?.end(octets)
  }

  async close(): Promise<void> {
    this.#handlers = undefined
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>(resolve => { this.#server.close(() => resolve()) })
  }

  #accept(socket: Socket): void {
    const handlers = this.#handlers
    socket.on('error', () => { this.#counters.streamsFailed += 1 })
    if (handlers === undefined || this.#incoming.size >= STREAMS_MAX) {
      this.#counters.streamsFull += 1
      return void socket.destroy()
    }
    this.#counters.streamsIn += 1
    this.#id += 1
    const id = this.#id
    const from = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }
    this.#incoming.set(socket, { source: from.host, octets: 0 })
    this.#asked.set(id, socket)
    socket.on('close', () => this.#release(id, socket))
    const stopWatching = this.#watch(socket, this.#options.streamTimeoutMs ?? STREAM_TIMEOUT_MS,
      () => { this.#counters.streamsTimedOut += 1 })
    socket.once('data', first => {
      if (first[0] !== TLS_HANDSHAKE) {
        const reader = this.#bounded(socket, handlers.reader('caller'))
        return this.#read(socket, reader, read => handlers.stream(id, from, read), first)
      }
      stopWatching()
      this.#release(id, socket)
      this.#giveAway(socket, first)
    })
  }

  #release(id: number, socket: Socket): void {
    this.#incoming.delete(socket)
    this.#asked.delete(id)
  }

  /** Who sends it is not known before it is whole, so only so much of it is held. */
  #bounded(socket: Socket, reader: StreamReading): StreamReading {
    const push = (octets: Uint8Array): ReadMessage | undefined => {
      const own = this.#incoming.get(socket)
      if (own === undefined) return undefined
      own.octets += octets.length
      if (this.#isHeldFull(own.source)) {
        this.#counters.streamsHeldFull += 1
        this.#incoming.delete(socket) // nothing of it is held any more
        socket.destroy()
        return undefined
      }
      const read = reader.push(octets)
      if (read !== undefined) own.octets = 0
      return read
    }
    return { push, end: () => reader.end() }
  }

  #isHeldFull(source: string): boolean {
    let all = 0
    let ofSource = 0
    for (const held of this.#incoming.values()) {
      all += held.octets
      if (held.source === source) ofSource += held.octets
    }
    return all > HELD_OCTETS_MAX || ofSource > HELD_OF_SOURCE_OCTETS_MAX
  }

  #giveAway(socket: Socket, first: Buffer): void {
    this.#counters.streamsGivenAway += 1
    socket.removeAllListeners()
    this.#sockets.delete(socket)
    if (this.#options.onTls === undefined) return void socket.destroy()
    socket.pause()
    socket.unshift(first)
    this.#options.onTls(socket)
  }

  /** Ends the stream when its time is over. Answers how to stop that. */
  #watch(socket: Socket, timeoutMs: number, onTimeout: () => void): () => void {
    this.#sockets.add(socket)
    const timer = setTimeout(() => {
      onTimeout()
      socket.destroy()
    }, timeoutMs)
    socket.on('close', () => {
      clearTimeout(timer)
      this.#sockets.delete(socket)
    })
    return () => clearTimeout(timer)
  }

  /** One message; what comes after it is ignored. */
  #read(socket: Socket, reader: StreamReading, done: (read: ReadMessage) => void,
    first?: Buffer): void {
    let isDone = false
    const finish = (read: ReadMessage | undefined) => {
      if (isDone || read === undefined) return
      isDone = true
      done(read)
    }
    socket.on('data', octets => { if (!isDone) finish(reader.push(octets)) })
    socket.on('end', () => finish(reader.end()))
    if (first !== undefined) finish(reader.push(first))
  }
}
