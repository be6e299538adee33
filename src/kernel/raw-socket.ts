// Raw ICMP sockets, by the package `raw-socket`. It is compiled where a compiler is, and absent
// elsewhere. Main thread only: its socket lives on the default event loop, and in a worker it would
// silently never be called back.
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import { assert } from '../base/assert.ts'
import { AbsentError, TapmeshError } from '../base/errors.ts'
import { SO_TYPE, SOCK_RAW, SOL_SOCKET } from './constants.ts'
import * as sys from './syscalls.ts'

const RECEIVE_OCTETS = 65_536

export type RawSocket = {
  on(event: 'message', handler: (packet: Buffer, from: string) => void): void
  on(event: 'error', handler: (error: Error) => void): void
  on(event: 'close', handler: () => void): void
  send(octets: Buffer, at: number, length: number, address: string,
    before: () => void, after: (error: Error | null) => void): void
  setOption(level: number, option: number, value: number): void
  close(): void
}
type RawSocketPackage = { createSocket(options: object): RawSocket; Protocol: { ICMP: number } }

/**
 * Opened in the network namespace in which the calling thread is now.
 * @param what it is for, to begin a sentence with
 * @throws AbsentError  no package `raw-socket`, or no right to use raw sockets
 */
export function openRawIcmp(what: string): { socket: RawSocket; fd: number } {
  assert(isMainThread, 'raw sockets are those of the main thread')
  const before = new Set(rawDescriptors())
  const socket = openSocket(loadPackage(what), what)
  const fd = rawDescriptors().find(other => !before.has(other))
  if (fd !== undefined) return { socket, fd }
  socket.close()
  throw new TapmeshError('TM_ECHO', 'the descriptor of a new raw socket is not found')
}

function loadPackage(what: string): RawSocketPackage {
  try {
    return createRequire(import.meta.url)('raw-socket') as RawSocketPackage
  } catch (error) {
    throw new AbsentError(`${what} needs the optional package "raw-socket", which could not be `
      + 'loaded; install g++, make and python3, then run: npm rebuild raw-socket', {}, error)
  }
}

function openSocket(raw: RawSocketPackage, what: string): RawSocket {
  try {
    return raw.createSocket({ protocol: raw.Protocol.ICMP, bufferSize: RECEIVE_OCTETS })
  } catch (error) {
    throw new AbsentError(`${what} needs root or CAP_NET_RAW: ${(error as Error).message}`, {},
      error)
  }
}

/** The process's raw sockets. The package does not say which descriptor it opened. */
function rawDescriptors(): number[] {
  return readdirSync('/proc/thread-self/fd').map(Number).filter(fd => {
    const type = new Uint8Array(4)
    return sys.getsockopt(fd, SOL_SOCKET, SO_TYPE, type) === 4 && type[0] === SOCK_RAW
  })
}
