// The directory /run/netns: how it comes to be, and what lies in it.
import { lstatSync, mkdirSync, readdirSync, statfsSync, unlinkSync } from 'node:fs'
import { ConflictError } from '../base/errors.ts'
import {
  EAGAIN, EINVAL, LOCK_EX, LOCK_NB, MS_BIND, MS_REC, MS_SHARED, NSFS_MAGIC, O_CLOEXEC, O_RDONLY,
} from './constants.ts'
import { checkResult, kernelErrorOf, nodeErrorCode } from './node-error.ts'
import * as sys from './syscalls.ts'

export const NETNS_DIRECTORY = '/run/netns'
export const ROOT_HINT = 'this needs root (CAP_SYS_ADMIN)'

const LOCK_TRIES_MAX = 40
const LOCK_PAUSE_MS = 25

/**
 * Make /run/netns a shared mount, so that deleting a name shows in every mount namespace that
 * copied it. Under a lock, as iproute2 does it: two processes that do it at once would mount it on
 * itself twice, and the mounts double from then on (https://bugs.debian.org/949235).
 */
export function shareNetnsDirectory(): void {
  const path = NETNS_DIRECTORY
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 })
  } catch (error) {
    throw kernelErrorOf(error, ROOT_HINT)
  }
  if (share() >= 0) return
  const fd = checkResult('open', sys.open(path, O_RDONLY | O_CLOEXEC), { path }, ROOT_HINT)
  try {
    lockBriefly(fd)
    const result = share()
    if (result >= 0) return
    // EINVAL: it is not a mount point yet.
    if (result !== -EINVAL) checkResult('mount', result, { path }, ROOT_HINT)
    checkResult('mount', sys.mount(path, path, 'none', MS_BIND | MS_REC), { path }, ROOT_HINT)
    checkResult('mount', share(), { path }, ROOT_HINT)
  } finally {
    sys.close(fd)
  }
}

function share(): number {
  return sys.mount('', NETNS_DIRECTORY, 'none', MS_SHARED | MS_REC)
}

/** A holder is done in microseconds; one that is not within a second does something else. */
function lockBriefly(fd: number): void {
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (let tries = 0; tries < LOCK_TRIES_MAX; tries += 1) {
    if (sys.flock(fd, LOCK_EX | LOCK_NB) !== -EAGAIN) return
    Atomics.wait(never, 0, 0, LOCK_PAUSE_MS)
  }
}

export function namesInNetnsDirectory(): string[] {
  try {
    return readdirSync(NETNS_DIRECTORY).sort()
  } catch (error) {
    if (nodeErrorCode(error) === 'ENOENT') return []
    throw kernelErrorOf(error)
  }
}

export function isNamespace(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC
  } catch (error) {
    if (nodeErrorCode(error) === 'ENOENT') return false
    throw kernelErrorOf(error)
  }
}

/**
 * A process that dies between making the file and mounting on it leaves an empty file: remove it.
 * @throws ConflictError when something else lies there
 */
export function removeLeftover(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (!stat.isFile() || stat.size > 0) {
    throw new ConflictError(`${path} is no network namespace but stands in the way; remove it`)
  }
  unlinkIfThere(path)
}

export function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (nodeErrorCode(error) !== 'ENOENT') throw kernelErrorOf(error, ROOT_HINT)
  }
}
