// tapmesh run: starts a task, and stays with it unless told to detach.
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { TaskRun } from '../../client.ts'
import { GRACE_MS_MAX } from '../../question.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { ExitError } from '../failure.ts'
import { runInForeground, startTask } from '../foreground.ts'
import { print } from '../output.ts'
import {
  addExample, collect, duration, environmentOf, labelsOf, networkOf, wholeNumber,
} from '../words.ts'

/** What else it may be, the daemon refuses with a list of those that there are. */
type Runtime = TaskRun['runtime']

type Options = {
  detach?: boolean
  rm?: boolean
  name?: string
  network?: string[]
  env?: string[]
  workdir?: string
  user?: string
  hostname?: string
  label?: string[]
  stopGracePeriod?: number
  stopTimeout?: number
  runtime?: string
  rootfs?: string
  promiscuous?: boolean
}

export function define(command: Command): void {
  command
    .description('Run a command in a network namespace of its own. Without -d its output is shown, '
      + 'Ctrl-C is passed on to it (a second one leaves it alone), and its exit code is ours: 125 '
      + 'if it could not be started. Without a command there is only the namespace.')
    .argument('[command...]', 'program and its arguments')
    .option('-d, --detach', 'print the id and return')
    .option('--rm', 'remove the task when it has ended')
    .option('--name <name>', 'name of the task (default: one is made up)')
    .option('--network <network[,ip=address]>', 'network to join, in the order of eth0, eth2, …',
      collect)
    .option('-e, --env <key=value>', 'environment, any number of times', collect)
    .option('-w, --workdir <folder>', 'working directory')
    .option('-u, --user <name[:group]>', 'whose process it is, by names or numbers (default: root)')
    .option('--hostname <name>', 'its host name (default: the first 12 digits of its id)')
    .option('-l, --label <key=value>', 'label, any number of times', collect)
    .option('--stop-grace-period <duration>', 'from SIGTERM to SIGKILL, as 500ms or 1m30s '
      + '(default: 10s)', duration('--stop-grace-period', GRACE_MS_MAX))
    .option('--stop-timeout <seconds>', 'the same in seconds',
      wholeNumber('--stop-timeout', 0, GRACE_MS_MAX / 1000))
    .option('--runtime <name>', 'process: a process of the host (default); crun: inside --rootfs, '
      + 'by the OCI runtime crun')
    .option('--rootfs <folder>', 'unpacked root file system, such as that of a container image')
    .option('--promiscuous', 'let it send from addresses that are not its own')
    .passThroughOptions()
    .action(async (words: string[], options: Options) => {
      const client = clientOf(command)
      const body = taskOf(words, options)
      if (words.length > 0 && options.detach !== true) {
        throw new ExitError(await runInForeground(client, body))
      }
      const { id } = await startTask(client, body)
      print(id)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh run -d --name web --network mynet -- tapmesh whoami --port 80',
    'tapmesh run --rm --network mynet,ip=10.0.1.8 -- ping -c 3 10.0.1.2',
    'tapmesh run -d --network mynet --rootfs /srv/alpine --user nobody -- httpd -f')
}

function taskOf(command: string[], options: Options): TaskRun {
  return {
    name: options.name,
    networks: (options.network ?? []).map(networkOf),
    command,
    env: environmentOf(options.env ?? []),
    workdir: options.workdir === undefined ? undefined : resolve(options.workdir),
    user: options.user,
    hostname: options.hostname,
    stopGraceMs: options.stopGracePeriod ?? millisecondsOf(options.stopTimeout),
    labels: labelsOf(options.label ?? []),
    runtime: (options.runtime ?? (options.rootfs === undefined ? 'process' : 'crun')) as Runtime,
    rootfs: options.rootfs === undefined ? undefined : resolve(options.rootfs),
    promiscuous: options.promiscuous === true,
    remove: options.rm === true,
  }
}

function millisecondsOf(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000
}
