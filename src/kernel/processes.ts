// Processes as /proc shows them: whether one still is the one that was meant, and who lives in a
// namespace. A pid alone names nobody for long, so it goes with the time at which it was started.
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { assert } from '../base/assert.ts'

/** Start of a process in clock ticks since boot (proc(5), stat field 22), or null: no such one. */
export function processStart(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command's name may hold blanks and brackets; what follows its last bracket is regular.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? null : fields[19] ?? null
  } catch {
    return null
  }
}

/** Whether `pid` is alive and the process that it was at `start`. */
export function isProcess(pid: number, start: string): boolean {
  return processStart(pid) === start
}

/** Pids whose network namespace is the one at `path` (such as /run/netns/tm-web); not our own. */
export function pidsInNetns(path: string): number[] {
  let wanted: string
  try {
    wanted = `net:[${statSync(path).ino}]`
  } catch {
    return []
  }
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number)
    .filter(pid => pid !== process.pid && namespaceOf(pid, 'net') === wanted)
}

/** For example "net:[4026531840]", or null when the process is gone or not ours to look at. */
export function namespaceOf(pid: number, kind: 'net' | 'uts' | 'mnt'): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`)
  } catch {
    return null
  }
}

/**
 * Send a signal; a process that is gone already is no error. A negative `pid` names a group. To
 * kill(2), 0 is the group of the daemon itself, -1 is everybody, and 1 is nobody's task.
 */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  assert(Math.abs(pid) > 1, 'a signal is for one process or group, and not for our own')
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
