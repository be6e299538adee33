// Making a directory with all above it. Node's own way, mkdir with `recursive`, never comes back
// from places such as /proc: there the kernel answers "no such directory" for ever, and Node takes
// that for "make the one above first".
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { ENOENT } from './constants.ts'
import { kernelErrorOf, nodeErrorCode } from './node-error.ts'
import { KernelError } from '../base/errors.ts'

/**
 * That it is there already is no error; its mode is left as it is then.
 * @param path absolute
 * @throws KernelError ENOENT (what is above it takes no directories), EEXIST (a file stands in the
 *                     way), EACCES, EPERM, EROFS, …
 */
export function makeDirectory(path: string, mode: number): void {
  const missing: string[] = []
  let above = path
  while (!isDirectory(above)) {
    missing.push(above)
    if (dirname(above) === above) break
    above = dirname(above)
  }
  for (const one of missing.reverse()) makeOne(one, mode)
}

function makeOne(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    const code = nodeErrorCode(error)
    if (code === 'EEXIST' && isDirectory(path)) return // somebody else was quicker
    if (code !== 'ENOENT') throw kernelErrorOf(error)
    throw new KernelError('mkdir', ENOENT, { path },
      `no directory can be made in ${dirname(path)}`)
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
