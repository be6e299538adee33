// tapmesh exec: a command beside a task, in its network, host name and mounts.
import { existsSync, readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { AbsentError, ConflictError, UsageError } from '../../../base/errors.ts'
import type { TaskView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { ExitError } from '../failure.ts'
import { runInherited } from '../inherited.ts'
import { addExample } from '../words.ts'

const NETNS_FOLDER = '/run/netns'
/**
 * A namespace without a process has a name but no host name and no mounts to enter: they are made
 * anew, by what the daemon has written for the task.
 */
const MAKE_HOST = 'echo "$1" >/proc/sys/kernel/hostname && mount -a -T "$2/fstab" '
  + '&& shift 2 && exec "$@"'

export function define(command: Command): void {
  command
    .description('Run a command beside a task, in its network, UTS and mount namespace. It has '
      + 'our stdin, stdout, stderr and environment, and its exit code is ours. Needs root.')
    .argument('<name>', 'task, by name or id')
    .argument('<command...>', 'program and its arguments')
    .passThroughOptions()
    .action(async (name: string, words: string[]) => {
      const argv = words[0] === '--' ? words.slice(1) : words
      if (argv.length === 0) throw new UsageError("missing required argument 'command'")
      if (process.geteuid?.() !== 0) {
        throw new AbsentError('exec enters the namespaces of the task: run it as root')
      }
      const task = await clientOf(command).task(name)
      if (task.pid === null && !existsSync(`${NETNS_FOLDER}/${task.netns}`)) {
        throw new ConflictError(`task "${task.name}" has ended and its namespace is gone`, { name })
      }
      const isInside = task.pid !== null && task.runtime === 'crun'
      throw new ExitError(await runInherited(isInside
        ? enterRootfs(task, argv, userIn(task.directory), process.stdin.isTTY)
        : enter(task, argv)))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh exec web -- ip address', 'tapmesh exec web sh')
}

/** The words that run `argv` in the namespaces of `task`: nsenter(1), unshare(1). */
export function enter(task: TaskView, argv: string[]): string[] {
  const { pid, netns, hostname, directory } = task
  if (pid !== null) return ['nsenter', '-t', String(pid), '-n', '-u', '-m', '--', ...argv]
  return [
    'nsenter', `--net=${NETNS_FOLDER}/${netns}`, '--', 'unshare', '--uts', '--mount', '--',
    'sh', '-c', MAKE_HOST, 'sh', hostname, directory, ...argv,
  ]
}

/**
 * The words that run `argv` beside a task that crun runs: with its environment and capabilities.
 * crun must see the control groups as it did when it began, so it is called where that was.
 * @param user "UID:GID" inside
 */
export function enterRootfs(task: TaskView, argv: string[], user: string,
  isTerminal: boolean): string[] {
  return [
    'nsenter', '-t', String(task.pid), '-m', '--',
    'crun', '--root', `${task.directory}/crun`, '--cgroup-manager=disabled',
    'exec', `--user=${user}`, ...isTerminal ? ['--tty'] : [], task.id, ...argv,
  ]
}

/** Whose process the task is, in numbers: as crun was told. */
function userIn(directory: string): string {
  const config = JSON.parse(readFileSync(`${directory}/config.json`, 'utf8')) as
    { process: { user: { uid: number; gid: number } } }
  const { uid, gid } = config.process.user
  return `${uid}:${gid}`
}
