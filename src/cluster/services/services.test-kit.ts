// Services, nodes and tasks for tests, in as few words as they need.
import type { NodeFact, ServiceFact, TaskFact } from './facts.ts'
import { type ServiceSpec, serviceSpec, type ServiceTaskState, type TaskTemplate } from './rows.ts'

const POLICY = { parallelism: 1, delayMs: 0, order: 'stop-first', failureAction: 'pause',
  monitorMs: 5000 }

export function specOf(name: string, replicas: number | null, task: Partial<TaskTemplate> = {},
  more: Partial<ServiceSpec> = {}): ServiceSpec {
  return serviceSpec.parse({
    name, labels: {}, mode: replicas === null ? 'global' : 'replicated', replicas,
    endpointMode: 'vip', ports: [], update: POLICY, rollback: POLICY,
    task: {
      command: ['sleep', '1000'], env: [], workdir: null, user: null, hostname: null, rootfs: null,
      networks: [], stopGraceMs: 1000, constraints: [], force: 0,
      restart: { condition: 'any', delayMs: 5000, maxAttempts: null }, ...task,
    },
    ...more,
  })
}

/** Its id is its name. */
export function serviceOf(name: string, replicas: number | null, task: Partial<TaskTemplate> = {},
  more: Partial<ServiceSpec> = {}, generation = 1): ServiceFact {
  return { id: name, spec: specOf(name, replicas, task, more), version: generation, generation,
    vips: new Map() }
}

/** Its name is its id. */
export function nodeOf(id: string, more: Partial<NodeFact> = {}): NodeFact {
  return { id, name: id, role: 'manager', isAlive: true, availability: 'active', labels: {},
    ...more }
}

/** @param what "web.1@n2": the service, the slot, the node */
export function taskOf(what: string, state: ServiceTaskState = 'running',
  more: Partial<TaskFact> = {}): TaskFact {
  const [, service = '', slot = '', node = ''] = /^(.*)\.(.*)@(.*)$/.exec(what) ?? []
  return {
    id: what, node, isHidden: false, service, slot, generation: 1, desired: 'running', state,
    error: '', exitCode: null, container: null, createdAt: 1, claimedAt: more.createdAt ?? 1,
    stateAt: 1, term: 0, attempt: 0, template: '', side: 0, ...more,
  }
}
