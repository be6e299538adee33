// Who used the processors between two moments: the whole machine, the processes of one tunnel, and
// the processes that have nothing to do with us, which spoil a measurement.
import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ, the unit of /proc: 100 on every architecture that Node supports (proc(5)). */
const TICKS_PER_SECOND = 100
const KTHREADD = 2

type Process = Readonly<{ parent: number; startedTicks: number; usedTicks: number }>

export type Snapshot = Readonly<{
  atMs: number
  busyTicks: number
  stolenTicks: number
  processes: ReadonlyMap<number, Process>
}>

export function takeSnapshot(): Snapshot {
  const processes = new Map<number, Process>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!(pid > 0)) continue
    const stat = readOrEmpty(`/proc/${pid}/stat`)
    // The command's name is in brackets and may hold anything; field 3 follows the last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number)
    const field = (number: number) => fields[number - 3] ?? 0
    if (fields.length < 20) continue
    processes.set(pid, {
      parent: field(4),
      startedTicks: field(22),
      // Own time and that of children who have ended, so that time moves but is never lost.
      usedTicks: field(14) + field(15) + field(16) + field(17),
    })
  }
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolenTicks = 0] =
    line.split(/\s+/).slice(1).map(Number)
  const busyTicks = user + nice + system + irq + softirq
  return { atMs: performance.now(), busyTicks, stolenTicks, processes }
}

/** Busy processor seconds of the machine, interrupts too, less those of other people. */
export function machineSeconds(before: Snapshot, after: Snapshot): number {
  const busyTicks = after.busyTicks - before.busyTicks
  return Math.max(0, busyTicks - strangersTicks(before, after)) / TICKS_PER_SECOND
}

/** Processor seconds of these processes and their descendants. */
export function treeSeconds(before: Snapshot, after: Snapshot, roots: readonly number[]): number {
  const wanted = new Set(roots)
  return usedTicks(before, after, pid => wanted.has(pid)) / TICKS_PER_SECOND
}

/** Cores that were kept busy by processes that are not ours, or taken by the hypervisor. */
export function foreignCores(before: Snapshot, after: Snapshot): number {
  const ticks = strangersTicks(before, after) + after.stolenTicks - before.stolenTicks
  return ticks / TICKS_PER_SECOND / ((after.atMs - before.atMs) / 1000)
}

/** Everything that this process did not start, the kernel's own threads aside. */
function strangersTicks(before: Snapshot, after: Snapshot): number {
  return usedTicks(before, after, pid => pid === process.pid || pid === KTHREADD, true)
}

/**
 * Ticks used by the processes that descend from one for which `isRoot` holds, or by all the others.
 * A process that ended has left its ticks to the parent that waited for it; what it had used before
 * the first snapshot is taken off again there.
 */
function usedTicks(
  before: Snapshot, after: Snapshot, isRoot: (pid: number) => boolean, others = false,
): number {
  const counted = (snapshot: Snapshot, pid: number) => descends(snapshot, pid, isRoot) !== others
  const inherited = new Map<number, number>()
  for (const [pid, { parent, usedTicks }] of before.processes) {
    if (after.processes.has(pid)) continue
    let heir = parent
    while (heir > 1 && !after.processes.has(heir)) heir = before.processes.get(heir)?.parent ?? 0
    inherited.set(heir, (inherited.get(heir) ?? 0) + usedTicks)
  }
  let sum = 0
  for (const [pid, now] of after.processes) {
    if (!counted(after, pid)) continue
    const then = before.processes.get(pid)
    const same = then !== undefined && then.startedTicks === now.startedTicks
    const gained = now.usedTicks - (same ? then.usedTicks : 0)
    sum += Math.max(0, gained - (inherited.get(pid) ?? 0))
  }
  return sum
}

function descends(snapshot: Snapshot, pid: number, isRoot: (pid: number) => boolean): boolean {
  for (let at = pid; at > 0; at = snapshot.processes.get(at)?.parent ?? 0) {
    if (isRoot(at)) return true
  }
  return false
}

/** Resident octets of one process; 0 when it is gone. */
export function residentOctets(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${pid}/status`))
  return Number(found?.[1] ?? 0) * 1024
}

/** A process may end between its listing and its reading. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
