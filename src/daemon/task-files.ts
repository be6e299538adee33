// The files that a task has of its own in /etc: who answers names, its host name, and who it is
// itself. They stand in the task's folder and are mounted upon those of the host, in the task's
// mount namespace only. So they are written in place: a new file would not be seen.
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { makeDirectory } from '../kernel/directory.ts'
import type { Core } from './core.ts'
import { HOST_RESOLV_CONF, renderResolvConf } from './resolv-conf.ts'
import type { TaskRecord } from './state.ts'
import { hostnameOf } from './task-view.ts'

/** Folder where log, exit status and files of a task are kept. */
export function taskDirectory(core: Pick<Core, 'config'>, task: Pick<TaskRecord, 'id'>): string {
  return `${core.config.paths.state}/tasks/${task.id}`
}

const HOST_NSSWITCH = '/etc/nsswitch.conf'
/** A cache of names for the whole host: its answers would be those of other networks. */
const HOST_NAME_CACHE = '/run/nscd'

/** Files of a task that take the place of the host's, and how each of them is filled. */
export const TASK_FILES = {
  'resolv.conf': HOST_RESOLV_CONF,
  'hosts': '/etc/hosts',
  'hostname': '/etc/hostname',
} as const

/** Write what differs: addresses may have changed, and the host's files. */
export function writeTaskFiles(core: Core, task: TaskRecord): void {
  const directory = taskDirectory(core, task)
  makeDirectory(directory, 0o700)
  const hostname = hostnameOf(task)
  const addresses = task.endpoints.map(endpoint => endpoint.address)
  setFile(`${directory}/resolv.conf`, renderResolvConf(textOf(HOST_RESOLV_CONF)))
  setFile(`${directory}/hosts`, renderHosts(hostname, addresses))
  setFile(`${directory}/hostname`, `${hostname}\n`)
  if (task.runtime === 'crun') return setFile(`${directory}/fstab`, CRUN_FSTAB)
  setFile(`${directory}/nsswitch.conf`, renderNsswitch(textOf(HOST_NSSWITCH)))
  setFile(`${directory}/fstab`, renderFstab(directory, existsSync))
}

/** What stands in every hosts file, and the task's own name for each of its addresses. */
export function renderHosts(hostname: string, addresses: readonly string[]): string {
  const [first = ''] = hostname.split('.')
  const names = first === hostname ? hostname : `${hostname} ${first}`
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...addresses.map(address => `${address}\t${names}`),
    '',
  ].join('\n')
}

/**
 * Names of hosts are asked for by files and DNS alone: other ways, such as the socket of
 * systemd-resolved, lead past the task's network to the host.
 */
export function renderNsswitch(hostText: string): string {
  return hostText.replace(/^hosts:.*$/m, 'hosts: files dns')
}

/**
 * What is mounted in the mount namespace of a task, by one mount(8): fstab(5). A fresh sysfs shows
 * the devices of this network namespace, not those of the machine. Nothing is mounted where the
 * host has no such file: there is nothing to mount it on.
 */
export function renderFstab(directory: string, exists: (path: string) => boolean): string {
  const files = { ...TASK_FILES, 'nsswitch.conf': HOST_NSSWITCH }
  return [
    'task /sys sysfs defaults 0 0',
    ...Object.entries(files).filter(([, target]) => exists(target))
      .map(([name, target]) => `${escaped(`${directory}/${name}`)} ${target} none bind 0 0`),
    ...exists(HOST_NAME_CACHE) ? [`task ${HOST_NAME_CACHE} tmpfs ro,mode=755 0 0`] : [],
    '',
  ].join('\n')
}

/**
 * crun looks at the control groups of the host, and refuses those that mix both versions. It needs
 * none: tasks have theirs from us. So it sees none.
 */
const CRUN_FSTAB = 'task /sys/fs/cgroup tmpfs ro,mode=555 0 0\n'

function escaped(path: string): string {
  return path.replace(/[\s\\]/g, sign => `\\${sign.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function setFile(path: string, text: string): void {
  if (textOf(path) === text) return
  writeFileSync(path, text)
  chmodSync(path, 0o644) // also readers who are not root, whatever our umask is
}
