// Files and directories that are there whole or not at all, whenever the power goes: written
// beside, synced, renamed, and the directory that names them synced as well.
import {
  closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'

export type FileContent = Readonly<{ name: string; text: string; mode: number }>

export const DIRECTORY_MODE = 0o700

/** Replace or make one file. On disk when this returns; else what was there is there. */
export function replaceFile(directory: string, { name, text, mode }: FileContent): void {
  const path = `${directory}/${name}`
  writeSynced(`${path}.new`, text, mode)
  renameSync(`${path}.new`, path)
  syncDirectory(directory)
}

/**
 * Make `directory` with all of `files`, or not at all. What an attempt before left is swept away.
 * @throws ENOTEMPTY or EEXIST by the system: there is such a directory already
 */
export function makeDirectoryWith(directory: string, files: readonly FileContent[]): void {
  const staging = `${directory}.new`
  mkdirSync(dirname(directory), { recursive: true, mode: DIRECTORY_MODE })
  rmSync(staging, { recursive: true, force: true })
  mkdirSync(staging, { mode: DIRECTORY_MODE })
  try {
    for (const { name, text, mode } of files) writeSynced(`${staging}/${name}`, text, mode)
    syncDirectory(staging)
    renameSync(staging, directory)
  } catch (error) {
    rmSync(staging, { recursive: true, force: true })
    throw error
  }
  syncDirectory(dirname(directory))
}

/** Take a directory away: whole, or not at all. There may be none. */
export function removeDirectory(directory: string): void {
  const going = `${directory}.gone`
  rmSync(going, { recursive: true, force: true })
  try {
    renameSync(directory, going)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  syncDirectory(dirname(directory))
  rmSync(going, { recursive: true, force: true })
}

/** What an attempt to make or to remove `directory` left when it was cut off. */
export function sweepAround(directory: string): void {
  for (const ending of ['new', 'gone']) {
    rmSync(`${directory}.${ending}`, { recursive: true, force: true })
  }
}

function writeSynced(path: string, text: string, mode: number): void {
  // A file that is left from before would keep its mode.
  rmSync(path, { force: true })
  const fd = openSync(path, 'wx', mode)
  try {
    writeFileSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
