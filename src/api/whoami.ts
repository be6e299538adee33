// The web server of the examples: tells who answered and who asked, in the words of the image
// containous/whoami, so that its tutorials read the same here.
import type { IncomingMessage, Server } from 'node:http'
import { hostname, networkInterfaces } from 'node:os'
import type { AddressInfo } from 'node:net'
import { AbsentError, ConflictError } from '../base/errors.ts'
import { createServer } from './node-http.ts'

const CONNECTIONS_MAX = 1024
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const LOOPBACKS = ['127.0.0.1', '::1']

export type Whoami = { port: number; close(): Promise<void> }

/**
 * Answer on every address, IPv6 and IPv4, at `port` (0: any that is free).
 * @throws ConflictError the port is in use; AbsentError it needs root
 */
export async function startWhoami(port: number): Promise<Whoami> {
  const server = createServer((request, response) => {
    request.resume()
    response.setHeader('content-type', 'text/plain; charset=utf-8')
    const path = (request.url ?? '/').split('?')[0]
    response.end(path === '/health' ? '' : whoamiText(request))
  })
  server.maxConnections = CONNECTIONS_MAX
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.requestTimeout = REQUEST_TIMEOUT_MS
  await listen(server, port)
  const close = async () => {
    const closed = new Promise<void>(resolve => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  }
  return { port: (server.address() as AddressInfo).port, close }
}

async function listen(server: Server, port: number): Promise<void> {
  try {
    await listenOn(server, port, '::')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') {
      throw new ConflictError(`port ${port} is in use; choose another with --port`, { port })
    }
    if (code === 'EACCES') {
      throw new AbsentError(`port ${port} needs root; choose one from 1024 with --port`, { port })
    }
    // A kernel that was started without IPv6.
    if (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL') throw error
    await listenOn(server, port, '0.0.0.0')
  }
}

function listenOn(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function whoamiText(request: IncomingMessage): string {
  const { method, url, httpVersion, socket } = request
  return [
    `Hostname: ${hostname()}`,
    ...ownAddresses().map(address => `IP: ${address}`),
    `RemoteAddr: ${hostPortText(socket.remoteAddress ?? '', socket.remotePort ?? 0)}`,
    `${method} ${url} HTTP/${httpVersion}`,
    ...headerLines(request.rawHeaders),
    '', '',
  ].join('\n')
}

/** The addresses of all interfaces, loopback first. */
function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap(list => list ?? [])
    .map(({ address }) => address)
  const loopbacks = LOOPBACKS.filter(address => all.includes(address))
  return [...loopbacks, ...all.filter(address => !LOOPBACKS.includes(address))]
}

/** "::ffff:10.0.0.2", 36828 -> "10.0.0.2:36828"; "fe80::1", 80 -> "[fe80::1]:80" */
export function hostPortText(address: string, port: number): string {
  const host = address.replace(/^::ffff:(?=\d+\.)/i, '')
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Host, User-Agent, then the rest in alphabetical order, each spelled as in "X-Forwarded-For". */
export function headerLines(rawHeaders: string[]): string[] {
  const headers: [name: string, value: string][] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    headers.push([canonical(rawHeaders[i] ?? ''), rawHeaders[i + 1] ?? ''])
  }
  const rank = (name: string) => name === 'Host' ? 0 : name === 'User-Agent' ? 1 : 2
  headers.sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0))
  return headers.map(([name, value]) => `${name}: ${value}`)
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, letter => letter.toUpperCase())
}
