// The desk behind sockets: TLS 1.3 over streams that the mesh's listener hands over, because they
// begin as TLS does. One request a connection, except for the output of tasks, and a few seconds
// for all of it.
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { formatPem } from './certificates.ts'
import type { Identity } from './identity.ts'
import type { JoinDesk } from './join-desk.ts'
import {
  CONNECTION_TIMEOUT_MS, EXPORTER_LABEL, EXPORTER_OCTETS, JOIN_ALPN, REQUEST_OCTETS_MAX, writeLine,
} from './join-messages.ts'
import { LineReader } from './line-reader.ts'

export const JOIN_CONNECTIONS_MAX = 64
/** From one address, so that a single machine cannot keep all others out. */
export const JOIN_CONNECTIONS_OF_SOURCE_MAX = 16
const HANDSHAKE_TIMEOUT_MS = 5000

export const JOIN_SERVER_COUNTERS = [
  'accepted', 'full', 'handshakesFailed', 'withoutRequest', 'timedOut', 'answered',
] as const

export type JoinServerOptions = Readonly<{
  desk: JoinDesk
  identity: Pick<Identity, 'authority' | 'certificate' | 'privateKey'>
  /** For tests. */
  connectionTimeoutMs?: number
}>

export class JoinServer {
  readonly counters: Record<(typeof JOIN_SERVER_COUNTERS)[number], number>
  readonly #desk: JoinDesk
  readonly #timeoutMs: number
  readonly #tls: Server
  /** With the addresses that they came from. */
  readonly #open = new Map<Socket, string>()

  constructor({ desk, identity, connectionTimeoutMs = CONNECTION_TIMEOUT_MS }: JoinServerOptions) {
    const zeros = JOIN_SERVER_COUNTERS.map(name => [name, 0] as const)
    this.counters = Object.fromEntries(zeros) as typeof this.counters
    this.#desk = desk
    this.#timeoutMs = connectionTimeoutMs
    // It never listens: connections are given to it.
    this.#tls = createServer(tlsOptions(identity), socket => { void this.#serve(socket) })
    this.#tls.on('tlsClientError', (_error, socket) => {
      this.counters.handshakesFailed += 1
      socket.destroy()
    })
  }

  /** Take over a connection, whose octets from the first on are still to be read. */
  accept(socket: Socket): void {
    socket.on('error', () => {})
    const source = plainAddress(socket.remoteAddress ?? '')
    const ofSource = [...this.#open.values()].filter(other => other === source).length
    if (this.#open.size >= JOIN_CONNECTIONS_MAX || ofSource >= JOIN_CONNECTIONS_OF_SOURCE_MAX) {
      this.counters.full += 1
      socket.destroy()
      return
    }
    this.counters.accepted += 1
    this.#open.set(socket, source)
    const timer = setTimeout(() => {
      this.counters.timedOut += 1
      socket.destroy()
    }, this.#timeoutMs)
    socket.on('close', () => {
      clearTimeout(timer)
      this.#open.delete(socket)
    })
    this.#tls.emit('connection', socket)
  }

  /** Show another certificate from now on. */
  renew(identity: JoinServerOptions['identity']): void {
    this.#tls.setSecureContext(tlsOptions(identity))
  }

  close(): void {
    for (const socket of this.#open.keys()) socket.destroy()
  }

  async #serve(socket: TLSSocket): Promise<void> {
    socket.on('error', () => {})
    const exporter = socket.exportKeyingMaterial(
      EXPORTER_OCTETS, EXPORTER_LABEL, Buffer.alloc(0))
    const certificate = socket.getPeerX509Certificate()?.raw ?? null
    const source = plainAddress(socket.remoteAddress ?? '')
    const lines = new LineReader(socket, REQUEST_OCTETS_MAX)
    socket.write(writeLine(this.#desk.hello()))
    for (let isFirst = true; ; isFirst = false) {
      const line = await lines.next()
      if (line === null) {
        if (isFirst) this.counters.withoutRequest += 1
        socket.destroy()
        return
      }
      const answer = await this.#desk.answer(line, { source, certificate, exporter })
      this.counters.answered += 1
      socket.write(writeLine(answer))
      if (answer.type !== 'log') return void socket.end()
    }
  }
}

function tlsOptions({ authority, certificate, privateKey }: JoinServerOptions['identity']):
  TlsOptions {
  const authorityPem = formatPem(authority.octets)
  return {
    minVersion: 'TLSv1.3',
    ALPNProtocols: [JOIN_ALPN],
    // The chain with its root: a joiner knows the root's digest alone.
    cert: formatPem(certificate.octets) + authorityPem,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ca: authorityPem,
    // Members show theirs, joiners have none: the desk looks at it, by its own clock.
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  }
}

/** "::ffff:10.0.0.1", as sockets for both families say it, is "10.0.0.1". */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}
