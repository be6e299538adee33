// Node's own file calls throw errors of their own; this room speaks KernelError.
import { KernelError } from '../base/errors.ts'

/** "ENOENT" of what node:fs threw, undefined when it is something else. */
export function nodeErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/**
 * The KernelError for what node:fs threw; anything else comes back as it is. Name the `file` for
 * calls on an open one: the error of a write does not know it.
 */
export function kernelErrorOf(error: unknown, hint = '', file?: string): unknown {
  if (!(error instanceof Error)) return error
  const { errno, syscall, path } = error as NodeJS.ErrnoException
  if (errno === undefined || syscall === undefined) return error
  return new KernelError(syscall, Math.abs(errno), { path: path ?? file }, hint)
}

/** @throws KernelError for a result that is minus errno */
export function checkResult(
  syscall: string, result: number, facts: Record<string, string | number>, hint = '',
): number {
  if (result < 0) throw new KernelError(syscall, -result, facts, hint)
  return result
}
