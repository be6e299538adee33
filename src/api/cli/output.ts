// What commands print: lines, JSON, and the names of things that were acted on one by one.
import { ApiError, TapmeshError, UsageError } from '../../base/errors.ts'
import { complain, EXIT_FAILED, EXIT_USAGE, ExitError, lineOf } from './failure.ts'

/** Whoever reads us may stop reading, as `head` does: that is no failure. */
export function guardOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? process.exitCode : EXIT_FAILED)
    })
  }
}

/** Writes `text` and a newline; nothing for an empty text. */
export function print(text: string): void {
  if (text !== '') process.stdout.write(`${text}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2))
}

/**
 * Does `act` for each name in turn and prints what it gives. One that fails does not keep the
 * others from it, but the exit code is then 1, or 2 when the words of the command were wrong;
 * without a daemon the first failure ends it.
 */
export async function forEachName(
  names: string[], act: (name: string) => Promise<string | number>,
): Promise<void> {
  let exitCode = 0
  for (const name of names) {
    try {
      print(String(await act(name)))
    } catch (error) {
      if (!(error instanceof TapmeshError) || error instanceof ApiError) throw error
      complain(lineOf(error))
      exitCode = Math.max(exitCode, error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED)
    }
  }
  if (exitCode !== 0) throw new ExitError(exitCode)
}
