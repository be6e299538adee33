// Starting the process of a task, watching it end, and ending it. The process is a child of a small
// shim (task-shim.sh) that keeps its exit code in a file, so tasks outlive the daemon.
import { spawn } from 'node:child_process'
import {
  accessSync, closeSync, constants, openSync, readFileSync, rmSync, statSync,
} from 'node:fs'
import { fileURLToPath } from 'node:url'
import { HOSTNAME_DIGITS } from '../base/ids.ts'
import { TapmeshError, UsageError } from '../base/errors.ts'
import { makeDirectory } from '../kernel/directory.ts'
import { withNetns } from '../kernel/netns.ts'
import {
  isProcess, namespaceOf, pidsInNetns, processStart, signalProcess,
} from '../kernel/processes.ts'

const SHIM = fileURLToPath(new URL('./task-shim.sh', import.meta.url))
/** How often a process that is not our child (from before a restart) is looked at. */
const ADOPTED_LOOK_MS = 250
/** How long a killed process may take to be gone; the kernel decides, not the process. */
const KILL_TIMEOUT_MS = 5000

export type Started = { pid: number; pidStart: string; ended: Promise<void> }

export type StartSpec = {
  id: string
  netns: string
  command: string[]
  env: string[]
  workdir: string | null
  /** Directory of the task: log, exit status. */
  directory: string
}

export const logPath = (directory: string): string => `${directory}/output.log`
const statusPath = (directory: string): string => `${directory}/status`

/**
 * @returns the path of the program that `command` names
 * @throws UsageError when PATH has no such program, the file cannot be executed, or there is no
 *                    such working directory
 */
export function resolveProgram(program: string, workdir: string | null): string {
  if (workdir !== null && !isDirectory(workdir)) {
    throw new UsageError(`cannot run "${program}" in ${workdir}: there is no such directory`,
      { workdir })
  }
  const places = program.includes('/') ? [program.startsWith('/') ? '' : `${workdir ?? '/'}/`]
    : (process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin').split(':').map(dir => `${dir}/`)
  for (const place of places) {
    try {
      accessSync(place + program, constants.X_OK)
      if (statSync(place + program).isFile()) return place + program
    } catch {
      continue
    }
  }
  const where = program.includes('/') ? 'there is no such executable file'
    : 'PATH has no such program'
  throw new UsageError(`cannot run "${program}": ${where}`, { program })
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

/** Start the command in its namespaces, its output going to the task's log. */
export function startProcess(spec: StartSpec): Started {
  makeDirectory(spec.directory, 0o700)
  rmSync(statusPath(spec.directory), { force: true })
  const hostname = spec.id.slice(0, HOSTNAME_DIGITS)
  const log = openSync(logPath(spec.directory), 'a', 0o600)
  try {
    const child = withNetns(spec.netns, () => spawn('unshare', [
      '--uts', '--mount', '--propagation', 'slave', '--',
      '/bin/sh', SHIM, hostname, statusPath(spec.directory), ...spec.command,
    ], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: spec.workdir ?? '/',
      env: taskEnvironment(hostname, spec.env),
    }))
    if (child.pid === undefined) {
      child.once('error', () => {}) // told by the exception below
      throw new TapmeshError('TM_TASK', 'cannot start unshare(1); is the package util-linux there?')
    }
    const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
    child.unref()
    return { pid: child.pid, pidStart: processStart(child.pid) ?? '', ended }
  } finally {
    closeSync(log)
  }
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
 * Kill all that is left of a task: whoever lives in its network namespace and not in our own UTS
 * namespace. Somebody of the host who only looks in (ip netns exec) is left alone, unless
 * `everyone`.
 */
export async function killRest(netnsPath: string, everyone: boolean): Promise<void> {
  const ours = namespaceOf(process.pid, 'uts')
  const deadline = performance.now() + KILL_TIMEOUT_MS
  for (;;) {
    const left = pidsInNetns(netnsPath)
      .filter(pid => (everyone || namespaceOf(pid, 'uts') !== ours) && processStart(pid) !== null)
    if (left.length === 0 || performance.now() > deadline) return
    for (const pid of left) signalProcess(pid, 'SIGKILL')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

function taskEnvironment(hostname: string, entries: string[]): Record<string, string> {
  const own = entries.map(entry => {
    const at = entry.indexOf('=')
    return [entry.slice(0, at), entry.slice(at + 1)] as const
  })
  return {
    PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: process.env['HOME'] ?? '/root',
    HOSTNAME: hostname,
    ...Object.fromEntries(own),
  }
}
