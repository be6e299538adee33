// docs/openapi.json: services.
import { z } from 'zod'
import { publishedPort, rolloutRow, serviceSpec, TASK_STATES } from '../../cluster/services/rows.ts'
import type {
  PublishedPort, ServiceChanged, ServiceLogLine, ServiceSpec, ServiceTaskView, ServiceUpdateView,
  ServiceView,
} from '../../daemon/service-views.ts'
import { count, json, lines, type Operations, shapeOf, time } from './operation.ts'

export const portShape = shapeOf<PublishedPort>('PublishedPort')(publishedPort)
export const specShape = shapeOf<ServiceSpec>('ServiceSpec')(serviceSpec)

export const updateShape = shapeOf<ServiceUpdateView>('ServiceUpdate')(z.strictObject({
  generation: count.describe('The one that tasks are brought to'),
  state: rolloutRow.shape.state,
  startedAt: time,
  finishedAt: time.nullable(),
  message: z.string(),
}))

export const serviceShape = shapeOf<ServiceView>('Service')(z.strictObject({
  id: z.string().describe('25 digits of base 36, which follow from the name'),
  name: z.string(),
  version: count.describe('Counts every change of it'),
  generation: count.describe('Counts changes that replace its tasks'),
  createdAt: time,
  updatedAt: time,
  spec: specShape,
  previous: specShape.nullable().describe('From before the last update: what `rollback` goes to'),
  networks: z.array(z.strictObject({ id: z.string(), name: z.string() }))
    .describe("In the order of its tasks' interfaces"),
  vips: z.array(z.strictObject({ network: z.string(), address: z.string() }))
    .describe('"10.0.1.2/24", by network id'),
  running: count,
  wanted: count,
  completed: count.describe('Tasks that have done their work'),
  update: updateShape.nullable(),
}))

export const serviceTaskShape = shapeOf<ServiceTaskView>('ServiceTask')(z.strictObject({
  id: z.string().describe('25 digits; empty for a slot that waits for a node or an address'),
  service: z.string(),
  slot: z.string().describe('"1", "2", …; of a global service the id of the node'),
  name: z.string().describe('"web.1"'),
  node: z.strictObject({ id: z.string(), name: z.string() }).nullable(),
  generation: count,
  command: z.array(z.string()),
  desired: z.enum(['running', 'shutdown']),
  state: z.enum([...TASK_STATES, 'pending']),
  error: z.string().describe('Why it failed, was refused or waits; empty: nothing to say'),
  exitCode: z.int().nullable(),
  container: z.string().nullable().describe('Id of the local task on its node, 64 hex digits'),
  createdAt: time,
  stateAt: time.describe('When it came into `state`'),
  ports: z.array(portShape).describe('Ports of its node that lead to it alone'),
  isAway: z.boolean().describe('Its node is not here; the state is the last that was heard'),
  flows: z.number().nullable()
    .describe('While it is draining: open connections to it through this node'),
}))

const pending = z.array(z.string())
  .describe('What must wait for nodes that are down, one sentence each')

export const changedShape = shapeOf<ServiceChanged>('ServiceChanged')(z.strictObject({
  service: serviceShape, pending,
}))

export const logLineShape = shapeOf<ServiceLogLine>('ServiceLogLine')(z.union([
  z.strictObject({
    task: z.string(), name: z.string(), node: z.string(), line: z.string(),
  }),
  z.strictObject({ note: z.string().describe('Why output is missing') }),
]))

export const serviceOperations: Operations = {
  'GET /v1/services': { id: 'services', summary: 'List services',
    answer: json(z.array(serviceShape)) },
  'POST /v1/services': { id: 'createService', summary: 'Create a service',
    description: 'Answers when the service is written down; its tasks start afterwards. Look at '
      + '`running` and at the tasks until they run.',
    status: 201, answer: json(changedShape) },
  'GET /v1/services/:service': { id: 'service', summary: 'Show a service',
    answer: json(serviceShape) },
  'DELETE /v1/services/:service': { id: 'removeService', summary: 'End a service',
    answer: json(z.strictObject({ pending })) },
  'GET /v1/services/:service/tasks': { id: 'serviceTasks',
    summary: 'List the tasks of a service on all nodes',
    description: 'By slot, the newest of each first.', answer: json(z.array(serviceTaskShape)) },
  'POST /v1/services/:service/update': { id: 'updateService', summary: 'Change a service',
    description: 'What is absent stays as it is.', answer: json(changedShape) },
  'POST /v1/services/:service/rollback': { id: 'rollBackService',
    summary: 'Go back to what stood before the last change', answer: json(changedShape) },
  'GET /v1/services/:service/logs': { id: 'serviceLogs',
    summary: 'Read the output of a service, or of one of its tasks, from all nodes',
    description: 'Managers only. With `follow` until you hang up.',
    answer: lines(logLineShape) },
}
