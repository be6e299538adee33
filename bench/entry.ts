// How a bench begins and ends: signals that take its hosts down, and what is said of a failure.
import { TapmeshError, UsageError } from '../src/base/errors.ts'

/** Runs `main`, whose answer is the exit code. @param name what stands before its errors */
export async function enter(name: string, main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main()
  } catch (error) {
    const usage = error instanceof UsageError || (error instanceof TypeError && 'code' in error
      && String(error.code).startsWith('ERR_PARSE'))
    const expected = usage || error instanceof TapmeshError
    const text = error instanceof Error ? (expected ? error.message : error.stack) : String(error)
    process.stderr.write(`${name}: ${text}\n`)
    process.exitCode = usage ? 2 : 1
  }
}

/** A signal ends the process after `close`. */
export function closeOnSignals(close: () => Promise<void>): void {
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const) {
    process.once(signal, () => void close().finally(() => process.exit(code)))
  }
}

/** The one of `known` with this name. @throws UsageError that lists them */
export function pick<T>(
  what: string, word: string, known: readonly T[], nameOf: (one: T) => string,
): T {
  const found = known.find(one => nameOf(one) === word)
  if (found !== undefined) return found
  throw new UsageError(`unknown ${what} "${word}": use ${known.map(nameOf).join(', ')}`)
}

/** The number of --rounds. @throws UsageError */
export function roundsOf(word: string | undefined, usual: number): number {
  const rounds = Number(word ?? usual)
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= ROUNDS_MAX) return rounds
  throw new UsageError(`--rounds ${word}: not a number from 1 to ${ROUNDS_MAX}`)
}

const ROUNDS_MAX = 100
