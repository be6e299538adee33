// Named network namespaces, kept as `ip netns` keeps them: a name is a file in /run/netns on which
// the namespace is mounted, so it lives with no process in it, and every other tool finds it.
//
// setns(2) moves one thread. So whatever runs inside a namespace here is synchronous, and the
// calling thread's own namespace is /proc/thread-self: /proc/self would be the main thread's.
import { readlinkSync, statSync } from 'node:fs'
import { readlink } from 'node:fs/promises'
import { assert } from '../base/assert.ts'
import {
  ConflictError, KernelError, NotFoundError, TapmeshError, UsageError,
} from '../base/errors.ts'
import {
  CLONE_NEWNET, EEXIST, EINVAL, ENOENT, MNT_DETACH, MS_BIND, O_CLOEXEC, O_CREAT, O_EXCL, O_RDONLY,
} from './constants.ts'
import {
  isNamespace, namesInNetnsDirectory, NETNS_DIRECTORY, removeLeftover, ROOT_HINT,
  shareNetnsDirectory, unlinkIfThere,
} from './netns-directory.ts'
import { checkResult } from './node-error.ts'
import * as sys from './syscalls.ts'

/** A name is a file name: NAME_MAX of linux/limits.h. */
export const NETNS_NAME_OCTETS_MAX = 255
/** How many mounts that lie one upon another on a name `deleteNetns` takes off. */
const STACKED_MOUNTS_MAX = 16
const HERE = '/proc/thread-self/ns/net'

let primed = false

/** The thread could not return to its own network namespace; the process ends of it. */
export class StrandedError extends TapmeshError {
  constructor(errno: number) {
    const cause = new KernelError('setns', errno, { namespace: 'home' })
    const text = `cannot return to the daemon's network namespace, so it ends: ${cause.message}`
    super('TM_STRANDED', text, { errno: cause.errnoName }, cause)
  }
}

/** @throws UsageError when `name` cannot name a network namespace */
export function checkNetnsName(name: string): void {
  if (/^[a-zA-Z0-9_][a-zA-Z0-9_.-]*$/.test(name) && name.length <= NETNS_NAME_OCTETS_MAX) return
  const rule = `use 1 to ${NETNS_NAME_OCTETS_MAX} of a-z A-Z 0-9 _ . - and none of . - at the start`
  throw new UsageError(`"${name}" cannot name a network namespace: ${rule}`, { name })
}

/**
 * Start the threads of libuv's pool here and now. Await it once, on the main thread, before
 * anything below. Why: the pool starts at its first use, and its threads inherit the network
 * namespace of the thread that starts them. Were that thread away in a task's namespace, then
 * every later name lookup and file access of the whole process would take place there, for good.
 * @throws TapmeshError TM_NETNS when the pool lives elsewhere already
 */
export async function primeThreadPool(): Promise<void> {
  const pool = await readlink(HERE)
  const here = readlinkSync(HERE)
  if (pool !== here) {
    const text = `the thread pool lives in ${pool}, not ${here}: it was started inside a namespace`
    throw new TapmeshError('TM_NETNS', text, { pool, here })
  }
  primed = true
}

/**
 * Create an empty network namespace that stays until `deleteNetns`. Its `lo` is down: the kernel
 * makes it so. What a killed process left behind, a file with no namespace on it, is taken over.
 * @throws ConflictError  the name is in use
 * @throws KernelError    EPERM (no CAP_SYS_ADMIN), ENOSPC (limit of namespaces); nothing stays
 * behind
 */
export function createNetns(name: string): void {
  makeName(name, path => excursion(
    () => checkResult('unshare', sys.unshare(CLONE_NEWNET), { name }, ROOT_HINT),
    () => checkResult('mount', sys.mount(HERE, path, 'none', MS_BIND), { path }, ROOT_HINT),
  ))
}

/**
 * Give a namespace that lives a name, or another one.
 * @param living where it shows, such as /proc/PID/ns/net
 * @throws as createNetns
 */
export function nameNetns(name: string, living: string): void {
  makeName(name, path => {
    checkResult('mount', sys.mount(living, path, 'none', MS_BIND), { living, path }, ROOT_HINT)
  })
}

/** What tells one network namespace from all others; null when there is none at `path`. */
export function netnsInode(path: string): number | null {
  return isNamespace(path) ? statSync(path).ino : null
}

/** @param mount puts the namespace on the file at `path` */
function makeName(name: string, mount: (path: string) => void): void {
  checkNetnsName(name)
  shareNetnsDirectory()
  const path = pathOf(name)
  if (isNamespace(path)) throw inUse(name)
  removeLeftover(path)
  const fd = sys.open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC)
  if (fd === -EEXIST) throw inUse(name)
  checkResult('open', fd, { path }, ROOT_HINT)
  sys.close(fd)
  try {
    mount(path)
  } catch (error) {
    sys.umount2(path, MNT_DETACH)
    unlinkIfThere(path)
    throw error
  }
}

/**
 * Take the name away; the namespace itself goes with its last process and descriptor. That there is
 * none of that name is no error.
 */
export function deleteNetns(name: string): void {
  checkNetnsName(name)
  const path = pathOf(name)
  for (let layer = 0; layer < STACKED_MOUNTS_MAX; layer += 1) {
    const result = sys.umount2(path, MNT_DETACH)
    // EINVAL: no mount lies on it, or none any more.
    if (result === -EINVAL || result === -ENOENT) break
    checkResult('umount2', result, { path }, ROOT_HINT)
  }
  unlinkIfThere(path)
}

/** Names in /run/netns, sorted; as in `ip netns list`, leftovers and others' are among them. */
export function listNetns(): string[] {
  return namesInNetnsDirectory()
}

/**
 * @returns a descriptor that keeps the namespace alive; the caller closes it
 * @throws  NotFoundError when there is no such namespace
 */
export function openNetns(name: string): number {
  checkNetnsName(name)
  const path = pathOf(name)
  if (!isNamespace(path)) {
    throw new NotFoundError(`no network namespace ${name}; see ip netns list`, { name })
  }
  return checkResult('open', sys.open(path, O_RDONLY | O_CLOEXEC), { path })
}

/**
 * Run `fn` with the calling thread inside a network namespace. Sockets, TAPs and sysctls that it
 * opens belong there, afterwards too. `fn` is synchronous, and so is what it calls: dgram.bind(),
 * net.connect() and listen() with an address do their work later, thus in the wrong place.
 * @param netns a name, or a descriptor from `openNetns`, which stays open
 * @throws whatever `fn` throws, once the thread is back
 * @throws NotFoundError when there is no such namespace
 * @throws StrandedError when the thread cannot get back; the process ends of it
 */
export function withNetns<T>(netns: string | number, fn: () => T): T {
  const fd = typeof netns === 'number' ? netns : openNetns(netns)
  try {
    return excursion(
      () => checkResult('setns', sys.setns(fd, CLONE_NEWNET), { netns }, ROOT_HINT),
      fn,
    )
  } finally {
    if (typeof netns !== 'number') sys.close(fd)
  }
}

/**
 * Run `fn`, synchronous as for withNetns, in a new network namespace that nobody else sees and that
 * is gone afterwards: for trying what this kernel can do.
 */
export function inFreshNetns<T>(fn: () => T): T {
  return excursion(() => checkResult('unshare', sys.unshare(CLONE_NEWNET), {}, ROOT_HINT), fn)
}

/** Leave by `leave`, run `fn`, come home whatever happened. */
function excursion<T>(leave: () => unknown, fn: () => T): T {
  assert(primed, 'primeThreadPool is awaited before a thread leaves its network namespace')
  const home = checkResult('open', sys.open(HERE, O_RDONLY | O_CLOEXEC), { path: HERE })
  let result: T
  try {
    leave()
    result = fn()
  } finally {
    comeHome(home)
  }
  assert(!(result instanceof Promise), 'what runs inside a network namespace is synchronous')
  return result
}

function comeHome(home: number): void {
  const result = sys.setns(home, CLONE_NEWNET)
  sys.close(home)
  if (result >= 0) return
  const error = new StrandedError(-result)
  // The event loop throws it a second time, where no catch on the way can hold it: a daemon that
  // went on would open its sockets in a task's network.
  setImmediate(() => { throw error })
  throw error
}

function pathOf(name: string): string {
  return `${NETNS_DIRECTORY}/${name}`
}

function inUse(name: string): ConflictError {
  return new ConflictError(`network namespace ${name} exists already; see ip netns list`, { name })
}
