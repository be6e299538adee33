// Options that `service create` and `service update` share, and how they become requests.
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { ServiceCreate, ServiceUpdate } from '../client.ts'
import { DURATION_MS_MAX, GRACE_MS_MAX } from '../question.ts'
import { duration, environmentOf, labelsOf, wholeNumber, collect } from './words.ts'
import { attachmentOf, portsOf, targetOf, weightsOf } from './service-words.ts'

type Policy = NonNullable<ServiceCreate['update']>

/** As commander names them: `--stop-grace-period` is stopGracePeriod. */
export type SharedOptions = {
  replicas?: number
  workdir?: string
  user?: string
  hostname?: string
  endpointMode?: Exclude<ServiceCreate['endpointMode'], undefined>
  restartCondition?: 'any' | 'on-failure' | 'none'
  restartDelay?: number
  restartMaxAttempts?: number
  stopGracePeriod?: number
  runtime?: 'process' | 'crun'
  rootfs?: string
  updateParallelism?: number
  updateDelay?: number
  updateOrder?: Policy['order']
  updateFailureAction?: Policy['failureAction']
  updateMonitor?: number
  rollbackParallelism?: number
  rollbackDelay?: number
  rollbackOrder?: Policy['order']
  rollbackFailureAction?: 'pause' | 'continue'
  rollbackMonitor?: number
  lbScheduler?: Exclude<ServiceCreate['scheduler'], undefined>
  lbWeight?: string[]
  detach?: boolean
  quiet?: boolean
}

export type CreateOptions = SharedOptions & {
  name?: string
  network?: string[]
  mode?: 'replicated' | 'global'
  publish?: string[]
  env?: string[]
  constraint?: string[]
  label?: string[]
}

export type UpdateOptions = SharedOptions & {
  args?: string
  envAdd?: string[]
  envRm?: string[]
  publishAdd?: string[]
  publishRm?: string[]
  networkAdd?: string[]
  networkRm?: string[]
  constraintAdd?: string[]
  constraintRm?: string[]
  labelAdd?: string[]
  labelRm?: string[]
  force?: boolean
  rollback?: boolean
}

const NUMBER_MAX = 2 ** 31 - 1

export function addSharedOptions(command: Command): void {
  command
    .option('--replicas <n>', 'number of tasks', numberOf)
    .option('-w, --workdir <folder>', 'working directory of the tasks')
    .option('-u, --user <name|uid[:group|gid]>', 'user of the tasks')
    .option('--hostname <template>', 'host name of the tasks, such as {{.Service.Name}}-'
      + '{{.Task.Slot}} (default: the first 12 digits of the id)')
    .option('--endpoint-mode <mode>', 'vip or dnsrr (default: vip)')
    .option('--restart-condition <condition>', 'any, on-failure or none (default: any)')
    .option('--restart-delay <time>', 'between two tasks of a slot (default: 5s)',
      duration('--restart-delay', DURATION_MS_MAX))
    .option('--restart-max-attempts <n>', 'how often a slot is given a new task (default: 0, '
      + 'without end)', wholeNumber('--restart-max-attempts', 0, NUMBER_MAX))
    .option('--stop-grace-period <time>', 'from SIGTERM to SIGKILL (default: 10s)',
      duration('--stop-grace-period', GRACE_MS_MAX))
    .option('--runtime <runtime>', 'process, or crun: inside --rootfs (default: process)')
    .option('--rootfs <folder>', 'root file system of the tasks, the same folder on each node')
  addPolicyOptions(command, 'update')
  addPolicyOptions(command, 'rollback')
  command
    .option('--lb-scheduler <name>', 'rr, wrr, lc, sh or maglev (default: rr)')
    .option('--lb-weight <slot=weight>', 'weight of a slot, for wrr (default: 1)', collect)
    .option('-d, --detach', 'do not wait until the service has converged')
    .option('-q, --quiet', 'wait, but show no progress')
}

function addPolicyOptions(command: Command, kind: 'update' | 'rollback'): void {
  const option = (name: string): string => `--${kind}-${name}`
  command
    .option(`${option('parallelism')} <n>`, `tasks replaced at once, 0 for all (default: 1)`,
      wholeNumber(option('parallelism'), 0, NUMBER_MAX))
    .option(`${option('delay')} <time>`, 'between two rounds (default: 0s)',
      duration(option('delay'), DURATION_MS_MAX))
    .option(`${option('order')} <order>`, 'stop-first or start-first (default: stop-first)')
    .option(`${option('failure-action')} <action>`, kind === 'update'
      ? 'pause, continue or rollback (default: pause)' : 'pause or continue (default: pause)')
    .option(`${option('monitor')} <time>`, 'for so long a new task is watched (default: 5s)',
      duration(option('monitor'), DURATION_MS_MAX))
}

export function createOf(command: string[], options: CreateOptions): ServiceCreate {
  const { name, mode, network = [], publish = [], env = [], constraint, label = [] } = options
  return {
    ...sharedOf(options), name, mode, command,
    env: environmentOf(env),
    networks: network.map(attachmentOf),
    ports: publish.flatMap(portsOf),
    constraints: constraint,
    labels: labelsOf(label),
  }
}

export function updateOf(options: UpdateOptions): ServiceUpdate {
  const { args, envAdd, envRm, publishAdd, publishRm, networkAdd, networkRm, force } = options
  return {
    ...sharedOf(options),
    command: args === undefined ? undefined : commandOf(args),
    envAdd: envAdd === undefined ? undefined : environmentOf(envAdd),
    envRemove: envRm,
    portsAdd: publishAdd?.flatMap(portsOf),
    portsRemove: publishRm?.map(targetOf),
    networksAdd: networkAdd?.map(attachmentOf),
    networksRemove: networkRm,
    constraintsAdd: options.constraintAdd,
    constraintsRemove: options.constraintRm,
    labelsAdd: options.labelAdd === undefined ? undefined : labelsOf(options.labelAdd),
    labelsRemove: options.labelRm,
    force,
  }
}

/** Words as a shell takes them apart: quotation marks and backslashes, nothing else. */
export function commandOf(text: string): string[] {
  const words = text.match(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/gs) ?? []
  return words.map(word => word.replaceAll(/\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/gs,
    (_, plain?: string, double?: string, single?: string) =>
      plain ?? double?.replaceAll(/\\(.)/gs, '$1') ?? single ?? ''))
}

/** Both requests have these alike. What was not said is left out, so that it stays as it is. */
function sharedOf(options: SharedOptions) {
  const { replicas, workdir, user, hostname, endpointMode, stopGracePeriod, runtime, rootfs,
    lbScheduler, lbWeight, restartCondition, restartDelay, restartMaxAttempts } = options
  return {
    replicas, user, hostname, endpointMode, runtime,
    workdir: workdir === undefined ? undefined : resolve(workdir),
    rootfs: rootfs === undefined ? undefined : resolve(rootfs),
    stopGraceMs: stopGracePeriod,
    scheduler: lbScheduler,
    weights: lbWeight === undefined ? undefined : weightsOf(lbWeight),
    restart: said({ condition: restartCondition, delayMs: restartDelay,
      maxAttempts: restartMaxAttempts === 0 ? null : restartMaxAttempts }),
    update: said({ parallelism: options.updateParallelism, delayMs: options.updateDelay,
      order: options.updateOrder, failureAction: options.updateFailureAction,
      monitorMs: options.updateMonitor }),
    rollback: said({ parallelism: options.rollbackParallelism, delayMs: options.rollbackDelay,
      order: options.rollbackOrder, failureAction: options.rollbackFailureAction,
      monitorMs: options.rollbackMonitor }),
  }
}

/** Undefined when nothing of it was said. */
function said<T extends Record<string, unknown>>(values: T): T | undefined {
  return Object.values(values).some(value => value !== undefined) ? values : undefined
}

/** Of any sign: how many replicas there may be the daemon says. */
function numberOf(text: string): number {
  return /^-?\d{1,9}$/.test(text) ? Number(text)
    : wholeNumber('--replicas', 0, 1024)(text)
}
