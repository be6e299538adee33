// One service as `docker service inspect` shows it: its JSON, and the lines of --pretty.
import type { PublishedPort, ServiceSpec, ServiceView, UpdatePolicy } from '../client.ts'
import { agoText, imageText } from './service-text.ts'

const NS_PER_MS = 1_000_000

/** Docker's names and nesting. Image is the program; Args is what follows it. */
export function serviceInspection(service: ServiceView): Record<string, unknown> {
  const { id, version, createdAt, updatedAt, spec, previous, vips, update } = service
  return {
    ID: id,
    Version: { Index: version },
    CreatedAt: createdAt,
    UpdatedAt: updatedAt,
    Spec: specInspection(spec),
    ...previous === null ? {} : { PreviousSpec: specInspection(previous) },
    Endpoint: {
      Spec: endpointInspection(spec),
      Ports: spec.ports.map(portInspection),
      VirtualIPs: vips.map(({ network, address }) => ({ NetworkID: network, Addr: address })),
    },
    ...update === null ? {} : { UpdateStatus: {
      State: update.state, StartedAt: update.startedAt, CompletedAt: update.finishedAt,
      Message: update.message,
    } },
    ServiceStatus: { RunningTasks: service.running, DesiredTasks: service.wanted,
      CompletedTasks: service.completed },
  }
}

function specInspection(spec: ServiceSpec): Record<string, unknown> {
  const { name, labels, mode, replicas, task } = spec
  const [, ...args] = task.command
  return {
    Name: name,
    Labels: labels,
    TaskTemplate: {
      ContainerSpec: {
        Image: imageText(task.command), Args: args, Env: task.env, Dir: task.workdir ?? '',
        User: task.user ?? '', Hostname: task.hostname ?? '',
        StopGracePeriod: task.stopGraceMs * NS_PER_MS, Rootfs: task.rootfs ?? '',
      },
      RestartPolicy: { Condition: task.restart.condition,
        Delay: task.restart.delayMs * NS_PER_MS, MaxAttempts: task.restart.maxAttempts ?? 0 },
      Placement: { Constraints: task.constraints },
      Networks: task.networks.map(({ id, aliases }) => ({ Target: id, Aliases: aliases })),
      ForceUpdate: task.force,
      Runtime: task.runtime,
    },
    Mode: mode === 'global' ? { Global: {} } : { Replicated: { Replicas: replicas } },
    UpdateConfig: policyInspection(spec.update),
    RollbackConfig: policyInspection(spec.rollback),
    EndpointSpec: endpointInspection(spec),
  }
}

function endpointInspection({ endpointMode, ports, scheduler, weights }: ServiceSpec) {
  return { Mode: endpointMode, Ports: ports.map(portInspection), Scheduler: scheduler,
    Weights: weights }
}

function portInspection({ protocol, target, published, mode, source }: PublishedPort) {
  return { Protocol: protocol, TargetPort: target, PublishedPort: published, PublishMode: mode,
    Source: source }
}

function policyInspection(policy: UpdatePolicy): Record<string, unknown> {
  return {
    Parallelism: policy.parallelism, Delay: policy.delayMs * NS_PER_MS,
    FailureAction: policy.failureAction, Monitor: policy.monitorMs * NS_PER_MS,
    MaxFailureRatio: 0, Order: policy.order,
  }
}

/** The lines of `inspect --pretty`, with Docker's tabs and spaces. */
export function servicePretty(service: ServiceView, nowMs: number): string {
  const { id, name, spec, networks } = service
  const { task } = spec
  return [
    '',
    `ID:\t\t${id}`,
    `Name:\t\t${name}`,
    ...labelLines(spec.labels),
    `Service Mode:\t${spec.mode === 'global' ? 'Global' : 'Replicated'}`,
    ...spec.mode === 'global' ? [] : [` Replicas:\t${spec.replicas ?? 1}`],
    ...updateLines(service, nowMs),
    'Placement:',
    ...task.constraints.length === 0 ? [] : [` Constraints:\t[${task.constraints.join(' ')}]`],
    'UpdateConfig:',
    ...policyLines(spec.update, 'Update'),
    'RollbackConfig:',
    ...policyLines(spec.rollback, 'Rollback'),
    'ContainerSpec:',
    ...templateLines(spec),
    'Resources:',
    ...networks.length === 0 ? []
      : [`Networks: ${networks.map(one => `${one.name} (${one.id})`).join(', ')} `],
    `Endpoint Mode:\t${spec.endpointMode}`,
    ...spec.ports.length === 0 ? [] : ['Ports:', ...spec.ports.flatMap(portLines)],
  ].join('\n')
}

function labelLines(labels: Readonly<Record<string, string>>): string[] {
  const entries = Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1)
  if (entries.length === 0) return []
  return ['Labels:', ...entries.map(([key, value]) => ` ${key}${value === '' ? '' : `=${value}`}`)]
}

function updateLines({ update }: ServiceView, nowMs: number): string[] {
  if (update === null) return []
  const { state, startedAt, finishedAt, message } = update
  return [
    'UpdateStatus:', ` State:\t\t${state}`, ` Started:\t${agoText(startedAt, nowMs)}`,
    ...finishedAt === null ? [] : [` Completed:\t${agoText(finishedAt, nowMs)}`],
    ` Message:\t${message}`,
  ]
}

function policyLines(policy: UpdatePolicy, kind: string): string[] {
  return [
    ` Parallelism:\t${policy.parallelism}`,
    ...policy.delayMs === 0 ? [] : [` Delay:\t\t${timeText(policy.delayMs)}`],
    ` On failure:\t${policy.failureAction}`,
    ` Monitoring Period: ${timeText(policy.monitorMs)}`,
    ' Max failure ratio: 0',
    ` ${`${kind} order:`.padEnd(18)} ${policy.order}`,
  ]
}

function templateLines({ task, scheduler, weights }: ServiceSpec): string[] {
  const [, ...args] = task.command
  const lines: [name: string, value: string][] = [
    ['Image:\t\t', imageText(task.command)],
    ['Args:\t\t', args.join(' ')],
    ['Env:\t\t', task.env.join(' ')],
    ['Dir:\t\t', task.workdir ?? ''],
    ['User:\t\t', task.user ?? ''],
    ['Hostname:\t', task.hostname ?? ''],
    ['Runtime:\t', task.runtime === 'process' ? '' : task.runtime],
    ['Rootfs:\t', task.rootfs ?? ''],
    ['Scheduler:\t', scheduler === 'rr' ? '' : scheduler],
    ['Weights:\t', Object.entries(weights).map(([slot, weight]) => `${slot}=${weight}`).join(' ')],
  ]
  return lines.filter(([, value]) => value !== '').map(([label, value]) => ` ${label}${value}`)
}

function portLines({ published, protocol, target, mode }: PublishedPort): string[] {
  return [` PublishedPort = ${published}`, `  Protocol = ${protocol}`, `  TargetPort = ${target}`,
    `  PublishMode = ${mode}`]
}

/** 90000 -> "1m30s", 500 -> "500ms", as Go writes a duration. */
export function timeText(timeMs: number): string {
  if (timeMs === 0) return '0s'
  if (timeMs < 1000) return `${timeMs}ms`
  const hours = Math.floor(timeMs / 3_600_000)
  const minutes = Math.floor(timeMs / 60_000) % 60
  const seconds = `${timeMs % 60_000 / 1000}s`
  if (hours > 0) return `${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}
