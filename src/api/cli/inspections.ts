// What `inspect` prints: one JSON array of all that was found, and a line for each that was not.
import { NotFoundError } from '../../base/errors.ts'
import { complain, EXIT_FAILED, ExitError } from './failure.ts'
import { printJson } from './output.ts'

export async function printInspections(
  names: string[], inspect: (name: string) => Promise<unknown>,
): Promise<void> {
  const found: unknown[] = []
  const missing: string[] = []
  for (const name of names) {
    try {
      found.push(await inspect(name))
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error
      missing.push(error.message)
    }
  }
  printJson(found)
  for (const message of missing) complain(message)
  if (missing.length > 0) throw new ExitError(EXIT_FAILED)
}
