// The connections of connect.c: its commands as functions.
import { programOf } from './compile.ts'
import type { End } from './subjects.ts'

const PROGRAM = programOf('connect')
/** Of backends and of what leads to them: it is the same, so that nothing need translate it. */
export const PORT = '8080'
/** The command of a backend. */
export const BACKEND: readonly string[] = [PROGRAM, 'serve', PORT]
const MARGIN_MS = 15_000

/** Where a client runs, and what it calls. */
export type Call = Readonly<{ from: Pick<End, 'host' | 'netns'>; address: string }>

export type Connections = Readonly<{
  perSecond: number
  p50Us: number
  p99Us: number
  /** Refused, reset, or not over within 3 s; and what the first one died of. */
  failed: number
  why: string
  /** Of each backend that answered */
  backends: readonly number[]
}>

/** Open new connections for `seconds`, `atOnce` at a time: each asks, is answered, and ends. */
export async function openMany(
  { from, address }: Call, atOnce: number, seconds: number,
): Promise<Connections> {
  return JSON.parse(await from.host.run([PROGRAM, 'many', address, PORT, String(atOnce),
    String(seconds)], from.netns, seconds * 1000 + MARGIN_MS))
}

/** Gbit/s of one connection that sends for `seconds`. */
export async function sendBulk({ from, address }: Call, seconds: number): Promise<number> {
  const { octets, seconds: took } = JSON.parse(await from.host.run([PROGRAM, 'bulk', address, PORT,
    String(seconds)], from.netns, seconds * 1000 + MARGIN_MS))
  return octets * 8 / 1e9 / took
}
