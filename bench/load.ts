// The load generator of load.c: its commands as functions.
import { availableParallelism } from 'node:os'
import { programOf } from './compile.ts'
import { BenchError } from './hosts.ts'
import type { End } from './subjects.ts'

const PROGRAM = programOf('load')
const DATAGRAM_PORT = '7001'
const ECHO_PORT = '7002'
const ECHO_PORT_APART = '7003'
/** The sink waits so much longer than the sender sends: start-up, and the silence at the end. */
const SINK_EXTRA_S = 3
const MARGIN_MS = 15_000

export type Datagrams = Readonly<{
  sentPerSecond: number
  receivedPerSecond: number
  /** 0 to 1 */
  loss: number
  /** Share that came after one sent later */
  late: number
}>

/** Send `octets` of payload at `rate` per second (0: as fast as it goes) for `seconds`. */
export async function sendDatagrams(
  from: End, to: End, octets: number, rate: number, seconds: number,
): Promise<Datagrams> {
  const sinkWords = [PROGRAM, 'sink', DATAGRAM_PORT, String(seconds + SINK_EXTRA_S)]
  const sink = await to.host.start(sinkWords, to.netns, /^ready$/m)
  const sent = lastLine(await from.host.run([PROGRAM, 'send', to.address, DATAGRAM_PORT,
    String(octets), String(Math.round(rate)), String(seconds)], from.netns, margin(seconds)))
  if (await sink.ended !== 0) throw new BenchError(`load sink: ${sink.output().trim()}`)
  const got = lastLine(sink.output())
  const received = got['received'] ?? 0
  const count = sent['sent'] ?? 0
  return {
    sentPerSecond: count / (sent['seconds'] ?? 1),
    // From the first to the last arrival: what a queue still held when the sender stopped counts
    // with the time that it took.
    receivedPerSecond: received / Math.max(got['seconds'] ?? 0, seconds / 2),
    loss: count === 0 ? 1 : 1 - received / count,
    late: received === 0 ? 0 : (got['late'] ?? 0) / received,
  }
}

/** One server that runs where the scheduler puts it, and one that stays on the second processor. */
export async function startEchoes(at: End): Promise<void> {
  await at.host.start([PROGRAM, 'echo', ECHO_PORT], at.netns, /^ready$/m)
  await at.host.start([...onProcessor(1), PROGRAM, 'echo', ECHO_PORT_APART], at.netns, /^ready$/m)
}

function onProcessor(number: number): string[] {
  return ['taskset', '--cpu-list', String(Math.min(number, availableParallelism() - 1))]
}

export type Answers = Readonly<{ perSecond: number; p50Us: number; p99Us: number }>

/**
 * Requests and answers of `octets` each, one at a time over one TCP connection, for `seconds`.
 * @param apart client and server stay on a processor each
 */
export async function askForAnswers(
  from: End, to: End, octets: number, seconds: number, apart: boolean,
): Promise<Answers> {
  const where = apart ? onProcessor(0) : []
  const port = apart ? ECHO_PORT_APART : ECHO_PORT
  const said = lastLine(await from.host.run([...where, PROGRAM, 'ask', to.address, port,
    String(octets), String(seconds)], from.netns, margin(seconds)))
  const { perSecond = 0, p50Us = 0, p99Us = 0 } = said
  return { perSecond, p50Us, p99Us }
}

function lastLine(output: string): Record<string, number> {
  return JSON.parse(output.trim().split('\n').at(-1) ?? '{}')
}

function margin(seconds: number): number {
  return seconds * 1000 + MARGIN_MS
}
