// The API of the daemon: HTTP with JSON over a Unix socket, bounded in time, size and number.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { lstatSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import type { Control } from '../daemon/views.ts'
import { ConfigError, ConflictError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { makeDirectory } from '../kernel/directory.ts'
import { makeClient } from './client.ts'
import { StoppingError, answerError } from './http.ts'
import { createServer } from './node-http.ts'
import { makeRoutes, type Routes } from './routes.ts'

/** Each `logs --follow`, `wait` and foreground `run` holds one or two connections. */
export const CONNECTIONS_MAX = 512
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const KEEP_ALIVE_MS = 5_000
/** For a connection on which nothing moves; routes that wait for a task lift it. */
const IDLE_TIMEOUT_MS = 120_000
const CHECK_INTERVAL_MS = 5_000
const CLOSE_GRACE_MS = 2_000
const PROBE_TIMEOUT_MS = 2_000
/** sun_path without its NUL: unix(7). */
const SOCKET_PATH_OCTETS_MAX = 107

export type ServerOptions = { socketPath: string; control: Control; log: Log }

/**
 * Answer at `socketPath` (mode 0660) until closed. A socket on which nobody answers is replaced.
 * @throws ConflictError  another daemon answers there, or it is no socket
 * @throws ConfigError    the path cannot be used
 */
export async function startServer(options: ServerOptions): Promise<{ close(): Promise<void> }> {
  const { socketPath, control, log } = options
  await refuseIfAnswered(socketPath)
  const stopping = new AbortController()
  const routes = makeRoutes(control)
  const server = createServer({ connectionsCheckingInterval: CHECK_INTERVAL_MS }, (req, res) => {
    void exchange(routes, req, res, stopping.signal, log)
  })
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.requestTimeout = REQUEST_TIMEOUT_MS
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.timeout = IDLE_TIMEOUT_MS
  server.maxConnections = CONNECTIONS_MAX
  server.on('drop', () => log.warn({ limit: CONNECTIONS_MAX }, 'API connection refused: too many'))
  await listen(server, socketPath)
  server.on('error', err => log.error({ err, socketPath }, 'API socket failed'))
  return { close: () => close(server, stopping) }
}

/**
 * Make sure that no daemon answers at `socketPath`, and remove what a dead one left there.
 * @throws ConflictError  one does, or something else stands there
 */
export async function refuseIfAnswered(socketPath: string): Promise<void> {
  const stat = lstatSync(socketPath, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (!stat.isSocket()) {
    throw new ConflictError(`${socketPath} is not a socket; remove it or choose another path`,
      { socketPath })
  }
  if (await isAnswered(socketPath)) {
    const other = await nameOfOther(socketPath)
    throw new ConflictError(`another daemon${other} answers on ${socketPath}; stop it first`,
      { socketPath })
  }
  unlinkSync(socketPath)
}

function isAnswered(socketPath: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false)
      else if (error.code === 'EAGAIN') resolve(true)
      else reject(new ConfigError(`cannot use the socket ${socketPath}: ${error.message}`,
        { socketPath }, error))
    })
  })
}

/** " (node1, pid 4711)", or nothing when it takes connections but says nothing. */
async function nameOfOther(socketPath: string): Promise<string> {
  try {
    const { node, pid } = await makeClient({ socketPath, timeoutMs: PROBE_TIMEOUT_MS }).status()
    return ` (${node}, pid ${pid})`
  } catch {
    return ''
  }
}

async function listen(server: Server, socketPath: string): Promise<void> {
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_OCTETS_MAX) {
    throw new ConfigError(`the socket path ${socketPath} is longer than `
      + `${SOCKET_PATH_OCTETS_MAX} octets`, { socketPath })
  }
  try {
    makeDirectory(dirname(socketPath), 0o755)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      // The socket is made inside this call, so it is never there with wider rights than 0660.
      const before = process.umask(0o117)
      server.listen(socketPath, () => {
        server.off('error', reject)
        resolve()
      })
      process.umask(before)
    })
  } catch (error) {
    throw new ConfigError(`cannot listen on the socket ${socketPath}: ${(error as Error).message}`,
      { socketPath }, error)
  }
}

async function exchange(
  routes: Routes, request: IncomingMessage, response: ServerResponse, stopping: AbortSignal,
  log: Log,
): Promise<void> {
  const gone = new AbortController()
  const onStop = () => gone.abort(stopping.reason)
  const onClose = () => gone.abort(new Error('the client has gone'))
  stopping.addEventListener('abort', onStop)
  response.on('close', onClose)
  try {
    stopping.throwIfAborted()
    await routes.handle(request, response, gone.signal)
  } catch (error) {
    if (response.destroyed || request.errored !== null) log.debug({ err: error }, 'client has gone')
    else answerError(response, error, log)
  } finally {
    stopping.removeEventListener('abort', onStop)
  }
}

/** What waits is told that the daemon stops; what is being answered gets CLOSE_GRACE_MS to end. */
async function close(server: Server, stopping: AbortController): Promise<void> {
  if (stopping.signal.aborted) return
  const closed = new Promise<void>(resolve => server.close(() => resolve()))
  stopping.abort(new StoppingError())
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
  await closed
  clearTimeout(timer)
}
