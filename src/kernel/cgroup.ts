// Control groups, version 2, as far as a task needs one: a group that a process and all of its
// children are in, wherever else they go, and that is killed at one stroke (cgroup.kill: Linux
// 5.14, Documentation/admin-guide/cgroup-v2.rst).
import {
  accessSync, constants, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync,
} from 'node:fs'
import { kernelErrorOf, nodeErrorCode } from './node-error.ts'

/**
 * Where the hierarchy of version 2 is mounted, or null where there is none.
 * @param mountinfo what /proc/self/mountinfo says: proc(5)
 */
export function cgroupMount(mountinfo: string): string | null {
  for (const line of mountinfo.split('\n')) {
    const [place = '', kind = ''] = line.split(' - ')
    if (kind.startsWith('cgroup2 ')) return unescaped(place.split(' ')[4] ?? '')
  }
  return null
}

/** mountinfo has blanks and backslashes as three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)))
}

/**
 * A folder below which groups can be made and killed, or null: no version 2, not ours to write to,
 * or too old a kernel.
 * @param name of the folder: what stands in it is ours
 */
export function openCgroupRoot(name: string): string | null {
  try {
    const mount = cgroupMount(readFileSync('/proc/self/mountinfo', 'utf8'))
    if (mount === null) return null
    const root = `${mount}/${name}`
    // Not with its parents: where another file system lies over the mount, Node's recursive mkdir
    // goes round for ever.
    makeCgroup(root)
    for (const path of [root, `${root}/cgroup.kill`]) accessSync(path, constants.W_OK)
    return root
  } catch {
    return null
  }
}

/** That it is there already is no error. */
export function makeCgroup(path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    if (nodeErrorCode(error) !== 'EEXIST') throw kernelErrorOf(error)
  }
}

/** SIGKILL for all that live in the group and below; one that is not there is no error. */
export function killCgroup(path: string): void {
  try {
    writeFileSync(`${path}/cgroup.kill`, '1', { flag: 'r+' })
  } catch (error) {
    if (nodeErrorCode(error) !== 'ENOENT') throw kernelErrorOf(error, '', `${path}/cgroup.kill`)
  }
}

/** Whether anybody lives in the group or below. */
export function isCgroupPopulated(path: string): boolean {
  try {
    return readFileSync(`${path}/cgroup.events`, 'utf8').includes('populated 1')
  } catch {
    return false
  }
}

/** Remove the group with those that were made below it; one that is populated stays. */
export function removeCgroup(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroup(`${path}/${entry.name}`)
    }
    rmdirSync(path)
  } catch (error) {
    if (!['ENOENT', 'EBUSY'].includes(nodeErrorCode(error) ?? '')) throw kernelErrorOf(error)
  }
}
