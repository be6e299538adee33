// Paths as a task sees them: below the root of its file system, which is that of the host or an
// unpacked one. Links of an unpacked one are followed inside it, never to the host's files.
import { accessSync, constants, lstatSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { UsageError } from '../base/errors.ts'

export const HOST_ROOT = '/'
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** As many links as the kernel follows: MAXSYMLINKS of linux/namei.h. */
const LINKS_MAX = 40
const FILE_OCTETS_MAX = 4 << 20

/**
 * The path of the host under which a task with this root finds `path`; null when a link leads
 * nowhere. Nothing need be there.
 * @param path absolute
 */
export function inRoot(root: string, path: string): string | null {
  if (root === HOST_ROOT) return path
  let missing = path.split('/')
  let at: string[] = []
  for (let links = 0; missing.length > 0;) {
    const [name = '', ...rest] = missing
    missing = rest
    if (name === '' || name === '.') continue
    if (name === '..') {
      at = at.slice(0, -1)
      continue
    }
    const target = linkAt([root, ...at, name].join('/'))
    if (target === null) {
      at = [...at, name]
      continue
    }
    links += 1
    if (links > LINKS_MAX) return null
    if (target.startsWith('/')) at = []
    missing = [...target.split('/'), ...missing]
  }
  return [root, ...at].join('/')
}

function linkAt(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null
  } catch {
    return null
  }
}

export function isDirectory(path: string | null): boolean {
  try {
    return path !== null && statSync(path).isDirectory()
  } catch {
    return false
  }
}

/** The lines of a file of the task's, none when it cannot be read. */
export function linesOf(root: string, path: string): string[] {
  const file = inRoot(root, path)
  try {
    if (file === null || statSync(file).size > FILE_OCTETS_MAX) return []
    return readFileSync(file, 'utf8').split('\n')
  } catch {
    return []
  }
}

export type Place = Readonly<{
  root: string
  /** Absolute, as the task sees it. */
  workdir: string
  /** Where programs are looked for, as in the variable PATH. */
  path: string
}>

/**
 * @returns the path of the program that `program` names, as the task sees it
 * @throws UsageError when PATH has no such program, the file cannot be executed, or there is no
 *                    such working directory
 */
export function resolveProgram(program: string, { root, workdir, path }: Place): string {
  const inside = root === HOST_ROOT ? '' : ` in ${root}`
  if (!isDirectory(inRoot(root, workdir))) {
    throw new UsageError(`cannot run "${program}" in ${workdir}: `
      + `there is no such directory${inside}`, { workdir })
  }
  const folders = program.includes('/') ? [''] : path.split(':')
  for (const folder of folders) {
    const place = posix.resolve(workdir, folder, program)
    if (isExecutable(inRoot(root, place))) return place
  }
  const where = program.includes('/') ? 'there is no such executable file'
    : 'PATH has no such program'
  throw new UsageError(`cannot run "${program}": ${where}${inside}`, { program })
}

function isExecutable(path: string | null): boolean {
  try {
    if (path === null) return false
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
