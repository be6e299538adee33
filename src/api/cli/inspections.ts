// What `inspect` prints: one JSON array of all that was found, or a template's text for each; and a
// line on stderr for each name that was not found.
import type { Command } from 'commander'
import { NotFoundError } from '../../base/errors.ts'
import { complain, EXIT_FAILED, ExitError } from './failure.ts'
import { print, printJson } from './output.ts'
import { compileTemplate } from './template/template.ts'

export type InspectOptions = Readonly<{ format?: string }>

export function addInspectOptions(command: Command): void {
  command.option('-f, --format <format>',
    '"json" (everything in one line), or a template such as \'{{.Name}}\' or \'{{json .Labels}}\'')
}

export async function printInspections(
  names: readonly string[], inspect: (name: string) => Promise<unknown>,
  { format }: InspectOptions = {},
): Promise<void> {
  const asText = textsOf(format) // a template that is not well formed is refused at once
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
  asText(found)
  for (const message of missing) complain(message)
  if (missing.length > 0) throw new ExitError(EXIT_FAILED)
}

function textsOf(format: string | undefined): (found: readonly unknown[]) => void {
  if (format === undefined) return printJson
  if (format === 'json') return found => print(JSON.stringify(found))
  const template = compileTemplate(format)
  return found => print(found.map(thing => template(thing)).join('\n'))
}
