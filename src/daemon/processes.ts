// Starting the process of a task, watching it end, and ending it. The process is a child of a small
// shim (task-shim.sh) that keeps its exit code in a file, so tasks outlive the daemon.
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isCgroupPopulated, killCgroup, makeCgroup } from '../kernel/cgroup.ts'
import { withNetns } from '../kernel/netns.ts'
import { NETNS_DIRECTORY } from '../kernel/netns-directory.ts'
import {
  isProcess, namespaceOf, pidsInNetns, processStart, signalProcess,
} from '../kernel/processes.ts'
import { spawnProgram } from '../kernel/spawn.ts'
import { ociConfig } from './oci-config.ts'
import { DEFAULT_PATH, HOST_ROOT, resolveProgram } from './rootfs.ts'
import type { TaskRecord } from './state.ts'
import { resolveUser, type TaskUser } from './task-user.ts'
import { hostnameOf } from './task-view.ts'

const SHIM = fileURLToPath(new URL('./task-shim.sh', import.meta.url))
const ROOT_USER: TaskUser = { uid: 0, gid: 0, groups: [0], home: '/root' }
/** How often a process that is not our child (from before a restart) is looked at. */
const ADOPTED_LOOK_MS = 250
/** How long a killed process may take to be gone; the kernel decides, not the process. */
const KILL_TIMEOUT_MS = 5000

export type Started = { pid: number; pidStart: string; ended: Promise<void> }

/** Where a task lives: its namespace's name, its folder, and its control group if it has one. */
export type Home = Readonly<{ netns: string; directory: string; cgroup: string | null }>

export const logPath = (directory: string): string => `${directory}/output.log`
const statusPath = (directory: string): string => `${directory}/status`

/** Where a task looks for programs: what it was given, else what its file system is used to. */
export function searchPathOf({ env, rootfs }: Pick<TaskRecord, 'env' | 'rootfs'>): string {
  const own = env.findLast(entry => entry.startsWith('PATH='))?.slice('PATH='.length)
  return own ?? (rootfs === null ? hostPath() : DEFAULT_PATH)
}

const hostPath = (): string => process.env['PATH'] ?? DEFAULT_PATH

/** Start the command in its namespaces, its output going to the task's log. */
export function startProcess(task: TaskRecord, home: Home): Started {
  const { directory, cgroup } = home
  const hostname = hostnameOf(task)
  rmSync(statusPath(directory), { force: true })
  if (cgroup !== null) makeCgroup(cgroup)
  const { command, env } = task.rootfs === null ? hostCommand(task) : rootfsCommand(task, home)
  const log = openSync(logPath(directory), 'a', 0o600)
  try {
    const { pid, ended } = withNetns(home.netns, () => spawnProgram({
      argv: [
        hostProgram('unshare'), '--uts', '--mount', '--propagation', 'slave', '--',
        '/bin/sh', SHIM, hostname, directory, cgroup ?? '', searchPathOf(task), ...command,
      ],
      output: log,
      cwd: task.rootfs === null ? task.workdir ?? '/' : '/',
      env: { ...env, PATH: hostPath() }, // the shim's own; the command gets another
    }))
    return { pid, pidStart: processStart(pid) ?? '', ended }
  } finally {
    closeSync(log)
  }
}

/** Path of a program of the host that is run for a task. */
function hostProgram(name: string): string {
  return resolveProgram(name, { root: HOST_ROOT, workdir: '/', path: hostPath() })
}

type Command = Readonly<{ command: string[]; env: Record<string, string> }>

/** The command as the host runs it, as another user if it is to have one. */
function hostCommand(task: TaskRecord): Command {
  const { command, user } = task
  if (user === null) {
    return { command, env: environmentOf(task, process.env['HOME'] ?? ROOT_USER.home) }
  }
  const { uid, gid, groups, home } = resolveUser(user, HOST_ROOT)
  return { env: environmentOf(task, home), command: [
    hostProgram('setpriv'), `--reuid=${uid}`, `--regid=${gid}`, `--groups=${groups.join(',')}`,
    '--', ...command,
  ] }
}

/** crun(1), told by a config.json what to run; it passes signals on, and the exit code back. */
function rootfsCommand(task: TaskRecord, { netns, directory }: Home): Command {
  const rootfs = task.rootfs!
  const user = task.user === null ? ROOT_USER : resolveUser(task.user, rootfs)
  const env = { ...environmentOf(task, user.home), PATH: searchPathOf(task) }
  const config = ociConfig({
    rootfs, directory, user, command: task.command, workdir: task.workdir,
    env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    hostname: hostnameOf(task), netns: `${NETNS_DIRECTORY}/${netns}`,
  })
  writeFileSync(`${directory}/config.json`, JSON.stringify(config, null, 1), { mode: 0o600 })
  return { command: [...crunWords(directory), 'run', '--bundle', directory, task.id], env: {} }
}

/** The beginning of every crun command for the task of this folder. */
export function crunWords(directory: string): string[] {
  return [hostProgram('crun'), '--root', `${directory}/crun`, '--cgroup-manager=disabled']
}

/** Watch a process that an earlier daemon started, until it ends. */
export function adoptProcess(pid: number, pidStart: string): Started {
  const ended = new Promise<void>(resolve => {
    const look = setInterval(() => {
      if (isProcess(pid, pidStart)) return
      clearInterval(look)
      resolve()
    }, ADOPTED_LOOK_MS)
    look.unref()
  })
  return { pid, pidStart, ended }
}

/** Exit code that the shim left: 0 to 255, or null when it was killed before it could. */
export function exitCodeOf(directory: string): number | null {
  try {
    const code = Number.parseInt(readFileSync(statusPath(directory), 'utf8'), 10)
    return code >= 0 && code <= 255 ? code : null
  } catch {
    return null
  }
}

/** Signal the task's process group. The shim is in it and lets it pass. */
export function signalTask(pid: number, pidStart: string, signal: NodeJS.Signals): void {
  if (isProcess(pid, pidStart)) signalProcess(-pid, signal)
}

/**
 * Kill all that is left of a task: whoever is in its control group, or lives in its network
 * namespace and not in our own UTS namespace. Somebody of the host who only looks in (ip netns
 * exec) is left alone, unless `everyone`.
 */
export async function killRest({ netns, cgroup }: Home, everyone: boolean): Promise<void> {
  const ours = namespaceOf(process.pid, 'uts')
  const deadline = performance.now() + KILL_TIMEOUT_MS
  for (;;) {
    const left = pidsInNetns(`${NETNS_DIRECTORY}/${netns}`)
      .filter(pid => (everyone || namespaceOf(pid, 'uts') !== ours) && processStart(pid) !== null)
    const isPopulated = cgroup !== null && isCgroupPopulated(cgroup)
    if (left.length === 0 && !isPopulated || performance.now() > deadline) return
    if (isPopulated) killCgroup(cgroup)
    for (const pid of left) signalProcess(pid, 'SIGKILL')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

function environmentOf(task: TaskRecord, home: string): Record<string, string> {
  const own = task.env.map(entry => {
    const at = entry.indexOf('=')
    return [entry.slice(0, at), entry.slice(at + 1)] as const
  })
  return { HOME: home, HOSTNAME: hostnameOf(task), ...Object.fromEntries(own) }
}
