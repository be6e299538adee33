// The network namespace of a task under its name in /run/netns. The name is only a mount: anybody
// with root can take it away while the namespace lives on, in the task's process and in the TAPs
// that we hold. So it is looked for there, and a new one is made only when there is none.
import { closeDescriptor } from '../kernel/descriptor.ts'
import { createNetns, deleteNetns, nameNetns, netnsInode } from '../kernel/netns.ts'
import { NETNS_DIRECTORY } from '../kernel/netns-directory.ts'
import { isProcess } from '../kernel/processes.ts'
import { openNetnsOfTap } from '../kernel/tap-device.ts'
import type { Core } from './core.ts'
import { netnsOf, setLoopbackUp } from './endpoints.ts'
import type { TaskRecord } from './state.ts'

/** Give the task its namespace with its loopback up: the one that it has, or else a new one. */
export async function ensureNetns(core: Core, task: TaskRecord): Promise<void> {
  const netns = netnsOf(task)
  if (!restoreNetns(core, task) && netnsInode(pathOf(netns)) === null) createNetns(netns)
  await setLoopbackUp(netns)
}

/**
 * If the task has a namespace somewhere, then its name means that one afterwards, whatever it meant
 * before.
 * @returns whether it has one
 */
export function restoreNetns(core: Core, task: TaskRecord): boolean {
  const { pid, pidStart } = task
  if (pid !== null && pidStart !== null && isProcess(pid, pidStart)) {
    return nameAgain(core, task, `/proc/${pid}/ns/net`)
  }
  for (const { portId } of task.endpoints) {
    const queue = core.taps.get(portId)?.fds[0]
    const fd = queue === undefined ? null : openNetnsOfTap(queue)
    if (fd === null) continue
    try {
      return nameAgain(core, task, `/proc/thread-self/fd/${fd}`)
    } finally {
      closeDescriptor(fd)
    }
  }
  return false
}

function nameAgain(core: Core, task: TaskRecord, living: string): boolean {
  const netns = netnsOf(task)
  const inode = netnsInode(living)
  if (inode === null) return false // it has ended this moment
  if (inode === netnsInode(pathOf(netns))) return true
  deleteNetns(netns)
  nameNetns(netns, living)
  core.log.warn({ task: task.name, netns }, 'the name of a network namespace was lost, made again')
  return true
}

function pathOf(netns: string): string {
  return `${NETNS_DIRECTORY}/${netns}`
}
