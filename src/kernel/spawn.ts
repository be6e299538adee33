// Starting a program without a copy of this process. What node:child_process does, fork(2), copies
// the page tables of a daemon with all its memory: some milliseconds in which no thread of it may
// touch new memory, the packet worker neither. posix_spawn(3) shares the memory until exec.
import { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import {
  O_CLOEXEC, O_RDONLY, POSIX_SPAWN_SETSID, POSIX_SPAWN_SETSIGDEF, POSIX_SPAWN_SETSIGMASK, WNOHANG,
} from './constants.ts'
import { checkResult } from './node-error.ts'
import * as sys from './syscalls.ts'

/** Room for posix_spawn_file_actions_t (80 octets) and posix_spawnattr_t (336) of glibc. */
const RECORD_OCTETS = 512
/** sigset_t of glibc. */
const SIGNAL_SET_OCTETS = 128
/** The descriptor that tells of the program's end: it is the last thing that it holds. */
export const LIFE_DESCRIPTOR = 3
/** Between its last descriptor and its end a process has little left to do. */
const REAP_PAUSE_MS = 1
const REAP_TRIES_MAX = 5000

export type SpawnSpec = Readonly<{
  /** The program's path, absolute, and its words. */
  argv: readonly string[]
  env: Readonly<Record<string, string>>
  cwd: string
  /** Takes its stdout and stderr. */
  output: number
}>

export type Child = Readonly<{ pid: number; ended: Promise<void> }>

/**
 * Start a program as leader of a session, in the namespaces of the calling thread, with no input.
 * It holds LIFE_DESCRIPTOR open while it lives, and must give it to nobody who may live longer.
 * @throws KernelError ENOENT, EACCES, EAGAIN (no more processes), …
 */
export function spawnProgram(spec: SpawnSpec): Child {
  const ends = new Int32Array(2)
  checkResult('pipe2', sys.pipe2(ends, O_CLOEXEC), {})
  const [life = -1, held = -1] = ends
  try {
    const pid = spawnHolding(spec, held)
    return { pid, ended: endOf(pid, life) }
  } catch (error) {
    sys.close(life)
    throw error
  } finally {
    sys.close(held)
  }
}

function spawnHolding({ argv, env, cwd, output }: SpawnSpec, held: number): number {
  const [path = ''] = argv
  const actions = new Uint8Array(RECORD_OCTETS)
  const attributes = makeAttributes()
  checkResult('posix_spawn_file_actions_init', sys.spawnActionsInit(actions), {})
  try {
    const steps = [
      sys.spawnActionsOpen(actions, 0, '/dev/null', O_RDONLY, 0),
      sys.spawnActionsDup2(actions, output, 1),
      sys.spawnActionsDup2(actions, output, 2),
      sys.spawnActionsDup2(actions, held, LIFE_DESCRIPTOR),
      sys.spawnActionsChdir(actions, cwd),
    ]
    for (const result of steps) checkResult('posix_spawn_file_actions_add', result, {})
    const pid = new Int32Array(1)
    const entries = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const result = sys.posixSpawn(pid, path, actions, attributes, [...argv, null],
      [...entries, null])
    checkResult('posix_spawn', result, { path, cwd })
    return pid[0]!
  } finally {
    sys.spawnActionsDestroy(actions)
  }
}

/** A session of its own; signals that Node ignores or holds back are as usual again. */
function makeAttributes(): Uint8Array {
  const attributes = new Uint8Array(RECORD_OCTETS)
  const flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
  const steps = [
    sys.spawnAttributesInit(attributes),
    sys.spawnAttributesFlags(attributes, flags),
    sys.spawnAttributesDefault(attributes, new Uint8Array(SIGNAL_SET_OCTETS).fill(0xff)),
    sys.spawnAttributesMask(attributes, new Uint8Array(SIGNAL_SET_OCTETS)),
  ]
  for (const result of steps) checkResult('posix_spawnattr', result, {})
  return attributes
}

/** Settles when nobody holds the other end of `life` any more and the process is reaped. */
async function endOf(pid: number, life: number): Promise<void> {
  const socket = new Socket({ fd: life, readable: true, writable: false })
  socket.unref()
  await new Promise<void>(resolve => {
    socket.on('error', () => {}).once('close', () => resolve()).resume()
  })
  for (let tries = 0; tries < REAP_TRIES_MAX; tries += 1) {
    if (sys.waitpid(pid, WNOHANG) !== 0) return
    await pause(REAP_PAUSE_MS, undefined, { ref: false })
  }
}
