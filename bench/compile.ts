// Programs of the bench in C: compiled at first use, and again when they have changed.
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { exec } from '../src/base/exec.ts'
import { BenchError } from './hosts.ts'

const FOLDER = join(import.meta.dirname, '.cache')
const COMMON = join(import.meta.dirname, 'program.h')

/** Where the program of NAME.c is, once compile() was called. */
export function programOf(name: string): string {
  return join(FOLDER, name)
}

/** @throws BenchError with the compiler's words */
export async function compile(name: string): Promise<void> {
  const source = join(import.meta.dirname, `${name}.c`)
  const program = programOf(name)
  const changedMs = Math.max(...[source, COMMON].map(path => statSync(path).mtimeMs))
  if (existsSync(program) && statSync(program).mtimeMs >= changedMs) return
  mkdirSync(FOLDER, { recursive: true })
  const fresh = `${program}.${process.pid}`
  const built = await exec(['cc', '-O2', '-Wall', '-o', fresh, source])
  if (built.code !== 0) throw new BenchError(`cannot compile ${source}: ${built.stderr.trim()}`)
  renameSync(fresh, program)
}
