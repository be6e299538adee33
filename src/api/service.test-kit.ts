// Services of a daemon for tests of the API, in memory only. Tasks are what a test says they are.
import { ConflictError, NotFoundError } from '../base/errors.ts'
import type {
  ServiceChange, ServiceChanged, ServiceControl, ServiceInput, ServiceLogLine,
  ServiceTaskView, ServiceView,
} from '../daemon/service-views.ts'
import { NODE_IDS } from './cluster.test-kit.ts'

export type FakeServices = {
  control: ServiceControl
  services: ServiceView[]
  /** Of all services. */
  tasks: ServiceTaskView[]
  /** What is to be told as pending with the next change. */
  pending: string[]
  /** What any service has said. */
  logs: ServiceLogLine[]
}

const AT = '2026-01-02T03:04:05.000Z'

export function makeFakeServices(asked: string[]): FakeServices {
  const services: ServiceView[] = []
  const tasks: ServiceTaskView[] = []
  const pending: string[] = []
  const logs: ServiceLogLine[] = []
  const find = (which: string) => findService(services, which)
  const changed = (service: ServiceView): ServiceChanged =>
    ({ service, pending: pending.splice(0) })
  const control: ServiceControl = {
    list: () => services,
    get: find,
    tasks: which => tasks.filter(task => task.service === find(which).id),
    create: async input => {
      asked.push(`create service ${JSON.stringify(input)}`)
      const name = input.name ?? 'quick_otter'
      if (services.some(one => one.name === name)) {
        throw new ConflictError(`there is a service "${name}" already`)
      }
      services.push(serviceView(name, input))
      return changed(find(name))
    },
    update: async (which, change) => {
      asked.push(`update service ${which} ${JSON.stringify(change)}`)
      const service = find(which)
      apply(service, change)
      return changed(service)
    },
    rollback: async which => {
      asked.push(`roll back service ${which}`)
      const service = find(which)
      if (service.previous === null) throw new ConflictError(`${which} has no previous spec`)
      return changed(service)
    },
    remove: async which => {
      asked.push(`remove service ${which}`)
      services.splice(services.indexOf(find(which)), 1)
      return { pending: pending.splice(0) }
    },
    logs: async function* (which, spec) {
      asked.push(`logs of ${which} ${JSON.stringify(spec)}`)
      yield* logs
    },
  }
  return { control, services, tasks, pending, logs }
}

/** The task of a slot, running on node1 since AT. */
export function fakeTask(service: ServiceView, slot: string, change: Partial<ServiceTaskView> = {},
): ServiceTaskView {
  const digit = slot.slice(0, 1)
  return {
    id: digit.repeat(25), service: service.id, slot, name: `${service.name}.${slot}`,
    node: { id: NODE_IDS[0], name: 'node1' }, generation: 1, command: service.spec.task.command,
    desired: 'running', state: 'running', error: '', exitCode: null, container: digit.repeat(64),
    createdAt: AT, stateAt: AT, ports: [], isAway: false, flows: null, ...change,
  }
}

function findService(services: readonly ServiceView[], which: string): ServiceView {
  const found = services.find(one => one.name === which || one.id.startsWith(which))
  if (found === undefined) throw new NotFoundError(`there is no service "${which}"`)
  return found
}

function apply(service: ServiceView, change: ServiceChange): void {
  const { replicas } = change
  service.version += 1
  if (replicas === undefined || replicas === null) return
  service.spec = { ...service.spec, replicas }
  service.wanted = replicas
}

function serviceView(name: string, input: ServiceInput): ServiceView {
  const { labels, mode, replicas, endpointMode, update, rollback, scheduler, weights,
    command, env, workdir, user, hostname, runtime, rootfs, stopGraceMs, restart,
    constraints } = input
  const networks = input.networks.map(({ network, aliases }) => ({ id: `${network}id`, aliases }))
  const ports = input.ports.map(({ published = 30_000, source = 'node', ...port }) =>
    ({ ...port, published, source }))
  return {
    id: `${name.replaceAll(/[^a-z0-9]/g, '')}`.padEnd(25, '0'), name, version: 1, generation: 1,
    createdAt: AT, updatedAt: AT, previous: null, update: null,
    spec: {
      name, labels, mode, replicas: mode === 'global' ? null : replicas ?? 1, endpointMode, ports,
      update, rollback, scheduler, weights,
      task: { command, env, workdir, user, hostname, runtime, rootfs, stopGraceMs, restart,
        constraints, networks, force: 0 },
    },
    networks: networks.map(({ id }, n) => ({ id, name: input.networks[n]!.network })),
    vips: networks.map(({ id }) => ({ network: id, address: '10.0.1.2/24' })),
    running: 0, wanted: replicas ?? 1, completed: 0,
  }
}
