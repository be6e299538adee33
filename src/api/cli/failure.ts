// How a command fails: one line on stderr that begins with "tapmesh: ", and an exit code: 2 when
// the words were wrong, otherwise 1.
import { CommanderError, type Command } from 'commander'
import { TapmeshError, UsageError } from '../../base/errors.ts'

export const EXIT_FAILED = 1
export const EXIT_USAGE = 2
/** `run` in the foreground: the task's command could not be started (as Docker has it). */
export const EXIT_NOT_STARTED = 125
/** A process that ended by signal N is shown as 128 + N: sh(1). */
export const EXIT_SIGNAL_BASE = 128

/** Ends a command with a code of its own; what is to be said has been said. */
export class ExitError extends Error {
  readonly exitCode: number
  constructor(exitCode: number) {
    super(`exit ${exitCode}`)
    this.exitCode = exitCode
  }
}

/** Says what went wrong with `command`, and returns the exit code. */
export function reportFailure(error: unknown, command: Command): number {
  if (error instanceof ExitError) return error.exitCode
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0
    // The help of a command that needs a subcommand stands on stderr already.
    if (error.code !== 'commander.help') complain(withHint(wordsOf(error), command))
    return EXIT_USAGE
  }
  if (error instanceof UsageError) {
    complain(withHint(error.message, command))
    return EXIT_USAGE
  }
  complain(lineOf(error))
  return EXIT_FAILED
}

export function complain(line: string): void {
  process.stderr.write(`tapmesh: ${line}\n`)
}

/** One line for any error; the stack too when nobody foresaw it, for the report of the fault. */
export function lineOf(error: unknown): string {
  if (error instanceof TapmeshError) return error.message.replaceAll(/\s*\n\s*/g, '; ')
  if (!(error instanceof Error)) return String(error)
  return 'syscall' in error ? error.message : `unexpected: ${error.stack ?? error.message}`
}

function withHint(message: string, command: Command): string {
  return `${message}; see '${pathOf(command)} --help'`
}

/** "tapmesh network create" */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}

/** "error: unknown command 'x'\n(Did you mean y?)" -> "unknown command 'x' (did you mean y?)" */
function wordsOf(error: CommanderError): string {
  return error.message.replace(/^error: /, '').replace(/\s*\n\s*\(Did/, ' (did').replace(/\.$/, '')
}
