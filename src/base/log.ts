// Logs by pino: JSON for machines, lines for people on a terminal. Facts first, then a constant
// sentence; each room has a child of its own. Nothing is logged for a frame: those are counted.
import { pino, type Logger } from 'pino'

export type Log = Logger
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export const LOG_FORMATS = ['auto', 'json', 'pretty'] as const

export type LogSpec = Readonly<{
  level: (typeof LOG_LEVELS)[number]
  /** auto: pretty on a terminal, else json */
  format: (typeof LOG_FORMATS)[number]
}>

export async function makeLog(spec: LogSpec, node: string): Promise<Log> {
  const isPretty = spec.format === 'pretty' || (spec.format === 'auto' && process.stdout.isTTY)
  const options = { level: spec.level, base: { node } }
  if (!isPretty) {
    // One short line at a time, written before the call returns: a crash loses nothing.
    return pino({ ...options, timestamp: pino.stdTimeFunctions.isoTime },
      pino.destination({ dest: 1, sync: true }))
  }
  // Only here: what makes the lines is large, and a service has no terminal.
  const { default: pretty } = await import('pino-pretty')
  return pino(options, pretty({
    sync: true, ignore: 'pid,hostname,node', translateTime: 'HH:MM:ss.l',
  }))
}
