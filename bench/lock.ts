// One measurement at a time on this machine: everybody who times something holds this file's lock.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { BenchError } from './hosts.ts'

export const LOCK_FILE = '/tmp/bench.lock'
const LOCK_WAIT_S = 900

/** Answers, once the lock is ours, the function that gives it back. It ends with us, too. */
export async function takeLock(): Promise<() => Promise<void>> {
  if (heldByAncestor()) return async () => {}
  const holder = spawn('flock', ['-w', String(LOCK_WAIT_S), LOCK_FILE, 'sh', '-c',
    'echo held; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = new Promise<void>(resolve => {
    holder.once('close', () => resolve())
    holder.once('error', () => resolve())
  })
  const held = new Promise<boolean>(resolve => {
    holder.stdout.once('data', () => resolve(true))
    void closed.then(() => resolve(false))
  })
  if (!await held) throw new BenchError(`${LOCK_FILE} is held by another run for ${LOCK_WAIT_S} s`)
  return () => {
    holder.stdin.end()
    return closed
  }
}

/** `flock /tmp/bench.lock bench/run` holds it already; waiting for that would never end. */
function heldByAncestor(): boolean {
  const wanted = statSync(LOCK_FILE, { throwIfNoEntry: false })
  if (wanted === undefined) return false
  for (let pid = process.pid; pid > 1; pid = parentOf(pid)) {
    const holds = openFiles(pid).some(file => file?.ino === wanted.ino && file.dev === wanted.dev)
    if (holds) return true
  }
  return false
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
}

function openFiles(pid: number) {
  try {
    return readdirSync(`/proc/${pid}/fd`).map(fd => {
      return statSync(`/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false })
    })
  } catch {
    return []
  }
}
